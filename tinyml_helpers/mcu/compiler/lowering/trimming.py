"""Channels that are the same for every input, or that nothing reads, leave the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Operator, Tensor
from tinyml_helpers.mcu.compiler.graph import Network, find_live_operators, read_by
from tinyml_helpers.mcu.compiler.lowering.bounds import Bounds, Taps, find_bounds, read_taps
from tinyml_helpers.mcu.compiler.lowering.context import Context

Mask = npt.NDArray[np.bool_]
_MAKERS = ("CONV_2D", "FULLY_CONNECTED")
_FILTERED = (*_MAKERS, "DEPTHWISE_CONV_2D")
_VIEWS = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")


@dataclass(frozen=True, eq=False)
class _Maker:
    """A layer that mixes the channels it reads, so that its own are free to go.

    Args:
        operator: a convolution or dense layer.
        taps: what its filters read.
        constant: channels of the input that are the same for every input and pixel, the padding's
            included: what they add goes into the bias.
    """

    operator: Operator
    taps: Taps
    constant: Mask

    def restrict(self, gone: Mapping[int, Mask]) -> None:
        """Keep channels of the input that a filter needs."""
        given, made = self.operator.inputs[0], self.operator.outputs[0]
        if given in gone:
            left = self.taps.weights[~gone[made]] if made in gone else self.taps.weights
            read = (left != 0).any(axis=0)
            needed = np.bincount(self.taps.channels[0][read], minlength=len(gone[given])) > 0
            gone[given] &= self.constant | ~needed


@dataclass(frozen=True, eq=False)
class _Passer:
    """A layer whose channels go with those of its input.

    Args:
        operator: a depthwise convolution, a pool, a mean over pixels or a view.
        source: channel of the input for each channel of the output.
    """

    operator: Operator
    source: npt.NDArray[np.int64]

    def restrict(self, gone: Mapping[int, Mask]) -> None:
        """Keep what either side keeps."""
        given, made = self.operator.inputs[0], self.operator.outputs[0]
        if given not in gone or made not in gone:
            for one in {given, made} & set(gone):
                gone[one][:] = False
            return
        gone[given][self.source[~gone[made]]] = False
        gone[made][:] &= gone[given][self.source]


def trim(graph: Network) -> Network:
    """Remove channels whose values the outputs do not depend on, exactly.

    A filter whose weights are all zero, or whose sum never leaves the flat end of its activation,
    gives one value for every input. Its channel goes, with its weights and with all that depthwise
    convolutions and pools make of it; the convolution that would read it gets the product in its bias.
    Padding is the zero point: where a window leaves the image, only a channel of zero points goes.

    Args:
        graph: a network that can be translated.

    Returns:
        The same network with fewer channels; tensors keep their numbers.
    """
    bounds = find_bounds(graph)
    operators = find_live_operators(graph)
    layers = [layer for op in operators if (layer := _role_of(graph, op, bounds)) is not None]
    gone = _find_gone(graph, operators, layers)
    if not any(mask.any() for mask in gone.values()):
        return graph
    tensors = list(graph.tensors)
    for number, mask in gone.items():
        old = tensors[number]
        tensors[number] = replace(old, shape=(*old.shape[:-1], int((~mask).sum())))
    changed = {op.position: _narrow(graph, op, gone, bounds, tensors) for op in operators}
    kept = tuple(changed.get(op.position, op) for op in graph.operators)
    return replace(graph, tensors=tuple(tensors), operators=kept)


def count_channels(graph: Network) -> int:
    """Count the channels that convolutions and dense layers make."""
    made = (graph.tensors[op.outputs[0]] for op in graph.operators if op.type in _FILTERED)
    return sum(tensor.shape[-1] for tensor in made if tensor.shape)


def _role_of(graph: Network, op: Operator, bounds: Mapping[int, Bounds]) -> _Maker | _Passer | None:
    """What an operator does to channels; `None` where all of them must stay."""
    context = Context(graph, op, dsp=False)
    given, made = context.input(0), context.output
    if given.dtype != "int8" or not given.shape or not made.shape:
        return None
    channels, last = given.shape[-1], made.shape[-1]
    if op.type in _MAKERS and context.input(1).data:
        taps = read_taps(context)
        if len(taps.channels) > 1 and (taps.channels[0] != taps.channels[-1]).any():
            return None  # groups
        return _role_of_maker(context, taps, bounds)
    if op.type == "DEPTHWISE_CONV_2D":
        return _Passer(op, np.arange(last) // (last // channels))
    views = op.type in _VIEWS and last % channels == 0
    means = op.type == "MEAN" and made.index in bounds
    return _Passer(op, np.arange(last) % channels) if views or means or op.type in _POOLS else None


def _role_of_maker(context: Context, taps: Taps, bounds: Mapping[int, Bounds]) -> _Maker | None:
    given, made = context.input(0), context.output
    whole = taps.weights.shape[1] % given.shape[-1] == 0 and made.shape[-1] == len(taps.weights)
    if not whole:
        return None
    constant = np.zeros(given.shape[-1], bool)
    if given.index in bounds:
        least, most = bounds[given.index]
        constant = (least == most) & (taps.inside | (least == given.zero_point))
    return _Maker(context.operator, taps, constant)


def _find_gone(
    graph: Network, operators: Sequence[Operator], layers: Sequence[_Maker | _Passer]
) -> Mapping[int, Mask]:
    """For each tensor that may lose channels, which go: all that can, but one stays."""
    pinned = {*graph.outputs, *graph.inputs, *graph.variables}
    known = {layer.operator.position for layer in layers}
    for op in operators:
        pinned |= set(read_by(op)) if op.position not in known else set(op.inputs[1:])
    made = [layer.operator.outputs[0] for layer in layers]
    gone = {i: np.ones(graph.tensors[i].shape[-1], bool) for i in made if i not in pinned}
    while True:
        before = sum(int(mask.sum()) for mask in gone.values())
        for layer in reversed(layers):
            layer.restrict(gone)
        for mask in gone.values():
            mask[0] &= not mask.all()
        if before == sum(int(mask.sum()) for mask in gone.values()):
            return gone


def _narrow(
    graph: Network,
    op: Operator,
    gone: Mapping[int, Mask],
    bounds: Mapping[int, Bounds],
    tensors: list[Tensor],
) -> Operator:
    """The operator with the weights and biases that are left, which are added to the tensors."""
    given, made = op.inputs[0], op.outputs[0]
    touched = any(gone[i].any() for i in (given, made) if i in gone)
    if op.type not in _FILTERED or not touched:
        return op
    context = Context(graph, op, dsp=False)
    taps, old = read_taps(context), context.input(1)
    left = ~gone.get(made, np.zeros(len(taps.weights), bool))
    axis, weights = 3 if op.type == "DEPTHWISE_CONV_2D" else 0, old.array
    weights = weights.compress(left, axis=axis)
    bias = np.zeros(len(left), np.int64)
    if context.optional(2) is not None:
        bias += context.constant(2, "int32")
    if axis == 0 and given in gone:
        lost = gone[given][taps.channels[0]]
        weights = weights[..., ~lost if weights.ndim == 2 else ~gone[given]]
        zeros = np.zeros(len(gone[given]), np.int64)
        value = bounds[given][0] - graph.tensors[given].zero_point if given in bounds else zeros
        bias += taps.weights[:, lost].astype(np.int64) @ value[taps.channels[0][lost]]
    scales = np.array(old.scales)[left] if len(old.scales) > 1 else np.array(old.scales)
    found = replace(old, scales=tuple(scales.tolist()), zero_points=(0,) * len(scales))
    numbers = [_add(tensors, found, weights), _add(tensors, Tensor("bias", (), "int32"), bias[left])]
    return replace(op, inputs=(given, *numbers))


def _add(tensors: list[Tensor], like: Tensor, values: npt.NDArray[Any]) -> int:
    """Add a constant to the tensors; values beyond its type wrap around, as sums do."""
    tensors.append(replace(like.with_values(values), index=len(tensors)))
    return tensors[-1].index
