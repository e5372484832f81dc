"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED."""

from __future__ import annotations

import numpy as np

from tinyml_helpers.mcu.compiler.lowering.context import INT8, Constant, Context, Layer, array
from tinyml_helpers.mcu.compiler.lowering.weights import (
    Filters,
    channels,
    filters,
    interleaved,
    weight_scales,
)
from tinyml_helpers.mcu.compiler.lowering.window import Window, plane_bytes, window

_DSP_LIMIT, _LIMIT = 1 << 23, 1 << 30  # sums that the kernels hold: 256 times, or twice, in 32 bits


def conv_2d(context: Context) -> Layer:
    """Translate a CONV_2D."""
    image, output = context.input(0), context.output
    context.check_int8(image, output)
    weights = context.constant(1, "int8")
    if weights.ndim != 4 or len(image.shape) != 4 or image.shape[3] % weights.shape[3]:
        raise context.refuse(f"weights of shape {weights.shape} for an input of shape {image.shape}")
    groups = image.shape[3] // weights.shape[3]
    if weights.shape[0] % groups:
        raise context.refuse(f"{weights.shape[0]} filters in {groups} groups")
    w = window(context, (weights.shape[1], weights.shape[2]), weights.shape[0])
    rows = weights.reshape(len(weights), -1)
    f = filters(context, rows, weight_scales(context, 0))
    if groups > 1 or not f.fast(_DSP_LIMIT if context.dsp else _LIMIT):
        return general(context, w, f, groups)
    arranged, bias = interleaved(f, 2, context.dsp)
    padded = arranged.size // bias.size
    point = w.kernel == (1, 1) and w.stride == (1, 1)
    return _layer(
        context,
        _conv_struct(context, w, 1),
        (array(f"{context.name}_weights", arranged), channels(context.name, f, bias)),
        f"tm_conv_2d(&{context.name}, {{a}}, {{out}}, {{scratch}});",
        macs=output.size * rows.shape[1],
        scratch_bytes=padded * (5 if context.dsp else 3),
        in_place=point and rows.shape[1] % 4 == 0 and len(rows) <= rows.shape[1],
    )


def depthwise_conv_2d(context: Context) -> Layer:
    """Translate a DEPTHWISE_CONV_2D of any depth multiplier."""
    image, output = context.input(0), context.output
    context.check_int8(image, output)
    weights = context.constant(1, "int8")
    if weights.ndim != 4 or weights.shape[0] != 1 or weights.shape[3] % image.shape[-1]:
        raise context.refuse(f"weights of shape {weights.shape} for an input of shape {image.shape}")
    w = window(context, (weights.shape[1], weights.shape[2]), weights.shape[3])
    rows = weights[0].transpose(2, 0, 1).reshape(weights.shape[3], -1)
    f = filters(context, rows, weight_scales(context, 3))
    if w.dilation != (1, 1) or not f.fast(_LIMIT):
        return general(context, w, f, image.shape[3])
    struct, table = _conv_struct(context, w, image.shape[3]), channels(context.name, f, f.folded)
    if image.shape[3] == len(rows) and w.kernel != (3, 3) and w.inside(image, output):
        return _layer(
            context,
            struct,
            (array(f"{context.name}_weights", f.weights.T.astype(np.int8)), table),
            f"tm_depthwise_conv_2d_channels(&{context.name}, {{a}}, {{out}});",
            macs=output.size * rows.shape[1],
        )
    return _layer(
        context,
        struct,
        (array(f"{context.name}_weights", f.weights.astype(np.int8)), table),
        f"tm_depthwise_conv_2d(&{context.name}, {{a}}, {{out}}, {{scratch}});",
        macs=output.size * rows.shape[1],
        scratch_bytes=plane_bytes(w, image, output, 2 if context.dsp else 1),
        in_place=image.shape == output.shape,
    )


def general(context: Context, w: Window, f: Filters, groups: int) -> Layer:
    """Any convolution at all, by the slow kernel."""
    return _layer(
        context,
        _conv_struct(context, w, groups),
        (
            array(f"{context.name}_weights", f.weights.astype(np.int8)),
            channels(context.name, f, f.bias, 0),
        ),
        f"tm_conv_2d_general(&{context.name}, {{a}}, {{out}});",
        macs=context.output.size * f.weights.shape[1],
    )


def fully_connected(context: Context) -> Layer:
    """Translate a FULLY_CONNECTED of one input or several."""
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    weights = context.constant(1, "int8")
    if weights.ndim != 2 or given.size % weights.shape[1] or context.option("weights_format"):
        raise context.refuse(f"weights of shape {weights.shape} for an input of shape {given.shape}")
    count = given.size // weights.shape[1]
    if output.size != count * len(weights):
        raise context.refuse(
            f"output shape {output.shape} for {count} inputs and {len(weights)} outputs"
        )
    context.check_fields(count, *weights.shape)
    f = filters(context, weights, weight_scales(context, 0))
    fast = f.fast(_DSP_LIMIT if context.dsp else _LIMIT)
    if fast:
        arranged, bias = interleaved(f, 4, context.dsp)
        values, table = arranged, channels(context.name, f, bias)
        call = f"tm_fully_connected(&{context.name}, {{a}}, {{out}}, {{scratch}});"
        scratch_bytes = arranged.size // bias.size * (2 if context.dsp else 1)
    else:
        values, table, scratch_bytes = weights, channels(context.name, f, f.bias, 0), 0
        call = f"tm_fully_connected_general(&{context.name}, {{a}}, {{out}});"
    arrays = (array(f"{context.name}_weights", values), table)
    return _layer(
        context,
        _dense_struct(context, count),
        arrays,
        call,
        output.size * f.weights.shape[1],
        scratch_bytes,
    )


def _dense_struct(context: Context, rows: int) -> Constant:
    low, high = context.activation_range()
    outputs, inputs = context.input(1).shape
    zero_points = (context.input(0).zero_point, context.output.zero_point)
    fields = (
        f"rows = {rows}, .inputs = {inputs}, .outputs = {outputs}",
        f"input_zero_point = {zero_points[0]}, .output_zero_point = {zero_points[1]}",
        f"output_min = {low}, .output_max = {high}",
        f"weights = {context.name}_weights, .channels = {context.name}_channels",
    )
    return Constant(context.name, "tm_dense", fields)


def _conv_struct(context: Context, w: Window, groups: int) -> Constant:
    low, high = context.activation_range()
    zero_points = (context.input(0).zero_point, context.output.zero_point)
    return Constant(
        context.name,
        "tm_conv",
        (
            w.fields(context.input(0), context.output),
            f"input_zero_point = {zero_points[0]}, .output_zero_point = {zero_points[1]}",
            f"output_min = {low}, .output_max = {high}, .groups = {groups}",
            f"weights = {context.name}_weights, .channels = {context.name}_channels",
        ),
    )


def _layer(
    context: Context,
    struct: Constant,
    arrays: tuple[Constant, ...],
    call: str,
    macs: int,
    scratch_bytes: int = 0,
    in_place: bool = False,
) -> Layer:
    calls = [call]
    fast = "general" not in call
    if fast and (limits := context.activation_range()) != INT8:
        calls.append(f"tm_clamp({limits[0]}, {limits[1]}, {{out}}, {context.output.size});")
    given, output = context.input(0), context.output
    padded = ", with its PAD" if "margins" in context.operator.options else ""
    note = f"{given.dims} -> {output.dims}, {macs:,} MACs{padded}"
    return Layer(
        context.operator,
        tuple(calls),
        (given.index,),
        output.index,
        (*arrays, struct),
        scratch_bytes,
        macs,
        in_place,
        note,
    )
