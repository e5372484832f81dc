"""Exercises of lesson 12, Object detection."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyml_helpers.course.check import Verdict, exercise, hint, right
from tinyml_helpers.signals import boxes


@exercise(wrong=[(9,), (256,), (128,), (9 * 128 * 256,), (0.115,), (1 / 9,)])
def separable_saving(answer: float) -> Verdict:
    """MACs of a full 3x3 convolution from 128 to 256 channels over those of a separable one."""
    full = 9 * 128 * 256
    saving = full / (9 * 128 + 128 * 256)
    if math.isclose(answer, saving, rel_tol=0.01):
        return right(
            "8.7 times. With many output channels it comes close to 9, the taps of the kernel: nearly "
            "all that is left is the 1x1 convolution."
        )
    if math.isclose(answer, 1 / saving, rel_tol=0.01):
        return hint("That is what is left, as a share. By how many times are there fewer MACs?")
    if answer == 9:
        return hint("Nearly: 9 is the limit. The depthwise part costs something too.")
    return hint(
        "At one pixel: full is 9 x 128 x 256. Separable is 9 x 128 for the depthwise part, and "
        "128 x 256 for the pointwise one."
    )


# Three boxes in a row, each moved by a quarter of its width: neighbours overlap by 0.6, the ends by 1/3.
_ROW = ((0.0, 0.0, 8.0, 8.0), (2.0, 0.0, 10.0, 8.0), (4.0, 0.0, 12.0, 8.0))
_SCORES = (0.9, 0.8, 0.7)


@exercise(wrong=[([0],), ([0, 1, 2],), ([0, 1],), ([1],), ([2, 1],), ([],)])
def kept_boxes(answer: Sequence[int]) -> Verdict:
    """Indices of three boxes in a row that stay after suppression at an overlap of 0.5."""
    given = sorted(int(index) for index in np.asarray(answer, int).ravel())
    if given == sorted(boxes.nms(_ROW, _SCORES, 0.5).tolist()):
        return right(
            "Box 1 falls to box 0, and what has fallen suppresses nobody: box 2 stays, though box 1 "
            "would have beaten it."
        )
    if given == [0]:
        return hint("Box 2 overlaps box 0 by 1/3 only. Does box 1 still count when box 2 is judged?")
    if given == [0, 1, 2]:
        return hint("Boxes 0 and 1 share 6 x 8 of 10 x 8 pixels: an overlap of 0.6.")
    return hint("Begin with the best score. Which boxes overlap it by more than 0.5? Then the next.")


@exercise(wrong=[(0.034,), (21.76,), (108.8,), (0.017,), (5.44,), (1.7,)])
def pixels_per_step(answer: float) -> Verdict:
    """Pixels by which one int8 step of 0.34 moves a centre: 0.34 / 10 x 0.5 x 640."""
    if math.isclose(answer, 0.34 / 10 * 0.5 * 640, rel_tol=0.01):
        return right(
            "10.9 pixels. Between two neighbouring positions there is nothing that it could say."
        )
    if math.isclose(answer, 0.34 * 0.5 * 640, rel_tol=0.01):
        return hint("The codes of x and y are ten times the move: divide by their factor first.")
    if math.isclose(answer, 0.34 / 10 * 640, rel_tol=0.01):
        return hint("That would be an anchor as wide as the photo. This one is half as wide.")
    if math.isclose(answer, 0.34 / 10 * 0.5, rel_tol=0.01):
        return hint("Right, as a share of the photo's width. How many pixels is that?")
    return hint("centre = anchor's centre + anchor's width x code / 10. One step of the code is 0.34.")
