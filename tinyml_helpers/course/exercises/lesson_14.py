"""Exercises of lesson 14, privacy on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import cases
from tinyml_helpers.course.check import Verdict, exercise, hint, right

Array = NDArray[np.float64]


def _advantage(inside: Array, outside: Array, threshold: float) -> float:
    return float((inside < threshold).mean() - (outside < threshold).mean())


def _advantage_in_torch(inside: Any, outside: Any, threshold: float) -> Any:
    return inside.lt(threshold).double().mean() - outside.lt(threshold).double().mean()


def _advantage_by_counting(inside: Any, outside: Any, threshold: float) -> float:
    found = [sum(1 for loss in part if loss < threshold) / len(part) for part in (inside, outside)]
    return found[0] - found[1]


def _flipped(inside: Array, outside: Array, threshold: float) -> float:
    return float((inside >= threshold).mean() - (outside >= threshold).mean())


def _at_most(inside: Array, outside: Array, threshold: float) -> float:
    return float((inside <= threshold).mean() - (outside <= threshold).mean())


def _strangers_at_most(inside: Array, outside: Array, threshold: float) -> float:
    return float((inside < threshold).mean() - (outside <= threshold).mean())


def _found(inside: Array, outside: Array, threshold: float) -> float:
    return float((inside < threshold).mean())


def _absolute(inside: Array, outside: Array, threshold: float) -> float:
    return abs(_advantage(inside, outside, threshold))


def _pooled(inside: Array, outside: Array, threshold: float) -> float:
    few, many = (inside < threshold).sum(), (outside < threshold).sum()
    return float((few - many) / (len(inside) + len(outside)))


def _losses() -> Iterator[tuple[Array, Array, float]]:
    draw = cases.rng("attack_advantage")
    for number in range(20):
        inside, outside = (draw.exponential(size=draw.integers(1, 9)).round(1) for _ in range(2))
        if number % 2:
            outside = outside / 3  # here it is the strangers who have the lower losses
        # Every fourth threshold is one of the losses, of members and of strangers in turn; every fifth
        # accuses all or nobody.
        known = (inside, outside)[number // 4 % 2]
        threshold = float(draw.choice(known)) if number % 4 == 0 else float(draw.exponential())
        yield inside, outside, (0.0, 1e3)[number % 2] if number % 5 == 4 else threshold


@exercise(
    right=[(_advantage,), (_advantage_in_torch,), (_advantage_by_counting,)],
    wrong=[
        (_flipped,), (_at_most,), (_strangers_at_most,), (_found,), (_absolute,), (_pooled,),
        (lambda inside, outside, threshold: 0.55,), (0.5,),
    ],
)  # fmt: skip
def attack_advantage(answer: Callable[..., float]) -> Verdict:
    """Share of members below the threshold less share of strangers below it."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    different = cases.first_difference(answer, _advantage, _losses())
    for mistake, words in (
        (_flipped, "The other way round: a *low* loss accuses."),
        (_found, "That is the share of members found. Take off the strangers accused with them."),
        (_at_most, "A loss equal to the threshold is not below it."),
        (_absolute, "An attack may accuse more strangers than members: then it is below zero."),
    ):
        if different and not cases.first_difference(answer, mistake, _losses()):
            return hint(words)
    if different:
        return hint(
            f"For the arguments {cases.quote(different.given)} yours gives "
            f"{cases.show(different.said)}. Count each part by itself, as a share of its own size."
        )
    return right(
        "It is 0 for a coin and 1 for a perfect attack. A threshold that accuses everybody finds every "
        "member, and has learnt nothing: count both."
    )


def _mean(layers: Sequence[Any], counts: Sequence[int]) -> Any:
    return sum(n * layer for layer, n in zip(layers, counts, strict=True)) / sum(counts)


def _mean_in_torch(layers: Sequence[Any], counts: Sequence[int]) -> Any:
    import torch

    weights = torch.tensor(list(counts), dtype=torch.float64)
    return torch.tensordot(weights / weights.sum(), torch.stack(list(layers)), 1)


def _mean_by_average(layers: Sequence[Array], counts: Sequence[int]) -> Array:
    mean: Array = np.average(layers, axis=0, weights=counts)
    return mean


def _plain_mean(layers: Sequence[Array], counts: Sequence[int]) -> Array:
    mean: Array = np.mean(layers, axis=0)
    return mean


def _not_normalised(layers: Sequence[Array], counts: Sequence[int]) -> Array:
    return np.asarray(sum(n * layer for layer, n in zip(layers, counts, strict=True)))


def _of_two(layers: Sequence[Array], counts: Sequence[int]) -> Array:
    share = counts[0] / (counts[0] + counts[1])
    return np.asarray(share * layers[0] + (1 - share) * layers[1])


def _returned() -> Iterator[tuple[list[Array], list[int]]]:
    draw = cases.rng("federated_mean")
    for number in range(20):
        shape = draw.integers(1, 5, 1 + number % 3)
        people = int(draw.integers(1, 7))
        counts = draw.integers(0, 50, people)
        counts[draw.integers(people)] += 10  # somebody may have none, but not all
        yield list(draw.normal(size=(people, *shape))), counts.tolist()


@exercise(
    right=[(_mean,), (_mean_in_torch,), (_mean_by_average,)],
    wrong=[
        (_plain_mean,), (_not_normalised,), (_of_two,),
        (lambda layers, counts: layers[0],), (lambda layers, counts: np.array([[2.0, 3.0]]),), ([1, 2],),
    ],
)  # fmt: skip
def federated_mean(answer: Callable[..., Array]) -> Verdict:
    """The mean of the layers, each weighted by how many examples it has learnt from."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    different = cases.first_difference(answer, _mean, _returned())
    for mistake, words in (
        (_plain_mean, "That counts all people alike; who has more examples has more say."),
        (_not_normalised, "Divide by the sum of the counts."),
    ):
        if different and not cases.first_difference(answer, mistake, _returned()):
            return hint(words)
    if different:
        layers, counts = different.given
        return hint(
            f"Wrong for {len(layers)} layers of shape {list(layers[0].shape)} with the counts "
            f"{counts}. Any number of people may come, with layers of any shape, some without examples."
        )
    return right(
        "That is the step of federated averaging on the server. Whoever sends a large count pulls hard, "
        "so a server that believes any count can be pulled anywhere."
    )
