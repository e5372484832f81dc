"""What lesson 06 asks to build: a convolution with its batch norm as the bytes of a .tflite file.

Source: Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-only
inference, 2018, section 3.2 (folding); the LiteRT 8-bit quantization specification (scales, ranges).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise, hint, right

Pair = tuple[Any, Any]
EPSILON = 1e-5
_OF_A_NORM = ("weight", "bias", "running_mean", "running_var")
_FROM_HALF = 0.02  # hidden cases lie further from one, so that any right rounding gives the same
_IN_ORDER = "First the weights, folded and rounded: the bias takes their scales, and that of the input."


def _fold(w: Any, gamma: Any, beta: Any, mean: Any, variance: Any, epsilon: float = EPSILON) -> Pair:
    factor = np.asarray(gamma, np.float64) / np.sqrt(np.asarray(variance, np.float64) + epsilon)
    return w * factor[:, None, None, None], beta - mean * factor


def _ranges(weights: Any) -> NDArray[Any]:
    return np.asarray(np.abs(weights).max((1, 2, 3)))


def _steps(weights: Any, bias: Any, scale: Any, input_scale: float) -> Pair:
    """Return what lies between the integers still: weights and bias in steps of their scales."""
    return weights / np.reshape(scale, (-1, 1, 1, 1)), bias / (scale * input_scale)


def _exact(*case: Any) -> Pair:
    weights, bias = _fold(*case[:5])
    return _steps(weights, bias, _ranges(weights) / 127, case[5])


def _whole(weights: Any, bias: Any) -> Pair:
    return np.round(weights).astype(np.int8), np.round(bias).astype(np.int32)


def _in_numpy(*case: Any) -> Pair:
    return _whole(*_exact(*case))


def _in_torch(w: Any, gamma: Any, beta: Any, mean: Any, variance: Any, input_scale: float) -> Any:
    factor = gamma.double() * (variance.double() + EPSILON).rsqrt()
    weights = w * factor.view(-1, 1, 1, 1)
    scale = weights.abs().amax((1, 2, 3)) / 127
    bias = (beta - mean * factor) / (scale * input_scale)
    return (weights / scale.view(-1, 1, 1, 1)).round().char(), bias.round().int()


def _channel_by_channel(*case: Any) -> Pair:
    w, gamma, beta, mean, variance, input_scale = case
    rows, biases = [], []
    for channel in range(len(w)):
        factor = gamma[channel] / (float(variance[channel]) + EPSILON) ** 0.5
        scale = np.abs(w[channel] * factor).max() / 127
        rows.append(np.floor(w[channel] * factor / scale + 0.5))
        biases.append(round((beta[channel] - mean[channel] * factor) / (scale * input_scale)))
    return np.array(rows), biases


def _without_epsilon(*case: Any) -> Pair:
    w, gamma, beta, mean, variance, _ = case
    weights, bias = _fold(w, gamma, beta, mean, variance, epsilon=0)
    return _whole(*_steps(weights, bias, _ranges(weights) / 127, case[5]))


def _mean_unscaled(w: Any, gamma: Any, beta: Any, mean: Any, variance: Any, input_scale: float) -> Pair:
    weights, _ = _fold(w, gamma, beta, mean, variance)
    return _whole(*_steps(weights, beta - mean, _ranges(weights) / 127, input_scale))


def _scaled_by(find: Callable[[Any, Any], Any]) -> Callable[..., Pair]:
    """Return a function that takes its scales of the weights as they were, and as they are folded."""

    def to_bytes(*case: Any) -> Pair:
        weights, bias = _fold(*case[:5])
        steps, sums = _steps(weights, bias, find(case[0], weights), case[5])
        return _whole(np.clip(steps, -128, 127), sums)

    return to_bytes


SLIPS = (
    building.Slip(_without_epsilon, "Epsilon is missing under the root, and some variances are small."),
    building.Slip(
        lambda w, gamma, beta, mean, var, scale: _in_numpy(w, gamma, beta, mean, var**2, scale),
        "Divide by the standard deviation, the root of the variance.",
    ),
    building.Slip(
        lambda w, gamma, beta, mean, var, scale: _in_numpy(w, gamma, beta, 0 * mean, var, scale),
        "What becomes of the mean that the batch norm subtracts?",
    ),
    building.Slip(
        _mean_unscaled, "The mean is subtracted before the factor is applied: it is scaled, too."
    ),
    building.Slip(
        _scaled_by(lambda _, folded: np.full(len(folded), np.abs(folded).max() / 127)),
        "One scale for the whole layer: each output channel has its own.",
    ),
    building.Slip(
        _scaled_by(lambda w, _: _ranges(w) / 127),
        "The range is that of the folded weights, so fold first.",
    ),
    building.Slip(
        _scaled_by(lambda _, folded: _ranges(folded) / 128),
        "The largest magnitude becomes 127: there is no 128 in a signed byte.",
    ),
    building.Slip(
        _scaled_by(lambda _, folded: folded.max((1, 2, 3)) / 127),
        "Compare magnitudes: the largest weight may be a negative one.",
    ),
    building.Slip(
        lambda *case: tuple(np.trunc(steps) for steps in _exact(*case)),
        "Round to the nearest integer; a conversion to int cuts off.",
    ),
    building.Slip(
        lambda *case: _in_numpy(*case[:5], 1.0),
        "A bias is added to sums of input times weight: which scale have those?",
    ),
    building.Slip(
        lambda *case: tuple(np.clip(steps, -128, 127) for steps in _in_numpy(*case)),
        "A bias has 32 bits: it is not clipped to a byte.",
    ),
)


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw a layer of up to `size` outputs whose values all lie clear of a half."""
    while True:
        shape = (size, int(draw.integers(1, 3)), 1, int(draw.integers(2, 4)))
        channels = [
            draw.choice([-1, 1], size) * draw.uniform(0.3, 3, size),
            draw.normal(0, 0.3, size),
            draw.normal(0, 0.3, size),
            10 ** draw.uniform(-3.9, 0.5, size),
        ]
        arrays = [part.astype(np.float32) for part in (draw.normal(0, 0.5, shape), *channels)]
        case = (*arrays, float(draw.choice([0.02, 0.04, 0.1])))
        if all((np.abs(steps % 1 - 0.5) > _FROM_HALF).all() for steps in _exact(*case)):
            return case


