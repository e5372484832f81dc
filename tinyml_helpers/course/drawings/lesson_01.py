"""Drawings of lesson 01: a network's bytes, rulers of one scale, a shortcut, the arena, the roofline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tinyml_helpers.course import plots
from tinyml_helpers.course.drawings.flow import Arrow, Box, flow
from tinyml_helpers.devices import Catalogue, Device, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tinyml_helpers.cost import Activation, ModelCost

_KINDS = ("microcontroller", "single-board computer", "phone")
_READ_NEXT = 2  # steps that a tensor is there for, if the very next layer is the last to read it
_SHORT = 0.045  # of the axis: a rectangle less high has no room for its name


def memories(device: Device) -> Axes:
    """Draw where the bytes of a network live on a device, and which way they go.

    Args:
        device: whose memories and clock stand in the boxes.

    Returns:
        The axes.
    """
    clock = f"{device.clock_hz / 1e6:,.0f} MHz"
    boxes = {
        "sensor": Box("sensor or\ncamera", 0.0, 1.2, "data"),
        "flash": Box(f"flash, {size(device.flash_bytes)}\nweights and code", 3.4, 0.0, "learnt"),
        "core": Box(f"core, {clock}\n{device.core}", 3.4, 1.2),
        "ram": Box(f"RAM, {size(device.ram_bytes)}\nactivations, in one arena", 3.4, 2.4),
        "radio": Box("radio", 7.0, 1.2, "data"),
        "cloud": Box("the rest\nof the world", 7.0, 2.4, "faded"),
    }
    arrows = [
        Arrow("sensor", "core", "an input"),
        Arrow("flash", "core", "weights are read"),
        Arrow("core", "ram", "written", bend=0.9),
        Arrow("ram", "core", "read again", bend=0.9),
        Arrow("core", "radio", "an answer"),
        Arrow("radio", "cloud"),
    ]
    return flow(boxes, arrows, title="Weights stay in flash, activations come and go in RAM")


def rulers(spent: Mapping[str, Sequence[float]], catalogue: Catalogue) -> Axes:
    """Draw one ruler for each budget, all on one axis: how many times the least each device has.

    Args:
        spent: budget -> one number for each device, not a number where none is known.
        catalogue: the devices, in the same order.

    Returns:
        The axes.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    axes = plt.subplots(figsize=(9, 0.9 + 0.62 * len(spent)))[1]
    names, kinds = [one.name for one in catalogue], np.array([one.kind for one in catalogue])
    title, said = "Memories differ far more than clocks", []
    for row, (budget, numbers) in enumerate(spent.items()):
        values = np.array(numbers, dtype=float)
        times = values / np.nanmin(values)
        longest = float(np.nanmax(times))
        axes.plot([1, longest], [row, row], color="#8C8C8C", lw=1, zorder=1)
        for kind, mark, colour in zip(_KINDS, "osD", plots.PALETTE, strict=False):
            some = times[kinds == kind]
            label = kind if row == 0 else None
            axes.plot(some, np.full(len(some), row), mark, color=colour, ms=7, alpha=0.75, label=label)
        ends = f"{names[int(np.nanargmin(values))]} to {names[int(np.nanargmax(values))]}"
        said.append(f"{budget}: {float(f'{longest:.2g}'):,.0f} times, {ends}")
        axes.text(1, row - 0.22, said[-1], va="bottom", fontsize=10)
    axes.set(xscale="log", ylim=(len(spent) - 0.5, -0.8), yticks=[])
    plots.finish(axes, title=title, xlabel="times the smallest of all devices")
    axes.legend(loc="lower right", fontsize=10)
    axes.set_label(f"Drawing: {title}; " + "; ".join(said))
    return axes


def residual(block: Sequence[tuple[str, Sequence[str], int]]) -> Axes:
    """Draw a block with a shortcut from its list: each tensor a box, each read an arrow.

    Args:
        block: (name, names of what it reads, bytes of what it writes), in the order of computation;
            the first is the input, which the second and the layers of the shortcut read.

    Returns:
        The axes.
    """
    source = block[0][0]
    below = [name for name, reads, _ in block[2:] if source in reads]
    above = [name for name, _, _ in block if name not in below]
    boxes, arrows = {}, []
    for name, reads, count in block:
        row = below if name in below else above
        x = 7.2 * (row.index(name) + 1) / (len(row) + 1) if name in below else 0.0
        x = 7.2 * above.index(name) / (len(above) - 1) if name in above else x
        kind = "step" if reads else "data"
        boxes[name] = Box(f"{name}\n{count:,} bytes", x, 1.2 if name in below else 0.0, kind)
        arrows += [Arrow(one, name) for one in reads]
    return flow(boxes, arrows, title="The shortcut reads the input a second time, later")


