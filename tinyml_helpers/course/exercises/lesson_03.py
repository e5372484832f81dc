"""Exercises of lesson 03, quantization-aware training."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(wrong=[([0] * 5,), ([1] * 5,), ([0, 0, 1, 0, 0],), ([1, 1, 1, 1, 0],), ([0, 1],), (3,)])
def straight_through_gradients(answer: Sequence[float]) -> Verdict:
    """Gradients at -2.0, -1.6, 0.1, 1.7 and 1.9 for scale 0.5 and integers -3..3."""
    given = [float(value) for value in answer]
    if len(given) != 5:
        return hint(f"Five numbers are asked for, and you gave {len(given)}.")
    if given == [0, 1, 1, 1, 0]:
        return right("1.7 is beyond 1.5, but rounds to the integer 3, which exists: it can still learn.")
    if not any(given):
        return hint(
            "That is the gradient of rounding itself. Straight-through pretends it is not there."
        )
    if all(given):
        return hint("Two of the five round to an integer beyond -3..3, and are clipped.")
    if given == [0, 0, 1, 0, 0]:
        return hint("Round first, then ask whether the integer lies within -3..3: 1.7 / 0.5 = 3.4.")
    return hint(
        "Divide each by 0.5 and round. Gradient 1 if the integer lies within -3..3, otherwise 0."
    )


@exercise(wrong=[(2,), (2.4,), (3,), (5.999,), (12,)])
def folded_integer(answer: float) -> Verdict:
    """The integer of a weight 0.8 folded with gamma 1.5 and variance 0.25, at scale 0.4."""
    if answer == 6:
        return right("0.8 x 1.5 / 0.5 = 2.4 is the weight that the device has, and 2.4 / 0.4 = 6.")
    if answer == 2:
        return hint("That is the weight before folding. What does the batch norm multiply it by?")
    if math.isclose(answer, 2.4):
        return hint("That is the folded weight. Which multiple of the scale is it?")
    if answer in (3, 12):
        return hint("The batch norm divides by the standard deviation, the root of the variance.")
    return hint("Multiply by gamma, divide by the root of the variance, then by the scale, and round.")


@exercise(wrong=[(6,), (1,), (38,), (0,), (6.25,)])
def steps_until_the_jump(answer: float) -> Verdict:
    """Steps of 0.004 from 0.10 until the weight rounds to 0.25: beyond 0.125."""
    if answer == 7:
        return right("Six steps without any visible effect were not lost: float kept them.")
    if math.isclose(answer, 6.25):
        return hint("Close: steps come whole. After six of them the weight is 0.124.")
    if answer == 6:
        return hint("After six steps the weight is 0.124. On which side of the middle is that?")
    if answer in (37, 38):
        return hint("It need not arrive at 0.25: where does rounding switch from 0 to 0.25?")
    return hint("The rounded weight jumps when the float weight passes the middle between 0 and 0.25.")
