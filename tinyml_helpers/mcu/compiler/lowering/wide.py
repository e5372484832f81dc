"""Operators of int16 activations (int16x8): weights stay int8, zero points are 0, sums have 64 bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.mcu.compiler.fixed_point import quantize_range
from tinyml_helpers.mcu.compiler.lowering import curves, pairs, pool, reduce
from tinyml_helpers.mcu.compiler.lowering.batches import repeat_for_images
from tinyml_helpers.mcu.compiler.lowering.constants import Array, Struct
from tinyml_helpers.mcu.compiler.lowering.context import Context, Layer
from tinyml_helpers.mcu.compiler.lowering.weights import read_weight_scales
from tinyml_helpers.mcu.compiler.lowering.window import Window, place_window

Ints = npt.NDArray[np.int64]
_ONE, _INT32, _SHORT_FACTORS = (1, 1), 2, "TINYML_SHORT_FACTORS"
_MOST_SUM, _MOST_DENSE_SUM, _LEAST_SHIFT, _MOST_SHIFT = 1 << 47, 1 << 31, 8, 46  # to be scaled


def lower_weighted(context: Context) -> Layer:
    """Translate a CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED, all by one kernel.

    Source: TensorFlow Lite's reference/integer_ops/conv.h, depthwise_conv.h and fully_connected.h.
    """
    image, output, weights = context.input(0), context.output, context.constant(1, "int8")
    context.check_int16(image, output)
    window, rows, groups, sizes = _place(context, weights)
    bias, rounding = _read_bias(context, rows)
    multipliers, shifts = _read_factors(context, len(rows), short=rounding == _SHORT_FACTORS)
    low, high = context.activation_range()
    parts: dict[str, npt.NDArray[Any]] = {"weights": rows, "bias": bias}
    parts |= {"multipliers": multipliers, "shifts": shifts}
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


def _read_factors(context: Context, n: int, *, short: bool) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Multipliers, of 15 bits if they are to be short, and shifts to the right, one for each output."""
    axis = 3 if context.operator.type == "DEPTHWISE_CONV_2D" else 0
    factors = [context.multiplier(p / context.output.scale) for p in read_weight_scales(context, axis)]
    factors *= n if len(factors) == 1 else 1
    if len(factors) != n:
        raise context.refuse(f"{len(factors)} weight scales for {n} outputs")
    multipliers, shifts = np.array(factors, np.int64).T
    if short:
        multipliers, shifts = np.minimum((multipliers + (1 << 15)) >> 16, 0x7FFF), shifts + 15
        if not ((shifts >= _LEAST_SHIFT) & (shifts <= _MOST_SHIFT)).all():
            raise context.refuse(f"scales that need a shift of {shifts.min()} to {shifts.max()}")
    return multipliers.astype(np.int32), shifts.astype(np.int32)


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
    if (
        (depthwise and len(weights) != 1)
        or image.shape[3] % depth
        or len(rows) % (image.shape[3] // depth)
    ):
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
        raise context.refuse(
            "an int32 bias beside int16 that the options do not name (quantized_bias_type)"
        )
    bias = np.zeros(len(rows), np.int64)
    if tensor is not None:
        bias = context.constant(2, "int32" if dtype == "int32" else "int64").astype(np.int64)
        context.check_shape(tensor, (len(rows),))
    most = np.abs(bias).max(initial=0) + (np.abs(rows.astype(np.int64)).sum(axis=1).max(initial=0) << 15)
    if most >= (_MOST_DENSE_SUM if kind == "FULLY_CONNECTED" else _MOST_SUM):
        raise context.refuse(f"sums of up to {most:,}, which the reference cannot scale")
    short = "TINYML_TWICE" if dtype == "int32" else _SHORT_FACTORS
    return bias, "TINYML_ONCE" if kind == "FULLY_CONNECTED" else short


def lower_scaled_sum(context: Context) -> Layer:
    """Translate an ADD or SUB of any scales."""
    if context.option("pot_scale"):
        raise context.refuse(
            "scales that are powers of two (pot_scale_int16), as old converters made it"
        )
    return pairs.lower_sum(context)


def lower_rescale(context: Context) -> Layer:
    """Translate a QUANTIZE between integers, RELU or its like, or LEAKY_RELU."""
    given, output, kind = context.input(0), context.output, context.operator.type
    for tensor in (given, output):
        (context.check_int8 if tensor.dtype == "int8" and kind == "QUANTIZE" else context.check_int16)(
            tensor
        )
    if given.size != output.size:
        raise context.refuse(f"output shape {output.shape} for input shape {given.shape}")
    slope = context.real("alpha") if kind == "LEAKY_RELU" else 1.0
    if slope < 0:
        raise context.refuse(f"a slope of {slope} below zero")
    # The reference divides in single precision, but for a QUANTIZE.
    real = float if kind == "QUANTIZE" else np.float32
    factors = (
        real(given.scale) / real(output.scale),
        real(given.scale) * real(slope) / real(output.scale),
    )
    above, below = (context.multiplier(float(factor)) for factor in factors)
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


_LIMITS = {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
OPERATORS: Mapping[str, Callable[[Context], Layer]] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), lower_weighted),
    **dict.fromkeys(("ADD", "SUB"), lower_scaled_sum),
    **dict.fromkeys(("QUANTIZE", "LEAKY_RELU", *_LIMITS), lower_rescale),
    **dict.fromkeys(("LOGISTIC", "TANH"), curves.lower_sigmoid),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), pool.lower_pool),
    "MEAN": reduce.lower_mean,
    "MUL": pairs.lower_mul,
    "SOFTMAX": curves.lower_interpolated_softmax,
}
"""Operators whose first input may be int16 -> what translates them then; moves take any type."""
