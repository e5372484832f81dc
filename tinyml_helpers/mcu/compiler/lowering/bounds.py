"""Between which values each channel of each tensor stays, whatever the input is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler import fixed_point
from tinyml_helpers.mcu.compiler.graph import Network, find_live_operators
from tinyml_helpers.mcu.compiler.lowering.context import INT8, Context
from tinyml_helpers.mcu.compiler.lowering.weights import Filters, collect_filters, read_weight_scales
from tinyml_helpers.mcu.compiler.lowering.window import place_window

Bounds = npt.NDArray[np.int64]
"""Least and greatest value of each channel: 2 x channels, channels being the last dimension."""
_UNBOUNDED = 1 << 31  # sums beyond it wrap around


@dataclass(frozen=True, eq=False)
class Taps:
    """What the filters of a layer read.

    Args:
        weights: int8 as they lie in the file, outputs x taps.
        channels: of the input, for each tap; one row, or one for each output.
        inside: whether no tap ever leaves the image: outside of it the zero point is read.
    """

    weights: npt.NDArray[Any]
    channels: npt.NDArray[np.int64]
    inside: bool


def read_taps(context: Context) -> Taps:
    """Read the taps of a CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED of constant weights."""
    image, weights = context.input(0), context.constant(1, "int8")
    if context.operator.type == "FULLY_CONNECTED":
        return Taps(weights, np.arange(weights.shape[1])[None] % image.shape[-1], inside=True)
    depthwise = context.operator.type == "DEPTHWISE_CONV_2D"
    n = weights.shape[3] if depthwise else weights.shape[0]
    depth = 1 if depthwise else weights.shape[3]
    rows = weights[0].transpose(2, 0, 1) if depthwise else weights
    rows = rows.reshape(n, -1)
    filters = n // (image.shape[3] // depth)  # of each group
    channels = np.arange(n)[:, None] // filters * depth + np.arange(rows.shape[1])[None] % depth
    window = place_window(context, (weights.shape[1], weights.shape[2]), n)
    inside = window.dilation == (1, 1) and window.lies_inside(image, context.output)
    return Taps(rows, channels, inside)


def find_bounds(graph: Network) -> Mapping[int, Bounds]:
    """Find the bounds of what operators write, from the inputs on.

    Args:
        graph: a network that can be translated.

    Returns:
        Number of a tensor -> its bounds; tensors of which nothing is known are left out.
    """
    found: dict[int, Bounds] = {}
    for op in find_live_operators(graph):
        rule = _RULES.get(op.type)
        context = Context(graph, op, dsp=False)
        if rule is not None and context.input(0).dtype == "int8":
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # of damaged scales
                bounds = rule(context, _bounds_of(context.input(0), found))
            if bounds is not None:
                found[op.outputs[0]] = bounds
    return found


def _bounds_of(tensor: Tensor, found: Mapping[int, Bounds]) -> Bounds:
    unknown = np.repeat(np.array(INT8)[:, None], tensor.shape[-1] if tensor.shape else 1, axis=1)
    return found.get(tensor.index, unknown)


def _filtered(context: Context, given: Bounds) -> Bounds | None:
    """Of a layer with weights: the ends of each sum, scaled."""
    if not context.input(1).data:
        return None
    if context.operator.type == "FULLY_CONNECTED" and context.input(1).shape[1] % given.shape[1]:
        return None
    taps, axis = read_taps(context), 3 if context.operator.type == "DEPTHWISE_CONV_2D" else 0
    f = collect_filters(context, taps.weights, read_weight_scales(context, axis))
    low, high = (given - f.zero_point)[:, taps.channels]
    if not taps.inside:
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    sums = f.reach(low, high)
    if (np.abs(sums) << np.maximum(-f.shifts, 0)).max() >= _UNBOUNDED:
        return None
    scaled = np.stack([_scaled(context, f, sums, i) for i in range(len(f.weights))], axis=1)
    return np.asarray(np.clip(scaled + context.output.zero_point, *context.activation_range()))


def _scaled(context: Context, f: Filters, sums: Bounds, i: int) -> npt.NDArray[np.int64]:
    """Both ends of a channel's sum on the output's scale; for a dense layer, in either rounding."""
    factor = (int(f.multipliers[i]), -int(f.shifts[i]))
    found = context.scale(sums[:, i], *factor)
    if context.operator.type != "FULLY_CONNECTED":
        return found
    both = np.stack([found, fixed_point.scale_once(sums[:, i], *factor)])
    return np.array([both[:, 0].min(), both[:, 1].max()])


def _pooled(context: Context, given: Bounds) -> Bounds:
    """The mean and the largest of some values lie among them; the window's part outside counts not."""
    return np.asarray(np.clip(given, *context.activation_range()))


def _averaged(context: Context, given: Bounds) -> Bounds | None:
    """A MEAN over pixels: known where everything is the zero point."""
    tensor, output = context.input(0), context.output
    axes = context.constant(1, "int32").ravel() % len(tensor.shape)
    if len(tensor.shape) - 1 in axes or not output.shape or output.shape[-1] != tensor.shape[-1]:
        return None
    zero = (given == tensor.zero_point).all(axis=0)
    return np.where(zero, output.zero_point, np.array(INT8)[:, None])


def _viewed(context: Context, given: Bounds) -> Bounds | None:
    """Of a view that keeps the channels apart, or lays pixels side by side."""
    last = context.output.shape[-1] if context.output.shape else 1
    return None if last % given.shape[1] else np.tile(given, last // given.shape[1])


_RULES: Mapping[str, Callable[[Context, Bounds], Bounds | None]] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), _filtered),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _pooled),
    "MEAN": _averaged,
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), _viewed),
}
