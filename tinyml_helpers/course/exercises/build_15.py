"""What lesson 15 asks to build: the choice among designs that honours budgets and seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise

Array = NDArray[Any]
Rule = Callable[[Array, Array, Array], Any]


def _within(scores: Array, costs: Array, limits: Array, least: float) -> Array:
    kept: Array = (costs <= limits).all(1) & (scores.min(1) >= least)
    return kept


def _choice(
    close: Rule = lambda scores, costs, allowed: _reaches(scores, allowed),
    allow: Callable[..., Array] = _within,
    by: int = -1,
) -> Callable[..., int]:
    """Return a way to choose: who may, who of them is close to the best, and by which cost; else -1."""

    def choose(scores: Array, costs: Array, limits: Array, least: float) -> int:
        allowed = allow(scores, costs, limits, least)
        if not allowed.any():
            return -1
        ranked = np.where(close(scores, costs, allowed), costs[:, by], np.inf)
        return int(ranked.argmin())

    return choose


def _best(values: Array, allowed: Array) -> int:
    return int(np.where(allowed, values, -np.inf).argmax())


def _reaches(scores: Array, allowed: Array) -> Array:
    best = _best(scores.mean(1), allowed)
    close: Array = allowed & (scores.max(1) >= scores[best].min())
    return close


def _in_python(scores: Array, costs: Array, limits: Array, least: float) -> int:
    allowed = [
        number
        for number, (seeds, prices) in enumerate(zip(scores, costs, strict=True))
        if min(seeds) >= least and all(p <= most for p, most in zip(prices, limits, strict=True))
    ]
    if not allowed:
        return -1
    leader = max(allowed, key=lambda number: sum(scores[number]))
    close = [number for number in allowed if max(scores[number]) >= min(scores[leader])]
    return min(close, key=lambda number: costs[number][-1])


def _in_torch(scores: Any, costs: Any, limits: Any, least: float) -> Any:
    import torch

    allowed = ((costs <= limits).all(1) & (scores.amin(1) >= least)).nonzero()[:, 0]
    if len(allowed) == 0:
        return -1
    leader = allowed[scores[allowed].mean(1).argmax()]
    close = allowed[scores[allowed].amax(1) >= torch.min(scores[leader])]
    return close[costs[close, -1].argmin()]


_in_numpy = _choice()


def _only(number: int, count: int) -> Array:
    return np.asarray(np.arange(count) == number)


def _unguarded(scores: Array, costs: Array, limits: Array, least: float) -> int:
    allowed = _within(scores, costs, limits, least)
    close = _reaches(scores, allowed)
    return int(np.where(close & allowed, costs[:, -1], np.inf).argmin())


SLIPS = (
    building.Slip(
        _choice(lambda scores, _, allowed: _only(_best(scores.mean(1), allowed), len(scores))),
        "The best mean is partly luck: what reaches the range of its seeds is not shown to be worse.",
    ),
    building.Slip(
        _choice(lambda scores, _, allowed: _only(_best(scores.max(1), allowed), len(scores))),
        "The luckiest seed chose: compare means, and honour their spread.",
    ),
    building.Slip(
        _choice(lambda _, __, allowed: allowed),
        "The cheapest within the budgets may be far from the best: it has to reach its range.",
    ),
    building.Slip(
        _choice(lambda scores, _, allowed: allowed & (
            scores.mean(1) >= scores[_best(scores.mean(1), allowed)].min())),
        "A design counts as close if its best seed, not its mean, reaches the worst seed of the best.",
    ),
    building.Slip(
        _choice(lambda scores, _, allowed: allowed & (
            scores.max(1) >= scores[_best(scores.mean(1), scores.min(1) > -9e9)].min())),
        "The best is the best of those within all budgets; one that is not allowed is no measure.",
    ),
    building.Slip(
        _choice(lambda scores, _, allowed: allowed & (
            scores.max(1) >= scores[_best(scores.max(1), allowed)].min())),
        "The best is the one with the best mean, not the one with the luckiest seed.",
    ),
    building.Slip(
        _choice(allow=lambda scores, costs, limits, least: (costs <= limits).all(1)),
        "You leave `least` out: every seed has to reach it.",
    ),
    building.Slip(
        _choice(allow=lambda scores, costs, limits, least: (costs <= limits).all(1)
                & (scores.mean(1) >= least)),
        "A mean that reaches `least` may hide a seed that does not: the worst has to.",
    ),
    building.Slip(
        _choice(allow=lambda scores, costs, limits, least: (costs < limits).all(1)
                & (scores.min(1) > least)),
        "Who meets a budget exactly has met it.",
    ),
    building.Slip(
        _choice(allow=lambda scores, costs, limits, least: (costs[:, -1] <= limits[-1])
                & (scores.min(1) >= least)),
        "All the costs have a limit, not only the last.",
    ),
    building.Slip(_choice(by=0), "The cheapest by the last cost, not by the first."),
    building.Slip(_unguarded, "Where no design meets the budgets, return -1: impossible is an answer."),
)  # fmt: skip


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw trials of 2 to 12 designs with 2 or 3 seeds: what costs more scores more, on the whole."""
    count, seeds = 2 * size + int(draw.integers(0, 3)), int(draw.integers(2, 4))
    effort = draw.uniform(1, 10, (count, 1))
    costs = (effort * draw.uniform(0.6, 1.6, (count, 3))).round(1)
    costs[:, -1] += np.arange(count) / 1000  # no two alike
    noise = draw.normal(0, 1, (count, seeds)) * draw.uniform(0.5, 6, (count, 1))
    scores = (80 + 1.5 * effort + noise).round(1)
    scores[:, 0] += np.arange(count) / 4000  # nor two means
    limits, least = np.quantile(costs, float(draw.uniform(0.4, 1)), axis=0).round(1), 75.0
    if draw.random() < 0.5:  # a budget that is met exactly
        one = int(draw.integers(count))
        limits, least = np.maximum(limits, costs[one]), float(scores[one].min())
    return scores, costs, limits, least


