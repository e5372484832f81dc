"""Operators that only move bytes: PAD, CONCATENATION, STRIDED_SLICE, RESHAPE and its like."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinyml_helpers.mcu.compiler.lowering.constants import Struct
from tinyml_helpers.mcu.compiler.lowering.context import Address, Context, KernelCall, Layer
from tinyml_helpers.mcu.compiler.lowering.strides import join_dimensions, row_major_steps

_MASKS = ("ellipsis_mask", "new_axis_mask", "offset")


def lower_view(context: Context) -> Layer:
    """Translate RESHAPE, EXPAND_DIMS or SQUEEZE: the same bytes under another shape, no code."""
    given, output = context.input(0), context.output
    if given.size_bytes != output.size_bytes or given.dtype != output.dtype:
        raise context.refuse(f"{given.shape} of {given.dtype} as {output.shape} of {output.dtype}")
    if given.data:
        raise context.refuse("the input is constant")
    return Layer(context.operator, (), (given.index,), output.index, in_place=True, note="no code")


def lower_assign(context: Context) -> Layer:
    """Translate ASSIGN_VARIABLE: into the place where the variable lies."""
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    context.check_shape(given, output.shape)
    if (given.scale, given.zero_point) != (output.scale, output.zero_point):
        raise context.refuse("a value of another scale than the variable has")
    struct = _move(context, context.name, given.shape, output.shape)
    return context.layer("tm_copy", [given], (struct,), note=f"{given.dims} kept")


def read_padding(context: Context) -> tuple[npt.NDArray[np.int32], int]:
    """Read the margins of a PAD or PADV2, before and after each dimension, and the byte that fills them.

    Raises:
        UnsupportedError: its tensors do not fit together.
    """
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    margins = context.constant(1, "int32")
    rank = len(given.shape)
    if margins.shape != (rank, 2) or margins.min() < 0:
        raise context.refuse(
            f"paddings of shape {margins.shape} for {rank} dimensions, or negative ones"
        )
    context.check_shape(output, (n + int(m.sum()) for n, m in zip(given.shape, margins, strict=True)))
    value = given.zero_point
    if context.operator.type == "PADV2":
        value = int(context.constant(2, "int8").ravel()[0])
    return margins, value


def lower_pad(context: Context) -> Layer:
    """Translate a PAD or PADV2."""
    given, output = context.input(0), context.output
    margins, value = read_padding(context)
    start = sum(int(m[0]) * s for m, s in zip(margins, row_major_steps(output.shape), strict=True))
    struct = _move(context, context.name, given.shape, output.shape, to=start)
    first, note = (f"&{struct.name}", value, output.size), f"{given.dims} -> {output.dims}"
    return context.layer("tm_pad", [given], (struct,), first=first, note=note)


def lower_concatenation(context: Context) -> Layer:
    """Translate a CONCATENATION of tensors of one scale."""
    output, n = context.output, len(context.operator.inputs)
    tensors = [context.input(i) for i in range(n)]
    context.check_int8(output, *tensors)
    if context.option("activation"):
        raise context.refuse("a fused activation")
    rank = len(output.shape)
    axis = context.option("axis") % max(rank, 1)
    structs, calls, start = [], [], 0
    for i, t in enumerate(tensors):
        if (t.scale, t.zero_point) != (output.scale, output.zero_point):
            raise context.refuse(f"tensor {t.index} and the output have different scales")
        context.check_shape(t, (*output.shape[:axis], t.shape[axis], *output.shape[axis + 1 :]))
        at = start * row_major_steps(output.shape)[axis]
        structs.append(_move(context, f"{context.name}_{i}", t.shape, output.shape, to=at))
        ends = (Address(t.index), Address(output.index))
        calls.append(KernelCall("tm_copy", (f"&{structs[-1].name}", *ends)))
        start += t.shape[axis]
    if start != output.shape[axis]:
        raise context.refuse(f"{start} along dimension {axis}, the output has {output.shape[axis]}")
    return Layer(
        context.operator,
        tuple(calls),
        context.operator.inputs,
        output.index,
        tuple(structs),
        note=f"-> {output.dims}",
    )


def lower_strided_slice(context: Context) -> Layer:
    """Translate a STRIDED_SLICE whose bounds are constant."""
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    if any(context.option(mask) for mask in _MASKS):
        raise context.refuse(f"one of {', '.join(_MASKS)}")
    begin, end, stride = (context.constant(i, "int32").ravel().tolist() for i in (1, 2, 3))
    if not len(begin) == len(end) == len(stride) <= len(given.shape) or 0 in stride:
        raise context.refuse(f"begin {begin}, end {end}, strides {stride} for shape {given.shape}")
    shape, steps, start = list(given.shape), row_major_steps(given.shape), 0
    for i, bounds in enumerate(zip(begin, end, stride, strict=True)):
        chosen = _range(context, i, *bounds, given.shape[i])
        start += chosen[0] * steps[i] if chosen else 0
        shape[i], steps[i] = len(chosen), steps[i] * bounds[2]
    if math.prod(shape) != output.size or output.size == 0:
        raise context.refuse(f"shape {tuple(shape)}, the output has {output.shape}")
    struct = _move(context, context.name, shape, shape, steps=steps, start=start)
    return context.layer("tm_copy", [given], (struct,), note=f"{given.dims} -> {output.dims}")


def _range(context: Context, i: int, begin: int, end: int, stride: int, size: int) -> range:
    """The indices that one dimension keeps, as Python's slices choose them."""
    if context.option("shrink_axis_mask") >> i & 1:
        if not -size <= begin < size:
            raise context.refuse(f"index {begin} in a dimension of {size}")
        return range(begin % size, begin % size + 1)
    first = None if context.option("begin_mask") >> i & 1 else begin
    last = None if context.option("end_mask") >> i & 1 else end
    return range(size)[slice(first, last, stride)]


def _move(
    context: Context,
    name: str,
    shape: Sequence[int],
    target: Sequence[int],
    *,
    steps: Sequence[int] | None = None,
    start: int = 0,
    to: int = 0,
) -> Struct:
    """The C struct of one move: from `start` on, by `steps`, to place `to` of an array like `target`."""
    dims = join_dimensions(shape, steps or row_major_steps(shape), row_major_steps(target))
    if not dims or dims[-1][2] != 1:
        dims = [*dims, (1, 1, 1)]
    filled = [(1, 0, 0)] * (4 - len(dims)) + dims
    if len(filled) > 4:
        raise context.refuse(f"shape {tuple(shape)}: more than four dimensions to walk")
    context.check_fields(*(d[0] for d in filled))
    sizes, from_step, to_step = map(list, zip(*filled, strict=True))
    lines = ({"shape": sizes, "from": start, "to": to}, {"from_step": from_step, "to_step": to_step})
    return Struct(name, "tm_move", lines)
