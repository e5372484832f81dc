"""Operators that only move bytes: PAD, CONCATENATION, STRIDED_SLICE, RESHAPE and its like."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinyml_helpers.mcu.compiler.lowering.constants import Struct
from tinyml_helpers.mcu.compiler.lowering.context import Address, Context, KernelCall, Layer

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
    struct = _move(context, "", given.shape, _steps(given.shape), 0, _steps(output.shape), 0)
    call = _copy(context, struct, given.index)
    return _layer(context, (call,), (given.index,), (struct,), f"{given.dims} kept")


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
    start = sum(int(m[0]) * s for m, s in zip(margins, _steps(output.shape), strict=True))
    struct = _move(context, "", given.shape, _steps(given.shape), 0, _steps(output.shape), start)
    ends = (Address(given.index), Address(output.index))
    call = KernelCall("tm_pad", (f"&{struct.name}", value, output.size, *ends))
    return _layer(context, (call,), (given.index,), (struct,), f"{given.dims} -> {output.dims}")


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
        at = start * _steps(output.shape)[axis]
        structs.append(_move(context, f"_{i}", t.shape, _steps(t.shape), 0, _steps(output.shape), at))
        calls.append(_copy(context, structs[-1], t.index))
        start += t.shape[axis]
    if start != output.shape[axis]:
        raise context.refuse(f"{start} along dimension {axis}, the output has {output.shape[axis]}")
    inputs = context.operator.inputs
    return _layer(context, tuple(calls), inputs, tuple(structs), f"-> {output.dims}")


def lower_strided_slice(context: Context) -> Layer:
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
    call = _copy(context, struct, given.index)
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
) -> Struct:
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
    sizes, from_step, to_step = (list(column) for column in zip(*filled, strict=True))
    lines = ({"shape": sizes, "from": start, "to": to}, {"from_step": from_step, "to_step": to_step})
    return Struct(context.name + suffix, "tm_move", lines)


def _copy(context: Context, struct: Struct, given: int) -> KernelCall:
    ends = (Address(given), Address(context.output.index))
    return KernelCall("tm_copy", (f"&{struct.name}", *ends))


def _layer(
    context: Context,
    calls: tuple[KernelCall, ...],
    inputs: tuple[int, ...],
    structs: tuple[Struct, ...],
    note: str,
) -> Layer:
    return Layer(context.operator, calls, inputs, context.output.index, structs, note=note)
