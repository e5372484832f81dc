"""What lesson 11 asks to build: the threshold that keeps to a budget of false alarms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise

Scores = NDArray[np.float64]
Counter = Callable[[Any, float, int], int]


def _alarms(scores: Any, threshold: float, in_a_row: int) -> int:
    count = 0
    for machine in scores:
        length = 0
        for score in machine:
            length = length + 1 if score > threshold else 0
            count += length == in_a_row  # once, however long it goes on
    return count


def _from_above(scores: Any, allowed: float, in_a_row: int, count: Counter = _alarms) -> float:
    kept = float(scores.max())
    for candidate in sorted({float(score) for score in scores.reshape(-1)}, reverse=True):
        if count(scores, candidate, in_a_row) > allowed:
            break
        kept = candidate
    return kept


def _threshold(scores: Any, months: float, a_month: float, in_a_row: int) -> float:
    return _from_above(scores, a_month * months * len(scores), in_a_row)


def _in_torch(scores: Any, months: float, a_month: float, in_a_row: int) -> Any:
    """Return the same, all thresholds at once: an alarm is a full window after one that is not full."""
    import torch

    levels = torch.unique(scores).flip(0)
    above = scores > levels[:, None, None]
    if in_a_row > above.shape[2]:
        return levels[-1]
    full = above.unfold(2, in_a_row, 1).all(3)
    began = full & ~torch.nn.functional.pad(full, (1, -1))
    bad = began.sum((1, 2)) > a_month * months * len(scores)
    return levels[int(bad.cumsum(0).eq(0).sum()) - 1]


def _every_check(scores: Any, threshold: float, in_a_row: int) -> int:
    padded = np.pad(scores > threshold, ((0, 0), (in_a_row - 1, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, in_a_row, axis=1)
    return int(windows.all(2).sum())


def _counted_by(count: Counter) -> Callable[..., float]:
    return lambda scores, months, a_month, in_a_row: _from_above(
        scores, a_month * months * len(scores), in_a_row, count
    )


def _lowest_of_all(scores: Scores, months: float, a_month: float, in_a_row: int) -> float:
    allowed = a_month * months * len(scores)
    return min(float(s) for s in scores.ravel() if _alarms(scores, s, in_a_row) <= allowed)


def _too_many_by_one(scores: Scores, months: float, a_month: float, in_a_row: int) -> float:
    allowed = a_month * months * len(scores)
    tried = np.unique(scores)[::-1]
    return float(next((s for s in tried if _alarms(scores, s, in_a_row) > allowed), tried[-1]))


def _below_budget(scores: Scores, months: float, a_month: float, in_a_row: int) -> float:
    return _from_above(scores, a_month * months * len(scores) - 1e-6, in_a_row)


def _whole_budget(scores: Scores, months: float, a_month: float, in_a_row: int) -> float:
    return _from_above(scores, a_month * len(scores), in_a_row)


def _one_machine(scores: Scores, months: float, a_month: float, in_a_row: int) -> float:
    return _from_above(scores, a_month * months, in_a_row)


def _quantile(scores: Scores, months: float, a_month: float, in_a_row: int) -> float:
    return float(np.quantile(scores, max(0.0, 1 - a_month * months * len(scores) / scores.size)))


def _three_sigma(scores: Scores, months: float, a_month: float, in_a_row: int) -> float:
    return float(scores.mean() + 3 * scores.std())


def _highest(scores: Scores, months: float, a_month: float, in_a_row: int) -> float:
    return float(scores.max())


SLIPS = (
    building.Slip(
        _counted_by(lambda scores, threshold, _: _alarms(scores, threshold, 1)),
        "You count an alarm at the first score above the threshold: `in_a_row` of them make one.",
    ),
    building.Slip(
        _counted_by(_every_check),
        "A run that goes on is one alarm, not another one at each check.",
    ),
    building.Slip(
        _counted_by(lambda scores, threshold, k: _alarms(scores, np.nextafter(threshold, -9e9), k)),
        "A score equal to the threshold is not above it.",
    ),
    building.Slip(
        _counted_by(lambda scores, threshold, k: _alarms(scores.reshape(1, -1), threshold, k)),
        "A run ends with its machine: the next row is another one.",
    ),
    building.Slip(
        _lowest_of_all,
        "Far below, all runs melt into one long alarm, which looks like few. Come from above, and stop "
        "before the first threshold that gives too many.",
    ),
    building.Slip(_too_many_by_one, "The first threshold that gives too many: take the last before it."),
    building.Slip(_below_budget, "Exactly as many alarms as the budget allows are allowed."),
    building.Slip(_whole_budget, "The budget is for a month: how many months were recorded?"),
    building.Slip(_one_machine, "The budget is for each machine: all together may give more."),
    building.Slip(_quantile, "A quantile counts scores, a budget alarms: scores come in runs."),
    building.Slip(_three_sigma, "Three standard deviations promise nothing of alarms: count them."),
    building.Slip(_highest, "The highest score keeps any budget, and misses most faults: go lower."),
)  # fmt: skip


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw scores that wander, in steps of 0.5 so that some tie: 1 to 3 machines, 5 to 45 checks."""
    machines = int(draw.integers(1, 4))
    steps = draw.integers(-2, 3, (machines, 9 * size - 4)).cumsum(1)
    months = float(draw.choice((0.5, 0.25, 2.0)))
    scores = 1 + 0.5 * np.abs(steps + draw.integers(-1, 2, steps.shape))
    return scores, months, float(draw.choice((1.0, 2.0, 4.0))), int(draw.integers(1, 4))