def _case(scores: list[list[float]], costs: list[list[float]], limits: list[float], least: float) -> Any:
    return np.array(scores), np.array(costs), np.array(limits), least


def _is_allowed(case: cases.Case, said: Any, _: Any) -> bool:
    allowed = _within(*case)
    return bool(allowed[int(said)]) if said != -1 else not allowed.any()


TASK = building.Task(
    asked=(
        "choose(scores, costs, limits, least) returns the number of the cheapest design that the seeds "
        "do not tell from the best, within all budgets."
    ),
    arguments=("scores", "costs", "limits", "least"),
    reference=_in_numpy,
    draw_case=_draw,
    slips=SLIPS,
    parts=(
        building.Part(
            "the number of a design, or -1",
            lambda case, said, _: np.ndim(said) == 0 and said in range(-1, len(case[0])),
        ),
        building.Part("within all budgets", _is_allowed),
    ),
    same=cases.agrees,
    special=(
        _case([[90.0, 92.0], [85.0, 88.0]], [[5.0, 2.0, 3.0], [2.0, 3.0, 1.0]], [4.0] * 3, 86.0),
        _case([[90.0, 92.0], [85.0, 90.0]], [[5.0, 2.0, 3.0], [2.0, 3.0, 1.0]], [5.0] * 3, 85.0),
        _case([[90.0, 92.0], [85.0, 88.0]], [[5.0, 2.0, 3.0], [2.0, 3.0, 1.0]], [9.0] * 3, 80.0),
    ),
)


@exercise(
    right=[(_in_numpy,), (_in_torch,), (_in_python,)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda scores, costs, limits, least: 0,),
        (lambda scores, costs, limits, least: -1,),
        (lambda scores, costs, limits, least: _in_numpy(scores, costs, limits, least) + 1,),
        (lambda scores, costs, limits, least: scores.mean(1),),
        (lambda scores, costs, limits, least: None,),
        (lambda scores: scores,),
        ("width 0.5",),
    ],
    slips=[slip.hint for slip in SLIPS],
)
def choose_by_spread(answer: Callable[..., Any]) -> Verdict:
    """The cheapest design, within all budgets, whose best seed reaches the worst seed of the best."""
    return building.judge(
        TASK,
        "choose_by_spread",
        answer,
        "Ranges that overlap are no proof of equality, only the lack of one of a difference: the "
        "rule says what you do while you do not know. More seeds may make it choose another design.",
    )
