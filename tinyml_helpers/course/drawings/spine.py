"""The card of the networks that go through lessons 2 to 8."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from torch import nn

from tinyml_helpers import cost, datasets, models
from tinyml_helpers.course import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_IMAGE = (1, 1, 28, 28)
_KINDS = ("3×3", "3×3 depthwise", "1×1", "dense")
_COLOURS = dict(zip(_KINDS, plots.PALETTE, strict=False))
_WORDS = 66.0  # how far the words reach; layers begin there
_GAP = 6.0


def card() -> Axes:
    """Draw the networks of the spine layer by layer, beside what each takes.

    A bar is a layer that has weights, as tall as it has output channels, as wide as its map has
    pixels to a side. The shares of right answers were written down when the networks were trained
    (data/models/spine.json, 10,000 test images).

    Returns:
        The axes.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    axes = plt.subplots(figsize=(9, 0.6 + 1.05 * len(models.NAMES)))[1]
    axes.set_axis_off()
    said, top, right = [], 0.0, 0.0
    for name in models.NAMES:
        layers, words = _layers(name), _words(name)
        tallest = max(height for _, _, height in layers)
        middle, left = top + tallest / 2, _WORDS
        axes.text(0, middle, words, va="center", fontsize=11, linespacing=1.4)
        for kind, width, height in layers:
            place = (left, middle - height / 2)
            axes.add_patch(Rectangle(place, width, height, facecolor=_COLOURS[kind]))
            left += width + _GAP
        kinds = [kind for kind, _, _ in layers]
        shown = ", ".join(f"{kinds.count(kind)} {kind}" for kind in _KINDS if kind in kinds)
        said.append(f"{' '.join(words.split())}; layers: {shown}")
        top, right = top + tallest + 3 * _GAP, max(right, left)
    for kind in _KINDS:
        axes.add_patch(Rectangle((0, 0), 0, 0, facecolor=_COLOURS[kind], label=kind))
    axes.set(xlim=(0, right), ylim=(top, -_GAP))
    title = "The networks: tall is many channels, wide is a large map"
    plots.finish(axes, title=title).legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, -0.16))
    axes.set_label(f"Drawing: {title}; " + ". ".join(said))
    return axes


def _layers(name: str) -> list[tuple[str, float, float]]:
    """Kind, side of the map and channels of each layer that multiplies, in order."""
    network = _build(name)
    found = []
    for layer in cost.count(network, _IMAGE).layers:
        module = network.get_submodule(layer.name)
        if isinstance(module, nn.Conv2d | nn.Linear):
            side = float(layer.output_shape[-1]) if isinstance(module, nn.Conv2d) else 2.0
            found.append((_kind(module), side, float(layer.output_shape[1])))
    return found


def _build(name: str) -> nn.Module:
    """Build a network without a trace: a lesson that shows the card draws the numbers it drew before."""
    with torch.random.fork_rng(devices=[]):
        return models.build(name)


def _kind(module: nn.Module) -> str:
    if isinstance(module, nn.Linear):
        return "dense"
    assert isinstance(module, nn.Conv2d)
    if module.groups > 1:
        return "3×3 depthwise"
    return "1×1" if module.kernel_size == (1, 1) else "3×3"


def _words(name: str) -> str:
    counted = cost.count(_build(name), _IMAGE)
    trained = json.loads(datasets.read_verified("models/spine.json"))[name]
    return (
        f"{name}: {trained['test_accuracy_percent']:.2f} % right\n"
        f"{counted.params:,} parameters\n{counted.macs / 1e6:.2f} million MACs"
    )
