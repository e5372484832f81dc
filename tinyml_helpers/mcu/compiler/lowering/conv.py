"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler.lowering.context import Context, KernelCall, Layer
from tinyml_helpers.mcu.compiler.lowering.matrices import lower_computed_dense
from tinyml_helpers.mcu.compiler.lowering.packed import (
    pack_convolution,
    pack_dense,
    pack_depthwise,
)
from tinyml_helpers.mcu.compiler.lowering.weighted import (
    describe_convolution,
    describe_dense,
    weighted_layer,
)
from tinyml_helpers.mcu.compiler.lowering.weights import (
    Filters,
    collect_filters,
    interleave,
    read_weight_scales,
)
from tinyml_helpers.mcu.compiler.lowering.window import (
    Window,
    choose_tile,
    place_scattered_window,
    place_window,
    plane_bytes,
)

_TILES = (30, 15, 9, 6, 3)
_LEAST_COPIED = 9  # pixels for which two filters are copied to RAM: LEAST_COPIED of kernels/conv_2d.c
_DSP_LIMIT, _LIMIT = 1 << 23, 1 << 30  # sums that the kernels hold: 256 times, or twice, in 32 bits


def lower_conv_2d(context: Context) -> Layer:
    """Translate a CONV_2D."""
    image, output = context.input(0), context.output
    context.check_int8(image, output)
    weights = context.constant(1, "int8")
    if weights.ndim != 4 or len(image.shape) != 4 or image.shape[3] % weights.shape[3]:
        raise context.refuse(f"weights of shape {weights.shape} for an input of shape {image.shape}")
    groups = image.shape[3] // weights.shape[3]
    if weights.shape[0] % groups:
        raise context.refuse(f"{weights.shape[0]} filters in {groups} groups")
    window = place_window(context, (weights.shape[1], weights.shape[2]), weights.shape[0])
    rows = weights.reshape(len(weights), -1)
    f = collect_filters(context, rows, read_weight_scales(context, 0))
    if groups > 1 or not f.suit_fast_kernels(_DSP_LIMIT if context.dsp else _LIMIT):
        return lower_any_convolution(context, window, f, groups)
    arranged, bias = interleave(f, 2, context.dsp)
    filter_bytes = arranged.size // bias.size
    gathered = 0 if window.is_read_in_place(image, output) else filter_bytes
    # A pixel is read before what is written reaches it.
    lends = window.kernel == (1, 1) and window.padding == (0, 0) and len(rows) <= rows.shape[1]
    layer = weighted_layer(
        context,
        "tm_conv_2d",
        f,
        arranged,
        bias,
        describe_convolution(context, window, 1),
        scratch_bytes=filter_bytes * (4 if context.dsp else 2) + gathered,
        in_place=lends,
    )
    many = context.dsp and output.shape[1] * output.shape[2] > 4
    return replace(
        layer,
        wider=tuple(_tiled(layer, output, n, filter_bytes, gathered) for n in _TILES if many),
        forms=pack_convolution(context, layer, f, arranged.size),
    )


def _tiled(layer: Layer, output: Tensor, pixels: int, filter_bytes: int, gathered: int) -> Layer:
    """A convolution that reads its weights once for so many pixels: see kernels/conv_2d.c."""
    tile = choose_tile(output, pixels, 3)
    calls = []
    for call in layer.calls:
        tiled = KernelCall("tm_conv_2d_tiled", (*call.arguments, tile))
        calls.append(tiled if call.kernel == "tm_conv_2d" else call)
    copied = 2 * filter_bytes if tile >= _LEAST_COPIED else 0
    scratch_bytes = copied + tile * (4 + 2 * filter_bytes) + gathered
    return replace(layer, calls=tuple(calls), scratch_bytes=scratch_bytes)