def arena(plans: Mapping[str, tuple[ModelCost, Mapping[Activation, int]]], layer: int) -> Sequence[Axes]:
    """Draw the address map of one arena for each network, on one scale, with one layer at work.

    A rectangle is a tensor: as wide as the steps that need it, as high as its bytes, at its address.

    Args:
        plans: name -> counted network, and the offset of each of its activations in elements of a byte.
        layer: the step that is marked; what it needs is drawn in full colour.

    Returns:
        The axes, from top to bottom.
    """
    import matplotlib.pyplot as plt

    drawn = plt.subplots(len(plans), 1, figsize=(9, 7.2), sharex=True, sharey=True)[1]
    highest = max(counted.ram_bytes for counted, _ in plans.values()) / 1024
    for axes, (name, (counted, offsets)) in zip(drawn, plans.items(), strict=True):
        step = min(layer, len(counted.steps) - 1)
        axes.axvspan(step - 0.5, step + 0.5, color="#EDEDED", zorder=0)
        for block, offset in offsets.items():
            _draw_tensor(axes, block, offset / 1024, step, highest)
        axes.axhline(counted.ram_bytes / 1024, color="black", lw=1)
        title = (
            f"{name}, {_short(counted.steps[step])} at work: {counted.live_bytes[step] / 1024:.1f} KiB "
            f"alive, {counted.ram_bytes / 1024:.1f} at the peak"
        )
        plots.finish(axes, title=title, ylabel="address, int8 (KiB)").grid(False)
        axes.set_xticks(range(max(len(counted.steps) for counted, _ in plans.values())))
    drawn[-1].set_xlabel("layer at work")
    return list(drawn)


def _draw_tensor(axes: Axes, block: Activation, low: float, step: int, highest: float) -> None:
    """A rectangle of the map; pale where the marked layer does not need it."""
    start, length = block.first_step - 0.5, block.last_step - block.first_step + 1
    height = block.elements / 1024
    alive = block.first_step <= step <= block.last_step
    axes.broken_barh(
        [(start, length)],
        (low, height),
        facecolor=plots.PALETTE[1 if length > _READ_NEXT else 5],
        alpha=1.0 if alive else 0.3,
        edgecolor="black" if alive else "white",
    )
    if height > _SHORT * highest:
        where = (start + length / 2, low + height / 2)
        axes.text(*where, _short(block.layer), ha="center", va="center", fontsize=10)


def _short(layer: str) -> str:
    """A layer's name as it fits a rectangle: `blocks.0.first.conv` is `0.first`."""
    name = layer.removeprefix("blocks.").removesuffix(".conv")
    return f"{name}.sum" if name.isdigit() else name


def roofline(
    peak: float, bytes_per_s: float, dots: Mapping[str, Mapping[str, tuple[float, float]]]
) -> Axes:
    """Draw the most that a core can do against how much it does with each byte, and what was measured.

    Args:
        peak: million MACs a second, if all data lie ready.
        bytes_per_s: million bytes a second that the slowest memory brings.
        dots: engine -> network -> (MACs a byte, million MACs a second).

    Returns:
        The axes.
    """
    import matplotlib.pyplot as plt

    axes = plt.subplots(figsize=(9, 4.6))[1]
    corner, ends = peak / bytes_per_s, (0.3, 150.0)
    roof = [bytes_per_s * ends[0], peak, peak]
    axes.loglog([ends[0], corner, ends[1]], roof, color="black", label="the roof")
    axes.axvline(corner, color="#8C8C8C", lw=1, ls=":")
    for (engine, networks), mark in zip(dots.items(), "os", strict=False):
        axes.plot(*zip(*networks.values(), strict=True), mark, ms=9, label=engine)
    for name, (x, y) in next(iter(dots.values())).items():
        axes.annotate(name, (x, y), (0, 9), textcoords="offset points", ha="center", fontsize=10)
    reached = max(y / min(peak, bytes_per_s * x) for one in dots.values() for x, y in one.values())
    axes.set_xticks([1, 10, 100], labels=["1", "10", "100"])
    axes.set_yticks([10, 30, 100, 300], labels=["10", "30", "100", "300"])
    axes.minorticks_off()
    title = f"No network reaches more than {100 * reached:.0f} % of the roof"
    plots.finish(axes, title=title, xlabel="MACs a byte moved", ylabel="million MACs a second")
    axes.legend(loc="lower right", fontsize=10)
    return axes


def predictions(pairs: Mapping[str, Sequence[tuple[float, float]]]) -> Axes:
    """Draw predicted against measured times; on the diagonal they agree.

    Args:
        pairs: board -> (measured, predicted) in milliseconds.

    Returns:
        The axes.
    """
    import matplotlib.pyplot as plt

    axes = plt.subplots(figsize=(7.5, 5))[1]
    ends = [
        0.7 * min(min(one) for times in pairs.values() for one in times),
        1.4 * max(max(one) for times in pairs.values() for one in times),
    ]
    axes.loglog(ends, ends, color="black", lw=1, label="as measured")
    low, high = ([factor * end for end in ends] for factor in (1 / 1.5, 1.5))
    axes.fill_between(ends, low, high, color="#E8E8E8", label="a factor of 1.5 either way")
    for (board, times), mark in zip(pairs.items(), "osD", strict=True):
        axes.plot(*zip(*times, strict=True), mark, ms=8, label=board)
    errors = [abs(predicted / measured - 1) for one in pairs.values() for measured, predicted in one]
    title = f"{len(errors)} runs never seen, met within {100 * max(errors):.0f} %"
    return plots.finish(axes, title=title, xlabel="measured (ms)", ylabel="predicted (ms)")
