"""Exercises of lesson 14, privacy on the device."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course.check import Verdict, exercise, hint, right

Array = NDArray[np.float64]


def _flipped(inside: Array, outside: Array, threshold: float) -> float:
    return float((inside >= threshold).mean() - (outside >= threshold).mean())


def _found(inside: Array, outside: Array, threshold: float) -> float:
    return float((inside < threshold).mean())


@exercise(wrong=[(_flipped,), (_found,), (lambda inside, outside, threshold: 0.3,), (0.5,)])
def attack_advantage(answer: Callable[..., float]) -> Verdict:
    """Share of members below the threshold less share of strangers below it: 3/4 - 1/5 = 0.55."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    inside, outside = np.array([0.1, 0.2, 0.3, 2.0]), np.array([0.2, 0.9, 1.1, 1.5, 3.0])
    got = float(answer(inside, outside, 0.5))
    if math.isclose(got, -0.55):
        return hint("The other way round: a *low* loss accuses.")
    if math.isclose(got, 0.75):
        return hint("That is the share of members found. Take off the strangers accused with them.")
    if not math.isclose(got, 0.55):
        return hint("Below 0.5 lie 3 of 4 members and 1 of 5 strangers: 0.75 - 0.2.")
    if not math.isclose(float(answer(inside, outside, 9.0)), 0.0):
        return hint("A threshold above everything accuses everybody: that must give 0.")
    return right(
        "It is 0 for a coin and 1 for a perfect attack. A threshold that accuses everybody finds every "
        "member, and has learnt nothing: count both."
    )


def _first_row(weight_gradient: Array, bias_gradient: Array) -> Array:
    row: Array = weight_gradient[0] / bias_gradient[0]
    return row


def _not_divided(weight_gradient: Array, bias_gradient: Array) -> Array:
    row: Array = weight_gradient[1]
    return row


@exercise(wrong=[(_first_row,), (_not_divided,), (lambda weight, bias: np.zeros(2),), (1.0,)])
def input_from_gradient(answer: Callable[..., Array]) -> Verdict:
    """Divide a row of the weights' gradient by its bias' gradient, where that is not 0."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    x, pulls = np.array([0.2, 0.0, 0.7]), np.array([0.0, 0.5, -0.25])
    with np.errstate(all="ignore"):
        got = np.asarray(answer(np.outer(pulls, x), pulls), np.float64)
    if got.shape != x.shape:
        return hint(
            f"The input has as many values as the gradient has columns, 3; yours has {got.shape}."
        )
    if np.isnan(got).any():
        return hint("A unit that was not pulled has a gradient of 0 everywhere: choose another row.")
    if np.allclose(got, 0.5 * x):
        return hint("That is the row itself, which is the input times the pull: divide by the pull.")
    if not np.allclose(got, x):
        return hint("Row i of the weights' gradient is the i-th bias' gradient times the input.")
    return right("Exact, from one division, without a single guess: a gradient is not anonymous.")


def _plain_mean(layers: list[Array], counts: list[int]) -> Array:
    mean: Array = np.mean(layers, axis=0)
    return mean


def _not_normalised(layers: list[Array], counts: list[int]) -> Array:
    total: Array = np.sum([n * layer for layer, n in zip(layers, counts, strict=True)], axis=0)
    return total


@exercise(wrong=[(_plain_mean,), (_not_normalised,), (lambda layers, counts: layers[0],), ([1, 2],)])
def federated_mean(answer: Callable[..., Array]) -> Verdict:
    """The mean of the layers, each weighted by how many examples it has learnt from."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    layers = [np.array([[1.0, 2.0]]), np.array([[5.0, 6.0]])]
    got = np.asarray(answer(layers, [30, 10]), np.float64)
    if np.allclose(got, [[3.0, 4.0]]):
        return hint("That counts both people alike; one has three times as many examples.")
    if np.allclose(got, [[80.0, 120.0]]):
        return hint("Divide by the sum of the counts.")
    if not np.allclose(got, [[2.0, 3.0]]):
        return hint("30 examples gave [1, 2] and 10 gave [5, 6]: three parts to one is [2, 3].")
    return right(
        "That is the step of federated averaging on the server. Whoever sends a large count pulls hard, "
        "so a server that believes any count can be pulled anywhere."
    )
