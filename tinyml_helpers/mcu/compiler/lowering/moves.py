"""Operators that only move bytes: PAD, CONCATENATION, STRIDED_SLICE, RESHAPE and its like."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler.lowering.constants import CTYPES
from tinyml_helpers.mcu.compiler.lowering.context import Context, KernelCall, Layer
from tinyml_helpers.mcu.compiler.lowering.copies import Copy, Walk, copy, copy_layer, layer_of_copies
from tinyml_helpers.mcu.compiler.lowering.strides import row_major_steps

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
    return replace(
        copy_layer(context, given, given.shape, Walk(row_major_steps(given.shape))),
        note=f"{given.dims} kept",
    )


def read_padding(context: Context) -> tuple[npt.NDArray[np.int32], int]:
    """Read the margins of a PAD or PADV2, before and after each dimension, and the byte that fills them.

    Raises:
        UnsupportedError: its tensors do not fit together.
    """
    given, output = context.input(0), context.output
    context.check_integers(given, output)
    margins = context.constant(1, "int32")
    rank = len(given.shape)
    if margins.shape != (rank, 2) or margins.min() < 0:
        raise context.refuse(
            f"paddings of shape {margins.shape} for {rank} dimensions, or negative ones"
        )
    context.check_shape(output, (n + int(m.sum()) for n, m in zip(given.shape, margins, strict=True)))
    value = given.zero_point
    if context.operator.type == "PADV2":
        value = int(context.constant(2, given.dtype).ravel()[0])
    if given.dtype == "int16" and value % 256 != value >> 8 & 255:
        raise context.refuse(f"int16 of {value} around it, whose two bytes differ")
    return margins, value


def lower_pad(context: Context) -> Layer:
    """Translate a PAD or PADV2."""
    given, output = context.input(0), context.output
    margins, value = read_padding(context)
    start = sum(int(m[0]) * s for m, s in zip(margins, row_major_steps(output.shape), strict=True))
    target = Walk(row_major_steps(output.shape), start)
    moved = copy(context, given, given.shape, Walk(row_major_steps(given.shape)), target)
    if len(moved.structs) > 1:
        raise context.refuse(f"shape {given.shape}: more than four dimensions to walk")
    layer = layer_of_copies(context, [moved], f"{given.dims} -> {output.dims}")
    call = layer.calls[0]
    first = (call.arguments[0], (value + 128) % 256 - 128, output.size_bytes)
    return replace(layer, calls=(KernelCall("tm_pad", (*first, *call.arguments[1:])),))


def lower_concatenation(context: Context) -> Layer:
    """Translate a CONCATENATION of tensors of one scale."""
    if context.option("activation"):
        raise context.refuse("a fused activation")
    output = context.output
    axis = context.option("axis") % max(len(output.shape), 1)
    return _join(context, axis, [context.input(i).shape for i in range(len(context.operator.inputs))])


def lower_pack(context: Context) -> Layer:
    """Translate a PACK: tensors of one shape, side by side along a dimension that is new."""
    output = context.output
    axis = context.option("axis") % max(len(output.shape), 1)
    shape = (*output.shape[:axis], 1, *output.shape[axis + 1 :])
    return _join(context, axis, [shape] * len(context.operator.inputs))


def _join(context: Context, axis: int, shapes: list[tuple[int, ...]]) -> Layer:
    """Tensors seen in these shapes, side by side along a dimension."""
    output, steps = context.output, row_major_steps(context.output.shape)
    copies: list[Copy] = []
    start = 0
    for i, shape in enumerate(shapes):
        given = context.input(i)
        check_alike(context, given, output)
        expected = (*output.shape[:axis], shape[axis], *output.shape[axis + 1 :])
        if shape != expected or given.size != math.prod(shape):
            raise context.refuse(f"tensor {given.index} has shape {given.shape}, not {expected}")
        source, target = Walk(row_major_steps(shape)), Walk(steps, start * steps[axis])
        copies.append(copy(context, given, shape, source, target, f"{context.name}_{i}"))
        start += shape[axis]
    if start != output.shape[axis]:
        raise context.refuse(f"{start} along dimension {axis}, the output has {output.shape[axis]}")
    return layer_of_copies(context, copies, f"-> {output.dims}")


def check_alike(context: Context, given: Tensor, output: Tensor) -> None:
    """Refuse to move values between tensors in which the same bytes stand for other numbers."""
    if given.dtype != output.dtype or given.dtype not in CTYPES:
        raise context.refuse(
            f"tensor {given.index} of {given.dtype} into {output.dtype}: "
            f"{', '.join(CTYPES)} can be moved"
        )
    if (given.scales, given.zero_points) != (output.scales, output.zero_points):
        raise context.refuse(f"tensor {given.index} and the output have different scales")


def lower_strided_slice(context: Context) -> Layer:
    """Translate a STRIDED_SLICE whose bounds are constant."""
    given, output = context.input(0), context.output
    check_alike(context, given, output)
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
    return copy_layer(context, given, shape, Walk(steps, start))


def _range(context: Context, i: int, begin: int, end: int, stride: int, size: int) -> range:
    """The indices that one dimension keeps, as Python's slices choose them."""
    if context.option("shrink_axis_mask") >> i & 1:
        if not -size <= begin < size:
            raise context.refuse(f"index {begin} in a dimension of {size}")
        return range(begin % size, begin % size + 1)
    first = None if context.option("begin_mask") >> i & 1 else begin
    last = None if context.option("end_mask") >> i & 1 else end
    return range(size)[slice(first, last, stride)]
