"""What lesson 12 asks to build: the average precision of a detector.

Source: Everingham et al., The Pascal visual object classes challenge: a retrospective, 2015, for the
area under all points; Lin et al., Microsoft COCO, arXiv 1405.0312, for who claims which object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise

Array = NDArray[Any]
_LEAST = 0.5


def _ranked(scores: Array) -> Array:
    return np.argsort(-scores, kind="stable")


def _matches(order: Array, overlaps: Array) -> Array:
    """Tell of each detection, best first, whether it finds an object that was free: bool [N]."""
    free = np.ones(overlaps.shape[1], bool)
    found = np.zeros(len(order), bool)
    for rank, detection in enumerate(order):
        left = np.where(free, overlaps[detection], -1)
        if len(left) and left.max() >= _LEAST:
            found[rank] = True
            free[left.argmax()] = False
    return found


def _best_from_here(precision: Array) -> Array:
    return np.maximum.accumulate(precision[::-1])[::-1]


def _precision(found: Array) -> Array:
    return found.cumsum() / np.arange(1, len(found) + 1)


def _area(found: Array, truths: int) -> float:
    if not truths:
        return float("nan")
    return float(_best_from_here(_precision(found))[found].sum() / truths)


def _in_numpy(scores: Array, overlaps: Array) -> float:
    return _area(_matches(_ranked(scores), overlaps), overlaps.shape[1])


def _in_torch(scores: Any, overlaps: Any) -> Any:
    if not overlaps.shape[1]:
        return scores.new_tensor(float("nan"))
    left, found = overlaps.clone(), []
    for detection in scores.argsort(descending=True, stable=True):
        overlap, truth = left[detection].max(0)
        found.append(bool(overlap >= _LEAST))
        if found[-1]:
            left[:, truth] = -1
    area = sum(
        max(sum(found[:end]) / end for end in range(rank, len(found) + 1))
        for rank, right in enumerate(found, 1)
        if right
    )
    return scores.new_tensor(area / overlaps.shape[1])


def _by_recall(scores: Array, overlaps: Array) -> float:
    """Return the same as the width of each step of recall, times the best precision from there."""
    found = _matches(_ranked(scores), overlaps)
    recall = np.concatenate([[0.0], np.divide(found.cumsum(), overlaps.shape[1])])
    return float(np.diff(recall) @ _best_from_here(_precision(found))) if overlaps.size else _in_numpy(
        scores, overlaps
    )  # fmt: skip


def _in_given_order(scores: Array, overlaps: Array) -> float:
    return _area(_matches(np.arange(len(scores)), overlaps), overlaps.shape[1])


def _worst_first(scores: Array, overlaps: Array) -> float:
    return _area(_matches(np.argsort(scores, kind="stable"), overlaps), overlaps.shape[1])


def _duplicates_count(scores: Array, overlaps: Array) -> float:
    if not overlaps.shape[1]:
        return float("nan")
    return _area(overlaps[_ranked(scores)].max(1) >= _LEAST, overlaps.shape[1])


def _best_though_taken(scores: Array, overlaps: Array) -> float:
    taken: set[int] = set()
    found = []
    for row in overlaps[_ranked(scores)]:
        best = int(row.argmax()) if len(row) else -1
        found.append(best >= 0 and row[best] >= _LEAST and best not in taken)
        taken |= {best} if found[-1] else set()
    return _area(np.array(found, bool), overlaps.shape[1])


def _more_than_half(scores: Array, overlaps: Array) -> float:
    return _in_numpy(scores, np.where(overlaps > _LEAST, overlaps, 0))


def _as_it_falls(scores: Array, overlaps: Array) -> float:
    found, truths = _matches(_ranked(scores), overlaps), overlaps.shape[1]
    return float(_precision(found)[found].sum() / truths) if truths else float("nan")


def _all_ranks(scores: Array, overlaps: Array) -> float:
    found = _matches(_ranked(scores), overlaps)
    return float(_precision(found).mean()) if len(found) and overlaps.shape[1] else _in_numpy(
        scores, overlaps
    )  # fmt: skip


def _of_those_found(scores: Array, overlaps: Array) -> float:
    found = _matches(_ranked(scores), overlaps)
    return _area(found, int(found.sum())) if found.any() else _in_numpy(scores, overlaps)


def _precision_at_end(scores: Array, overlaps: Array) -> float:
    found = _matches(_ranked(scores), overlaps)
    return float(found.mean()) if found.any() else _in_numpy(scores, overlaps)


def _zero_without_truth(scores: Array, overlaps: Array) -> float:
    return float(np.nan_to_num(_in_numpy(scores, overlaps)))


SLIPS = (
    building.Slip(_in_given_order, "The best score comes first: sort."),
    building.Slip(_worst_first, "The best score comes first, not the lowest."),
    building.Slip(
        _duplicates_count,
        "An object counts once: a second detection of it is a false one.",
    ),
    building.Slip(
        _best_though_taken,
        "A detection claims the best of the objects that are still free, even if another overlaps more.",
    ),
    building.Slip(_more_than_half, "An overlap of exactly a half is enough."),
    building.Slip(
        _as_it_falls,
        "Precision may rise again further down: at each recall take the best from there on.",
    ),
    building.Slip(
        _all_ranks,
        "A false detection is no step of recall: only ranks that find an object have a width.",
    ),
    building.Slip(_of_those_found, "Objects that nothing found are missing: divide by all true ones."),
    building.Slip(
        _precision_at_end, "That is the precision at the end. AP is the area over all recalls."
    ),
    building.Slip(
        _zero_without_truth,
        "Where there is nothing to find, no score is fair: return nan, so that means can leave it out.",
    ),
)


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw some detections, tied in score now and then, of up to `size` objects."""
    truths, count = int(draw.integers(1, size + 1)), 2 * size + int(draw.integers(0, 3))
    overlaps = 0.8 * draw.random((count, truths)) ** 3
    overlaps[np.arange(count), draw.integers(0, truths, count)] = draw.uniform(0.2, 1, count)
    overlaps = 0.999 * overlaps.round(3) + 1e-5 * np.arange(truths)  # none alike in a row
    return draw.integers(1, 10, count) / 10, overlaps


