"""How far a mean average precision can be trusted: it is scored again on scenes drawn anew.

An mAP is no mean over trials, so no formula gives its interval. Whole scenes are drawn with
replacement, because objects in one scene share its floor and hide each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers import intervals
from tinyml_helpers.datasets.images.scenes import Scenes
from tinyml_helpers.usecases.detection.average_precision import (
    Curve,
    matches,
    mean_average_precision,
    pairs,
)
from tinyml_helpers.usecases.detection.decode import Detections

DRAWINGS = 1000


def interval(
    found: Sequence[Detections], scenes: Scenes, overlap: float = 0.5, seed: int = 0
) -> intervals.Interval:
    """Return the mAP of a detector with the interval of a bootstrap over scenes.

    Args:
        found: for each scene, best first, weak detections too.
        scenes: that were searched.
        overlap: IoU that a match needs.
        seed: of the drawings.

    Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 2.
    """
    value = _map(found, scenes, overlap)
    return _interval(value, drawings(found, scenes, overlap, seed), scenes, "%")


def difference(
    found: Sequence[Detections],
    other: Sequence[Detections],
    scenes: Scenes,
    overlap: float = 0.5,
    seed: int = 0,
) -> intervals.Interval:
    """Return by how many points `other` has a higher mAP on the same scenes, drawn in pairs.

    Args:
        found: of the first detector, as for `interval`.
        other: of the second.
        scenes: that both searched.
        overlap: IoU that a match needs.
        seed: of the drawings.
    """
    first, second = (drawings(one, scenes, overlap, seed) for one in (found, other))
    value = _map(other, scenes, overlap) - _map(found, scenes, overlap)
    return _interval(value, second - first, scenes, "points")


def drawings(
    found: Sequence[Detections], scenes: Scenes, overlap: float = 0.5, seed: int = 0
) -> NDArray[np.float64]:
    """Return the mAP, in percent, on each of 1,000 sets of as many scenes drawn with replacement."""
    draw = np.random.default_rng(seed)
    times = draw.multinomial(len(scenes), np.full(len(scenes), 1 / len(scenes)), DRAWINGS)
    shown = np.unique(np.concatenate(scenes.labels))
    each = np.array([_precisions(found, scenes, int(label), overlap, times) for label in shown])
    percent: NDArray[np.float64] = 100 * np.nanmean(each, 0)
    return percent


def _precisions(
    found: Sequence[Detections],
    scenes: Scenes,
    label: int,
    overlap: float,
    times: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Average precision of a class where scene n counts `times[:, n]` times; nan where it is absent."""
    paired = pairs(found, scenes.boxes, scenes.labels, label)
    order = np.argsort(-np.concatenate(paired.scores), kind="stable")
    right = np.concatenate([matches(one, overlap) >= 0 for one in paired.overlaps])[order]
    weights = times[:, np.repeat(np.arange(len(scenes)), list(map(len, paired.scores)))[order]]
    truths = times @ np.array([(labels == label).sum() for labels in scenes.labels])
    hits, said = (weights * right).cumsum(1), weights.cumsum(1)
    return np.array(
        [
            Curve(hit / total, hit / np.maximum(all_, 1)).average_precision if total else np.nan
            for hit, all_, total in zip(hits, said, truths, strict=True)
        ]
    )


def _map(found: Sequence[Detections], scenes: Scenes, overlap: float) -> float:
    scored = mean_average_precision(found, scenes.boxes, scenes.labels, scenes.classes, (overlap,))
    return scored.at(overlap)


def _interval(value: float, drawn: NDArray[np.float64], scenes: Scenes, unit: str) -> intervals.Interval:
    outside = (1 - intervals.CONFIDENCE) / 2
    low, high = np.quantile(drawn, [outside, 1 - outside])
    things = f"scenes with {sum(map(len, scenes.labels)):,} objects"
    return intervals.Interval(value, float(low), float(high), len(scenes), unit, things)
