"""What layers with weights share: the constants of their kernels, and the layer around them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.mcu.compiler.lowering.batches import repeat_for_images
from tinyml_helpers.mcu.compiler.lowering.constants import Array, Fields, Struct
from tinyml_helpers.mcu.compiler.lowering.context import (
    INT8,
    SCRATCH,
    Address,
    Context,
    KernelCall,
    Layer,
)
from tinyml_helpers.mcu.compiler.lowering.weights import Filters, make_channel_table
from tinyml_helpers.mcu.compiler.lowering.window import Window


def describe_dense(context: Context) -> Struct:
    """What a fully connected layer's kernels must know."""
    outputs, inputs = context.input(1).shape
    sizes = {"rows": context.output.size // outputs, "inputs": inputs, "outputs": outputs}
    return Struct(context.name, "tm_dense", (sizes, *_common_fields(context, {})))


def describe_convolution(context: Context, window: Window, groups: int) -> Struct:
    """What a convolution's kernels must know."""
    sizes = {"window": window.fields(context.input(0), context.output)}
    return Struct(context.name, "tm_conv", (sizes, *_common_fields(context, {"groups": groups})))


def _common_fields(context: Context, more: Fields) -> tuple[Fields, ...]:
    low, high = context.activation_range()
    zero_points = (context.input(0).zero_point, context.output.zero_point)
    return (
        {"input_zero_point": zero_points[0], "output_zero_point": zero_points[1]},
        {"output_min": low, "output_max": high, **more},
        {"weights": f"{context.name}_weights", "channels": f"{context.name}_channels"},
    )


def weighted_layer(
    context: Context,
    kernel: str,
    f: Filters,
    weights: npt.NDArray[Any],
    bias: npt.NDArray[np.int64],
    struct: Struct,
    *,
    scratch_bytes: int = 0,
    in_place: bool = False,
    general: bool = False,
) -> Layer:
    """A layer with weights; a `general` kernel takes shifts as they are, and clamps what it gives."""
    given, output = context.input(0), context.output
    macs = output.size * f.weights.shape[1]
    options = context.operator.options
    padded = ", with its PAD" if "margins" in options and "strip" not in options else ""
    table = make_channel_table(context.name, f, bias, less=0 if general else 1)
    layer = context.layer(
        kernel,
        [given],
        (Array(f"{context.name}_weights", weights), table, struct),
        last=(Address(SCRATCH),) if scratch_bytes else (),
        scratch_bytes=scratch_bytes,
        macs=macs,
        in_place=in_place,
        note=f"{given.dims} -> {output.dims}, {macs:,} MACs{padded}",
    )
    images = 1 if struct.ctype == "tm_dense" else output.shape[0]
    limits = context.activation_range()
    if not general and limits != INT8:
        clamp = KernelCall("tm_clamp", (*limits, Address(output.index), output.size // images))
        layer = replace(layer, calls=(*layer.calls, clamp))
    return layer if images == 1 else repeat_for_images(context, layer)
