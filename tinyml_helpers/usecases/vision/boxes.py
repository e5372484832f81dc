"""Boxes: overlap, non-maximum suppression, anchors, and how a network's numbers become boxes.

A box is x1, y1, x2, y2: left, top, right and bottom, in pixels or as shares of the image; an anchor is
cx, cy, width, height. Everything here is numpy, in the open, and checked against torchvision and
ONNX Runtime by the tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Boxes = NDArray[np.float32]
# Cells along a side of a feature map, and width and height of each anchor in a cell.
Grid = tuple[int, Sequence[tuple[float, float]]]
# Cells along a side of each feature map, the finest first; width over height of the anchors in one.
_SSD_CELLS, _SSD_RATIOS = (19, 10, 5, 3, 2, 1), (1, 2, 1 / 2, 3, 1 / 3)


def as_boxes(boxes: ArrayLike) -> Boxes:
    """Return boxes as float32 [N, 4]; an empty list is [0, 4].

    Raises:
        ValueError: another shape, a value that is no number, or a right edge left of the left one.
    """
    array = np.asarray(boxes, np.float32)
    array = array.reshape(-1, 4) if array.size == 0 else array
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"boxes of shape {list(array.shape)}: give [N, 4] with x1, y1, x2, y2")
    if not np.isfinite(array).all():
        raise ValueError("a box has a coordinate that is no finite number: drop it first")
    wrong = (array[:, 2:] < array[:, :2]).any(1)
    if wrong.any():
        raise ValueError(f"box {array[wrong][0].tolist()} ends before it starts: give x1, y1, x2, y2")
    return array


def area(boxes: ArrayLike) -> NDArray[np.float32]:
    """Return the area [N] of boxes [N, 4], in the square of their unit."""
    array = as_boxes(boxes)
    return (array[:, 2] - array[:, 0]) * (array[:, 3] - array[:, 1])


def iou(first: ArrayLike, second: ArrayLike) -> NDArray[np.float32]:
    """Return the intersection over union of every pair of boxes: float32 [N, M] in 0..1.

    Args:
        first: boxes [N, 4].
        second: boxes [M, 4] in the same unit. A pair without any area has 0.

    Raises:
        ValueError: see `as_boxes`.
    """
    a, b = as_boxes(first), as_boxes(second)
    left_top = np.maximum(a[:, None, :2], b[None, :, :2])
    right_bottom = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(right_bottom - left_top, 0, None).prod(-1)
    union = area(a)[:, None] + area(b)[None] - shared
    overlaps: NDArray[np.float32] = np.zeros_like(shared)
    np.divide(shared, union, out=overlaps, where=union > 0)
    return overlaps


def nms(
    boxes: ArrayLike, scores: ArrayLike, iou: float = 0.5, *, classes: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Keep the best box of each heap: greedy non-maximum suppression.

    The box with the highest score stays; all that overlap it by more than `iou` go; again with the
    next that is left. Of equal scores the first in the list stays.

    Args:
        boxes: [N, 4].
        scores: [N].
        iou: overlap above which the weaker of two boxes goes, 0..1.
        classes: [N]; boxes of different classes leave each other alone. None: all are one class.

    Returns:
        Indices int64 of the boxes that stay, best first.

    Raises:
        ValueError: shapes that do not go together, a score that is no number, or `iou` outside 0..1.
    """
    array, marks = as_boxes(boxes), np.asarray(scores, np.float32)
    kinds = np.zeros(len(array)) if classes is None else np.asarray(classes)
    if marks.shape != (len(array),) or kinds.shape != marks.shape:
        raise ValueError(
            f"{len(array)} boxes, scores {list(marks.shape)}, classes {list(kinds.shape)}: give one each"
        )
    if np.isnan(marks).any() or not 0 <= iou <= 1:
        raise ValueError(f"scores must be numbers, and the overlap in 0 to 1 (given: {iou})")
    waiting, kept = np.argsort(-marks, kind="stable"), []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        rivals = (_iou(array[best : best + 1], array[waiting])[0] > iou) & (
            kinds[waiting] == kinds[best]
        )
        waiting = waiting[~rivals]
    return np.array(kept, np.int64)


