"""What lesson 14 asks to build: the gradient of DP-SGD, clipped example by example, with noise.

Source: Abadi et al., Deep learning with differential privacy, arXiv 1607.00133, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise, hint

Layers = Sequence[NDArray[Any]]
_EXAMPLES, _SHAPES, _CLIP, _NOISE = 8, ((40, 250), (10_000,)), 5.0, 0.5
_TOLERANCE = 0.05  # of 20,000 draws: ten times what chance does to their deviation, seven to their mean


def _lengths(gradients: Layers) -> NDArray[Any]:
    rows = [layer.reshape(len(layer), -1) for layer in gradients]
    return np.asarray(np.linalg.norm(np.concatenate(rows, 1), axis=1))


def _shrunk(layer: NDArray[Any], factor: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(layer * factor.reshape(-1, *[1] * (layer.ndim - 1)))


def _factor(length: NDArray[Any], clip: float) -> NDArray[Any]:
    return np.asarray(np.minimum(1, clip / np.maximum(length, 1e-12)))


def _private(
    noise_of: Callable[[float, float, int], float] = lambda noise, clip, count: noise * clip / count,
) -> Callable[..., list[NDArray[Any]]]:
    """Return the step with noise of some standard deviation; the default is the right one."""

    def step(gradients: Layers, clip: float, noise: float) -> list[NDArray[Any]]:
        factor, deviation = _factor(_lengths(gradients), clip), noise_of(noise, clip, len(gradients[0]))
        means = [_shrunk(layer, factor).mean(0) for layer in gradients]
        return [mean + deviation * np.random.default_rng().normal(size=mean.shape) for mean in means]

    return step


_in_numpy = _private()


def _in_torch(gradients: Any, clip: float, noise: float) -> Any:
    import torch

    sums = [torch.zeros_like(layer[0]) for layer in gradients]
    for example in zip(*gradients, strict=True):
        length = torch.cat([part.flatten() for part in example]).norm()
        for total, part in zip(sums, example, strict=True):
            total += part / max(1.0, float(length) / clip)
    count = len(gradients[0])
    return [(total + noise * clip * torch.randn_like(total)) / count for total in sums]


def _clipped(lengths_of: Callable[..., Any]) -> Callable[..., list[NDArray[Any]]]:
    return lambda gradients, clip, noise: [
        _shrunk(layer, lengths_of(layer, gradients, clip)).mean(0) for layer in gradients
    ]


def _of_the_mean(gradients: Layers, clip: float, noise: float) -> list[NDArray[Any]]:
    means = [layer.mean(0) for layer in gradients]
    return [mean * _factor(_lengths([m[None] for m in means]), clip)[0] for mean in means]


def _summed(gradients: Layers, clip: float, noise: float) -> list[NDArray[Any]]:
    factor = _factor(_lengths(gradients), clip)
    return [_shrunk(layer, factor).sum(0) for layer in gradients]


def _by_value(gradients: Layers, clip: float, noise: float) -> list[NDArray[Any]]:
    return [layer.clip(-clip, clip).mean(0) for layer in gradients]


def _one_noise(gradients: Layers, clip: float, noise: float) -> list[NDArray[Any]]:
    draw = noise * clip / len(gradients[0]) * np.random.default_rng().normal()
    return [mean + draw for mean in _in_numpy(gradients, clip, 0.0)]


def _same_each_time(gradients: Layers, clip: float, noise: float) -> list[NDArray[Any]]:
    draw, deviation = np.random.default_rng(0), noise * clip / len(gradients[0])
    return [mean + deviation * draw.normal(size=mean.shape) for mean in _in_numpy(gradients, clip, 0.0)]


SLIPS = (
    building.Slip(
        _clipped(lambda layer, _, clip: _factor(_lengths([layer]), clip)),
        "You clip each layer by itself. An example has one length, over all layers together.",
    ),
    building.Slip(_of_the_mean, "You clip the mean: clip each example's gradient, before the mean."),
    building.Slip(_summed, "That is the sum: divide by the number of examples."),
    building.Slip(
        _clipped(lambda _, gradients, clip: clip / np.maximum(_lengths(gradients), 1e-12)),
        "A gradient shorter than `clip` stays as it is: only shorten, never stretch.",
    ),
    building.Slip(
        _clipped(lambda _, gradients, clip: np.minimum(1, clip / _lengths(gradients) ** 2)),
        "The length is the square root of the sum of squares.",
    ),
    building.Slip(_by_value, "You clip value by value: shorten the vector, keep its direction."),
    building.Slip(
        _clipped(lambda layer, _, clip: np.ones(len(layer))),
        "Nothing is clipped: an example whose gradient is longer than `clip` is shortened to it.",
    ),
    building.Slip(
        _clipped(lambda _, gradients, clip: clip / np.maximum(clip, _lengths(gradients).max() + np.zeros(
            len(gradients[0])))),
        "One factor for all examples: each has a length of its own.",
    ),
)  # fmt: skip
NOISES = (
    building.Slip(_private(lambda noise, clip, count: 0.0), "nothing is added"),
    building.Slip(_private(lambda noise, clip, count: noise / count), "noise grows with `clip`"),
    building.Slip(
        _private(lambda noise, clip, count: noise * clip),
        "noise is added to the sum, so it is divided by the number of examples too",
    ),
    building.Slip(
        _private(lambda noise, clip, count: noise),
        "scale it by `clip`, and divide it by the number of examples",
    ),
    building.Slip(
        _private(lambda noise, clip, count: noise * clip / count**0.5),
        "noise is added once to the sum, not to each example",
    ),
    building.Slip(_one_noise, "every value needs a draw of its own"),
    building.Slip(_same_each_time, "a noise that can be told in advance can be taken off"),
)


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw gradients [examples, ...] of one to three layers; their lengths lie around `clip`."""
    examples, layers = size + int(draw.integers(0, 2)), int(draw.integers(1, 4))
    spread = np.exp(draw.normal(0, 1, examples))
    shapes = [(examples, *draw.integers(1, size + 1, int(draw.integers(1, 3)))) for _ in range(layers)]
    gradients = [_shrunk(draw.normal(0, 1, shape), spread).astype(np.float32) for shape in shapes]
    return gradients, round(float(np.median(_lengths(gradients))), 2) + 0.01, 0.0


