"""Drawings of lesson 04: two ways to prune, coupled channels, formats of a row, layers side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from tinyml_helpers.compress import channels
from tinyml_helpers.compress.prune import Sparsity
from tinyml_helpers.course import plots
from tinyml_helpers.course.drawings.flow import Arrow, Box, flow
from tinyml_helpers.intervals import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FILTERS, _ACROSS = 12, 6
_CHANNEL = 5
_FACES = {"weight": "#DCE9F3", "zero": "#FFFFFF", "where": "#FBE8C8", "bit": "#404040"}
# Where the layers of `large` stand, in inches, and what flows from one to another: (from, to, the layer
# that made it). A sum carries what the layers before it made.
_PLACES = {
    "stem": (0.0, 0.0), "blocks.0.first": (2.7, 0.0), "blocks.0.second": (5.2, 0.0),
    "blocks.0.shortcut": (2.7, 1.1), "sum 0": (7.2, 1.1),
    "blocks.1.first": (5.2, 2.2), "blocks.1.second": (2.7, 2.2),
    "blocks.1.shortcut": (5.2, 3.1), "sum 1": (0.0, 3.4),
    "blocks.2.first": (2.7, 4.7), "blocks.2.second": (5.1, 4.7), "sum 2": (7.2, 4.1),
    "head": (7.2, 5.2),
}  # fmt: skip
_FLOWS = (
    ("stem", "blocks.0.first", "stem"), ("blocks.0.first", "blocks.0.second", "blocks.0.first"),
    ("stem", "blocks.0.shortcut", "stem"), ("blocks.0.second", "sum 0", "blocks.0.second"),
    ("blocks.0.shortcut", "sum 0", "blocks.0.shortcut"),
    ("sum 0", "blocks.1.first", "blocks.0.second"), ("sum 0", "blocks.1.shortcut", "blocks.0.second"),
    ("blocks.1.first", "blocks.1.second", "blocks.1.first"),
    ("blocks.1.second", "sum 1", "blocks.1.second"),
    ("blocks.1.shortcut", "sum 1", "blocks.1.shortcut"),
    ("sum 1", "blocks.2.first", "blocks.1.second"),
    ("blocks.2.first", "blocks.2.second", "blocks.2.first"),
    ("blocks.2.second", "sum 2", "blocks.2.second"), ("sum 1", "sum 2", "blocks.1.second"),
    ("sum 2", "head", "blocks.2.second"),
)  # fmt: skip


def two_ways(weight: torch.Tensor) -> Axes:
    """Draw the first filters of a layer twice: without half of their weights, and half of them gone.

    Args:
        weight: [outputs, 1, 3, 3], the first layer of a network of the spine.

    Returns:
        The axes.
    """
    import matplotlib.pyplot as plt

    filters = weight.detach().numpy()[:_FILTERS, 0]
    size, norms = np.abs(filters), np.square(filters).sum((1, 2))
    scattered = size > np.median(size)
    whole = np.broadcast_to((norms > np.median(norms))[:, None, None], filters.shape)
    axes = plt.subplots(figsize=(9, 2.4))[1]
    axes.set_axis_off()
    left: list[int] = []
    for kept, start, words in (
        (scattered, 0.0, "weights go, wherever they are"),
        (whole, 4.2 * _ACROSS + 2, "whole filters go"),
    ):
        for place, (one, there) in enumerate(zip(size / size.max(), kept, strict=True)):
            corner = (start + 4.2 * (place % _ACROSS), 4.2 * (place // _ACROSS))
            _draw_filter(axes, corner, one, there)
        left.append(int(kept.any((1, 2)).sum()))
        middle = start + (4.2 * _ACROSS - 1.2) / 2
        said = f"{words}: {left[-1]} of {_FILTERS} filters to compute"
        axes.text(middle, 9.0, said, ha="center", fontsize=11)
    axes.set(xlim=(-0.5, 8.4 * _ACROSS + 1.3), ylim=(9.8, -0.5), aspect="equal")
    title = "Half of the weights are gone on both sides; only on the right is there less to compute"
    plots.finish(axes, title=title)
    axes.set_label(
        f"Drawing: {title}; {_FILTERS} filters of nine weights; left, zeros lie anywhere and "
        f"{left[0]} filters are left; right, {_FILTERS - left[1]} filters are missing and {left[1]} left"
    )
    return axes


def _draw_filter(
    axes: Axes, corner: tuple[float, float], size: NDArray[np.float32], kept: NDArray[np.bool_]
) -> None:
    """Nine squares, darker where a weight is larger; zeros are white, a missing filter is dashed."""
    from matplotlib.patches import Rectangle

    x, y = corner
    if not kept.any():
        axes.add_patch(Rectangle(corner, 3, 3, fill=False, edgecolor="#8C8C8C", linestyle="--"))
        return
    for row, column in np.ndindex(3, 3):
        place = (x + column, y + row)
        square = Rectangle(place, 1, 1, facecolor="white", edgecolor="#8C8C8C", linewidth=0.8)
        axes.add_patch(square)
        if kept[row, column]:
            square.set_facecolor((*_blue(), 0.25 + 0.75 * float(size[row, column])))
        else:
            axes.text(x + column + 0.5, y + row + 0.53, "0", ha="center", va="center", fontsize=10)


def _blue() -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(plots.PALETTE[0])


def coupling(network: nn.Module, image: torch.Tensor) -> Axes:
    """Draw `large` with a colour for each group of channels; one channel of the widest group is cut.

    Args:
        network: `large`.
        image: one input, float32 [1, 1, 28, 28].

    Returns:
        The axes.
    """
    from matplotlib.text import Annotation

    groups = channels.coupling(network, image).groups
    made = {
        name.removesuffix(".conv"): number
        for number, group in enumerate(groups)
        for name, role in group.roles.items()
        if role == "makes"
    }
    cut = max(range(len(groups)), key=lambda number: len(groups[number].roles))
    roles = groups[cut].roles
    boxes = {}
    for name, (x, y) in _PLACES.items():
        role = roles.get(f"{name}.conv", roles.get(name))
        said = {"makes": f"\n− output {_CHANNEL}", "reads": f"\n− input {_CHANNEL}"}.get(role or "", "")
        kind = "learnt" if role else "data" if name.startswith("sum") else "step"
        boxes[name] = Box("+" if name.startswith("sum") else name + said, x, y, kind)
    arrows = []
    for start, end, maker in _FLOWS:
        said = f"✗ {_CHANNEL}" if made[maker] == cut else f"{groups[made[maker]].channels}"
        arrows.append(Arrow(start, end, said))
    makes, passes, reads = (list(roles.values()).count(role) for role in ("makes", "passes", "reads"))
    title = (
        f"Channel {_CHANNEL} of {groups[cut].channels}: "
        f"{makes} layers make it, {passes} norms pass it, {reads} layers read it"
    )
    axes = flow(boxes, arrows, title=title)
    notes = [text for text in axes.texts if isinstance(text, Annotation)]
    patches = [note.arrow_patch for note in notes if note.arrow_patch]
    for patch, (_, _, maker) in zip(patches, _FLOWS, strict=True):
        patch.set(color=plots.PALETTE[made[maker]], linewidth=4 if made[maker] == cut else 2)
    return axes


def sparse_row(row: ArrayLike) -> Axes:
    """Draw a row of int8 weights in four formats, each cell as wide as the bytes that it takes.

    Args:
        row: integers [n], most of them zero, and nowhere more than 15 zeros in a row.

    Returns:
        The axes, with bytes to the right.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    values = np.asarray(row).astype(int)
    places = values.nonzero()[0]
    left = [(str(value), 1.0, "weight") for value in values[places]]
    gaps = np.diff(places, prepend=-1) - 1  # zeros before each weight that is left
    rows = {
        "every value": [(str(value), 1.0, "weight" if value else "zero") for value in values],
        "columns, 32 bits": [(str(place), 4.0, "where") for place in places] + left,
        "bitmask": [("", 1 / 8, "bit" if value else "where") for value in values] + left,
        "distances, 4 bits": [(str(gap), 0.5, "where") for gap in gaps] + left,
    }
    axes = plt.subplots(figsize=(9, 2.8))[1]
    ends = [_draw_cells(axes, line, cells) for line, cells in enumerate(rows.values())]
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(xlim=(0, 1.12 * max(ends)), ylim=(len(rows) - 0.5, -0.5))
    axes.tick_params(axis="y", length=0)
    axes.grid(False)
    for kind, words in (("weight", "a weight"), ("zero", "a zero"), ("where", "says where")):
        face = _FACES[kind]
        axes.add_patch(Rectangle((0, 0), 0, 0, facecolor=face, edgecolor="#404040", label=words))
    title = f"{len(left)} of {len(values)} weights are left; saying where they stand costs bytes, too"
    plots.finish(axes, title=title, xlabel="bytes").legend(loc="lower right")
    sizes = ", ".join(f"{name} {end:g}" for name, end in zip(rows, ends, strict=True))
    axes.set_label(f"Drawing: {title}; bytes: {sizes}")
    return axes


