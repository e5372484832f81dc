"""Exercises of lesson 03, quantization-aware training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyml_helpers.course import constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(
    right=[([0, 1, 1, 1, 0],), ((0.0, 1.0, 1.0, 1.0, 0.0),), (np.array([0, 1, 1, 1, 0.0]),)],
    wrong=[
        ([0] * 5,),
        ([1] * 5,),
        ([0, 0, 1, 0, 0],),
        ([1, 1, 1, 1, 0],),
        ([1, 0, 0, 0, 1],),
        ([-1.5, -1.5, 0, 1.5, 1.5],),
        ([0, 1],),
        (3,),
    ],
)
def straight_through_gradients(answer: Sequence[float]) -> Verdict:
    """Gradients at -2.0, -1.6, 0.1, 1.7 and 1.9 for scale 0.5 and integers -3..3."""
    given = [float(value) for value in answer]
    if len(given) != 5:
        return hint(f"Five numbers are asked for, and you gave {len(given)}.")
    if given == [0, 1, 1, 1, 0]:
        return right("A value beyond the last level that still rounds to it can still learn.")
    if not any(given):
        return hint(
            "That is the gradient of rounding itself. Straight-through pretends it is not there."
        )
    if all(value == 1 for value in given):
        return hint("Some of the five round to an integer that does not exist, and are clipped.")
    if given == [1, 0, 0, 0, 1]:
        return hint("The other way round: which of them does clipping hold fixed?")
    if given == [0, 0, 1, 0, 0]:
        return hint("Round first, and then ask whether the integer lies within -3..3.")
    return hint(
        "Divide each by 0.5 and round. Gradient 1 if the integer lies within -3..3, otherwise 0."
    )


@exercise(
    right=[(6,), (6.0,), (np.int64(6),), (0.8 * 1.5 / 0.25**0.5 / 0.4,)],
    wrong=[(2,), (2.4,), (3,), (4,), (5.999,), (12,), (48,), (-6,)],
)
def folded_integer(answer: float) -> Verdict:
    """The integer of a weight 0.8 folded with gamma 1.5 (or as given), variance 0.25, at scale 0.4."""
    gamma = constants.given("folded_integer")["gamma"]
    folded = 0.8 * gamma / 0.25**0.5
    if math.isclose(answer, folded / 0.4, abs_tol=1e-9):
        return right("Rounded before folding, the same weight would have become another integer.")
    if answer == 2:
        return hint("That is the weight before folding. What does the batch norm multiply it by?")
    if math.isclose(answer, folded):
        return hint("That is the folded weight. Which multiple of the scale is it?")
    if any(math.isclose(answer, wrong * gamma) for wrong in (2, 8)):
        return hint("The batch norm divides by the standard deviation, the root of the variance.")
    if answer == 4:
        return hint("The root of the variance is in it. Where is gamma?")
    return hint("Multiply by gamma, divide by the root of the variance, then by the scale, and round.")