def lower_depthwise_conv_2d(context: Context) -> Layer:
    """Translate a DEPTHWISE_CONV_2D of any depth multiplier."""
    image, output = context.input(0), context.output
    context.check_int8(image, output)
    weights = context.constant(1, "int8")
    if weights.ndim != 4 or weights.shape[0] != 1 or weights.shape[3] % image.shape[-1]:
        raise context.refuse(f"weights of shape {weights.shape} for an input of shape {image.shape}")
    window = place_window(context, (weights.shape[1], weights.shape[2]), weights.shape[3])
    rows = weights[0].transpose(2, 0, 1).reshape(weights.shape[3], -1)
    f = collect_filters(context, rows, read_weight_scales(context, 3))
    if window.dilation != (1, 1) or not f.suit_fast_kernels(_LIMIT):
        return lower_any_convolution(context, window, f, image.shape[3])
    struct = describe_convolution(context, window, image.shape[3])
    weights = f.weights.astype(np.int8)
    if image.shape[3] == len(rows) and window.kernel != (3, 3) and window.lies_inside(image, output):
        kernel, weights, scratch_bytes, lends = "tm_depthwise_conv_2d_channels", weights.T, 0, False
    else:
        kernel = _choose_depthwise(window, dsp=context.dsp)
        # A channel is read before it is written; where much is left over, a place of its own is better.
        lends = image.shape[3] == len(rows) and image.size <= 2 * output.size
        scratch_bytes = plane_bytes(window, image, output, 2 if context.dsp else 1)
    layer = weighted_layer(
        context,
        kernel,
        f,
        weights,
        f.folded,
        struct,
        scratch_bytes=scratch_bytes,
        in_place=lends,
    )
    return replace(layer, forms=pack_depthwise(context, layer, weights))


def _choose_depthwise(window: Window, *, dsp: bool) -> str:
    """The kernel for a window's form; those for stride 2 make pairs of outputs by DSP instructions."""
    (height, width), stride = window.kernel, window.stride[1]
    form = "3x3" if window.kernel == (3, 3) else str(width) if width in (5, 7) and height <= 7 else ""
    if not form or stride > 2:
        return "tm_depthwise_conv_2d"
    return f"tm_depthwise_conv_2d_{form}" + ("_by_2" if dsp and stride == 2 else "")


def lower_transpose_conv(context: Context) -> Layer:
    """Translate a TRANSPOSE_CONV: its inputs are the output's shape, weights, image, and a bias or none.

    Source: TensorFlow Lite's reference/integer_ops/transpose_conv.h.
    """
    _, weights, image, *bias = context.operator.inputs
    inputs = (image, weights, *bias)
    context = replace(context, operator=replace(context.operator, inputs=inputs))
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    array = context.constant(1, "int8")
    if array.ndim != 4 or len(given.shape) != 4 or array.shape[3] != given.shape[3]:
        raise context.refuse(f"weights of shape {array.shape} for an input of shape {given.shape}")
    window = place_scattered_window(context, (array.shape[1], array.shape[2]), array.shape[0])
    f = collect_filters(context, array.reshape(len(array), -1), read_weight_scales(context, 0))
    struct = describe_convolution(context, window, 1)
    layer = weighted_layer(context, "tm_transpose_conv", f, array, f.bias, struct, general=True)
    macs = given.size * array.size // given.shape[3]
    note = f"{given.dims} -> {output.dims}, at most {macs:,} MACs"
    return replace(layer, macs=macs, note=note)


def lower_any_convolution(context: Context, window: Window, f: Filters, groups: int) -> Layer:
    """Translate a convolution of any form, for the slow kernel."""
    weights, struct = f.weights.astype(np.int8), describe_convolution(context, window, groups)
    return weighted_layer(context, "tm_conv_2d_general", f, weights, f.bias, struct, general=True)


def lower_fully_connected(context: Context) -> Layer:
    """Translate a FULLY_CONNECTED of one input or several."""
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    if not context.input(1).data:
        return lower_computed_dense(context)
    weights = context.constant(1, "int8")
    if weights.ndim != 2 or given.size % weights.shape[1] or context.option("weights_format"):
        raise context.refuse(f"weights of shape {weights.shape} for an input of shape {given.shape}")
    count = given.size // weights.shape[1]
    if output.size != count * len(weights):
        raise context.refuse(
            f"output shape {output.shape} for {count} inputs and {len(weights)} outputs"
        )
    context.check_fields(count, *weights.shape)
    f = collect_filters(context, weights, read_weight_scales(context, 0))
    # The fast kernel rounds halves up, the reference away from zero.
    if f.can_lie_between or not f.suit_fast_kernels(_DSP_LIMIT if context.dsp else _LIMIT):
        return lower_any_fully_connected(context, f)
    arranged, bias = interleave(f, 4, context.dsp)
    layer = weighted_layer(
        context,
        "tm_fully_connected",
        f,
        arranged,
        bias,
        describe_dense(context),
        scratch_bytes=arranged.size // bias.size * (2 if context.dsp else 1),
    )
    return replace(layer, forms=pack_dense(context, layer, f, arranged.size))


def lower_any_fully_connected(context: Context, f: Filters) -> Layer:
    """Translate a FULLY_CONNECTED of any scales, for the slow kernel."""
    weights, struct = f.weights.astype(np.int8), describe_dense(context)
    return weighted_layer(
        context, "tm_fully_connected_general", f, weights, f.bias, struct, general=True
    )
