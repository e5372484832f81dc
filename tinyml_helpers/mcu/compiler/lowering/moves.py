"""Operators that only move bytes: PAD, CONCATENATION, STRIDED_SLICE, RESHAPE and its like."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinyml_helpers.mcu.compiler.lowering.context import Constant, Context, Layer

_MASKS = ("ellipsis_mask", "new_axis_mask", "offset")


def view(context: Context) -> Layer:
    """Translate RESHAPE, EXPAND_DIMS or SQUEEZE: the same bytes under another shape, no code."""
    given, output = context.input(0), context.output
    if given.size_bytes != output.size_bytes or given.dtype != output.dtype:
        raise context.refuse(f"{given.shape} of {given.dtype} as {output.shape} of {output.dtype}")
    if given.data is not None:
        raise context.refuse("the input is constant")
    return Layer(context.operator, (), (given.index,), output.index, in_place=True, note="no code")


def assign(context: Context) -> Layer:
    """Translate ASSIGN_VARIABLE: into the place where the variable lies."""
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    context.check_shape(given, output.shape)
    if (given.scale, given.zero_point) != (output.scale, output.zero_point):
        raise context.refuse("a value of another scale than the variable has")
    struct = _move(context, "", given.shape, _steps(given.shape), 0, _steps(output.shape), 0)
    call = f"tm_copy(&{context.name}, {{a}}, {{out}});"
    return _layer(context, (call,), (given.index,), (struct,), f"{given.dims} kept")


def frame(context: Context) -> tuple[npt.NDArray[np.int32], int]:
    """Margins of a PAD or PADV2, before and after each dimension, and the byte that fills them.

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
    if context.operator.kind == "PADV2":
        value = int(context.constant(2, "int8").ravel()[0])
    return margins, value


def pad(context: Context) -> Layer:
    """Translate a PAD or PADV2."""
    given, output = context.input(0), context.output
    margins, value = frame(context)
    start = sum(int(m[0]) * s for m, s in zip(margins, _steps(output.shape), strict=True))
    struct = _move(context, "", given.shape, _steps(given.shape), 0, _steps(output.shape), start)
    call = f"tm_pad(&{context.name}, {value}, {output.size}, {{a}}, {{out}});"
    return _layer(context, (call,), (given.index,), (struct,), f"{given.dims} -> {output.dims}")


def concatenation(context: Context) -> Layer:
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
        at = start * _steps(output.shape)[axis]
        structs.append(_move(context, f"_{i}", t.shape, _steps(t.shape), 0, _steps(output.shape), at))
        calls.append(f"tm_copy(&{structs[-1].name}, {{{'abcdefghijklmnopqrstuvwxyz'[i]}}}, {{out}});")
        start += t.shape[axis]
    if start != output.shape[axis]:
        raise context.refuse(f"{start} along dimension {axis}, the output has {output.shape[axis]}")
    return _layer(context, tuple(calls), context.operator.inputs, tuple(structs), f"-> {output.dims}")


def strided_slice(context: Context) -> Layer:
    """Translate a STRIDED_SLICE whose bounds are constant."""
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    if any(context.option(mask) for mask in _MASKS):
        raise context.refuse(f"one of {', '.join(_MASKS)}")
    begin, end, stride = (context.constant(i, "int32").ravel().tolist() for i in (1, 2, 3))
    if not len(begin) == len(end) == len(stride) <= len(given.shape) or 0 in stride:
        raise context.refuse(f"begin {begin}, end {end}, strides {stride} for shape {given.shape}")
    shape, steps, start = list(given.shape), _steps(given.shape), 0
    for i, bounds in enumerate(zip(begin, end, stride, strict=True)):
        chosen = _range(context, i, *bounds, given.shape[i])
        start += chosen[0] * steps[i] if chosen else 0
        shape[i], steps[i] = len(chosen), steps[i] * bounds[2]
    if math.prod(shape) != output.size or output.size == 0:
        raise context.refuse(f"shape {tuple(shape)}, the output has {output.shape}")
    struct = _move(context, "", shape, steps, start, _steps(shape), 0)
    call = f"tm_copy(&{context.name}, {{a}}, {{out}});"
    return _layer(context, (call,), (given.index,), (struct,), f"{given.dims} -> {output.dims}")


def _range(context: Context, i: int, begin: int, end: int, stride: int, size: int) -> range:
    """The indices that one dimension keeps, as Python's slices choose them."""
    if context.option("shrink_axis_mask") >> i & 1:
        if not -size <= begin < size:
            raise context.refuse(f"index {begin} in a dimension of {size}")
        return range(begin % size, begin % size + 1)
    first = None if context.option("begin_mask") >> i & 1 else begin
    last = None if context.option("end_mask") >> i & 1 else end
    return range(size)[slice(first, last, stride)]


def _steps(shape: Sequence[int]) -> list[int]:
    return [int(s) for s in np.cumprod((1, *shape[:0:-1]))[::-1]] if shape else []


def _move(
    context: Context,
    suffix: str,
    shape: Sequence[int],
    from_steps: Sequence[int],
    start: int,
    to_steps: Sequence[int],
    to: int,
) -> Constant:
    """The C struct of one move, its dimensions joined where both sides walk alike."""
    dims: list[tuple[int, int, int]] = []
    for n, f, t in zip(shape, from_steps, to_steps, strict=True):
        if dims and dims[-1][1] == n * f and dims[-1][2] == n * t:
            dims[-1] = (dims[-1][0] * n, f, t)
        elif n > 1:
            dims.append((n, f, t))
    if not dims or dims[-1][2] != 1:
        dims = [*dims, (1, 1, 1)]
    filled = [(1, 0, 0)] * (4 - len(dims)) + dims
    if len(filled) > 4:
        raise context.refuse(f"shape {tuple(shape)}: more than four dimensions to walk")
    context.check_fields(*(d[0] for d in filled))
    columns = ["{" + ", ".join(str(d[i]) for d in filled) + "}" for i in range(3)]
    fields = (
        f"shape = {columns[0]}, .from = {start}, .to = {to}",
        f"from_step = {columns[1]}, .to_step = {columns[2]}",
    )
    return Constant(context.name + suffix, "tm_move", fields)


def _layer(
    context: Context,
    calls: tuple[str, ...],
    inputs: tuple[int, ...],
    structs: tuple[Constant, ...],
    note: str,
) -> Layer:
    return Layer(context.operator, calls, inputs, context.output.index, structs, note=note)
