"""Exercises of lesson 02, post-training quantization."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(wrong=[(0,), (128,), (63.75,), (-64,)])
def zero_point(answer: float) -> Verdict:
    """Zero point of the range -1..3 in 8 bits: 63.75, rounded to 64."""
    if answer == 64:
        return right("Zero is now stored exactly, so padding and ReLU cost no error at all.")
    if math.isclose(answer, 63.75):
        return hint("Close: that is where zero falls. The zero point must itself be an integer.")
    if answer == -64:
        return hint("The sign: the integer 0 stands for -1, so real zero lies to the right of it.")
    return hint("How many steps of size 4/255 lie between the left end, -1, and zero?")


@exercise(
    wrong=[
        (lambda values, scale, zero_point: values / scale + zero_point,),
        (lambda values, scale, zero_point: np.round(values / scale),),
        (lambda values, scale, zero_point: np.round(values / scale) + zero_point,),
        (3,),
    ]
)
def quantize_function(answer: Callable[..., NDArray[np.float64]]) -> Verdict:
    """A function that rounds, shifts by the zero point, and clips to 0..255."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    inside = np.asarray(answer(np.array([-1.0, 0.0, 0.011, 1.0]), 0.01, 100))
    if not np.array_equal(inside, np.round(inside)):
        return hint("Your results are not whole numbers: round them.")
    if not np.array_equal(inside, [0, 100, 101, 200]):
        return hint("Try it on zero: it must give the zero point.")
    outside = np.asarray(answer(np.array([-50.0, 50.0]), 0.01, 100))
    if not np.array_equal(outside, [0, 255]):
        return hint("A byte has room for 0 to 255 only: what happens to values outside the range?")
    return right("Round, shift, clip: this one line is what QUANTIZE does in every runtime.")


@exercise(wrong=[(4096,), (8192,), (4608,), (9216,), (32768,)])
def int4_layer_bytes(answer: float) -> Verdict:
    """A 1x1 convolution of 64 to 128 channels: 4,096 + 128 scales and 128 biases of 4 bytes each."""
    weights, scales, biases = 64 * 128 // 2, 128 * 4, 128 * 4
    if answer == weights + scales + biases:
        return right(
            "A fifth of the layer is not weights: 32,768 bytes of float weights became 4,096, "
            "and the layer takes 5,120."
        )
    if answer in (64 * 128, 64 * 128 + scales, 64 * 128 + scales + biases):
        return hint("At four bits, two weights share one byte.")
    if answer == weights:
        return hint("Right for the weights. What else does each output channel have to store?")
    if answer == weights + scales:
        return hint("Nearly: each output channel also has a bias of four bytes.")
    return hint("Count three things: weights at half a byte, a scale and a bias for each output.")
