"""GATHER and CAST."""

from __future__ import annotations

import math

from tinyml_helpers.mcu.compiler.kernel_files import CASTS
from tinyml_helpers.mcu.compiler.lowering.context import (
    MOST_CALLS,
    Address,
    Context,
    KernelCall,
    Layer,
)
from tinyml_helpers.mcu.compiler.lowering.copies import Copy, Walk, copy, layer_of_copies
from tinyml_helpers.mcu.compiler.lowering.moves import check_alike


def lower_gather(context: Context) -> Layer:
    """Translate a GATHER: rows of a table, or channels, by indices that are constant or computed."""
    given, chosen, output = context.input(0), context.input(1), context.output
    check_alike(context, given, output)
    rank = len(given.shape)
    axis = context.option("axis") % rank
    outer, size = math.prod(given.shape[:axis]), given.shape[axis]
    inner = math.prod(given.shape[axis + 1 :])
    if context.option("batch_dims") or chosen.dtype != "int32":
        raise context.refuse(f"indices of {chosen.dtype}, supported is int32, and no batches")
    if output.size != outer * chosen.size * inner:
        raise context.refuse(f"{chosen.size} of shape {given.shape} to {output.shape}")
    if chosen.data:
        return _gather_known(context, outer, size, inner)
    item = given.size_bytes // given.size
    ends = (Address(given.index, ctype="int8_t"), Address(chosen.index))
    to = Address(output.index, ctype="int8_t")
    call = KernelCall("tm_gather", (outer, size, inner * item, chosen.size, *ends, to))
    note = f"{given.dims}, {chosen.size} chosen"
    return Layer(context.operator, (call,), (given.index, chosen.index), output.index, note=note)


def _gather_known(context: Context, outer: int, size: int, inner: int) -> Layer:
    """Indices that are known become copies, one for each run of neighbours."""
    given, output = context.input(0), context.output
    indices = context.constant(1, "int32").ravel().tolist()
    if not all(0 <= i < size for i in indices):
        raise context.refuse(f"indices {min(indices)} to {max(indices)} of {size}")
    copies: list[Copy] = []
    at = 0
    while at < len(indices):
        count = 1
        while at + count < len(indices) and indices[at + count] == indices[at] + count:
            count += 1
        source = Walk([size * inner, inner, 1], indices[at] * inner)
        target = Walk([len(indices) * inner, inner, 1], at * inner)
        shape, name = (outer, count, inner), f"{context.name}_{at}"
        copies.append(copy(context, given, shape, source, target, name))
        at += count
        if sum(len(one.structs) for one in copies) > MOST_CALLS:
            raise context.refuse(f"indices in more than {MOST_CALLS} runs")
    return layer_of_copies(context, copies, f"{given.dims} -> {output.dims}")


def lower_cast(context: Context) -> Layer:
    """Translate a CAST between bool, int8, int32 and float32: of the bytes, whatever they stand for."""
    given, output = context.input(0), context.output
    if given.dtype not in CASTS or output.dtype not in CASTS or given.size != output.size:
        raise context.refuse(f"{given.dtype} to {output.dtype}: {', '.join(CASTS)} can be cast")
    kernel = f"tm_{given.dtype}_to_{output.dtype}"
    return context.layer(kernel, [given], first=(), last=(given.size,), note=given.dims)
