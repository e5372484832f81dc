"""Exercises of lesson 15, the capstone."""

from __future__ import annotations

import math
from collections.abc import Callable

from tinyml_helpers.course.check import Verdict, exercise, hint, right

Points = list[tuple[float, float]]

# Score and cost: two on the front with the same cost, one beaten by a tie, one beaten in both.
_POINTS = [(90.0, 50.0), (80.0, 20.0), (80.0, 30.0), (70.0, 40.0), (95.0, 90.0), (90.0, 50.0)]
_FRONT = [True, True, False, False, True, True]


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


@exercise(wrong=[(_strictly_in_both,), (_no_worse,), (_best_score_only,), (_upside_down,), (3,)])
def front_of_points(answer: Callable[[Points], list[bool]]) -> Verdict:
    """A point is beaten by one that is as good in both respects, and better in at least one."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    got = [bool(one) for one in answer(list(_POINTS))]
    if len(got) != len(_POINTS):
        return hint(f"Return one True or False for each of the {len(_POINTS)} points.")
    if got == _strictly_in_both(_POINTS):
        return hint("(80, 30) is still there: (80, 20) has the same score and costs less.")
    if got == _no_worse(_POINTS):
        return hint("Two equal points threw each other out: a point must be *better* in something.")
    if got == _best_score_only(_POINTS):
        return hint("That keeps the best score alone; a cheaper point with a lower score stays too.")
    if got != _FRONT:
        return hint("A high score is good, a high cost is bad. (70, 40) must go, (80, 20) must stay.")
    if answer([(1.0, 1.0)]) != [True]:
        return hint("A single point has nobody to beat it.")
    return right(
        "What is not on the front need not be discussed: for any budgets there is a choice on the front "
        "that is at least as good. What is on it, only budgets can decide."
    )


_SHARES = {"flash": 13.9 / 64, "RAM": 2.8 / 12, "latency": 7.9 / 20, "energy": 79 / 150}


@exercise(wrong=[("flash",), ("RAM",), ("latency",), ("batteries",), (0.53,)])
def tightest_budget(answer: str) -> Verdict:
    """The budget of which the largest share is used: 79 of 150 uJ."""
    if not isinstance(answer, str) or answer not in _SHARES:
        return hint(f"Answer with one of these words: {', '.join(_SHARES)}.")
    if answer != "energy":
        return hint(
            f"Of {answer} it uses {_SHARES[answer]:.0%}. Divide each figure by its own budget: another "
            "one comes closer to 1."
        )
    return right(
        "A share makes kilobytes, milliseconds and microjoules comparable. If the network doubles, "
        "energy is the first that breaks; it follows latency, so fewer instructions help both."
    )


@exercise(wrong=[(24_300_000.0,), (28.1 * 0.4,), (346.1,), (351.6,), (22_500.0,)])
def coin_cell_lasts(answer: float) -> Verdict:
    """2,430 J at 80 uJ a second and 4 uW of sleep: 2430 / 84e-6 s = 334.8 days."""
    days = 225e-3 * 3600 * 3 / (80e-6 + 4e-6) / 86_400
    value = float(answer)
    if math.isclose(value, 225e-3 * 3600 * 3 / 80e-6 / 86_400, rel_tol=0.005):
        return hint("That is without sleep, which takes 4 uJ every second too.")
    if math.isclose(value, days * 86_400, rel_tol=0.005):
        return hint("That is in seconds: a day has 86,400.")
    if not math.isclose(value, days, rel_tol=0.005):
        return hint(
            "The cell holds 0.225 Ah x 3,600 s/h x 3 V = 2,430 J. Each second takes 80 uJ for an answer "
            "and 4 uJ for sleep; a uJ is a millionth of a joule."
        )
    return right(
        "Almost a year, of the processor alone: a sensor, a radio and the cell's own discharge come on "
        "top. With one answer a minute, sleep would take three quarters of the energy."
    )
