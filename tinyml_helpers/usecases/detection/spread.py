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
from tinyml_helpers.usecases.detection.average_precision import Curve, curves, mean_average_precision
from tinyml_helpers.usecases.detection.decode import Detections

DRAWINGS = 1000
OVERLAP = 0.5
"""IoU that a match needs."""
_RECALLS = np.linspace(0, 1, 101)


def interval(found: Sequence[Detections], scenes: Scenes) -> intervals.Interval:
    """Return the mAP at an IoU of 0.5 with the interval of a bootstrap over scenes.

    Args:
        found: for each scene, weak detections too.
        scenes: that were searched.

    Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 2.
    """
    return _interval(_map(found, scenes), drawings(found, scenes), scenes, "%")


def difference(
    found: Sequence[Detections], other: Sequence[Detections], scenes: Scenes
) -> intervals.Interval:
    """Return by how many points `other` has a higher mAP on the same scenes, drawn in pairs.

    Args:
        found: of the first detector, as for `interval`.
        other: of the second.
        scenes: that both searched.
    """
    first, second = (drawings(one, scenes) for one in (found, other))
    value = _map(other, scenes) - _map(found, scenes)
    return _interval(value, second - first, scenes, "points")


def drawings(found: Sequence[Detections], scenes: Scenes) -> NDArray[np.float64]:
    """Return the mAP, in percent, on each of 1,000 sets of as many scenes drawn with replacement."""
    draw = np.random.default_rng(0)
    times = draw.multinomial(len(scenes), np.full(len(scenes), 1 / len(scenes)), DRAWINGS)
    shown = [curve for curve in curves(found, scenes, OVERLAP) if curve.truths.any()]
    percent: NDArray[np.float64] = 100 * np.nanmean([_precisions(one, times) for one in shown], 0)
    return percent


def _precisions(curve: Curve, times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average precision of a class where scene n counts `times[:, n]` times; nan where it is absent."""
    weights = times[:, curve.image]
    hits, said, truths = (weights * curve.right).cumsum(1), weights.cumsum(1), times @ curve.truths
    return np.array(
        [
            _average(hit / total, hit / np.maximum(all_, 1)) if total else np.nan
            for hit, all_, total in zip(hits, said, truths, strict=True)
        ]
    )


def _average(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """Return the mean over 101 recalls of the best precision there or beyond, as COCO's code does."""
    # Precision may rise again further down the list: what counts is the best from here on.
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
    return float(best[np.searchsorted(recall, _RECALLS)].mean())


def _map(found: Sequence[Detections], scenes: Scenes) -> float:
    return mean_average_precision(found, scenes, (OVERLAP,)).map50_percent


def _interval(value: float, drawn: NDArray[np.float64], scenes: Scenes, unit: str) -> intervals.Interval:
    outside = (1 - intervals.CONFIDENCE) / 2
    low, high = np.quantile(drawn, [outside, 1 - outside])
    things = f"scenes with {sum(map(len, scenes.labels)):,} objects"
    return intervals.Interval(value, float(low), float(high), len(scenes), unit, things)