def _case(scores: list[float], overlaps: list[list[float]], truths: int) -> cases.Case:
    return np.array(scores), np.reshape(np.array(overlaps, float), (len(scores), truths))


def _same(said: Any, wanted: Any) -> bool:
    if np.isnan(wanted):
        return np.asarray(said).dtype.kind == "f" and bool(np.isnan(said).all() and np.ndim(said) == 0)
    return cases.agrees(said, wanted, 1e-5)


TASK = building.Task(
    asked="average_precision(scores, overlaps) is the area under precision over recall.",
    arguments=("scores", "overlaps"),
    reference=_in_numpy,
    draw_case=_draw,
    slips=SLIPS,
    parts=(
        building.Part("one number", lambda _, said, __: np.ndim(said) == 0),
        building.Part("from 0 to 1", lambda _, said, wanted: 0 <= said <= 1 or wanted != wanted),
    ),
    same=_same,
    special=(
        _case([0.9, 0.6], [], 0),
        _case([], [], 2),
        _case([0.7], [[0.5]], 1),
        _case([0.5, 0.5], [[0.2], [0.9]], 1),
        _case([0.9, 0.8], [[0.8], [0.9]], 1),
        _case([0.9], [[0.8, 0.1]], 2),
        _case([0.9, 0.8], [[0.9, 0.1], [0.8, 0.6]], 2),
    ),
)


@exercise(
    right=[(_in_numpy,), (_in_torch,), (_by_recall,)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda scores, overlaps: 0.5,),
        (lambda scores, overlaps: float("nan"),),
        (lambda scores, overlaps: overlaps.max(),),
        (lambda scores, overlaps: 100 * _in_numpy(scores, overlaps),),
        (lambda scores, overlaps: scores,),
        (lambda scores, overlaps: None,),
        (lambda scores: scores,),
        (0.75,),
    ],
    slips=[slip.hint for slip in SLIPS],
)
def average_precision(answer: Callable[..., Any]) -> Verdict:
    """The area under precision over recall, of detections that each claim a free object or none."""
    return building.judge(
        TASK,
        "average_precision",
        answer,
        "No threshold appears in it: AP asks how well a detector sorts what it found. COCO's own code "
        "reads such a curve at a hundred recalls and one, and averages over overlaps and classes.",
    )
