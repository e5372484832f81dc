"""Which box found which object, which found nothing, and which object nobody found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers import intervals
from tinyml_helpers.datasets.images.scenes import Scenes
from tinyml_helpers.usecases.detection.decode import Detections
from tinyml_helpers.usecases.vision import boxes as geometry

LEAST_OVERLAP = 0.5
"""IoU that a match needs."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What became of the boxes and of the objects in one image.

    Attributes:
        overlaps: float32 [N], IoU of each box with the object that it found; 0 for a false box.
        missed: bool [M], the objects that no box found.
    """

    overlaps: NDArray[np.float32]
    missed: NDArray[np.bool_]

    @property
    def false(self) -> NDArray[np.bool_]:
        """The boxes that found nothing: bool [N]."""
        nothing: NDArray[np.bool_] = self.overlaps == 0
        return nothing

    def __repr__(self) -> str:
        there = len(self.missed)
        return f"found {there - self.missed.sum()} of {there}, {self.false.sum()} false"


def judge(
    found: Detections,
    true_boxes: NDArray[np.float32],
    true_labels: NDArray[np.int64],
) -> Judged:
    """Match the boxes found in one image with what lies there.

    A box is right if its class is, and if its IoU with a free object of that class is 0.5 or more; the
    best score chooses first.

    Args:
        found: best first.
        true_boxes: [M, 4].
        true_labels: [M].
    """
    overlaps, missed = np.zeros(len(found), np.float32), np.ones(len(true_labels), bool)
    for label in np.unique(true_labels):
        mine, there = np.flatnonzero(found.labels == label), np.flatnonzero(true_labels == label)
        shared = geometry.iou(found.boxes[mine], true_boxes[there])
        for box, row in zip(mine, shared, strict=True):
            if (best := row.max()) >= LEAST_OVERLAP:
                chosen = row.argmax()
                overlaps[box], missed[there[chosen]] = best, False
                shared[:, chosen] = -1  # it can be found once
    return Judged(overlaps, missed)


@dataclass(frozen=True, repr=False)
class Count:
    """Over many scenes: how many `objects` were found, and how many `boxes` are right; prints so."""

    objects: intervals.Interval
    boxes: intervals.Interval

    def __repr__(self) -> str:
        return f"objects found: {self.objects}\nboxes right: {self.boxes}"


def count_matches(found: Sequence[Detections], scenes: Scenes) -> Count:
    """Count over all scenes what was found and what is right, at the scores that `found` holds.

    Args:
        found: for each scene, best first.
        scenes: that were searched.
    """
    judged = [
        judge(one, boxes, labels)
        for one, boxes, labels in zip(found, scenes.boxes, scenes.labels, strict=True)
    ]
    right = sum(int((~one.false).sum()) for one in judged)
    objects, said = (sum(map(len, parts)) for parts in (scenes.labels, found))
    return Count(intervals.rate(right, objects, "objects"), intervals.rate(right, said, "boxes"))
