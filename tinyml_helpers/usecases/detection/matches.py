"""Which box found which object, which found nothing, and which object nobody found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers import intervals
from tinyml_helpers.datasets.images.scenes import Scenes
from tinyml_helpers.usecases.detection.average_precision import matches
from tinyml_helpers.usecases.detection.decode import Detections
from tinyml_helpers.usecases.vision import boxes as geometry


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
    overlap: float = 0.5,
) -> Judged:
    """Match the boxes found in one image with what lies there.

    A box is right if its class is, and if it overlaps a free object of that class enough; the best
    score chooses first.

    Args:
        found: best first.
        true_boxes: [M, 4].
        true_labels: [M].
        overlap: IoU that a match needs.
    """
    overlaps, missed = np.zeros(len(found), np.float32), np.ones(len(true_labels), bool)
    for label in np.unique(true_labels):
        mine, there = np.flatnonzero(found.labels == label), np.flatnonzero(true_labels == label)
        shared = geometry.iou(found.boxes[mine], true_boxes[there])
        chosen = matches(shared, overlap)
        right = chosen >= 0
        overlaps[mine[right]] = shared[right, chosen[right]]
        missed[there[chosen[right]]] = False
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