def _same(said: Any, wanted: Any) -> bool:
    listed = isinstance(said, list | tuple) and len(said) == len(wanted)
    return listed and all(cases.agrees(a, b, 1e-4) for a, b in zip(said, wanted, strict=True))


def _no_longer(case: cases.Case, said: Any, _: Any) -> bool:
    return bool(_lengths([np.asarray(part)[None] for part in said])[0] <= case[1] * 1.001)


TASK = building.Task(
    asked="private(gradients, clip, noise) returns the mean of clipped gradients, with noise.",
    arguments=("gradients", "clip", "noise"),
    reference=_in_numpy,
    draw_case=_draw,
    slips=SLIPS,
    parts=(
        building.Part(
            "an array for each layer, of its shape",
            lambda case, said, _: [np.shape(a) for a in said] == [a.shape[1:] for a in case[0]],
        ),
        building.Part("never longer than `clip`", _no_longer),
    ),
    same=_same,
    special=(([np.zeros((2, 1), np.float32), np.array([[3.0], [0.0]], np.float32)], 1.0, 0.0),),
)


def _noise_hint(answer: Callable[..., Any]) -> str:
    """Say what is wrong with the noise; "" if nothing is."""
    empty = [np.zeros((_EXAMPLES, *shape), np.float32) for shape in _SHAPES]
    call = cases.in_numpy_or_torch(answer, (empty, _CLIP, _NOISE))
    twice = [np.concatenate([np.ravel(part) for part in cases.to_plain(call((empty, _CLIP, _NOISE)))])
             for _ in range(2)]  # fmt: skip
    made, again = twice
    if made.any() and np.array_equal(made, again):
        return NOISES[6].hint
    # One draw for several values, or the same ones for each layer, leaves few different values.
    if made.any() and len(np.unique(made)) < 0.9 * made.size:
        return NOISES[5].hint
    wanted = _NOISE * _CLIP / _EXAMPLES
    if abs(made.std() / wanted - 1) < _TOLERANCE and abs(made.mean()) < _TOLERANCE * wanted:
        return ""
    scales = (0.0, _NOISE / _EXAMPLES, _NOISE * _CLIP, _NOISE, _NOISE * _CLIP / _EXAMPLES**0.5)
    for scale, slip in zip(scales, NOISES, strict=False):
        if abs(made.std() - scale) <= _TOLERANCE * scale:
            return slip.hint
    return f"its standard deviation is {made.std() / wanted:.2f} times noise · clip / examples"


@exercise(
    right=[(_in_numpy,), (_in_torch,)],
    wrong=[
        *((slip.function,) for slip in (*SLIPS, *NOISES)),
        (lambda gradients, clip, noise: [layer[0] for layer in gradients],),
        (lambda gradients, clip, noise: [np.zeros(layer.shape[1:]) for layer in gradients],),
        (lambda gradients, clip, noise: gradients,),
        (lambda gradients, clip, noise: None,),
        (lambda gradients: gradients,),
        (1.0,),
    ],
    slips=[*(slip.hint for slip in SLIPS), *(f"Of the noise: {slip.hint}." for slip in NOISES)],
)
def private_gradient(answer: Callable[..., Any]) -> Verdict:
    """The mean of gradients clipped example by example, with noise of noise x clip on their sum."""
    found = building.judge(
        TASK,
        "private_gradient",
        answer,
        "Nobody moves the sum by more than `clip`, and the noise is as large as that: this is all that "
        "the promise rests on. The account of ε adds up what many such steps give away.",
    )
    if found.status != "right":
        return found
    wrong = _noise_hint(answer)
    if wrong:
        return hint(f"{TASK.asked} Right already: everything without noise. With noise, {wrong}.")
    return found