_iou = iou  # `nms` has an argument of that name


def grid_anchors(grids: Sequence[Grid]) -> NDArray[np.float32]:
    """Lay anchors over an image, row by row and cell by cell: float32 [N, 4], cx, cy, width, height.

    Args:
        grids: for each feature map its cells along a side, and (width, height) of each anchor in a
            cell, as shares of the image. BlazeFace: `[(16, [(1, 1)] * 2), (8, [(1, 1)] * 6)]`.
    """
    parts = [np.empty((0, 4))]
    for cells, sizes in grids:
        y, x, which = np.meshgrid(*map(np.arange, (cells, cells, len(sizes))), indexing="ij")
        centres = np.stack([x, y], -1).reshape(-1, 2)
        parts.append(np.hstack([(centres + 0.5) / cells, np.asarray(sizes)[which.ravel()]]))
    return np.concatenate(parts).astype(np.float32)


def ssd_anchors() -> NDArray[np.float32]:
    """Return the anchors of the 300x300 SSD-MobileNet: float32 [1917, 4], cx, cy, width, height, 0..1.

    Each feature map has a scale, from 0.2 to 0.95 of the image in equal steps. A cell has one anchor
    for each ratio of width to height, and a square one between its scale and the next; the finest map
    has three only.

    Source: Liu et al., SSD, arXiv 1512.02325, section 2.2; TensorFlow's Object Detection API,
    multiple_grid_anchor_generator.py (`create_ssd_anchors`), for the finest map.
    """
    scales = [*np.linspace(0.2, 0.95, len(_SSD_CELLS)), 1.0]
    grids = []
    for place, side in enumerate(_SSD_CELLS):
        scale, between = scales[place], math.sqrt(scales[place] * scales[place + 1])
        sized = [(scale, ratio) for ratio in _SSD_RATIOS] + [(between, 1.0)]
        if place == 0:
            sized = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        grids.append((side, [(s * math.sqrt(r), s / math.sqrt(r)) for s, r in sized]))
    return grid_anchors(grids)


def decode(
    codes: NDArray[Any],
    anchors: NDArray[np.float32],
    scales: Sequence[float] = (10, 10, 5, 5),
    *,
    order: str = "yxhw",
    exponential: bool = True,
) -> Boxes:
    """Turn a network's four numbers an anchor into boxes.

    The centre moves by a share of the anchor's size, and the size is multiplied by e to the power of
    the code. The scales are those by which training multiplied the codes.

    Args:
        codes: [N, 4] as the network gives them.
        anchors: [N, 4], cx, cy, width, height.
        scales: of x, y, width and height.
        order: of the four codes: "yxhw" as in SSD, or "xywh" as in BlazeFace.
        exponential: False where the codes are the size itself, as in BlazeFace (scales: 128, the
            side of its input).

    Returns:
        float32 [N, 4]: x1, y1, x2, y2 in the unit of the anchors; they may lie outside of the image.

    Raises:
        ValueError: shapes that do not go together, or an unknown order.

    Source: Ren et al., Faster R-CNN, arXiv 1506.01497, equation 2.
    """
    if order not in ("yxhw", "xywh"):
        raise ValueError(f"unknown order {order!r}: choose yxhw or xywh")
    given = np.asarray(codes, np.float32)
    if given.shape != anchors.shape or given.ndim != 2 or given.shape[1] != 4:
        raise ValueError(f"codes {list(given.shape)} for anchors {list(anchors.shape)}: both are [N, 4]")
    x, y, width, height = (
        given[:, order.index(name)] / s for name, s in zip("xywh", scales, strict=True)
    )
    centre = anchors[:, :2] + anchors[:, 2:] * np.stack([x, y], 1)
    size = np.stack([width, height], 1)
    # e to the power of 20 is far beyond any box, and a size below 0 is a box of no area.
    half = anchors[:, 2:] * (np.exp(np.minimum(size, 20)) if exponential else np.maximum(size, 0)) / 2
    return np.concatenate([centre - half, centre + half], 1).astype(np.float32)
