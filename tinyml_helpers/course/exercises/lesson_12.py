"""Exercises of lesson 12, Object detection."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyml_helpers.course import constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right
from tinyml_helpers.usecases.vision import boxes

_FULL, _SEPARABLE = 9 * 128 * 256, 9 * 128 + 128 * 256


@exercise(
    right=[(_FULL / _SEPARABLE,), (8.7,), (np.float64(8.695),), (8.69,)],
    wrong=[(9,), (256,), (128,), (9 * 128 * 256,), (0.115,), (1 / 9,), (8,), (8.1,), (8.4,)],
)
def separable_saving(answer: float) -> Verdict:
    """MACs of a full 3x3 convolution from 128 to 256 channels (or as given) over a separable one's."""
    outputs = constants.given("separable_saving")["outputs"]
    saving = (9 * 128 * outputs) / (9 * 128 + 128 * outputs)
    if math.isclose(answer, saving, rel_tol=0.01):
        return right(
            "With many output channels it comes close to nine, the taps of the kernel: nearly all that "
            "is left is the 1x1 convolution."
        )
    if math.isclose(answer, 1 / saving, rel_tol=0.01):
        return hint("That is what is left, as a share. By how many times are there fewer MACs?")
    if math.isclose(answer, 9, rel_tol=1e-6):
        return hint("Nearly: that is the limit. The depthwise part costs something too.")
    if math.isclose(answer, (9 * 128 * 128) / (9 * 128 + 128 * 128), rel_tol=0.01):
        return hint(f"That is the saving for 128 output channels. This layer gives {outputs}.")
    return hint(
        f"At one pixel: full is 9 x 128 x {outputs}. Separable is 9 x 128 for the depthwise part, and "
        f"128 x {outputs} for the pointwise one."
    )


# Three boxes in a row, each moved by a quarter of its width: neighbours overlap by 0.6, the ends by 1/3.
_ROW = ((0.0, 0.0, 8.0, 8.0), (2.0, 0.0, 10.0, 8.0), (4.0, 0.0, 12.0, 8.0))
_SCORES = (0.9, 0.8, 0.7)


@exercise(
    right=[([0, 2],), ((2, 0),), (np.array([0, 2]),), ({0, 2},)],
    wrong=[
        ([0],), ([0, 1, 2],), ([0, 1],), ([1],), ([2, 1],), ([],), ([0, 2, 2],), ([1, 3],),
        ([0.4, 2.6],), ([[0, 0, 8, 8], [4, 0, 12, 8]],),
    ],
)  # fmt: skip
def kept_boxes(answer: Sequence[int]) -> Verdict:
    """Indices of three boxes in a row that stay after suppression at an overlap of 0.5."""
    listed = sorted(answer) if isinstance(answer, set) else answer
    given = sorted(np.asarray(listed, float).ravel().tolist())
    if given == sorted(boxes.nms(_ROW, _SCORES, 0.5).tolist()):
        return right(
            "What has fallen suppresses nobody: the last box stays, though the middle one, had it "
            "stayed, would have beaten it."
        )
    if given == [0]:
        return hint(
            "The first box and the last share 4 x 8 of 12 x 8 pixels. Does the middle one still count "
            "when the last is judged?"
        )
    if given == [0, 1, 2]:
        return hint("The first two boxes share 6 x 8 of 10 x 8 pixels: an overlap of 0.6.")
    if given == [1, 3]:
        return hint("The right boxes, counted from 1. Count from 0.")
    return hint(
        "Give the numbers of the boxes, each once. Begin with the best score. Which boxes overlap it by "
        "more than 0.5? Then the next that is left."
    )
