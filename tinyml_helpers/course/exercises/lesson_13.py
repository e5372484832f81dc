"""Exercises of lesson 13, Face recognition."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(wrong=[(10,), (0.1,), (2.0,), (1.98,), (90.5,), (0.095,)])
def stranger_gets_in(answer: float) -> Verdict:
    """20 strangers with 5 tries each, one false accept in 1,000: 1 - 0.999^100 = 9.5 percent."""
    percent = 100 * (1 - 0.999**100)
    if math.isclose(answer, percent, abs_tol=0.06):
        return right(
            "One in a thousand sounds rare. It is a promise about one try, not about a lost phone."
        )
    if math.isclose(answer, percent / 100, abs_tol=6e-4):
        return hint("The right share; give it in percent.")
    if math.isclose(answer, 100 - percent, abs_tol=0.06):
        return hint("That is the chance that nobody gets in.")
    if math.isclose(answer, 10, abs_tol=0.01):
        return hint("Close, but chances do not add up: with 2,000 tries you would get 200 percent.")
    if math.isclose(answer, 100 * (1 - 0.999**20), abs_tol=0.03):
        return hint("That is one try each. They have five.")
    return hint("First ask how likely it is that all 100 tries fail.")


def _wanted(impostor: NDArray[np.float64], rate: float, threshold: float) -> tuple[bool, bool]:
    """Say whether a threshold keeps the promise, and whether no lower one between scores would."""
    allowed = int(rate * len(impostor) + 1e-9)
    below = impostor[impostor < threshold]
    kept = len(impostor) - len(below) <= allowed
    # Lower means below the next impostor's score: between two scores all thresholds do the same.
    lower = len(below) > 0 and (impostor >= below.max()).sum() <= allowed
    return kept, not lower


@exercise(
    wrong=[
        (lambda impostor, rate: 0.5,),
        (lambda impostor, rate: max(impostor) + 0.1,),
        (lambda impostor, rate: np.quantile(impostor, rate),),
        (lambda impostor, rate: np.sort(impostor)[-int(rate * len(impostor)) - 1],),
        (lambda impostor, rate: np.quantile(impostor, 1 - rate),),
        (0.5,),
    ]
)
def promised_threshold(answer: Callable[[NDArray[np.float64], float], float]) -> Verdict:
    """The lowest threshold at which at most `rate` of the impostors reach it."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    rng = np.random.default_rng(0)
    for impostor, rate in ((rng.uniform(0, 1, 200), 0.05), (rng.normal(0.3, 0.1, 1000), 0.01)):
        kept, lowest = _wanted(impostor, rate, float(answer(impostor.copy(), rate)))
        if not kept:
            share = np.mean(impostor >= float(answer(impostor.copy(), rate)))
            return hint(
                f"At your threshold {share:.1%} of {len(impostor)} get in; promised was {rate:.0%}."
            )
        if not lowest:
            return hint(
                "The promise is kept, but a lower threshold keeps it too, and rejects fewer owners."
            )
    tied = np.array([0.1] * 90 + [0.6] * 10)
    if not all(_wanted(tied, 0.05, float(answer(tied.copy(), 0.05)))):
        return hint(
            "Nearly. Ten impostors of a hundred may share one score: then all of them get in, or none."
        )
    return right("A threshold is chosen on impostors, and then the owners learn what it costs them.")


@exercise(wrong=[(256,), (384,), (170.7,), (0.667,), (512,), (66.7,)])
def agreeing_bits(answer: float) -> Verdict:
    """A cosine of 0.5 is 60 degrees, so 60/180 of the bits differ: 512 x 2/3 = 341.3 agree."""
    bits = 512
    if math.isclose(answer, bits * 2 / 3, abs_tol=0.7):
        return right(
            "Strangers share half of their bits by chance. What tells them apart is what is beyond."
        )
    if math.isclose(answer, bits / 3, abs_tol=0.7):
        return hint("Those are the bits that differ.")
    if math.isclose(answer, 2 / 3, abs_tol=0.01) or math.isclose(answer, 200 / 3, abs_tol=0.1):
        return hint("The right share; give the number of bits.")
    if answer in (bits / 2, 0.75 * bits):
        return hint("The share is not the cosine itself. Which angle has a cosine of 0.5?")
    return hint("A random plane separates two vectors with probability angle / 180 degrees.")
