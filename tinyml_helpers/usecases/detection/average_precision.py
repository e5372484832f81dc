"""Mean average precision: how good a detector is, over all of its score thresholds at once.

The definition is COCO's: at each overlap (IoU) detections are matched to true boxes, best score first;
precision is read at 101 recalls. Tests hold it against pycocotools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.images.scenes import Scenes
from tinyml_helpers.system.tables import html_table, text_table
from tinyml_helpers.usecases.detection.decode import Detections, read_grid
from tinyml_helpers.usecases.vision import boxes as geometry

COCO_OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision against recall of one class: both float64 [detections], best score first."""

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]

    @property
    def average_precision(self) -> float:
        """The mean of the best precision at each of 101 recalls or beyond, 0..1."""
        if not len(self.recall):
            return 0.0
        # Precision may rise again further down the list: what counts is the best from here on.
        best = np.maximum.accumulate(self.precision[::-1])[::-1]
        places = np.searchsorted(self.recall, RECALLS)
        return float(np.append(best, 0)[places].mean())


@dataclass(frozen=True, repr=False, eq=False)
class Scores:
    """Average precision in percent, [classes, overlaps]; prints as a table."""

    classes: tuple[str, ...]
    overlaps: tuple[float, ...]
    percent: NDArray[np.float64]

    @property
    def map50_percent(self) -> float:
        """Mean over the classes at an overlap of 0.5."""
        return self.at(0.5)

    @property
    def map_percent(self) -> float:
        """Mean over the classes and all overlaps."""
        return float(np.nanmean(self.percent))

    def at(self, overlap: float) -> float:
        """Return the mean over the classes at one of the `overlaps`."""
        return float(np.nanmean(self.percent[:, self.overlaps.index(overlap)]))

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]], tuple[int, ...]]:
        columns = [o for o in (0.5, 0.75) if o in self.overlaps]
        # A class that no image shows has no row.
        shown = [name for name, row in zip(self.classes, self.percent, strict=True) if row[0] == row[0]]
        rows = self.percent[~np.isnan(self.percent).any(1)]
        cells = [
            (name, *(f"{row[self.overlaps.index(o)]:.1f}" for o in columns), f"{row.mean():.1f}")
            for name, row in zip([*shown, "mean"], [*rows, rows.mean(0)], strict=True)
        ]
        header = ("AP (%)", *(f"IoU {o}" for o in columns), f"{self.overlaps[0]} to {self.overlaps[-1]}")
        return header, cells, (0,)


def matches(overlaps: NDArray[np.float32], least: float) -> NDArray[np.int64]:
    """Return which true box each detection of one class in one image found: int64 [N], -1 for none.

    The best score chooses first; each true box can be found once, a second box on it is a false one.

    Args:
        overlaps: IoU [N, M] of detections, best first, with the true boxes of the class.
        least: IoU that a match needs.
    """
    found, free = np.full(len(overlaps), -1), overlaps.copy()
    for number, row in enumerate(free):
        if len(row) and row.max() >= least:
            found[number] = row.argmax()
            free[:, found[number]] = -1
    return found


@dataclass(frozen=True, eq=False)
class Pairs:
    """Detections of one class against its true boxes, image by image.

    Attributes:
        scores: of each image's detections [N], best first.
        overlaps: IoU [N, M] of each image.
        truths: true boxes in all images.
    """

    scores: tuple[NDArray[np.float32], ...]
    overlaps: tuple[NDArray[np.float32], ...]
    truths: int

    def curve(self, overlap: float = 0.5) -> Curve:
        """Return precision against recall, where a match needs this IoU."""
        right = [matches(one, overlap) >= 0 for one in self.overlaps]
        order = np.argsort(-np.concatenate([np.empty(0), *self.scores]), kind="stable")
        hits = np.concatenate([np.empty(0, bool), *right])[order].cumsum()
        return Curve(hits / max(self.truths, 1), hits / np.arange(1, len(hits) + 1))


def pairs(
    found: Sequence[Detections],
    true_boxes: Sequence[NDArray[np.float32]],
    true_labels: Sequence[NDArray[np.int64]],
    label: int,
) -> Pairs:
    """Pair what was found with what is there, for one class.

    Args:
        found: for each image, best first.
        true_boxes: for each image [M, 4].
        true_labels: for each image [M].
        label: the class.

    Raises:
        ValueError: not one list of true boxes for each image.
    """
    if not len(found) == len(true_boxes) == len(true_labels):
        raise ValueError(f"{len(found)} images searched, {len(true_boxes)} with boxes: give one each")
    scores, overlaps, truths = [], [], 0
    for seen, boxes, labels in zip(found, true_boxes, true_labels, strict=True):
        mine, there = seen.labels == label, labels == label
        scores.append(seen.scores[mine])
        overlaps.append(geometry.iou(seen.boxes[mine], boxes[there]))
        truths += int(there.sum())
    return Pairs(tuple(scores), tuple(overlaps), truths)


def score_grid(outputs: NDArray[np.float32], scenes: Scenes) -> Scores:
    """Score the outputs [N, 13, 13, 9] of the tiny detector on the scenes that they came from."""
    found = read_grid(outputs, score=0.05)
    return mean_average_precision(found, scenes.boxes, scenes.labels, scenes.classes)


def mean_average_precision(
    found: Sequence[Detections],
    true_boxes: Sequence[NDArray[np.float32]],
    true_labels: Sequence[NDArray[np.int64]],
    classes: tuple[str, ...],
    overlaps: tuple[float, ...] = COCO_OVERLAPS,
) -> Scores:
    """Score a detector on many images.

    Let it report weak detections too (a least score of 0.05 or below): the measure looks at all
    thresholds. A class that no image shows has no average precision, and counts nowhere.

    Args:
        found: for each image, best first.
        true_boxes: for each image [M, 4].
        true_labels: for each image [M], indices into `classes`.
        classes: names.
        overlaps: IoUs that a match may need.

    Raises:
        ValueError: not one list of true boxes for each image, or no true box at all.

    Source: Lin et al., Microsoft COCO, arXiv 1405.0312, and the evaluation on cocodataset.org.
    """
    shown = np.unique(np.concatenate([np.empty(0, int), *true_labels]))
    if not len(shown):
        raise ValueError("no true box in any image: there is nothing to find")
    percent = np.full((len(classes), len(overlaps)), np.nan)
    for label in shown:
        paired = pairs(found, true_boxes, true_labels, int(label))
        percent[label] = [100 * paired.curve(overlap).average_precision for overlap in overlaps]
    return Scores(classes, tuple(overlaps), percent)
