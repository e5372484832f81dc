"""What lesson 13 asks to build: a threshold chosen on some people, and a rate measured on others.

Source of the interval: Wilson, Journal of the American Statistical Association 22 (1927), 209.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise

Array = NDArray[Any]
Promise = tuple[float, float, float]
_Z = 1.959964
"""Quantile of the normal distribution for an interval of 95 %."""


def _threshold(scores: Array, rate: float) -> float:
    return float(np.sort(scores)[-1 - int(rate * len(scores) + 1e-9)])


def _wilson(hits: float, trials: int, z: float = _Z) -> tuple[float, float]:
    share, weight = hits / trials, z**2 / trials
    half = np.sqrt(weight * share * (1 - share) + weight**2 / 4)
    low, high = ((share + weight / 2 + sign * half) / (1 + weight) for sign in (-1, 1))
    return float(max(low, 0)), float(min(high, 1))


def _in_numpy(scores: Array, person: Array, chosen: Array, rate: float) -> Promise:
    mine = np.isin(person, chosen)
    threshold = _threshold(scores[mine], rate)
    return threshold, *_wilson((scores[~mine] > threshold).sum(), (~mine).sum())


def _in_torch(scores: Any, person: Any, chosen: Any, rate: float) -> Any:
    import torch

    mine = torch.isin(person, chosen)
    theirs = scores[mine].unique()
    above = (scores[mine] > theirs[:, None]).double().mean(1)
    threshold = theirs[above <= rate + 1e-9][0]
    got_in = (scores[~mine] > threshold).double()
    weight = 3.8416 / got_in.numel()
    middle = got_in.mean() + weight / 2
    half = (middle**2 - got_in.mean() ** 2 * (1 + weight)).clamp(min=0).sqrt()
    return threshold, (middle - half) / (1 + weight), (middle + half) / (1 + weight)


def _by_library(scores: Array, person: Array, chosen: Array, rate: float) -> Promise:
    from tinyml_helpers import intervals

    mine = np.array([one in chosen for one in person])
    tried = np.unique(scores[mine])
    kept = next(float(t) for t in tried if np.mean(scores[mine] > t) <= rate + 1e-9)
    made = intervals.rate((scores[~mine] > kept).sum(), int((~mine).sum()))
    return kept, made.low / 100, made.high / 100


def _rated(
    chosen_on: Callable[[Array, Array], Array],
    rated_on: Callable[[Array, Array], Array],
    interval: Callable[[float, int], tuple[float, float]] = _wilson,
    above: Callable[[Array, float], Array] = np.greater,
) -> Callable[..., Promise]:
    """Return a function that chooses on some scores, and rates on some; both are given who is chosen."""

    def promise(scores: Array, person: Array, chosen: Array, rate: float) -> Promise:
        mine = np.isin(person, chosen)
        threshold = _threshold(chosen_on(scores, mine), rate)
        tried = rated_on(scores, mine)
        return threshold, *interval(above(tried, threshold).sum(), len(tried))

    return promise


def _everybody(scores: Array, mine: Array) -> Array:
    return scores


def _mine(scores: Array, mine: Array) -> Array:
    return scores[mine]


def _others(scores: Array, mine: Array) -> Array:
    return scores[~mine]


def _wald(hits: float, trials: int) -> tuple[float, float]:
    share = hits / trials
    half = _Z * np.sqrt(share * (1 - share) / trials)
    return share - half, share + half


def _not_narrowed(hits: float, trials: int) -> tuple[float, float]:
    low, high = _wilson(hits, trials)
    return low * (1 + _Z**2 / trials), high * (1 + _Z**2 / trials)


def _point(hits: float, trials: int) -> tuple[float, float]:
    return hits / trials, hits / trials


def _percent(hits: float, trials: int) -> tuple[float, float]:
    low, high = _wilson(hits, trials)
    return 100 * low, 100 * high


def _by_quantile(scores: Array, person: Array, chosen: Array, rate: float) -> Promise:
    mine = np.isin(person, chosen)
    threshold = float(np.quantile(scores[mine], 1 - rate))
    return threshold, *_wilson((scores[~mine] > threshold).sum(), (~mine).sum())


def _one_too_low(scores: Array, person: Array, chosen: Array, rate: float) -> Promise:
    mine = np.isin(person, chosen)
    theirs = np.sort(scores[mine])
    threshold = float(theirs[max(0, len(theirs) - 2 - int(rate * len(theirs) + 1e-9))])
    return threshold, *_wilson((scores[~mine] > threshold).sum(), (~mine).sum())


SLIPS = (
    building.Slip(
        _rated(_mine, _mine),
        "The people who set the threshold cannot vouch for it: measure on the others.",
    ),
    building.Slip(
        _rated(_everybody, _everybody),
        "You choose and measure on everybody: keep the chosen people and the others apart.",
    ),
    building.Slip(_rated(_everybody, _others), "The others helped: choose on the chosen alone."),
    building.Slip(_rated(_mine, _everybody), "The chosen are in the rate: measure on the others."),
    building.Slip(_rated(_others, _mine), "The other way round: choose on those in `chosen`."),
    building.Slip(
        _rated(_mine, _others, _wald),
        "That interval has no width where nobody got in, and ends below 0 at times: take Wilson's.",
    ),
    building.Slip(_rated(_mine, _others, _not_narrowed), "Wilson's ends are divided by 1 + z² / n."),
    building.Slip(_rated(_mine, _others, _point), "A rate alone is no promise: give both ends."),
    building.Slip(_rated(_mine, _others, _percent), "Give shares from 0 to 1, not percent."),
    building.Slip(
        _rated(_mine, _others, above=np.greater_equal),
        "Who has just the threshold stays out: count scores above it.",
    ),
    building.Slip(_by_quantile, "A quantile may lie between two scores: count those above each."),
    building.Slip(_one_too_low, "One score too low: more than the share allowed lie above it."),
    building.Slip(
        _rated(_mine, _others, lambda hits, trials: _wilson(hits, trials, 1.644854)),
        "That interval holds in 90 %: both ends leave a fortieth outside, z = 1.96.",
    ),
)  # fmt: skip


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw tries at a lock: `size` people chosen and one to three others, who are not alike."""
    people = size + int(draw.integers(1, 4))
    person = np.concatenate([np.arange(people), draw.integers(0, people, 8 * size)])
    scores = (draw.normal(0, 0.15, people)[person] + draw.normal(0.4, 0.1, len(person))).round(1)
    chosen = draw.permutation(people)[:size]
    return scores, person, chosen, float(draw.choice((0.0, 0.1, 0.25, 0.5)))


