"""Exercises of lesson 13, Face recognition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(
    right=[(100 * (1 - 0.999**100),), (9.5,), (9.52,), (np.float64(9.521),)],
    wrong=[(10,), (0.1,), (2.0,), (1.98,), (90.5,), (0.095,), (9.0,), (9.4,), (0.5,)],
)
def stranger_gets_in(answer: float) -> Verdict:
    """20 (or as given) strangers, 5 tries each, one false accept in 1,000: 1 - 0.999^100, in percent."""
    strangers = constants.given("stranger_gets_in")["strangers"]
    percent = 100 * (1 - 0.999 ** (5 * strangers))
    if math.isclose(answer, percent, abs_tol=0.06):
        return right(
            "One in a thousand sounds rare. It is a promise about one try, not about a lost phone."
        )
    if math.isclose(answer, percent / 100, abs_tol=6e-4):
        return hint("The right share; give it in percent.")
    if math.isclose(answer, 100 - percent, abs_tol=0.06):
        return hint("That is the chance that nobody gets in.")
    if math.isclose(answer, strangers / 2, abs_tol=0.01):
        return hint("Close, but chances do not add up: with 2,000 tries you would get 200 percent.")
    if math.isclose(answer, 100 * (1 - 0.999**strangers), abs_tol=0.03):
        return hint("That is one try each. They have five.")
    return hint(f"First ask how likely it is that all {5 * strangers} tries fail.")


Threshold = Callable[[NDArray[np.float64], float], float]
Span = tuple[float, float]


def _allowed(impostor: NDArray[np.float64], rate: float) -> int:
    """How many impostors may get in; 0.29 of 100 are 29, whatever floats make of the product."""
    return int(rate * len(impostor) + 1e-9)


def _best(impostor: NDArray[np.float64], rate: float) -> Span:
    """All thresholds that do what the lowest does: above the first number, up to the second.

    The first is the strongest impostor who has to stay outside, the second the weakest who gets in:
    between the two all thresholds do the same.
    """
    sorted_ = np.sort(impostor)
    outside = float(sorted_[-_allowed(impostor, rate) - 1])
    inside = sorted_[sorted_ > outside]
    return outside, float(inside[0]) if len(inside) else math.inf


def _in_span(said: object, span: Span) -> bool:
    return bool(span[0] < float(np.asarray(said)) <= span[1])


def _cases() -> list[tuple[NDArray[np.float64], float]]:
    """Few scores and many, with ties, all equal, negative; rates from none to nearly all."""
    rng = cases.rng("promised_threshold")
    drawn = []
    for count in (1, 2, 3, 7, 20, 50, 100, 200, 400, 1000):
        for rate in (0.0, int(rng.integers(1, count + 1)) / (count + 1), 0.01, 0.75):
            scores = rng.normal(0.3, 0.2, count)
            drawn += [(scores, rate), (scores.round(1), rate)]
    drawn.append((np.full(40, 0.25), 0.5))
    drawn.append((np.array([0.1] * 90 + [0.6] * 10), 0.05))
    return drawn


def _by_trying(impostor: NDArray[np.float64], rate: float) -> float:
    """Try each score as a threshold, from the lowest up, and in the end one above them all."""
    for threshold in np.unique(impostor):
        if np.mean(impostor >= threshold) <= rate:
            return float(threshold)
    return float(impostor.max()) + 1e-9


def _in_numpy(impostor: NDArray[np.float64], rate: float) -> float:
    return float(np.nextafter(np.sort(impostor)[-_allowed(impostor, rate) - 1], np.inf))


def _in_torch(impostor: Any, rate: float) -> Any:
    count = int(rate * impostor.numel() + 1e-9)
    edge = impostor.sort().values[-count - 1]
    return edge.nextafter(edge + 1)


@exercise(
    right=[(_in_numpy,), (_in_torch,), (_by_trying,)],
    wrong=[
        (lambda impostor, rate: 0.5,),
        (lambda impostor, rate: max(impostor) + 0.1,),
        (lambda impostor, rate: np.quantile(impostor, rate),),
        (lambda impostor, rate: np.sort(impostor)[-int(rate * len(impostor)) - 1],),
        (lambda impostor, rate: np.quantile(impostor, 1 - rate),),
        # Right for 5 % of 200 scores without ties alone; deaf to the rate; a rank too many.
        (lambda impostor, rate: np.sort(impostor)[-10] if len(impostor) == 200 else 0.5,),
        (lambda impostor, rate: _in_numpy(impostor, 0.05),),
        (lambda impostor, rate: np.sort(impostor)[-max(1, int(rate * len(impostor)))],),
        (lambda impostor, rate: _in_numpy(impostor[::-1], min(1, 2 * rate) * 0.99),),
        (lambda impostor, rate: _in_numpy(np.unique(impostor), rate),),
        (0.5,),
    ],
)
def promised_threshold(answer: Threshold) -> Verdict:
    """The lowest threshold at which at most `rate` of the impostors reach it."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    found = cases.first_difference(answer, _best, _cases(), same=_in_span)
    if found is None:
        return right("A threshold is chosen on impostors, and then the owners learn what it costs them.")
    impostor, rate = found.given
    where = f"For the scores {cases.show(impostor)} and a rate of {rate:.3g},"
    said = float(np.asarray(found.said))
    if not math.isfinite(said):
        return hint(f"{where} your threshold is {said}: give a finite number.")
    if said > found.wanted[0]:
        return hint(
            f"{where} the promise is kept, but a lower threshold keeps it too, and rejects fewer owners."
        )
    share = np.mean(impostor >= said)
    return hint(
        f"{where} {share:.1%} get in at your threshold. Who has exactly the threshold's score gets in, "
        "and several may share one score."
    )
