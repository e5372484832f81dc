"""Exercises of lesson 11, anomaly detection."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right

Scores = NDArray[np.float64]
WEEK = 7 * 24 * 60
"""Minutes, each with one check."""


@exercise(
    right=[
        ((1 / WEEK, (1 / WEEK) ** (1 / 3)),),
        ([1 / WEEK, np.cbrt(1 / WEEK)],),
        (np.array([9.92e-5, 0.0463]),),
    ],
    wrong=[
        ((1 / WEEK, 1 / WEEK),),
        ((1 / WEEK, 3 / WEEK),),
        ((1 / WEEK, WEEK**-0.5),),
        ((1 / 1440, 1440 ** (-1 / 3)),),
        ((0.00992, 4.63),),
        ((1 / WEEK, 1 / WEEK**3),),
        ((1, 1),),
        (1 / WEEK,),
    ],
)
def false_alarm_shares(answer: Sequence[float]) -> Verdict:
    """A week has 10,080 minutes: 1 / 10,080 for one check, its cube root for three in a row."""
    one, three = map(float, answer)
    share = constants.given("false_alarm_shares")["every_minutes"] / WEEK
    if not math.isclose(one, share, rel_tol=0.01):
        return hint(
            "The first: a week has 7 times 24 times 60 minutes, and one of its checks may give an "
            "alarm. Give a share, not percent."
        )
    if math.isclose(three, share ** (1 / 3), rel_tol=0.01):
        return right(
            "With three in a row, hundreds of times as many single checks may lie above the threshold, "
            "so it can be far lower. But healthy checks are not independent: under heavy load all "
            "three are high. So it is measured, not computed."
        )
    return hint("The second: three independent checks are all high with the cube of the share.")


def _auc(healthy: Scores, faulty: Scores) -> float:
    gap = faulty[:, None] - healthy[None, :]
    return float((gap > 0).mean() + (gap == 0).mean() / 2)


def _auc_in_torch(healthy: Any, faulty: Any) -> Any:
    gap = faulty.unsqueeze(1) - healthy.unsqueeze(0)
    return (gap > 0).double().mean() + (gap == 0).double().mean() / 2


def _auc_in_a_loop(healthy: Scores, faulty: Scores) -> float:
    wins = sum((f > h) + (f == h) / 2 for f in faulty for h in healthy)
    return float(wins / (len(faulty) * len(healthy)))


def _auc_of_scikit_learn(healthy: Scores, faulty: Scores) -> float:
    from sklearn.metrics import roc_auc_score

    labels = np.repeat([0, 1], [len(healthy), len(faulty)])
    return float(roc_auc_score(labels, np.concatenate([healthy, faulty])))


def _without_ties(healthy: Scores, faulty: Scores) -> float:
    return float((faulty[:, None] > healthy[None, :]).mean())


def _half_for_any_tie(healthy: Scores, faulty: Scores) -> float:
    tied = bool((faulty[:, None] == healthy[None, :]).any())
    return 0.5 if tied else _without_ties(healthy, faulty)


def _half_if_all_tie(healthy: Scores, faulty: Scores) -> float:
    tied = bool((faulty[:, None] == healthy[None, :]).all())
    return 0.5 if tied else _without_ties(healthy, faulty)


def _side_by_side(healthy: Scores, faulty: Scores) -> float:
    """Pairs each score with one partner only."""
    count = min(len(healthy), len(faulty))
    return float((faulty[:count] > healthy[:count]).mean())


def _detectors() -> Iterator[tuple[Scores, Scores]]:
    """Draw scores of healthy and faulty segments: good detectors and bad ones, many with ties."""
    draw = cases.rng("auc_from_pairs")
    for number in range(20):
        healthy, faulty = (draw.normal(size=int(draw.integers(1, 9))) for _ in range(2))
        faulty = faulty + draw.choice([-1.0, 0.0, 1.0, 3.0])
        if number % 2:  # few different values: some pairs tie, and some do not
            healthy, faulty = np.round(healthy), np.round(faulty)
        yield healthy, faulty
    yield np.ones(2), np.ones(3)
    yield np.array([0.0, 1.0]), np.array([1.0, 2.0, 1.0])


@exercise(
    right=[(_auc,), (_auc_in_torch,), (_auc_in_a_loop,), (_auc_of_scikit_learn,)],
    wrong=[
        (lambda healthy, faulty: _auc(faulty, healthy),),
        (_without_ties,),
        (lambda healthy, faulty: (faulty[:, None] >= healthy[None, :]).mean(),),
        (_half_for_any_tie,),
        (_half_if_all_tie,),
        (_side_by_side,),
        (lambda healthy, faulty: (faulty > healthy.mean()).mean(),),
        (lambda healthy, faulty: 0.5,),
        (lambda healthy, faulty: 11 / 12,),
        (lambda healthy, faulty: 100 * _auc(healthy, faulty),),
        (0.9,),
    ],
)
def auc_from_pairs(answer: Callable[..., float]) -> Verdict:
    """The share of pairs in which the faulty score is higher; a tie counts half."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    wrong = cases.first_difference(answer, _auc, _detectors())
    if wrong is None:
        return right(
            "No threshold appears in it: AUC says how well scores are sorted, not where to cut."
        )
    healthy, faulty = wrong.given
    given = (
        f"For healthy {cases.show(healthy)} and faulty {cases.show(faulty)} it returns "
        f"{cases.show(wrong.said)}"
    )
    pairs = len(healthy) * len(faulty)
    if (faulty[:, None] == healthy[None, :]).any():
        return hint(f"{given}. Some of these {pairs} pairs tie; each such pair counts a half, no other.")
    return hint(f"{given}. Count in how many of the {pairs} pairs the faulty score is the higher one.")
