"""Pictures: which layers became which operators, and what fills the arena."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from tinyml_helpers.deploy.tflite.graph import Graph, Operator
from tinyml_helpers.deploy.tflite.tflm import Arena

if TYPE_CHECKING:
    import keras

# The layer that an operator is made from, whatever else is folded into it.
_MAIN = {
    "PAD": ("ZeroPadding2D",),
    "CONV_2D": ("Conv2D",),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2D", "Conv2D"),
    "MEAN": ("GlobalAveragePooling2D",),
    "FULLY_CONNECTED": ("Dense",),
    "ADD": ("Add",),
}
# Layers that go into the operator before them.
_ABSORBED = ("BatchNormalization", "ReLU")
_SHORT = {
    "ZeroPadding2D": "pad", "Conv2D": "conv", "DepthwiseConv2D": "depthwise", "Dense": "dense",
    "BatchNormalization": "batch norm", "ReLU": "ReLU", "GlobalAveragePooling2D": "average",
    "Add": "add",
}  # fmt: skip
_COLOURS = {"batch norm": "#F3C6A5", "ReLU": "#A8D5C2", "pad": "#E5DBA0"}
_PLAIN, _FILE = "#C9D6E2", "#FFFFFF"


def group_layers(layers: Sequence[str], graph: Graph) -> Iterator[tuple[Operator, list[str]]]:
    """Yield each operator with the classes of the layers that went into it, in order.

    Args:
        layers: class names of the layers of a Keras model, input left out.
        graph: what a converter made of it.
    """
    left = list(layers)
    for operator in graph.operators:
        taken: list[str] = []
        main = _MAIN.get(operator.type, ())
        if any(layer in main for layer in left):
            while not taken or taken[-1] not in main:
                taken.append(left.pop(0))
            while left and left[0] in _ABSORBED:
                taken.append(left.pop(0))
        yield operator, taken


def before_and_after(model: keras.Model, graph: Graph, axes: Axes) -> Axes:
    """Draw the layers of a Keras model on the left, and the operators made of them on the right.

    Args:
        model: the model that was converted.
        graph: the graph in the .tflite file.
        axes: where to draw; its frame and ticks are taken away.
    """
    layers = [type(layer).__name__ for layer in model.layers if layer.name != "image"]
    rows = list(group_layers(layers, graph))
    for row, (operator, taken) in enumerate(rows):
        names = [_SHORT.get(layer, layer) for layer in taken]
        for column, name in enumerate(names):
            _box(axes, (4 - len(names) + column, row), 0.94, name, _COLOURS.get(name, _PLAIN))
        axes.annotate("", (4.5, row), (4.0, row), arrowprops={"arrowstyle": "->", "color": "#555555"})
        _box(axes, (4.55, row), 3.1, str(operator), _FILE)
        axes.text(7.8, row, _describe(operator, graph), va="center", fontsize=8.5)
    axes.set(xlim=(-0.1, 11.4), ylim=(len(rows) - 0.4, -1.4))
    for place, head in (
        (0, f"{len(layers)} Keras layers"),
        (4.55, f"{len(rows)} operators"),
        (7.8, "output"),
    ):
        axes.text(place, -1, head, va="center", fontsize=10, weight="bold")
    axes.axis("off")
    return axes


def arenas(measured: Mapping[str, Arena], predicted_bytes: int) -> Axes:
    """Draw arenas as stacked bars, and what was predicted for their activations as a line.

    Args:
        measured: arenas by the name of the model.
        predicted_bytes: of activations alone.
    """
    axes = plt.subplots(figsize=(9, 1.8 + 0.6 * len(measured)))[1]
    left = dict.fromkeys(measured, 0)
    for purpose in dict.fromkeys(p for arena in measured.values() for p in arena.bytes_by_purpose):
        sizes = [arena.bytes_by_purpose.get(purpose, 0) for arena in measured.values()]
        axes.barh(list(measured), sizes, left=list(left.values()), label=purpose, height=0.6)
        left = {name: left[name] + size for name, size in zip(left, sizes, strict=True)}
    # Room for the legend to the right of the bars.
    axes.set_xlim(0, 1.6 * max(left.values()))
    axes.axvline(predicted_bytes, color="black", ls=":", label="predicted for activations")
    return axes


def _describe(operator: Operator, graph: Graph) -> str:
    tensor = graph.tensors[operator.outputs[0]]
    shape = "×".join(map(str, tensor.shape[1:]))
    scale = f", scale {tensor.scales[0]:.4f}, zero {tensor.zero_points[0]}" if tensor.scales else ""
    return f"{shape} {tensor.dtype}{scale}"


def _box(axes: Axes, place: tuple[float, float], width: float, text: str, colour: str) -> Any:
    left, row = place
    style = "round,pad=0,rounding_size=0.12"
    axes.add_patch(
        FancyBboxPatch(
            (left, row - 0.36), width, 0.72, boxstyle=style, facecolor=colour, edgecolor="#777777"
        )
    )
    axes.text(left + width / 2, row, text, ha="center", va="center", fontsize=8.5)
