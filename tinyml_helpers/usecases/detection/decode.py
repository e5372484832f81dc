"""What a detector found: from its raw numbers to a short list of boxes, classes and scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.images.scenes import SCENE_CLASSES, SIDE
from tinyml_helpers.system.tables import html_table, text_table
from tinyml_helpers.usecases.detection import grid
from tinyml_helpers.usecases.vision import boxes as geometry

_HEADER = ("found", "score", "x1", "y1", "x2", "y2")


@dataclass(frozen=True, repr=False, eq=False)
class Detections:
    """Objects found in one image, best first; prints as a table.

    Attributes:
        boxes: float32 [N, 4], x1, y1, x2, y2 in pixels.
        scores: float32 [N], 0..1.
        labels: int64 [N], an index into `classes`.
        classes: names.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def names(self) -> list[str]:
        """What was found, with its score, for the label of a box."""
        return [f"{self.classes[i]} {s:.2f}" for i, s in zip(self.labels, self.scores, strict=True)]

    def __repr__(self) -> str:
        return text_table(_HEADER, list(self._rows()), (0,)) if len(self) else "nothing found"

    def _repr_html_(self) -> str:
        return html_table(_HEADER, list(self._rows()), (0,)) if len(self) else "<p>nothing found</p>"

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for box, score, label in zip(self.boxes, self.scores, self.labels, strict=True):
            yield (self.classes[label], f"{score:.2f}", *(f"{edge:.0f}" for edge in box))


def sigmoid(logits: NDArray[Any]) -> NDArray[np.float32]:
    """Return 1 / (1 + exp(-logits)) as float32, without overflow for any number."""
    shares: NDArray[np.float32] = 0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float32)))
    return shares


def select(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: tuple[str, ...],
    score: float = 0.5,
    iou: float = 0.5,
    *,
    per_class: bool = True,
) -> Detections:
    """Choose from all candidates of a detector: those with a good score, one for each heap.

    Args:
        boxes: [N, 4], pixels.
        scores: [N, len(classes)], 0..1, without a background class. A candidate counts as the class
            that it scores best.
        classes: names.
        score: least score.
        iou: overlap above which the weaker of two boxes goes.
        per_class: boxes of different classes leave each other alone.

    Raises:
        ValueError: shapes that do not go together, scores that are no numbers, or thresholds outside
            0..1.
    """
    if scores.shape != (len(boxes), len(classes)) or not 0 <= score <= 1:
        raise ValueError(
            f"{len(boxes)} boxes, scores {list(scores.shape)}, {len(classes)} classes, least score "
            f"{score}: give scores [boxes, classes] and a least score in 0 to 1"
        )
    if not np.isfinite(scores).all():
        raise ValueError("the detector gave scores that are no numbers: look at the image it was given")
    labels = scores.argmax(1)
    best = scores.max(1, initial=0)
    good = np.flatnonzero(best >= score)
    kept = geometry.nms(boxes[good], best[good], iou, classes=labels[good] if per_class else None)
    chosen = good[kept]
    return Detections(boxes[chosen], best[chosen], labels[chosen], classes)


def grid_anchors() -> NDArray[np.float32]:
    """Return the 169 anchors of the course's tiny detector: float32 [169, 4], cx, cy, w, h in pixels."""
    y, x = np.indices((grid.CELLS, grid.CELLS)).reshape(2, -1) * grid.STRIDE + 0.5
    side = np.full(x.shape, grid.ANCHOR)
    return np.stack([x, y, side, side], 1).astype(np.float32)


def round_codes(outputs: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """Round the codes in outputs [N, 13, 13, 4 + classes] to multiples of a step, as int8 would."""
    codes = np.round(outputs[..., :4] / step) * step
    return np.concatenate([codes, outputs[..., 4:]], -1).astype(np.float32)


def read_grid(outputs: NDArray[np.float32], score: float = 0.3) -> list[Detections]:
    """Read the outputs of the tiny detector.

    Of two boxes with an overlap above 0.4 the weaker goes, whatever their classes: two objects hardly
    ever share a place.

    Args:
        outputs: float32 [N, 13, 13, 4 + classes], channels last as in .tflite.
        score: least score.

    Returns:
        For each image its detections, in pixels, clipped to the scene.

    Raises:
        ValueError: another shape.
    """
    anchors = grid_anchors()
    flat = np.asarray(outputs, np.float32).reshape(len(outputs), -1, outputs.shape[-1])
    numbers = 4 + len(SCENE_CLASSES)
    if flat.shape[1:] != (len(anchors), numbers):
        raise ValueError(f"outputs {list(outputs.shape)}: the grid gives [N, 13, 13, {numbers}]")
    found = []
    for one in flat:
        boxes = geometry.decode(one[:, :4], anchors).clip(0, SIDE)
        scores = sigmoid(one[:, 4:])
        found.append(select(boxes, scores, SCENE_CLASSES, score, iou=0.4, per_class=False))
    return found
