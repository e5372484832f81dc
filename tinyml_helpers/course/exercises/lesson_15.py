"""Exercises of lesson 15, the capstone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right

Points = list[tuple[float, float]]


def _front(points: Points) -> list[bool]:
    return [
        not any(s >= score and c <= cost and (s, c) != (score, cost) for s, c in points)
        for score, cost in points
    ]


def _front_in_numpy(points: Points) -> Any:
    scores, costs = np.asarray(points, float).T
    as_good = (scores[:, None] >= scores) & (costs[:, None] <= costs)
    better = (scores[:, None] > scores) | (costs[:, None] < costs)
    return ~(as_good & better).any(0)


def _front_in_torch(points: Points) -> Any:
    import torch

    scores, costs = torch.tensor(points, dtype=torch.float64).T
    as_good = (scores[:, None] >= scores) & (costs[:, None] <= costs)
    better = (scores[:, None] > scores) | (costs[:, None] < costs)
    return ~(as_good & better).any(0)


def _strictly_in_both(points: Points) -> list[bool]:
    return [not any(s > score and c < cost for s, c in points) for score, cost in points]


def _no_worse(points: Points) -> list[bool]:
    return [
        not any(s >= score and c <= cost for j, (s, c) in enumerate(points) if j != i)
        for i, (score, cost) in enumerate(points)
    ]


def _best_score_only(points: Points) -> list[bool]:
    return [score == max(s for s, _ in points) for score, _ in points]


def _upside_down(points: Points) -> list[bool]:
    return [
        not any(s >= score and c >= cost and (s, c) != (score, cost) for s, c in points)
        for score, cost in points
    ]


def _first_of_equals(points: Points) -> list[bool]:
    kept = _front(points)
    return [keep and points.index(points[i]) == i for i, keep in enumerate(kept)]


def _designs() -> Iterator[tuple[Points]]:
    draw = cases.rng("front_of_points")
    yield ([(1.0, 1.0)],)
    for number in range(20):
        # Few different values, so that many tie; every fourth set holds points twice.
        score, cost = (draw.integers(0, 6, draw.integers(2, 9)) for _ in range(2))
        count = min(len(score), len(cost))
        points = [(10.0 * s, 5.0 * c) for s, c in zip(score[:count], cost[:count], strict=True)]
        yield (points + points[: count // 2] if number % 4 == 0 else points,)


@exercise(
    right=[(_front,), (_front_in_numpy,), (_front_in_torch,)],
    wrong=[
        (_strictly_in_both,), (_no_worse,), (_best_score_only,), (_upside_down,), (_first_of_equals,),
        (lambda points: [True, True, False, False, True, True],),
        (lambda points: [True] * len(points),), (3,),
    ],
)  # fmt: skip
def front_of_points(answer: Callable[[Points], Any]) -> Verdict:
    """A point is beaten by one that is as good in both respects, and better in at least one."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    different = cases.first_difference(answer, _front, _designs(), same=_same_marks)
    for mistake, words in (
        (_strictly_in_both, "One with the same score and a lower cost beats a point, too."),
        (_no_worse, "Two equal points threw each other out: a point must be *better* in something."),
        (_first_of_equals, "Of equal points all stay, not only the first."),
        (_best_score_only, "That keeps the best score alone; a cheaper point with less stays too."),
    ):
        if different and not cases.first_difference(answer, mistake, _designs(), same=_same_marks):
            return hint(words)
    if different:
        (points,) = different.given
        return hint(
            f"Wrong for the points {points}: return one True or False for each, in their order. "
            "A high score is good, and a high cost is bad."
        )
    return right(
        "What is not on the front need not be discussed: for any budgets there is a choice on the front "
        "that is at least as good. What is on it, only budgets can decide."
    )


def _same_marks(said: Any, wanted: Any) -> bool:
    marks = np.asarray(said)
    return marks.shape == (len(wanted),) and bool((marks.astype(float) == np.asarray(wanted)).all())


@exercise(
    right=[("energy",), ("Energy",), (" energy ",)],
    wrong=[("flash",), ("RAM",), ("ram",), ("latency",), ("batteries",), (0.53,)],
)
def tightest_budget(answer: str) -> Verdict:
    """The budget of which the largest share is used: 79 of 150 uJ, or with another flash, that."""
    flash_kib = constants.given("tightest_budget")["flash_kib"]
    shares = {"flash": 13.9 / flash_kib, "RAM": 2.8 / 12, "latency": 7.9 / 20, "energy": 79 / 150}
    names = {name.lower(): name for name in shares}
    name = names.get(answer.strip().lower()) if isinstance(answer, str) else None
    if name is None:
        return hint(f"Answer with one of these words: {', '.join(shares)}.")
    if name != max(shares, key=shares.__getitem__):
        return hint(
            f"Of {name} it uses {shares[name]:.0%}. Divide each figure by its own budget: another "
            "one comes closer to 1."
        )
    return right(
        "A share makes kilobytes, milliseconds and microjoules comparable. If the network doubles, "
        "this is the first that breaks. Energy follows latency, so fewer instructions help both."
    )