TASK = building.Task(
    asked=(
        "threshold(scores, months, a_month, in_a_row) is the lowest of the scores that, like all higher "
        "ones, keeps to the budget."
    ),
    arguments=("scores", "months", "a_month", "in_a_row"),
    reference=_threshold,
    draw_case=_draw,
    slips=SLIPS,
    parts=(
        building.Part("one of the scores", lambda case, said, _: np.isclose(case[0], said).any()),
        building.Part(
            "never more alarms than the budget allows",
            lambda case, said, _: _alarms(case[0], said, case[3]) <= case[2] * case[1] * len(case[0]),
        ),
        building.Part("never too high", lambda _, said, wanted: said <= wanted),
    ),
    same=cases.agrees,
    special=(
        (np.array([[1.0, 4.0, 2.0, 4.0, 1.0]]), 0.5, 2.0, 1),
        (np.array([[1.0, 5.0, 5.0, 3.0, 6.0, 5.0]]), 0.5, 1.0, 2),
        (np.array([[1.0, 2.0, 6.0], [6.0, 2.0, 1.0]]), 0.25, 1.0, 2),
        (np.array([[3.0, 2.0, 3.0, 2.0, 3.0, 1.0]]), 0.5, 4.0, 1),
    ),
)


@exercise(
    right=[(_threshold,), (_in_torch,), (_counted_by(_alarms),)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda scores, months, a_month, in_a_row: 2.0,),
        (lambda scores, months, a_month, in_a_row: float(scores.min()),),
        (lambda scores, months, a_month, in_a_row: float(np.median(scores)),),
        (lambda scores, months, a_month, in_a_row: scores,),
        (lambda scores, months, a_month, in_a_row: None,),
        (lambda scores: scores,),
        (1.57,),
    ],
    slips=[slip.hint for slip in SLIPS],
)
def threshold_for_budget(answer: Callable[..., Any]) -> Verdict:
    """The lowest score that keeps healthy machines within so many alarms a month, with debouncing."""
    return building.judge(
        TASK,
        "threshold_for_budget",
        answer,
        "A threshold is a promise about alarms, so alarms are what has to be counted. On other "
        "machines, or in another season, it is a promise about the past: measure it again.",
    )
