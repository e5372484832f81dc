"""Translate what moves elements and computes none: Reshape, Concat, Slice, Split, Pad, Resize."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.deploy.onnx.activations import number_of
from tinyml_helpers.deploy.onnx.draft import Draft, as_image, channels_last
from tinyml_helpers.deploy.onnx.qdq import Steps, refuse

if TYPE_CHECKING:
    from onnx import NodeProto

Options = Mapping[str, Any]
Reals = NDArray[np.float64]
_SIGHT: Mapping[str, Callable[[Reals, int, int], Reals]] = {
    "asymmetric": lambda i, size, wanted: i * size / wanted,
    "half_pixel": lambda i, size, wanted: (i + 0.5) * size / wanted - 0.5,
    "pytorch_half_pixel": lambda i, size, wanted: ((i + 0.5) * size / wanted - 0.5) * (wanted > 1),
    "align_corners": lambda i, size, wanted: i * (size - 1) / max(wanted - 1, 1),
}
"""Where each pixel of a resized line looks in the line before."""
_NEAREST: Mapping[str, Callable[[Reals], Reals]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
_LITERT: tuple[tuple[Mapping[str, Any], str, str], ...] = (
    ({}, "asymmetric", "floor"),
    ({"align_corners": 1}, "align_corners", "round_prefer_ceil"),
    ({"half_pixel_centers": 1}, "half_pixel", "round_prefer_ceil"),
)
"""LiteRT's options, where they look, and which pixel that is if it is the nearest."""


