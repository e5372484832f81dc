"""Exercises of lesson 11, anomaly detection."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(wrong=[(96.0,), (4.8,), (120.0,), (288.0,)])
def inner_race_hertz(answer: float) -> Verdict:
    """8 balls, g = 0.2, 30 turns a second: 8 * 1.2 / 2 * 30 = 144 Hz."""
    if math.isclose(answer, 144, abs_tol=0.01):
        return right(
            "The balls follow the shaft at less than half its speed, so the inner race runs past them "
            "faster than they run past the outer one: it is struck more often."
        )
    if math.isclose(answer, 96, abs_tol=0.01):
        return hint("That is the outer race: for the inner one, the sign of g is the other.")
    if math.isclose(answer, 4.8, abs_tol=0.01):
        return hint("That is for one turn of the shaft. It makes 30 of them in a second.")
    if math.isclose(answer, 120, abs_tol=0.01):
        return hint("You left out g, the ball's diameter over the circle's.")
    return hint("n (1 + g) / 2 blows a turn, with g = 8 / 40; then 30 turns in a second.")


@exercise(
    wrong=[((1 / 10_080, 1 / 10_080),), ((1 / 10_080, 3 / 10_080),), ((1 / 1440, 0.1),), ((1, 1),)]
)
def false_alarm_shares(answer: Sequence[float]) -> Verdict:
    """A week has 10,080 minutes: 1 / 10,080 for one check, its cube root for three in a row."""
    one, three = answer
    share = 1 / (7 * 24 * 60)
    if not math.isclose(one, share, rel_tol=0.01):
        return hint(
            "The first: a week has 7 times 24 times 60 minutes, and one of them may give an alarm."
        )
    if math.isclose(three, share ** (1 / 3), rel_tol=0.01):
        return right(
            "0.01 % against 4.6 %: three in a row allow a far lower threshold. But healthy checks are "
            "not independent: under heavy load all three are high. So it is measured, not computed."
        )
    return hint("The second: three independent checks are all high with the cube of the share.")


def _flipped(healthy: NDArray[np.float64], faulty: NDArray[np.float64]) -> float:
    return float((faulty[:, None] < healthy[None, :]).mean())


def _without_ties(healthy: NDArray[np.float64], faulty: NDArray[np.float64]) -> float:
    return float((faulty[:, None] > healthy[None, :]).mean())


@exercise(wrong=[(_flipped,), (_without_ties,), (lambda healthy, faulty: 0.5,), (0.9,)])
def auc_from_pairs(answer: Callable[..., float]) -> Verdict:
    """The share of pairs in which the faulty score is higher; a tie counts half."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    low, high = np.array([0.1, 0.2, 0.3, 0.5]), np.array([0.4, 0.6, 0.9])
    got = float(answer(low, high))
    if math.isclose(got, 1 / 12):
        return hint("The other way round: count the pairs in which the faulty score is higher.")
    if not math.isclose(got, 11 / 12):
        return hint(
            "For healthy 0.1, 0.2, 0.3, 0.5 and faulty 0.4, 0.6, 0.9, 11 of 12 pairs are in order."
        )
    if not math.isclose(float(answer(np.ones(2), np.ones(3))), 0.5):
        return hint(
            "Where all scores are equal nothing is known: ties count half, so that must give 0.5."
        )
    return right("No threshold appears in it: AUC says how well scores are sorted, not where to cut.")
