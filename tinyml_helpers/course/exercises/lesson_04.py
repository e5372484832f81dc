"""Exercises of lesson 04, pruning."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(
    wrong=[
        (lambda weights, count: np.sort(weights.ravel())[count:],),
        (lambda weights, count: weights > np.sort(weights.ravel())[count - 1],),
        (lambda weights, count: np.abs(weights) <= np.sort(np.abs(weights).ravel())[count - 1],),
        (lambda weights, count: np.abs(weights) > 0.5,),
        (3,),
    ]
)
def magnitude_mask(answer: Callable[..., NDArray[np.bool_]]) -> Verdict:
    """A mask that is False for the `count` weights of smallest magnitude."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    weights = np.array([[0.5, -3.0, 1.0], [-0.1, 2.0, -4.0]])
    mask = np.asarray(answer(weights.copy(), 2)).astype(bool)
    if mask.shape != weights.shape:
        return hint(f"The mask must have the shape of the weights, {weights.shape}, not {mask.shape}.")
    if np.array_equal(mask, weights > 0.5):
        return hint("-3 and -4 are large weights: compare magnitudes, without the sign.")
    if np.array_equal(~mask, np.abs(weights) > 0.5):
        return hint("The other way round: the mask is True where a weight is kept.")
    if not np.array_equal(mask, np.abs(weights) > 0.5):
        return hint("Of 0.5, -3, 1, -0.1, 2, -4 and count 2, only 0.5 and -0.1 must go.")
    if np.asarray(answer(weights.copy(), 4)).sum() != 2:
        return hint("It works for count 2 but not for 4: take the threshold from the sorted magnitudes.")
    return right("Sort, cut, compare: this is all of magnitude pruning, in every library.")


@exercise(wrong=[(2048,), (3072,), (10_240,), (10_752,), (31_236,), (16_900,)])
def csr_int8_bytes(answer: float) -> Verdict:
    """8,192 int8 weights in 128 rows, 75 % zero, in CSR: 2,048 x (1 + 4) and 129 x 4 bytes."""
    kept, rows = 64 * 128 // 4, 128
    values, indices, pointers = kept, 4 * kept, 4 * (rows + 1)
    if answer == values + indices + pointers:
        return right("More than the dense layer's 8,192: an index costs four times what a weight does.")
    if answer == values:
        return hint("Right for the values. Each needs an index too, or nobody knows where it belongs.")
    if answer == values + indices:
        return hint("Nearly: where does each row start? Count the pointers as well.")
    if answer == values + indices + pointers - 4:
        return hint("One pointer more than there are rows: the last one says where the data ends.")
    return hint("A quarter of 64 x 128 weights is kept, at one byte each and four bytes an index.")


@exercise(wrong=[((0.75, 0.75),), ((0.5625, 0.5625),), ((0.75, 0.5625),), ((0.25, 0.25),), ((9, 12),)])
def macs_left(answer: tuple[float, float]) -> Verdict:
    """Shares of MACs left without a quarter of the channels: 0.5625 (convolution), 0.75 (depthwise)."""
    convolution, depthwise = answer
    if math.isclose(convolution, 0.5625) and math.isclose(depthwise, 0.75):
        return right("So a network of depthwise layers gains less from narrow layers than one without.")
    if math.isclose(convolution, 0.75) and math.isclose(depthwise, 0.5625):
        return hint("Swapped: which of the two multiplies every input by weights for every output?")
    if math.isclose(depthwise, 0.75):
        return hint("A convolution's MACs grow with inputs times outputs, and both shrank.")
    if math.isclose(convolution, 0.5625):
        return hint("A depthwise convolution has one filter for each channel, not one for each pair.")
    return hint("Give two shares of what was there before, such as (0.5, 0.5).")
