"""Operators that remember: SVDF."""

from __future__ import annotations

import numpy as np

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
    rank = context.option("rank", 1)
    filters, inputs = features.shape if features.ndim == 2 else (0, 0)
    sound = times.ndim == 2 and len(times) == filters and rank > 0 and filters % max(rank, 1) == 0
    memory = times.shape[-1]
    if not sound or given.shape != (1, inputs) or state.size != filters * memory:
        raise context.refuse(
            f"features {features.shape}, times {times.shape} and rank {rank} for {given.shape}"
        )
    units = filters // rank
    context.check_shape(output, (1, units))
    if context.option("activation") != 1:
        raise context.refuse("the reference takes a fused RELU only")
    if state.dtype != "int16" or len(state.scales) != 1 or state.index not in context.graph.variables:
        raise context.refuse(f"a state of {state.dtype} that is no variable")
    context.check_fields(inputs, filters, memory, rank)
    bias = np.zeros(units, np.int32)
    if context.optional(3) is not None:
        bias = context.constant(3, "int32")
        context.check_shape(context.input(3), (units,))
    scales = [np.float32(context.input(i).scale) for i in (1, 2)]
    inner = np.float32(given.scale) * scales[0] / np.float32(state.scale)
    outer = np.float32(state.scale) * scales[1] / np.float32(output.scale)
    first, last = context.multiplier(float(inner)), context.multiplier(float(outer))
    names = [f"{context.name}_{part}" for part in ("features", "times", "bias")]
    lines = (
        {"inputs": inputs, "filters": filters, "memory": memory, "rank": rank},
        {"input_zero_point": given.zero_point, "output_zero_point": output.zero_point},
        {"feature_multiplier": first[0], "feature_shift": first[1]},
        {"multiplier": last[0], "shift": last[1]},
        dict(zip(("features", "times", "bias"), names, strict=True)),
    )
    constants = [Array(n, values) for n, values in zip(names, (features, times, bias), strict=True)]
    ends = (Address(given.index), Address(state.index), Address(output.index))
    macs = filters * (inputs + memory)
    return Layer(
        context.operator,
        (KernelCall("tm_svdf", (f"&{context.name}", *ends)),),
        (given.index, state.index),
        output.index,
        (*constants, Struct(context.name, "tm_svdf_filters", lines)),
        macs=macs,
        note=f"{given.dims} -> {output.dims}, {memory} runs remembered, {macs:,} MACs",
    )
