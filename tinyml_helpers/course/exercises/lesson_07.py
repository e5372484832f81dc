"""Exercises of lesson 07, ONNX export."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(wrong=[(2.0, 1.0), (3.0, 1.0), (3.0, -0.5), (1.5, 0.25), (3.0, 1.75)])
def folded_batch_norm(weight: float, bias: float) -> Verdict:
    """Weight 2, batch norm with gamma 3, beta 1, mean 0.5, variance 4: weight 3 and bias 0.25."""
    factor = 3 / math.sqrt(4)
    if not math.isclose(weight, 2 * factor):
        return hint("The factor is gamma over the square root of the variance: 3 / 2. Scale the weight.")
    if math.isclose(bias, 1 - 0.5 * factor):
        return right("Two operators became one, and the answer for every input stayed the same.")
    if math.isclose(bias, 1.0):
        return hint("The weight is right. But the mean is subtracted before the factor is applied.")
    return hint("The weight is right. What comes out of the batch norm where the convolution gives 0?")


@exercise(
    wrong=[
        ([{0: "batch"}],),
        ([{2: "samples"}],),
        ([{0: "batch", 1: "channel", 2: "samples"}],),
        ({0: "batch", 2: "samples"},),
        ([{0: "batch", 3: "samples"}],),
    ]
)
def dynamic_axes(answer: Sequence[dict[int, Any]]) -> Verdict:
    """Sound [batch, 1, samples], any number and any length: one dict, with keys 0 and 2."""
    if isinstance(answer, dict):
        return hint("The exporter wants one dict for each input, in a list: this network has one input.")
    if len(answer) != 1:
        return hint(f"You describe {len(answer)} inputs; the network has one.")
    axes = set(answer[0])
    if axes == {0, 2}:
        return right(
            "What you leave fixed, runtimes may rely on; what you leave open, they must handle."
        )
    if 1 in axes:
        return hint("There is always one microphone: a size that never changes is better left fixed.")
    if axes == {0}:
        return hint("That opens the batch. The recordings differ in something else, too.")
    return hint("Count the axes of [batch, 1, samples] from 0. Which two of them vary?")


@exercise(
    wrong=[
        (lambda first, second: float((first == second).mean() * 100),),
        (lambda first, second: (first.argmax(1) == second.argmax(1)).mean(),),
        (lambda first, second: (first.argmax(0) == second.argmax(0)).mean() * 100,),
        (lambda first, second: 100.0,),
        (3,),
    ]
)
def agreement_percent(answer: Callable[..., float]) -> Verdict:
    """A function of logits [N, classes] of two networks: how many images get the same class."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    first = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [0.0, 1.0, 5.0], [9.0, 1.0, 2.0]])
    close: NDArray[np.float64] = first + 0.01
    if math.isclose(answer(first, close), 1.0):
        return hint("The share is right; the answer is wanted in percent.")
    if not math.isclose(answer(first, close), 100.0):
        return hint("Logits that differ a little may still name the same class: compare `argmax(1)`.")
    if not math.isclose(answer(first, first[[0, 1, 3, 2]]), 50.0):
        return hint("Two of four images get another class here: 50. Along which axis are the classes?")
    return right("Two networks can be right equally often, and disagree on one image in fifty.")
