"""Operators that put bytes in another order: TRANSPOSE, SPLIT, TILE, DEPTH_TO_SPACE and others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler.lowering.context import MOST_CALLS, Context, KernelCall, Layer
from tinyml_helpers.mcu.compiler.lowering.copies import Copy, Walk, copy, copy_layer, layer_of_copies
from tinyml_helpers.mcu.compiler.lowering.moves import check_alike
from tinyml_helpers.mcu.compiler.lowering.strides import broadcast_steps, row_major_steps

_REFLECT = 0


def lower_transpose(context: Context) -> Layer:
    """Translate a TRANSPOSE."""
    given, _ = _ends(context)
    order = [int(i) % max(len(given.shape), 1) for i in context.constant(1, "int32").ravel()]
    if sorted(order) != list(range(len(given.shape))):
        raise context.refuse(f"order {order} of {len(given.shape)} dimensions")
    steps = row_major_steps(given.shape)
    return _all_of_output(context, [given.shape[i] for i in order], Walk([steps[i] for i in order]))


def lower_part(context: Context) -> Layer:
    """Translate one output of a SPLIT, SPLIT_V or UNPACK."""
    given, output = _ends(context)
    axis, start = context.option("axis"), context.option("start")
    taken = 1 if context.operator.type == "UNPACK" else output.shape[axis]
    shape, steps = [*given.shape], row_major_steps(given.shape)
    if not 0 <= start <= start + taken <= shape[axis]:
        raise context.refuse(f"parts {start} to {start + taken} of {shape[axis]}")
    shape[axis] = taken
    return _all_of_output(context, shape, Walk(steps, start * steps[axis]))


def lower_slice(context: Context) -> Layer:
    """Translate a SLICE whose bounds are constant."""
    given, _ = _ends(context)
    begin, size = (context.constant(i, "int32").ravel().tolist() for i in (1, 2))
    if len(begin) != len(given.shape) or len(size) != len(begin):
        raise context.refuse(f"begin {begin}, size {size} for shape {given.shape}")
    size = [n - b if s == -1 else s for n, b, s in zip(given.shape, begin, size, strict=True)]
    if not all(0 <= b <= b + s <= n for n, b, s in zip(given.shape, begin, size, strict=True)):
        raise context.refuse(f"begin {begin}, size {size} for shape {given.shape}")
    steps = row_major_steps(given.shape)
    start = sum(b * step for b, step in zip(begin, steps, strict=True))
    return _all_of_output(context, size, Walk(steps, start))


def lower_reverse(context: Context) -> Layer:
    """Translate a REVERSE_V2."""
    given, _ = _ends(context)
    rank, steps, start = len(given.shape), row_major_steps(given.shape), 0
    for axis in {int(i) % rank for i in context.constant(1, "int32").ravel()}:
        start += (given.shape[axis] - 1) * steps[axis]
        steps[axis] = -steps[axis]
    return _all_of_output(context, given.shape, Walk(steps, start))


def lower_tile(context: Context) -> Layer:
    """Translate a TILE."""
    given, _ = _ends(context)
    times = context.constant(1, "int32").ravel().tolist()
    if len(times) != len(given.shape) or min(times, default=1) < 1:
        raise context.refuse(f"repeats {times} of shape {given.shape}")
    pairs = zip(times, given.shape, row_major_steps(given.shape), strict=True)
    dims = [dim for n, size, step in pairs for dim in ((n, 0), (size, step))]
    return _all_of_output(context, [n for n, _ in dims], Walk([step for _, step in dims]))


def lower_broadcast(context: Context) -> Layer:
    """Translate a BROADCAST_TO."""
    given, output = _ends(context)
    if np.broadcast_shapes(given.shape, output.shape) != output.shape:
        raise context.refuse(f"shape {given.shape} repeated to {output.shape}")
    steps = broadcast_steps(given.shape, len(output.shape))
    return _all_of_output(context, output.shape, Walk(steps))


def lower_depth_to_space(context: Context) -> Layer:
    """Translate a DEPTH_TO_SPACE or SPACE_TO_DEPTH."""
    given, output = _ends(context)
    to_space = context.operator.type == "DEPTH_TO_SPACE"
    deep, wide = (given, output) if to_space else (output, given)
    side = context.option("block_size")
    if len(deep.shape) != 4 or len(wide.shape) != 4 or side < 1:
        raise context.refuse(f"shape {given.shape} in blocks of {side}")
    batch, height, width, depth = deep.shape
    channels = depth // side**2
    if wide.shape != (batch, height * side, width * side, channels) or depth % side**2:
        raise context.refuse(f"shape {given.shape} in blocks of {side} to {output.shape}")
    shape = (batch, height, side, width, side, channels)
    in_wide = row_major_steps(shape)
    image, row, pixel, _ = row_major_steps(deep.shape)
    in_deep = [image, row, side * channels, pixel, channels, 1]
    source, target = (in_deep, in_wide) if to_space else (in_wide, in_deep)
    return copy_layer(context, given, shape, Walk(source), Walk(target))


def lower_space_to_batch(context: Context) -> Layer:
    """Translate a SPACE_TO_BATCH_ND or BATCH_TO_SPACE_ND."""
    given, output = _ends(context)
    context.check_int8(given)
    to_batch = context.operator.type == "SPACE_TO_BATCH_ND"
    space, batches = (given, output) if to_batch else (output, given)
    block, margins = context.constant(1, "int32").ravel(), context.constant(2, "int32")
    rank = len(block)
    if margins.shape != (rank, 2) or margins.min() < 0 or block.min() < 1 or len(space.shape) <= rank:
        raise context.refuse(f"blocks {block.tolist()} and margins {margins.tolist()}")
    covered = [n * b for n, b in zip(batches.shape[1 : rank + 1], block, strict=True)]
    whole = [n + int(m.sum()) for n, m in zip(space.shape[1 : rank + 1], margins, strict=True)]
    if covered != whole or batches.shape[0] != space.shape[0] * math.prod(block.tolist()):
        raise context.refuse(f"shape {given.shape} in blocks of {block.tolist()} to {output.shape}")
    if math.prod(block.tolist()) > MOST_CALLS:
        raise context.refuse(f"blocks of {block.tolist()}")
    copies: list[Copy] = []
    for number, place in enumerate(itertools.product(*map(range, block.tolist()))):
        shape, here, there = _places(space, batches, block.tolist(), margins.tolist(), number, place)
        if 0 in shape:
            continue
        walks = (here, there) if to_batch else (there, here)
        copies.append(copy(context, given, shape, *walks, f"{context.name}_{number}"))
    layer = layer_of_copies(context, copies, f"{given.dims} -> {output.dims}")
    if not (margins.any() and to_batch):
        return layer
    first, *rest = layer.calls
    filled = (first.arguments[0], given.zero_point, output.size, *first.arguments[1:])
    return replace(layer, calls=(KernelCall("tm_pad", filled), *rest))


def _places(
    space: Tensor,
    batches: Tensor,
    block: Sequence[int],
    margins: Sequence[Sequence[int]],
    number: int,
    place: Sequence[int],
) -> tuple[list[int], Walk, Walk]:
    """The pixels of one place in the blocks: their shape, their walk in space and in batches."""
    rank, here, there = len(block), row_major_steps(space.shape), row_major_steps(batches.shape)
    shape, steps = [space.shape[0]], [here[0]]
    start, to = 0, number * space.shape[0] * there[0]
    for i in range(rank):
        before = margins[i][0]
        first = max(-(-(before - place[i]) // block[i]), 0)
        last = -(-(before + space.shape[1 + i] - place[i]) // block[i])
        shape.append(max(min(last, batches.shape[1 + i]) - first, 0))
        steps.append(here[1 + i] * block[i])
        start += (first * block[i] + place[i] - before) * here[1 + i]
        to += first * there[1 + i]
    shape += space.shape[1 + rank :]
    return shape, Walk([*steps, *here[1 + rank :]], start), Walk(there, to)


def lower_mirror_pad(context: Context) -> Layer:
    """Translate a MIRROR_PAD."""
    given, output = _ends(context)
    margins = context.constant(1, "int32")
    edge = 1 if context.option("mode") == _REFLECT else 0
    if margins.shape != (len(given.shape), 2) or margins.min() < 0:
        raise context.refuse(f"margins {margins.tolist()} for shape {given.shape}")
    if any(m.max() > n - edge for m, n in zip(margins, given.shape, strict=True)):
        raise context.refuse(f"margins {margins.tolist()} wider than the shape {given.shape}")
    context.check_shape(output, (n + int(m.sum()) for n, m in zip(given.shape, margins, strict=True)))
    parts = [
        [
            p
            for p in (
                (before, -1, before - 1 + edge, 0),
                (n, 1, 0, before),
                (after, -1, n - 1 - edge, before + n),
            )
            if p[0]
        ]
        for n, (before, after) in zip(given.shape, margins.tolist(), strict=True)
    ]
    if math.prod(map(len, parts)) > MOST_CALLS:
        raise context.refuse(f"margins {margins.tolist()} along too many dimensions")
    here, there = row_major_steps(given.shape), row_major_steps(output.shape)
    copies: list[Copy] = []
    for number, chosen in enumerate(itertools.product(*parts)):
        source = Walk(
            [p[1] * s for p, s in zip(chosen, here, strict=True)],
            sum(p[2] * s for p, s in zip(chosen, here, strict=True)),
        )
        target = Walk(there, sum(p[3] * s for p, s in zip(chosen, there, strict=True)))
        shape, name = [p[0] for p in chosen], f"{context.name}_{number}"
        copies.append(copy(context, given, shape, source, target, name))
    return layer_of_copies(context, copies, f"{given.dims} -> {output.dims}")


def _ends(context: Context) -> tuple[Tensor, Tensor]:
    given, output = context.input(0), context.output
    check_alike(context, given, output)
    return given, output


def _all_of_output(context: Context, shape: Sequence[int], source: Walk) -> Layer:
    """A walk of the input that fills the output from its first element to its last."""
    if math.prod(shape) != context.output.size:
        raise context.refuse(f"shape {tuple(shape)}, the output has {context.output.shape}")
    return copy_layer(context, context.input(0), shape, source)
