"""AVERAGE_POOL_2D, MAX_POOL_2D, SOFTMAX and LOG_SOFTMAX."""

from __future__ import annotations

import math

import numpy as np

from tinyml_helpers.mcu.compiler import fixed_point
from tinyml_helpers.mcu.compiler.lowering.batches import repeat_for_images
from tinyml_helpers.mcu.compiler.lowering.constants import Array, Struct
from tinyml_helpers.mcu.compiler.lowering.context import Context, Layer
from tinyml_helpers.mcu.compiler.lowering.window import place_window

_SOFTMAX_BITS = 5  # integer bits of the difference that e^x is taken of


def lower_pool(context: Context) -> Layer:
    """Translate an AVERAGE_POOL_2D or MAX_POOL_2D, of int8 or int16."""
    image, output = context.input(0), context.output
    suffix = context.check_integers(image, output)
    if (image.scale, image.zero_point) != (output.scale, output.zero_point):
        raise context.refuse("input and output of different scale")
    kernel = (context.option("filter_h"), context.option("filter_w"))
    window = place_window(context, kernel, image.shape[-1])
    context.check_fields(kernel[0] * kernel[1] if suffix else 0)  # whose sum fits 32 bits
    low, high = context.activation_range()
    lines = ({"window": window.fields(image, output)}, {"output_min": low, "output_max": high})
    layer = context.layer(
        f"tm_{context.operator.type.lower()}{suffix}",
        [image],
        (Struct(context.name, "tm_pool", lines),),
        note=f"{image.dims} -> {output.dims}",
    )
    return repeat_for_images(context, layer)


def lower_softmax(context: Context) -> Layer:
    """Translate a SOFTMAX over the last dimension."""
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    context.check_shape(output, given.shape)
    if (output.scale, output.zero_point) != (1 / 256, -128):
        raise context.refuse(
            f"output scale {output.scale}, zero point {output.zero_point}; it is 1/256, -128"
        )
    table = tabulate_exponentials(context.real("beta") * float(np.float32(given.scale)))
    name = f"{context.name}_exponentials"
    columns = given.shape[-1] if given.shape else 1
    rows = given.size // columns
    return context.layer(
        "tm_softmax",
        [given],
        (Array(name, table),),
        first=(name, len(table)),
        last=(rows, columns),
        in_place=True,
        note=f"{rows} rows of {columns}",
    )


def lower_log_softmax(context: Context) -> Layer:
    """Translate a LOG_SOFTMAX over the last dimension.

    Source: TensorFlow Lite's reference/integer_ops/log_softmax.h and common.h.
    """
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    context.check_shape(output, given.shape)
    if (output.scale, output.zero_point) != (1 / 16, 127):
        raise context.refuse(
            f"output scale {output.scale}, zero point {output.zero_point}; it is 1/16, 127"
        )
    scale = float(np.float32(given.scale))
    table = tabulate_exponentials(scale)
    multiplier, exponent = fixed_point.quantize_multiplier(
        min(scale * (1 << (31 - _SOFTMAX_BITS)), 2.0**31 - 1)
    )
    back, back_exponent = fixed_point.quantize_multiplier(2.0 ** (31 - exponent) / multiplier)
    names = (f"{context.name}_exponentials", context.name)
    lines = (
        {"multiplier": multiplier, "shift": -exponent},
        {"back_multiplier": back, "back_shift": -back_exponent},
        {"least": -_radius(max(exponent, 0))},
    )
    columns = given.shape[-1] if given.shape else 1
    rows = given.size // columns
    return context.layer(
        "tm_log_softmax",
        [given],
        (Array(names[0], table), Struct(names[1], "tm_log_softmax_scales", lines)),
        first=(f"&{names[1]}", names[0], len(table)),
        last=(rows, columns),
        in_place=True,
        note=f"{rows} rows of {columns}",
    )


def _radius(exponent: int) -> int:
    """The greatest difference of two inputs whose power of e is counted."""
    span = (1 << _SOFTMAX_BITS) - 1
    return math.floor(span * (1 << (31 - _SOFTMAX_BITS)) / (1 << exponent))


def tabulate_exponentials(scale: float) -> np.ndarray:
    """Tabulate e^(-scale * d) for differences d of 0, 1, ... as far as TensorFlow Lite counts them.

    Args:
        scale: scale of the input, times beta.

    Returns:
        int32 array of at most 256, 31 fraction bits.
    """
    real = min(scale * (1 << (31 - _SOFTMAX_BITS)), 2.0**31 - 1)
    multiplier, shift = fixed_point.quantize_multiplier(real)
    shift = max(shift, 0)
    differences = np.arange(min(_radius(shift), 255) + 1)
    scaled = fixed_point.high_mul(-differences << shift, multiplier)
    return fixed_point.exp_of_negative(scaled, _SOFTMAX_BITS).astype(np.int32)
