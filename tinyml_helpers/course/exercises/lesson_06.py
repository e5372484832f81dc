"""Exercises of lesson 06, TFLite export."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(wrong=[(128 * 12,), (128 * 4,), (2 * 128 * 4,), (2 * 128 * 8,), (64 * 128,), (12,)])
def quantization_bytes(answer: float) -> Verdict:
    """Scales and zero points of 128 output channels, for weights and biases: 2 x 128 x (4 + 8)."""
    channels = 128
    if answer == 2 * channels * (4 + 8):
        return right("3,072 bytes beside 8,192 of weights, and two thirds of them are zeros.")
    if answer == channels * 12:
        return hint("Right for the weights. The biases have scales and zero points of their own.")
    if answer in (2 * channels * 4, channels * 4):
        return hint("Those are scales. A zero point is stored as a 64-bit integer.")
    if answer == 2 * channels * 8:
        return hint("Those are the zero points. A scale is a 32-bit float.")
    return hint("Per channel means per output channel. What does one scale take, and one zero point?")


@exercise(wrong=[((83, 83),), ((84, 84),), ((84, 83),), (83,), ((83.4994, 83.5),)])
def rounded_twice(answer: Sequence[float]) -> Verdict:
    """83.4994 rounded once is 83; to a multiple of 1/512 it is 83.5, and that rounds to 84."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return hint("Give two numbers: (rounded once, rounded twice).")
    if tuple(answer) == (83, 84):
        return right("One step apart. It takes a sum within 1/1024 of a half: about one in a thousand.")
    if answer[0] != 83:
        return hint("Once: 83.4994 lies below 83.5.")
    return hint("Twice: 83.4994 x 512 = 42,751.7. Round that, divide by 512, and round again.")


@exercise(
    wrong=[
        (lambda weights: weights,),
        (lambda weights: weights.transpose(2, 3, 0, 1),),
        (lambda weights: weights.reshape(3, 5, 2, 4),),
        (3,),
    ]
)
def channels_last_weights(answer: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Verdict:
    """Reorder [outputs, inputs, height, width] to [height, width, inputs, outputs]."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    weights = np.arange(4 * 2 * 3 * 5, dtype=np.float32).reshape(4, 2, 3, 5)
    given = np.asarray(answer(weights))
    if given.shape == (3, 5, 4, 2):
        return hint("Nearly: inputs and outputs have changed places.")
    if given.shape != (3, 5, 2, 4):
        return hint(
            f"Weights [4, 2, 3, 5] must come back as [3, 5, 2, 4]; yours are {list(given.shape)}."
        )
    if not np.array_equal(given, np.moveaxis(weights, (0, 1), (3, 2))):
        return hint("The shape is right, the order is not: move whole axes, do not reshape.")
    return right("Weights are turned around once, at conversion; nothing is copied at run time.")
