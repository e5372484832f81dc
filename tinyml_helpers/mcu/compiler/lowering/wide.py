"""Operators of int16 activations (int16x8): weights stay int8, zero points are 0, sums have 64 bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler import fixed_point
from tinyml_helpers.mcu.compiler.lowering import pairs, pool, reduce
from tinyml_helpers.mcu.compiler.lowering.batches import repeat_for_images
from tinyml_helpers.mcu.compiler.lowering.constants import Array, Struct
from tinyml_helpers.mcu.compiler.lowering.context import Context, Layer, quantize_range
from tinyml_helpers.mcu.compiler.lowering.weights import read_weight_scales
from tinyml_helpers.mcu.compiler.lowering.window import Window, place_window

Ints = npt.NDArray[np.int64]
_ONE, _INT32, _SHORT_FACTORS = (1, 1), 2, "TINYML_SHORT_FACTORS"
_MOST_SUM, _MOST_DENSE_SUM, _LEAST_EXPONENT, _MOST_EXPONENT = 1 << 47, 1 << 31, -31, 7  # to scale
_TABLE_SCALE = 4096.0 * 3.0
_STEPS, _RANGE = 512, 65535


def lower_weighted(context: Context) -> Layer:
    """Translate a CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED, all by one kernel.

    Source: TensorFlow Lite's reference/integer_ops/conv.h, depthwise_conv.h and fully_connected.h.
    """
    image, output, weights = context.input(0), context.output, context.constant(1, "int8")
    context.check_int16(image, output)
    window, rows, groups, sizes = _place(context, weights)
    axis = 3 if context.operator.type == "DEPTHWISE_CONV_2D" else 0
    bias, rounding = _read_bias(context, rows)
    scales = [p / output.scale for p in read_weight_scales(context, axis)]
    factors = [context.multiplier(scale) for scale in scales] * (len(rows) if len(scales) == 1 else 1)
    if len(factors) != len(rows):
        raise context.refuse(f"{len(factors)} weight scales for {len(rows)} outputs")
    multipliers, shifts = np.array(factors, np.int64).T
    if rounding == _SHORT_FACTORS:
        multipliers, shifts = np.minimum((multipliers + (1 << 15)) >> 16, 0x7FFF), shifts + 15
    least, most = (15 - e for e in (_MOST_EXPONENT, _LEAST_EXPONENT))
    if rounding == _SHORT_FACTORS and not ((least <= shifts) & (shifts <= most)).all():
        raise context.refuse(f"scales that need a shift of {shifts.min()} to {shifts.max()}")
    low, high = context.activation_range()
    parts = {"weights": rows.astype(np.int8), "bias": bias}
    parts |= {"multipliers": multipliers.astype(np.int32), "shifts": shifts.astype(np.int32)}
    lines = (
        {"window": sizes},
        {"output_min": low, "output_max": high, "groups": groups, "rounding": rounding},
        {part: f"{context.name}_{part}" for part in parts},
    )
    constants = tuple(Array(f"{context.name}_{part}", values) for part, values in parts.items())
    macs = output.size * rows.shape[1]
    layer = context.layer(
        "tm_conv_2d_int16",
        [image],
        (*constants, Struct(context.name, "tm_conv_int16", lines)),
        macs=macs,
        note=f"{image.dims} -> {output.dims}, {macs:,} MACs",
    )
    return layer if window is None else repeat_for_images(context, layer)


def _place(
    context: Context, weights: npt.NDArray[np.int8]
) -> tuple[Window | None, npt.NDArray[np.int8], int, tuple[Mapping[str, int], ...]]:
    """The window, weights as one row for each output, groups, and the lines of `tm_window`."""
    image, output, kind = context.input(0), context.output, context.operator.type
    refused = f"weights of shape {weights.shape} for an input of shape {image.shape}"
    if kind == "FULLY_CONNECTED":
        if weights.ndim != 2 or image.size % weights.shape[1] or context.option("weights_format"):
            raise context.refuse(refused)
        count = image.size // weights.shape[1]
        if output.size != count * len(weights):
            raise context.refuse(f"{refused}, giving {output.shape}")
        context.check_fields(count, *weights.shape)
        column = replace(image, shape=(1, count, 1, weights.shape[1]))
        made = replace(output, shape=(1, count, 1, len(weights)))
        return None, weights, 1, Window(_ONE, _ONE, _ONE, (0, 0)).fields(column, made)
    if weights.ndim != 4 or len(image.shape) != 4:
        raise context.refuse(refused)
    depthwise = kind == "DEPTHWISE_CONV_2D"
    rows = weights[0].transpose(2, 0, 1) if depthwise else weights
    depth = 1 if depthwise else weights.shape[3]
    if (depthwise and len(weights) != 1) or image.shape[3] % depth or len(rows) % (image.shape[3] // depth):
        raise context.refuse(refused)
    window = place_window(context, (weights.shape[1], weights.shape[2]), len(rows))
    fields = window.fields(image, output)
    return window, rows.reshape(len(rows), -1), image.shape[3] // depth, fields


def _read_bias(context: Context, rows: npt.NDArray[np.int8]) -> tuple[Ints, str]:
    """The bias, and how sums are rounded: a name of kernels/kernels.h."""
    tensor, kind = context.optional(2), context.operator.type
    dtype = tensor.dtype if tensor is not None else ""
    if dtype not in {"CONV_2D": ("int32", "int64"), "DEPTHWISE_CONV_2D": ("int64",)}.get(kind, (dtype,)):
        raise context.refuse(f"{dtype or 'no'} bias beside int16, which LiteRT refuses too")
    if dtype == "int32" and context.option("bias_type") != _INT32:
        raise context.refuse("an int32 bias beside int16 that the options do not name (quantized_bias_type)")
    bias = np.zeros(len(rows), np.int64)
    if tensor is not None:
        bias = context.constant(2, "int32" if dtype == "int32" else "int64").astype(np.int64)
        context.check_shape(tensor, (len(rows),))
    most = np.abs(bias).max(initial=0) + (np.abs(rows.astype(np.int64)).sum(axis=1).max(initial=0) << 15)
    if most >= (_MOST_DENSE_SUM if kind == "FULLY_CONNECTED" else _MOST_SUM):
        raise context.refuse(f"sums of up to {most:,}, which the reference cannot scale")
    short = "TINYML_TWICE" if dtype == "int32" else _SHORT_FACTORS
    return bias, "TINYML_ONCE" if kind == "FULLY_CONNECTED" else short


def lower_sum(context: Context) -> Layer:
    """Translate an ADD or SUB of any scales."""
    if context.option("pot_scale"):
        raise context.refuse("scales that are powers of two (pot_scale_int16), as old converters made it")
    return pairs.lower_sum(context)


def lower_rescale(context: Context) -> Layer:
    """Translate a QUANTIZE between integers, RELU or its like, or LEAKY_RELU."""
    given, output, kind = context.input(0), context.output, context.operator.type
    for tensor in (given, output):
        (context.check_int8 if tensor.dtype == "int8" and kind == "QUANTIZE" else context.check_int16)(tensor)
    if given.size != output.size:
        raise context.refuse(f"output shape {output.shape} for input shape {given.shape}")
    slope = context.real("alpha") if kind == "LEAKY_RELU" else 1.0
    above, below = (context.multiplier(abs(s) * given.scale / output.scale) for s in (1.0, slope))
    if slope < 0:
        raise context.refuse(f"a slope of {slope} below zero")
    low, high = quantize_range(output, *_LIMITS.get(kind, (None, None)))
    lines = (
        {"input_zero_point": given.zero_point, "output_zero_point": output.zero_point},
        {"output_min": low, "output_max": high},
        {"multiplier": above[0], "shift": above[1]},
        {"multiplier_below": below[0], "shift_below": below[1]},
    )
    return context.layer(
        f"tm_rescale_{given.dtype}_to_{output.dtype}",
        [given],
        (Struct(context.name, "tm_rescaling", lines),),
        last=(given.size,),
        in_place=given.dtype == output.dtype,
        note=given.dims,
    )


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


def lower_softmax(context: Context) -> Layer:
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
    function: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]], scale: float, zero_point: int
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
    return np.clip(values, -32768, 32767).astype(np.int16)


def _round(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.trunc(values + np.copysign(0.5, values)))


_LIMITS = {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
OPERATORS: Mapping[str, Callable[[Context], Layer]] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), lower_weighted),
    **dict.fromkeys(("ADD", "SUB"), lower_sum),
    **dict.fromkeys(("QUANTIZE", "LEAKY_RELU", *_LIMITS), lower_rescale),
    **dict.fromkeys(("LOGISTIC", "TANH"), lower_sigmoid),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), pool.lower_pool),
    "MEAN": reduce.lower_mean,
    "MUL": pairs.lower_mul,
    "SOFTMAX": lower_softmax,
}
"""Operators whose first input may be int16 -> what translates them then; moves take any type."""
