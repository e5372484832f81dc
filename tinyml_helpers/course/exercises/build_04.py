"""What lesson 04 asks to build: scores by which most of a network's weights can go, untrained.

Source: Lee et al., Layer-adaptive sparsity for the magnitude-based pruning, 2021 (LAMP).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import building, cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right

_WANTED_PERCENT, _IMAGES, _ALIKE = 85.0, 500, 0.999


def _lamp(weights: Any) -> NDArray[Any]:
    squares = np.sort(np.square(weights, dtype=np.float64), axis=None)
    those_and_larger = np.cumsum(squares[::-1])[::-1]
    scores = np.empty(weights.size)
    scores[np.argsort(np.abs(weights), axis=None)] = squares / those_and_larger
    return scores.reshape(weights.shape)


def _lamp_in_torch(weights: Any) -> Any:
    order = weights.flatten().abs().argsort(descending=True)
    squares = weights.flatten()[order].double() ** 2
    scores = squares / squares.cumsum(0)
    return scores[order.argsort()].view_as(weights)


def _magnitude(weights: Any) -> Any:
    return np.abs(weights)


def _negative(weights: Any) -> Any:
    return -np.abs(weights)


def _signed(weights: Any) -> Any:
    return np.asarray(weights)


def _rank(weights: Any) -> Any:
    order = np.argsort(np.abs(weights), axis=None)
    ranks = np.empty(weights.size)
    ranks[order] = np.arange(weights.size) / weights.size
    return ranks.reshape(weights.shape)


def _of_all(weights: Any) -> Any:
    squares = np.square(weights, dtype=np.float64)
    return squares / squares.sum()


def _by_spread(weights: Any) -> Any:
    return np.abs(weights) / np.std(weights)


def _by_largest(weights: Any) -> Any:
    return np.abs(weights) / np.max(np.abs(weights))


_ALL_ALIKE = (
    "Measured by its own layer's {}, all layers look alike and lose about the same share, and small "
    "ones bear less: let a score say how much of its whole layer a weight is."
)
SLIPS = (
    building.Slip(
        _magnitude,
        "That is plain magnitude, the same measure in every layer: look at which layers it empties. "
        "What is small in one layer may be large in another.",
    ),
    building.Slip(_negative, "The other way round: what has a low score goes."),
    building.Slip(_signed, "A negative weight is not a small one: leave out the sign."),
    building.Slip(_rank, _ALL_ALIKE.format("order")),
    building.Slip(_by_spread, _ALL_ALIKE.format("spread")),
    building.Slip(_by_largest, _ALL_ALIKE.format("largest weight")),
)


@exercise(
    right=[(_lamp,), (_lamp_in_torch,), (_of_all,)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda weights: np.ones_like(weights),),
        (lambda weights: _lamp(weights).ravel(),),
        (lambda weights: _lamp(weights) > 0.5,),
        (lambda weights: 0.5,),
        (lambda weights: np.full(weights.shape, np.nan),),
        (lambda weights: None,),
        (0.7,),
    ],
    slips=[slip.hint for slip in SLIPS],
)
def scores_for_pruning(answer: Callable[[Any], Any]) -> Verdict:
    """Scores of one layer's weights; those of `large` with the lowest go, and 85 % must stay right."""
    percent = int(constants.given("scores_for_pruning")["percent"])
    asked = (
        f"scores(weights) lets {percent} % of `large` go, those weights whose score is lowest, "
        f"and {_WANTED_PERCENT:.0f} % of the photos stay right."
    )
    if not callable(answer):
        return hint(f"{asked} Give the function itself, without calling it.")
    layers = _layers()
    call = cases.in_numpy_or_torch(answer, (layers[-1],))
    scores = [np.asarray(cases.to_plain(call((weights,)))) for weights in layers]
    for weights, made in zip(layers, scores, strict=True):
        if made.shape != weights.shape or made.dtype.kind not in "iuf":
            return hint(
                f"{asked} Of weights of the shape {weights.shape} the scores must be numbers of that "
                f"shape, not {made.dtype} of {made.shape}."
            )
        if not np.isfinite(made).all():
            return hint(f"{asked} Some scores are no numbers: is something divided by zero?")
    kept = _choose(scores, percent)
    correct = _percent_right(kept)
    if correct >= _WANTED_PERCENT:
        return right(
            "Untrained, and still of use: each layer keeps what it needs. A score that weighs a weight "
            "against what is left of its own layer finds by itself how much each layer can spare."
        )
    return hint(f"{asked} With yours {correct:.1f} % of {_IMAGES} are. {_slip(kept, layers, percent)}")


@functools.cache
def _network() -> Any:
    from tinyml_helpers import models

    return models.load_trained("large")


def _layers() -> list[NDArray[np.float32]]:
    from tinyml_helpers.compress import prune

    return [weights.numpy().copy() for weights in prune.weights(_network())]


def _choose(scores: list[NDArray[Any]], percent: int) -> NDArray[np.bool_]:
    """Return which weights stay, all layers one after the other; ties fall in that order."""
    everything = np.concatenate([made.ravel().astype(np.float64) for made in scores])
    kept = np.ones(everything.size, bool)
    kept[np.argsort(everything, kind="stable")[: round(percent / 100 * everything.size)]] = False
    return kept


def _percent_right(kept: NDArray[np.bool_]) -> float:
    import copy

    import torch

    from tinyml_helpers import datasets, training
    from tinyml_helpers.compress import prune

    network, start = copy.deepcopy(_network()), 0
    for weights in prune.weights(network):
        part = kept[start : start + weights.numel()]
        weights *= torch.from_numpy(part).view_as(weights)
        start += weights.numel()
    return training.accuracy(network, datasets.load_fashion().train.take(slice(_IMAGES)))


def _slip(kept: NDArray[np.bool_], layers: list[NDArray[np.float32]], percent: int) -> str:
    """Name the slip that keeps the same weights."""
    for slip in SLIPS:
        made = _choose([np.asarray(slip.function(weights)) for weights in layers], percent)
        if (made == kept).mean() > _ALIKE:
            return slip.hint
    return "What is small in one layer may be large in another: how do layers compare?"
