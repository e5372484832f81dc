"""Exercises of lesson 04, pruning."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right

_SHAPES = ((5,), (6,), (2, 3), (4, 4), (3, 7), (2, 3, 4), (4, 2, 3, 3), (8, 1, 3, 3))


def _masks() -> Iterator[cases.Case]:
    draw = cases.rng("magnitude_mask")
    for shape in _SHAPES:
        size = int(np.prod(shape))
        # Magnitudes from a list without repetition, so that exactly one mask is right.
        magnitudes = draw.permutation(np.arange(1, 10 * size))[:size] / 10
        weights = (magnitudes * draw.choice([-1, 1], size)).reshape(shape)
        for count in (1, int(draw.integers(2, size - 1)), size, 0):
            yield weights, count
    # Three of five tie, and one or two of them must go.
    yield np.array([0.5, -0.2, 0.2, -0.2, 0.1]), 2
    yield np.array([[0.0, -3.0, 0.0], [2.0, 0.0, 1.0]]), 2


def _is_mask(said: Any, wanted: tuple[NDArray[np.float64], int]) -> bool:
    (magnitudes, count), mask = wanted, np.asarray(said)
    if mask.shape != magnitudes.shape or not np.isin(mask, (0, 1)).all():
        return False
    ordered, kept = np.sort(magnitudes, axis=None), mask.astype(bool)
    if count in (0, mask.size):
        return bool(kept.all() if count == 0 else not kept.any())
    threshold = ordered[count - 1]
    at, above = magnitudes == threshold, magnitudes > threshold
    # Where several lie at the threshold, each may go or stay.
    must_go = ~above if at.sum() == 1 else ~above & ~at
    return not kept[must_go].any() and bool(kept[above].all())


def _sorted_magnitudes(weights: Any) -> Any:
    return np.sort(np.abs(weights), axis=None)


def _in_numpy(weights: Any, count: int) -> Any:
    mask = np.ones(weights.size, bool)
    mask[np.argsort(np.abs(weights), axis=None)[:count]] = False
    return mask.reshape(weights.shape)


def _in_torch(weights: Any, count: int) -> Any:
    mask = weights.new_ones(weights.numel())
    mask[weights.abs().flatten().topk(count, largest=False).indices] = 0
    return mask.view_as(weights)


def _by_rank(weights: Any, count: int) -> Any:
    return (weights.abs().flatten().argsort().argsort() >= count).reshape(weights.shape)


def _by_threshold(weights: Any, count: int) -> Any:
    return np.abs(weights) > (_sorted_magnitudes(weights)[count - 1] if count else -1)


@exercise(
    right=[(_in_numpy,), (_in_torch,), (_by_rank,), (_by_threshold,)],
    wrong=[
        (lambda weights, count: np.sort(weights.ravel())[count:],),
        (lambda weights, count: weights > np.sort(weights.ravel())[count - 1],),
        (lambda weights, count: np.abs(weights) <= _sorted_magnitudes(weights)[count - 1],),
        (lambda weights, count: np.abs(weights) > 0.5,),
        # Nothing goes at count 0, but the threshold at -1 is the largest magnitude.
        (lambda weights, count: np.abs(weights) > _sorted_magnitudes(weights)[count - 1],),
        (lambda w, count: w.abs() > w.abs().flatten().sort().values[count - 1],),
        (lambda weights, count: np.abs(weights) >= _sorted_magnitudes(weights)[max(count - 1, 0)],),
        (lambda weights, count: np.abs(weights) > _sorted_magnitudes(weights)[len(weights) // 2],),
        # One too few, but for a count of none or all.
        (lambda w, count: _in_numpy(w, count if count == w.size else max(count - 1, 0)),),
        (lambda weights, count: np.argsort(np.argsort(np.abs(weights))) >= count,),
        (lambda weights, count: _in_numpy(weights, count).ravel(),),
        (lambda weights, count: ~_in_numpy(weights, count),),
        (lambda weights, count: weights * _in_numpy(weights, count),),
        (lambda weights, count: _in_numpy(weights, 2),),
        (lambda weights, count: np.ones_like(weights),),
        (3,),
    ],
)
def magnitude_mask(answer: Callable[..., Any]) -> Verdict:
    """A mask that is False for the `count` weights of smallest magnitude; ties may fall either way."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    found = cases.first_difference(
        answer, lambda weights, count: (np.abs(weights), count), _masks(), same=_is_mask
    )
    if found is None:
        return right("Sort, cut, compare. With one cut for all layers together it is the global rule.")
    (weights, count), mask = found.given, np.asarray(found.said)
    if mask.shape != weights.shape:
        return hint(f"The mask must have the shape of the weights, {weights.shape}, not {mask.shape}.")
    if not np.isin(mask, (0, 1)).all():
        return hint("A mask holds True and False only, or 1 and 0: it says which weights stay.")
    return hint(_what_is_wrong(weights, count, mask.astype(bool)))


def _what_is_wrong(weights: Any, count: int, kept: NDArray[np.bool_]) -> str:
    example = f"For the weights {cases.show(weights)} and count {count}, {int((~kept).sum())} go"
    if count == 0:
        return f"{example}, and none should. Which element do you look at when there is none to cut?"
    if _is_mask(~kept, (np.abs(weights), count)):
        return "The other way round: the mask is True where a weight is kept."
    if _is_mask(kept, (weights, count)):
        return f"{example}. Compare magnitudes, without the sign."
    if (~kept).sum() != count:
        return f"{example}. Take the threshold from all magnitudes, sorted; mind `>` against `>=`."
    return f"{example}: the right number, but not the smallest magnitudes of the whole array."


@exercise(
    right=[((0.5625, 0.75),), ([9 / 16, 3 / 4],), (np.array([0.75**2, 0.75]),), ((0.56, 0.75),)],
    wrong=[
        ((0.75, 0.75),),
        ((0.5625, 0.5625),),
        ((0.75, 0.5625),),
        ((0.25, 0.25),),
        ((0.4375, 0.25),),
        ((56.25, 75),),
        ((9, 12),),
    ],
)
def macs_left(answer: tuple[float, float]) -> Verdict:
    """Shares of MACs left: without a quarter of the channels 0.5625 (convolution), 0.75 (depthwise)."""
    convolution, depthwise = map(float, answer)
    left = 1 - constants.given("macs_left")["removed_percent"] / 100

    def is_near(share: float, wanted: float) -> bool:
        return math.isclose(share, wanted, abs_tol=0.006)

    if is_near(convolution, left**2) and is_near(depthwise, left):
        return right("So a network of depthwise layers gains less from narrow layers than one without.")
    if is_near(convolution, left) and is_near(depthwise, left**2):
        return hint("Swapped: which of the two multiplies every input by weights for every output?")
    if is_near(convolution, 1 - left**2) and is_near(depthwise, 1 - left):
        return hint("Those are the shares that went. What is left?")
    if is_near(depthwise, left):
        return hint("A convolution's MACs grow with inputs times outputs, and both shrank.")
    if is_near(convolution, left**2):
        return hint("A depthwise convolution has one filter for each channel, not one for each pair.")
    return hint("Give two shares of what was there before, such as (0.5, 0.5).")
