"""Mean average precision: how good a detector is, over all of its score thresholds at once.

COCO's own code (pycocotools) matches detections to true boxes, best score first, and averages precision
over 101 recalls. As there, the 100 best detections of a class in an image count.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.images.scenes import Scenes
from tinyml_helpers.system.tables import html_table, text_table
from tinyml_helpers.usecases.detection.decode import Detections, read_grid

COCO_OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


@dataclass(frozen=True, eq=False)
class Curve:
    """The detections of one class in all images, best score first, and its true boxes.

    Attributes:
        name: of the class.
        right: bool [N], whether it found an object that no better one had found.
        image: int64 [N], the image that it is in.
        truths: int64 [images], objects of the class in each.
    """

    name: str
    right: NDArray[np.bool_]
    image: NDArray[np.int64]
    truths: NDArray[np.int64]

    @property
    def recall(self) -> NDArray[np.float64]:
        """The share of the objects that was found so far: float64 [N]."""
        return self.right.cumsum() / max(int(self.truths.sum()), 1)

    @property
    def precision(self) -> NDArray[np.float64]:
        """The share of the detections that was right so far: float64 [N]."""
        return self.right.cumsum() / np.arange(1, len(self.right) + 1)


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


def score_grid(outputs: NDArray[np.float32], scenes: Scenes) -> Scores:
    """Score the outputs [N, 13, 13, 9] of the tiny detector on the scenes that they came from."""
    return mean_average_precision(read_grid(outputs, score=0.05), scenes)


def mean_average_precision(
    found: Sequence[Detections], scenes: Scenes, overlaps: tuple[float, ...] = COCO_OVERLAPS
) -> Scores:
    """Score a detector on many images.

    Let it report weak detections too (a least score of 0.05 or below): the measure looks at all
    thresholds. A class that no image shows has no average precision, and counts nowhere.

    Args:
        found: for each image.
        scenes: that were searched.
        overlaps: IoUs that a match may need.

    Raises:
        ValueError: not one list of detections for each scene, or no true box at all.

    Source: Lin et al., Microsoft COCO, arXiv 1405.0312, and the evaluation on cocodataset.org.
    """
    if not any(map(len, scenes.labels)):
        raise ValueError("no true box in any image: there is nothing to find")
    precision = _evaluate(found, scenes, overlaps).eval["precision"][:, :, :, 0, 0]
    percent = 100 * precision.mean(1).T  # [overlaps, recalls, classes] before
    return Scores(scenes.classes, overlaps, np.where(percent < 0, np.nan, percent))


def curves(found: Sequence[Detections], scenes: Scenes, overlap: float) -> list[Curve]:
    """Return precision against recall of each class.

    Args:
        found: for each image.
        scenes: that were searched.
        overlap: IoU that a match needs.

    Raises:
        ValueError: not one list of detections for each scene.
    """
    judged = [one for one in _evaluate(found, scenes, (overlap,)).evalImgs if one]
    drawn = []
    for label, name in enumerate(scenes.classes):
        rows = [
            (score, match > 0, one["image_id"])
            for one in judged
            if one["category_id"] == label
            for score, match in zip(one["dtScores"], one["dtMatches"][0], strict=True)
        ]
        rows.sort(key=lambda row: -row[0])
        right, image = ([row[place] for row in rows] for place in (1, 2))
        truths = np.array([(labels == label).sum() for labels in scenes.labels])
        drawn.append(Curve(name, np.array(right, bool), np.array(image, int), truths))
    return drawn


def _evaluate(found: Sequence[Detections], scenes: Scenes, overlaps: tuple[float, ...]) -> Any:
    """Return COCO's evaluation, matched and accumulated, for boxes of all sizes."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    if len(found) != len(scenes.labels):
        raise ValueError(f"{len(found)} images searched, {len(scenes.labels)} with boxes: give one each")
    there = zip(scenes.boxes, scenes.labels, map(np.ones_like, scenes.labels), strict=True)
    with contextlib.redirect_stdout(io.StringIO()):  # it tells of each step
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(len(found))],
            "categories": [{"id": label} for label in range(len(scenes.classes))],
            "annotations": [],
        }
        coco.createIndex()
        rows = (_rows(there), _rows((one.boxes, one.labels, one.scores) for one in found))
        evaluation = COCOeval(*(coco.loadRes(one) if len(one) else coco for one in rows), "bbox")
        evaluation.params.iouThrs, evaluation.params.maxDets = np.array(overlaps), [100]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _rows(images: Iterable[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]) -> NDArray[np.float64]:
    """Return COCO's rows of image, left, top, width, height, score and class: float64 [N, 7]."""
    rows = [np.empty((0, 7))]
    for image, (boxes, labels, scores) in enumerate(images):
        corner, end = np.split(boxes.astype(float), 2, 1)
        rows.append(np.column_stack([np.full(len(boxes), image), corner, end - corner, scores, labels]))
    return np.concatenate(rows)