def _same(said: Any, wanted: Any) -> bool:
    pair = isinstance(said, list | tuple) and len(said) == 2
    return pair and all(cases.agrees(*two, tolerance=0) for two in zip(said, wanted, strict=True))


TASK = building.Task(
    asked="to_bytes(weights, gamma, beta, mean, variance, input_scale) returns the folded weights in "
    "int8, with a scale for each output channel, and the bias in int32.",
    arguments=("weights", "gamma", "beta", "mean", "variance", "input_scale"),
    reference=_in_numpy,
    draw_case=_draw,
    slips=SLIPS,
    parts=(
        building.Part(
            "two arrays of the right shapes",
            lambda case, said, _: [np.shape(part) for part in said] == [case[0].shape, case[2].shape],
        ),
        building.Part(
            "whole numbers", lambda _, said, __: all((np.round(part) == part).all() for part in said)
        ),
        building.Part("the weights", lambda _, said, wanted: np.array_equal(said[0], wanted[0])),
        building.Part("the bias", lambda _, said, wanted: np.array_equal(said[1], wanted[1])),
    ),
    same=_same,
)


def _layers_of_the_file() -> Iterator[tuple[str, cases.Case, Pair]]:
    """Yield of each convolution in small.tflite: its name, what it was made of, and its bytes.

    The bytes are int8 [outputs, inputs, height, width] and int32 [outputs], as PyTorch orders them.
    """
    from safetensors.numpy import load

    from tinyml_helpers import datasets
    from tinyml_helpers.deploy.tflite import reader

    trained = load(datasets.read_verified("models/small.safetensors"))
    graph = reader.read(datasets.read_verified("models/small.tflite")).graphs[0]
    steps = [step for step in graph.operators if "CONV_2D" in step.type]
    blocks = ["stem", *(f"blocks.{i}.{kind}" for i in range(5) for kind in ("depthwise", "pointwise"))]
    for name, step in zip(blocks, steps, strict=True):
        source, weights, bias = (graph.tensors[index] for index in step.inputs)
        norm = [
            trained[f"{name}.bn.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        ]
        order = (3, 0, 1, 2) if step.type.startswith("DEPTHWISE") else (0, 3, 1, 2)
        bytes_ = weights.array.transpose(order)
        yield (
            name,
            (trained[f"{name}.conv.weight"], *norm, float(source.scales[0])),
            (bytes_, bias.array),
        )


@exercise(
    right=[(_in_numpy,), (_in_torch,), (_channel_by_channel,)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda w, g, b, m, v, s: (np.full(w.shape, 127), np.zeros(len(g))),),
        (lambda w, g, b, m, v, s: _exact(w, g, b, m, v, s),),
        (lambda w, g, b, m, v, s: _in_numpy(w, g, b, m, v, s)[0],),
        (lambda w, g, b, m, v, s: _in_numpy(w, g, b, m, v, s)[::-1],),
        (lambda w, g, b, m, v, s: _in_numpy(w, abs(g), b, m, v, s),),
        (lambda w, g, b, m, v, s: None,),
        (127,),
    ],
    slips=[slip.hint for slip in SLIPS],
)  # fmt: skip
def fold_to_bytes(answer: Callable[..., Any]) -> Verdict:
    """A convolution and its batch norm become int8 weights per channel, and an int32 bias."""
    verdict = building.judge(TASK, "fold_to_bytes", answer, "")
    if verdict.status != "right":
        known = any(slip.hint in verdict.message for slip in SLIPS)
        return verdict if known else hint(f"{verdict.message} {_IN_ORDER}")
    count = apart = 0
    for name, case, bytes_ in _layers_of_the_file():
        said = cases.to_plain(cases.in_numpy_or_torch(answer, case)(case))
        for ours, theirs, exact in zip(said, bytes_, _exact(*case), strict=True):
            if np.abs(ours - exact).max() > 0.5 + _FROM_HALF:
                return hint(f"Right for small layers. In `{name}` of small.tflite some bytes differ.")
            count += theirs.size
            apart += int(np.count_nonzero(ours != theirs))
    but = f", except for {apart} on a half, as near as single precision can tell" if apart else ""
    return right(
        f"And of all eleven convolutions in small.tflite, {count:,} weights and biases: each is yours"
        f"{but}. A converter does nothing else with them."
    )