def _three(value: Any) -> bool:
    return bool(np.shape(value) == (3,))


TASK = building.Task(
    asked=(
        "promise(scores, person, chosen, rate) returns a threshold from the chosen people, and both "
        "ends of the interval for the rate of the others."
    ),
    arguments=("scores", "person", "chosen", "rate"),
    reference=_in_numpy,
    draw_case=_draw,
    slips=SLIPS,
    parts=(
        building.Part("three numbers", lambda _, said, __: _three(said)),
        building.Part(
            "the threshold", lambda _, said, wanted: _three(said) and np.isclose(said[0], wanted[0])
        ),
        building.Part(
            "an interval around the rate of the others at that threshold",
            lambda case, said, _: (
                said[1] - 1e-6
                <= np.mean(case[0][~np.isin(case[1], case[2])] > said[0])
                <= said[2] + 1e-6
            ),
        ),
    ),
    same=lambda said, wanted: _three(said) and cases.agrees(said, wanted, 5e-4),
    special=((np.array([0.5, 0.5, 0.2]), np.array([0, 1, 1]), np.array([0]), 0.0),),
)


@exercise(
    right=[(_in_numpy,), (_in_torch,), (_by_library,)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda scores, person, chosen, rate: (0.5, 0.0, 0.1),),
        (lambda scores, person, chosen, rate: (rate, rate, rate),),
        (lambda scores, person, chosen, rate: _in_numpy(scores, person, chosen, rate)[0],),
        (lambda scores, person, chosen, rate: _in_numpy(scores, person, chosen, rate)[::-1],),
        (lambda scores, person, chosen, rate: (_threshold(scores, rate), 0.0, 1.0),),
        (lambda scores, person, chosen, rate: None,),
        (lambda scores: scores,),
        (0.01,),
    ],
    slips=[slip.hint for slip in SLIPS],
)
def promise_with_interval(answer: Callable[..., Any]) -> Verdict:
    """A threshold from some people, and Wilson's interval for the rate at which it fails on others."""
    return building.judge(
        TASK,
        "promise_with_interval",
        answer,
        "On those who set it, a threshold keeps its promise by construction; on others it may not. And "
        "the interval counts tries: tries of one person resemble each other, so it is too narrow still.",
    )
