"""LOGISTIC, TANH and SOFTMAX of int16: tables with lines drawn between their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler.lowering.constants import Array
from tinyml_helpers.mcu.compiler.lowering.context import Context, Layer

Reals = npt.NDArray[Any]
_TABLE_SCALE = 4096.0 * 3.0
_STEPS, _RANGE = 512, 65535


def lower_sigmoid(context: Context) -> Layer:
    """Translate a LOGISTIC or TANH, which share a table of 256 values between which lines are drawn.

    Source: TensorFlow Lite's activations.cc and reference/integer_ops/logistic.h and tanh.h.
    """
    given, output, kind = context.input(0), context.output, context.operator.type
    context.check_int16(given, output)
    context.check_shape(output, given.shape)
    if output.scale != 2.0**-15:
        raise context.refuse(f"output scale {output.scale}; it is 2^-15")
    multiplier, shift = _sigmoid_factor(given, (0,) if kind == "LOGISTIC" else (0, 1))
    name = f"{context.name}_table"
    return context.layer(
        f"tm_{kind.lower()}_int16",
        [given],
        (Array(name, _tabulate_sigmoid()),),
        first=(name, multiplier, shift),
        last=(given.size,),
        in_place=True,
        note=given.dims,
    )


def _tabulate_sigmoid() -> npt.NDArray[np.int32]:
    """Tabulate 1 / (1 + e^-x) at steps of 1/24, raised by half of what a line lacks in its middle."""
    here, middle, following = (1 / (1 + np.exp(-(np.arange(256) + at) / 24)) for at in (0, 0.5, 1))
    values = np.floor((_RANGE + 1) * (here + (middle - (here + following) / 2) / 2) + 0.5)
    values[-1] = _RANGE
    return values.astype(np.int32)


def _sigmoid_factor(given: Tensor, powers: tuple[int, ...]) -> tuple[int, int]:
    """Multiplier and shift to the right that bring a scale to 1 / (3 * 4096)."""
    logarithm = np.log(np.float32(given.scale)) * np.float32(1 / np.log(np.float32(2)))
    left = round(float(logarithm)) + 12
    if abs(logarithm - round(float(logarithm))) < 1e-3 and left in powers:
        return 3 << left, 0
    real, shift = given.scale * _TABLE_SCALE, 0
    while real <= 32767 / 2 and shift <= 30:
        real, shift = 2 * real, shift + 1
    return int(real), shift


def lower_interpolated_softmax(context: Context) -> Layer:
    """Translate a SOFTMAX over the last dimension.

    Source: TensorFlow Lite's reference/softmax.h, activations.cc and `LUTPopulate` of common.h.
    """
    given, output = context.input(0), context.output
    context.check_int16(given, output)
    context.check_shape(output, given.shape)
    if output.scale != 2.0**-15:
        raise context.refuse(f"output scale {output.scale}; it is 2^-15")
    real = float(np.float32(given.scale) * np.float32(context.real("beta"))) / (10.0 / 65535.0)
    multiplier, shift = context.multiplier(real)
    names = [f"{context.name}_{part}" for part in ("exponentials", "reciprocals")]
    tables = (
        _tabulate(np.exp, 10.0 / _RANGE, 32767),
        _tabulate(lambda x: 1.0 / (1.0 + x), 1.0 / _RANGE, -32768),
    )
    columns = given.shape[-1] if given.shape else 1
    rows = given.size // columns
    return context.layer(
        "tm_softmax_int16",
        [given],
        tuple(Array(name, table) for name, table in zip(names, tables, strict=True)),
        first=(*names, multiplier, shift),
        last=(rows, columns),
        in_place=True,
        note=f"{rows} rows of {columns}",
    )


def _tabulate(
    function: Callable[[Reals], Reals], scale: float, zero_point: int
) -> npt.NDArray[np.int16]:
    """513 values of a function in 15 bits, bent so that lines between them err least in the middle."""
    low, high = scale * (-32768 - zero_point), scale * (32767 - zero_point)
    step = (high - low) / _STEPS
    x = low + np.arange(_STEPS) * step
    inverse = (_RANGE + 1) / (2.0 / _RANGE * 32767 - 2.0 / _RANGE * -32768)
    sample = _round(function(x) * inverse)
    following = function(low + (np.arange(_STEPS) + 1) * step) * inverse
    middle = _round((following + sample) / 2) - _round(function(x + step / 2) * inverse)
    last = _round(function(np.array([high])) * inverse)
    values = np.append(sample - _round(middle / 2), last)
    return np.asarray(np.clip(values, -32768, 32767), np.int16)


def _round(values: Reals) -> Reals:
    return np.asarray(np.trunc(values + np.copysign(0.5, values)))
