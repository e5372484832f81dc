"""What lesson 02 asks to build: two layers that share their ranges fairly (cross-layer equalization).

Source: Nagel et al., Data-free quantization through weight equalization and bias correction, 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise

Layers = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def _largest(w1: Any, w2: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.abs(w1).max(1), np.abs(w2).max(0)


def _scaled(w1: Any, b1: Any, w2: Any, factor: Any) -> Layers:
    return w1 / np.reshape(factor, (-1, 1)), b1 / factor, w2 * factor


def _in_numpy(w1: Any, b1: Any, w2: Any) -> Layers:
    before, after = _largest(w1, w2)
    alive = (before > 0) & (after > 0)
    factor = np.ones_like(before)
    factor[alive] = np.sqrt(before[alive] / after[alive])
    return _scaled(w1, b1, w2, factor)


def _in_torch(w1: Any, b1: Any, w2: Any) -> Any:
    factor = (w1.abs().amax(1) / w2.abs().amax(0)).sqrt()
    factor[~factor.isfinite() | (factor == 0)] = 1
    return [w1 / factor[:, None], b1 / factor, w2 * factor]


def _to_the_mean(w1: Any, b1: Any, w2: Any) -> Layers:
    """Return the same by the range that both shall have, channel by channel."""
    w1, b1, w2 = w1.copy(), b1.copy(), w2.copy()
    for channel in range(len(b1)):
        before, after = np.abs(w1[channel]).max(), np.abs(w2[:, channel]).max()
        if before and after:
            both = np.sqrt(before * after)
            w1[channel] *= both / before
            b1[channel] *= both / before
            w2[:, channel] *= both / after
    return w1, b1, w2


def _without_bias(w1: Any, b1: Any, w2: Any) -> Layers:
    first, _, second = _in_numpy(w1, b1, w2)
    return first, b1, second


def _swapped(w1: Any, b1: Any, w2: Any) -> Layers:
    before, after = _largest(w1, w2)
    alive = (before > 0) & (after > 0)
    return _scaled(w1, b1, w2, np.divide(before, after, out=np.ones_like(before), where=alive))


def _upside_down(w1: Any, b1: Any, w2: Any) -> Layers:
    before, after = _largest(w1, w2)
    alive = (before > 0) & (after > 0)
    factor = np.ones_like(before)
    factor[alive] = np.sqrt(after[alive] / before[alive])
    return _scaled(w1, b1, w2, factor)


def _signed(w1: Any, b1: Any, w2: Any) -> Layers:
    before, after = w1.max(1), w2.max(0)
    return _scaled(w1, b1, w2, np.sqrt(before / after))


def _unguarded(w1: Any, b1: Any, w2: Any) -> Layers:
    before, after = _largest(w1, w2)
    return _scaled(w1, b1, w2, np.sqrt(before / after))


def _one_for_all(w1: Any, b1: Any, w2: Any) -> Layers:
    return _scaled(w1, b1, w2, np.sqrt(np.abs(w1).max() / np.abs(w2).max()))


def _each_to_one(w1: Any, b1: Any, w2: Any) -> Layers:
    before, after = _largest(w1, w2)
    return w1 / before[:, None], b1 / before, w2 / after


SLIPS = (
    building.Slip(_without_bias, "A bias is added before the ReLU: it shrinks with its row of w1."),
    building.Slip(
        _swapped, "The whole ratio swaps the two ranges; meet in the middle, by a square root."
    ),
    building.Slip(_upside_down, "The other way round: the larger side has to shrink."),
    building.Slip(_signed, "Compare magnitudes: the largest weight may be a negative one."),
    building.Slip(_unguarded, "A channel whose weights are all zero on one side divides by zero."),
    building.Slip(_one_for_all, "One factor for the whole layer leaves the spread as it was."),
    building.Slip(
        _each_to_one, "Both ranges are 1, and the network is another: what w1 loses, w2 gains."
    ),
)


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw layers of `size` inputs, one channel more between them, and one or two outputs more."""
    spread = np.exp(draw.normal(0, 2, size + 1))
    w1 = draw.normal(0, 1, (size + 1, size)) * spread[:, None]
    w2 = draw.normal(0, 1, (size + int(draw.integers(2, 4)), size + 1))
    return tuple(part.astype(np.float32) for part in (w1, draw.normal(0, 1, size + 1), w2))


def _layers(*parts: Sequence[Any]) -> cases.Case:
    return tuple(np.array(part, np.float32) for part in parts)


def _same(said: Any, wanted: Any) -> bool:
    three = isinstance(said, list | tuple) and len(said) == 3
    return three and all(
        cases.agrees(one, other, tolerance=1e-4) for one, other in zip(said, wanted, strict=True)
    )


def _same_outputs(case: cases.Case, said: Any, _: Any) -> bool:
    x = cases.rng("inputs of equalize").normal(size=(case[0].shape[1], 8))

    def outputs(w1: Any, b1: Any, w2: Any) -> Any:
        return w2 @ np.maximum(w1 @ x + np.reshape(b1, (-1, 1)), 0)

    return bool(np.allclose(outputs(*said), outputs(*case), rtol=1e-3, atol=1e-4))


TASK = building.Task(
    asked="equalize(w1, b1, w2) keeps what the two layers compute, and gives both the same ranges.",
    arguments=("w1", "b1", "w2"),
    reference=_in_numpy,
    draw_case=_draw,
    slips=SLIPS,
    parts=(
        building.Part(
            "three arrays of the right shapes",
            lambda case, said, _: [np.shape(part) for part in said] == [part.shape for part in case],
        ),
        building.Part("the outputs stay as they were", _same_outputs),
        building.Part("both ranges are equal", lambda _, said, __: np.allclose(
            np.abs(said[0]).max(1), np.abs(said[2]).max(0), rtol=1e-3
        )),
    ),
    same=_same,
    special=(
        _layers([[0.0], [2.0]], [0.5, 1.0], [[3.0, 0.5], [1.0, -0.1]]),
        _layers([[1.0], [-4.0]], [0.5, 1.0], [[0.0, 0.5], [0.0, -1.0]]),
    ),
)  # fmt: skip


@exercise(
    right=[(_in_numpy,), (_in_torch,), (_to_the_mean,)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda w1, b1, w2: (w1, b1, w2),),
        (lambda w1, b1, w2: (w1 / 2, b1 / 2, w2 * 2),),
        (lambda w1, b1, w2: _in_numpy(w1, b1, w2)[0],),
        (lambda w1, b1, w2: _in_numpy(w1, b1, w2)[::-1],),
        (lambda w1, b1, w2: None,),
        (lambda w1, b1, w2: (np.ones((2, 1)), np.ones(2), np.ones((3, 2))),),
        (lambda weights: weights,),
        (3,),
    ],
    slips=[slip.hint for slip in SLIPS],
)
def equalize_layers(answer: Callable[..., Any]) -> Verdict:
    """Two layers with a ReLU between them: the same outputs, and equal ranges channel by channel."""
    return building.judge(
        TASK,
        "equalize_layers",
        answer,
        "ReLU lets a positive factor through, so a channel may be scaled down here and up in the next "
        "layer. It takes no data and no training, and at 6 bits one scale for a whole layer then serves "
        "nearly as well as one for each channel.",
    )
