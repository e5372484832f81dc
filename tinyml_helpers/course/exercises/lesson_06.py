"""Exercises of lesson 06, TFLite export."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(
    right=[((83, 84),), ([83, 84],), ((83.0, 84.0),), (np.array([83, 84]),)],
    wrong=[
        ((83, 83),),
        ((84, 84),),
        ((84, 83),),
        (83,),
        ((83.4994, 83.5),),
        ((83, 83.5),),
        ((83, 84, 84),),
    ],
)
def rounded_twice(answer: Any) -> Verdict:
    """83.4994 (or as given) rounded once is 83; to a multiple of 1/512 it is 83.5, and then 84."""
    scaled = constants.given("rounded_twice")["sum"]
    whole = math.floor(scaled)
    given = np.asarray(cases.to_plain(answer))
    if given.shape != (2,):
        return hint("Give two numbers: (rounded once, rounded twice).")
    once, twice = given.tolist()
    if (once, twice) == (whole, whole + 1):
        return right("One step apart. It takes a sum within 1/1024 of a half: about one in a thousand.")
    if once != whole:
        return hint("Once: on which side of the half does the sum lie?")
    return hint(
        f"Twice: the sum times 512 is {512 * scaled:,.1f}. Round that, divide by 512, and round again."
    )


def _weights() -> Iterator[cases.Case]:
    draw = cases.rng("channels_last_weights")
    shapes = [(1, 1, 1, 1), (2, 2, 2, 2), (4, 2, 3, 5), (3, 3, 3, 3)]
    shapes += [tuple(draw.integers(1, 7, 4).tolist()) for _ in range(16)]
    for shape in shapes:
        yield (draw.normal(size=shape).astype(np.float32),)


@exercise(
    right=[
        (lambda weights: weights.transpose(2, 3, 1, 0),),
        (lambda weights: np.moveaxis(weights, (0, 1), (3, 2)),),
        (lambda weights: np.einsum("oihw->hwio", weights),),
        (lambda weights: weights.permute(2, 3, 1, 0),),
    ],
    wrong=[
        (lambda weights: weights,),
        (lambda weights: weights.transpose(2, 3, 0, 1),),
        (lambda weights: weights.transpose(3, 2, 1, 0),),
        (lambda weights: weights.permute(2, 3, 0, 1),),
        (lambda weights: weights.reshape(*weights.shape[2:], weights.shape[1], weights.shape[0]),),
        (lambda weights: np.zeros((*weights.shape[2:], weights.shape[1], weights.shape[0])),),
        (lambda weights: weights.transpose(2, 3, 1, 0)[::-1],),
        (3,),
    ],
)
def channels_last_weights(answer: Callable[..., Any]) -> Verdict:
    """Reorder [outputs, inputs, height, width] to [height, width, inputs, outputs]."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    found = cases.first_difference(answer, lambda weights: weights.transpose(2, 3, 1, 0), _weights())
    if found is None:
        return right("Weights are turned around once, at conversion; nothing is copied at run time.")
    shape, wanted = found.given[0].shape, found.wanted.shape
    if np.shape(found.said) != wanted:
        return hint(
            f"Weights {list(shape)} must come back as {list(wanted)}; yours are "
            f"{list(np.shape(found.said))}. Are inputs and outputs in their places?"
        )
    return hint(
        f"Of weights {list(shape)} the shape is right and the order is not: move whole axes, and do not "
        "reshape."
    )
