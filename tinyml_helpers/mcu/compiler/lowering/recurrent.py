"""Operators that remember: SVDF."""

from __future__ import annotations

import numpy as np

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler.lowering.constants import Array, Struct
from tinyml_helpers.mcu.compiler.lowering.context import Address, Context, KernelCall, Layer


def lower_svdf(context: Context) -> Layer:
    """Translate an SVDF: features of the input, remembered in int16, and weighted sums over time.

    Source: TensorFlow Lite's reference/svdf.h, which takes a fused RELU only and leaves it to the
    output's range.
    """
    given, output, state = context.input(0), context.output, context.input(4)
    context.check_int8(given, output)
    features, times = context.constant(1, "int8"), context.constant(2, "int16")
    units, filters, memory = _check_sizes(context, features.shape, times.shape)
    bias = np.zeros(units, np.int32)
    if context.optional(3) is not None:
        bias = context.constant(3, "int32")
        context.check_shape(context.input(3), (units,))
    first = _factor(context, given, context.input(1), state)
    last = _factor(context, state, context.input(2), output)
    parts = {"features": features, "times": times, "bias": bias}
    lines = (
        {"inputs": given.size, "filters": filters, "memory": memory, "rank": filters // units},
        {"input_zero_point": given.zero_point, "output_zero_point": output.zero_point},
        {"feature_multiplier": first[0], "feature_shift": first[1]},
        {"multiplier": last[0], "shift": last[1]},
        {part: f"{context.name}_{part}" for part in parts},
    )
    constants = [Array(f"{context.name}_{part}", values) for part, values in parts.items()]
    ends = (Address(given.index), Address(state.index), Address(output.index))
    macs = filters * (given.size + memory)
    return Layer(
        context.operator,
        (KernelCall("tm_svdf", (f"&{context.name}", *ends)),),
        (given.index, state.index),
        output.index,
        (*constants, Struct(context.name, "tm_svdf_filters", lines)),
        macs=macs,
        note=f"{given.dims} -> {output.dims}, {memory} runs remembered, {macs:,} MACs",
    )


def _check_sizes(
    context: Context, features: tuple[int, ...], times: tuple[int, ...]
) -> tuple[int, int, int]:
    """Units, filters and runs that are remembered."""
    given, state, rank = context.input(0), context.input(4), context.option("rank", 1)
    filters, inputs = features if len(features) == 2 else (0, 0)
    memory = times[-1]
    sound = times == (filters, memory) and rank > 0 and filters % max(rank, 1) == 0
    if not sound or given.shape != (1, inputs) or state.size != filters * memory:
        raise context.refuse(f"features {features}, times {times} and rank {rank} for {given.shape}")
    if context.option("activation") != 1:
        raise context.refuse("the reference takes a fused RELU only")
    if state.dtype != "int16" or len(state.scales) != 1 or state.index not in context.graph.variables:
        raise context.refuse(f"a state of {state.dtype} that is no variable")
    context.check_shape(context.output, (1, filters // rank))
    context.check_fields(inputs, filters, memory, rank)
    return filters // rank, filters, memory


def _factor(context: Context, given: Tensor, weights: Tensor, made: Tensor) -> tuple[int, int]:
    """The factor from products to a scale, in single precision as the reference takes it."""
    product = np.float32(given.scale) * np.float32(weights.scale)
    return context.multiplier(float(product / np.float32(made.scale)))