def _draw_cells(axes: Axes, line: int, cells: list[tuple[str, float, str]]) -> float:
    """Cells one after the other: text, width in bytes, and what it is; returns where they end."""
    from matplotlib.patches import Rectangle

    x = 0.0
    for text, width, kind in cells:
        cell = Rectangle((x, line - 0.32), width, 0.64, facecolor=_FACES[kind], linewidth=0.8)
        cell.set_edgecolor("#404040")
        axes.add_patch(cell)
        axes.text(x + width / 2, line, text, ha="center", va="center", fontsize=10)
        x += width
    axes.text(x + 0.3, line, f"{x:g} bytes", va="center", fontsize=11)
    return x


def per_layer(lost: Mapping[str, Interval], spared: Sparsity) -> Axes:
    """Draw, layer by layer, what pruning it alone costs, and the share that a rule takes from it.

    Args:
        lost: name of a layer -> points that the network loses when this layer alone is pruned.
        spared: the zeros that the rule leaves in each layer, when it prunes all of them.

    Returns:
        The axes of the shares.
    """
    import matplotlib.pyplot as plt

    names = [layer.name for layer in spared.layers]
    lines = np.arange(len(names))
    percents = [layer.percent for layer in spared.layers]
    left, right = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)[1]
    points = [lost[name] for name in names]
    left.hlines(lines, [one.low for one in points], [one.high for one in points])
    left.plot([one.value for one in points], lines, "o")
    right.plot(percents, lines, "s", color=plots.PALETTE[1])
    right.axvline(spared.percent, color="black", linestyle=":", label="of all weights")
    left.set_yticks(lines, [name.removesuffix(".conv") for name in names])
    left.set(ylim=(len(names) - 0.5, -0.5))
    right.set(xlim=(0, 100))
    worst = int(np.argmax([one.value for one in points]))
    title = f"Pruned alone, {names[worst].removesuffix('.conv')} costs most"
    plots.finish(left, title=title, xlabel="points lost, this layer alone")
    title = f"The rule takes {percents[worst]:.0f} % of it"
    return plots.finish(right, title=title, xlabel="zeros when all are compared (%)")