def concatenate(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a Concat, with a change of scale where a part has another one."""
    y = node.output[0]
    shape = draft.source.shape(y)
    found = {draft.steps(name) for name in node.input}
    steps = draft.source.steps_behind(y) or (found.pop() if len(found) == 1 else None)
    if steps is None:
        raise refuse(node, "what comes out is not quantized in one way")
    image = len(shape) in (3, 4) and any(draft.is_image(name) for name in node.input)
    numbers = []
    for which, name in enumerate(node.input):
        number = number_of(draft, node, which, image)
        if draft.steps(name) != steps:
            part = draft.source.shape(name)
            physical = channels_last(part) if image else part
            number = draft.operate("QUANTIZE", [number], physical, steps, name)
        numbers.append(number)
    axis = options["axis"] % len(shape)
    if image:
        axis = {0: 0, 1: 3, len(shape) - 1: 2}.get(axis, 1)
    physical = channels_last(shape) if image else shape
    made = draft.operate("CONCATENATION", numbers, physical, steps, y, axis=axis)
    draft.store(y, made, steps, image)


def view(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a Reshape and its like, or a Transpose."""
    x, y = node.input[0], node.output[0]
    number, steps = number_of(draft, node, 0, image=False), draft.steps(x)
    assert steps is not None
    if node.op_type == "Transpose":
        order = options.get("perm", range(len(draft.source.shape(x)))[::-1])
        number = draft.transpose(number, order)
    draft.store(y, draft.reshape(number, draft.source.shape(y)), steps, image=False)


def slice_(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a Slice of constant ends."""
    shape = draft.source.shape(node.input[0])
    rank = len(shape)
    if draft.source.opset < 10:
        parts: list[Any] = [options["starts"], options["ends"], options.get("axes")]
    else:
        parts = [_whole(draft, node, which) for which in range(1, len(node.input))]
    parts += [None] * (4 - len(parts))
    starts, ends, axes, strides = parts
    axes = [axis % rank for axis in axes] if axes else range(len(starts))
    chosen = [slice(None)] * rank
    for axis, start, end, stride in zip(axes, starts, ends, strides or [1] * len(starts), strict=True):
        chosen[axis] = slice(start, end, stride)
    _part(draft, node, node.output[0], [one.indices(n) for one, n in zip(chosen, shape, strict=True)])


def split(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a Split, to a slice for each part that is read."""
    shape, start = draft.source.shape(node.input[0]), 0
    axis = options.get("axis", 0) % len(shape)
    for name in node.output:
        size = draft.source.shape(name)[axis]
        ranges: list[tuple[int, ...]] = [(0, n) for n in shape]
        ranges[axis] = (start, start + size)
        if draft.source.readers(name) or name in draft.source.outputs:
            _part(draft, node, name, ranges)
        start += size


def _part(draft: Draft, node: NodeProto, name: str, ranges: Sequence[tuple[int, ...]]) -> None:
    steps, image = draft.steps(node.input[0]), draft.is_image(node.input[0])
    number = number_of(draft, node, 0, image)
    assert steps is not None
    if image:
        rows = [(0, 1)] if len(ranges) == 3 else []
        ranges = [ranges[0], *rows, *ranges[2:], ranges[1]]
    draft.store(name, cut(draft, number, ranges), steps, image)


def cut(draft: Draft, number: int, ranges: Sequence[tuple[int, ...]]) -> int:
    """Add a slice of a tensor: of each dimension its begin, end and, if it is not 1, its stride."""
    full = [(*one, 1)[:3] for one in ranges]
    begin, end, stride = (np.array(values, np.int32) for values in zip(*full, strict=True))
    shape = tuple(len(range(*one)) for one in full)
    mask = sum(1 << i for i, (_, last, _) in enumerate(full) if last < 0)
    given = [number, *map(draft.constant, (begin, end, stride))]
    return draft.operate("STRIDED_SLICE", given, shape, draft.steps_of(number), end_mask=mask)


def put_around(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a Pad of one value, or by reflection."""
    x, y = node.input[0], node.output[0]
    shape, steps, image = draft.source.shape(x), draft.steps(x), draft.is_image(x)
    number = number_of(draft, node, 0, image)
    assert steps is not None
    pads = options["pads"] if draft.source.opset < 11 else _whole(draft, node, 1)
    assert pads is not None
    margins = np.zeros((len(shape), 2), np.int32)
    axes = _whole(draft, node, 3) if len(node.input) > 3 else None
    margins[axes or range(len(shape))] = np.reshape(pads, (2, -1)).T
    mode = options.get("mode", b"constant").decode()
    if margins.min() < 0 or mode not in ("constant", "reflect"):
        raise refuse(node, f"pads {pads} of mode {mode}; constant and reflect of 0 or more are taken")
    physical = draft.source.shape(y)
    if image:
        physical, order = channels_last(physical), [0, *range(2, len(shape)), 1]
        margins = margins[order]
        margins = np.insert(margins, 1, 0, axis=0) if len(shape) == 3 else margins
    given = [number, draft.constant(margins)]
    value = _value(draft, node, options, steps)
    kind = "MIRROR_PAD" if mode == "reflect" else "PAD"
    if kind == "PAD" and value != steps.zero_points[0]:
        kind = "PADV2"
        given.append(draft.constant(np.array([value], np.int8), steps))
    draft.store(y, draft.operate(kind, given, physical, steps, y), steps, image)


def _value(draft: Draft, node: NodeProto, options: Options, steps: Steps) -> int:
    """What a Pad puts around, as int8."""
    name = node.input[2] if len(node.input) > 2 else ""
    if name in draft.constants:
        real = float(draft.constants[name].reals.ravel()[0])
    else:
        real = float(draft.source.array(node, 2).ravel()[0]) if name else options.get("value", 0.0)
    return int(steps.integers.store_evenly(real))


def resize(draft: Draft, node: NodeProto, options: Options) -> None:
    """Translate a Resize or Upsample of height and width, if LiteRT looks at the same pixels."""
    x, y = node.input[0], node.output[0]
    before, after = (as_image(draft.source.shape(name)) for name in (x, y))
    number, steps = number_of(draft, node, 0, image=True), draft.steps(x)
    assert steps is not None
    mode = options.get("mode", b"nearest").decode()
    sight = options.get("coordinate_transformation_mode", b"half_pixel").decode()
    rounding = options.get("nearest_mode", b"round_prefer_floor").decode()
    if draft.source.opset < 11:
        sight, rounding = "asymmetric", "floor"
    sizes = list(zip(before[2:], after[2:], strict=True))
    fits = mode in ("nearest", "linear") and sight in _SIGHT and before[:2] == after[:2]
    for numbers, own, own_rounding in _LITERT if fits else ():
        ways = ((sight, rounding), (own, own_rounding))
        looks = [[_looks(n, m, mode, *way) for way in ways] for n, m in sizes]
        if all(np.allclose(ours, theirs) for ours, theirs in looks):
            kind = "RESIZE_NEAREST_NEIGHBOR" if mode == "nearest" else "RESIZE_BILINEAR"
            given = [number, draft.constant(np.array(after[2:], np.int32))]
            made = draft.operate(kind, given, channels_last(after), steps, y, **numbers)
            draft.store(y, made, steps, image=True)
            return
    how = f"{mode}, {sight}" + (f", {rounding}" if mode == "nearest" else "")
    raise refuse(node, f"{before} to {after} by {how}: LiteRT has no such grid; scale by whole numbers")


def _looks(size: int, wanted: int, mode: str, sight: str, rounding: str) -> Reals:
    places = _SIGHT[sight](np.arange(wanted, dtype=np.float64), size, wanted)
    return (_NEAREST[rounding](places) if mode == "nearest" else places).clip(0, size - 1)


def _whole(draft: Draft, node: NodeProto, which: int) -> list[int] | None:
    """Whole numbers that a node is told; `None` if they are left out."""
    return draft.source.array(node, which).tolist() if node.input[which] else None
