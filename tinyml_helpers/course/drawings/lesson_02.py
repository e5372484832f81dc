"""Drawings of lesson 02: the number line, ranges of channels, errors of a range, bits and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from tinyml_helpers import intervals
from tinyml_helpers.compress import affine
from tinyml_helpers.course import plots
from tinyml_helpers.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_RANGE = (-0.5, 1.5)
_SHOWN = (-1.0, 2.0)
_GOING = (0.1, 0.87, 1.8)  # reals that are seen going to their level
_GREEN, _GREY = plots.PALETTE[2], "#404040"
_COLOURS = {
    "rounded": plots.PALETTE[0], "rounding": plots.PALETTE[0],
    "clipped": plots.PALETTE[3], "clipping": plots.PALETTE[3],
}  # fmt: skip


def number_line(bits: int = 3) -> Axes:
    """Draw the reals from -1 to 2, and the integers of so many bits laid over -0.5 to 1.5.

    Args:
        bits: 2 to 8.

    Returns:
        The axes: reals along y = 1, integers along y = 0.
    """
    import matplotlib.pyplot as plt

    fit = affine.affine(*_RANGE, bits)
    levels = fit.dequantize(torch.arange(2**bits)).numpy()
    scale, zero = float(fit.scale), int(fit.zero_point)
    axes: Axes = plt.subplots(figsize=(9, 3.3))[1]
    ends = (_SHOWN[0], levels[0], levels[-1], _SHOWN[1])
    for left, right, word in zip(ends, ends[1:], ("clipped", "rounded", "clipped"), strict=False):
        axes.axvspan(left, right, color=_COLOURS[word], alpha=0.1, linewidth=0)
        _write(axes, (left + right) / 2, 1.42, word, _COLOURS[word])
    axes.hlines([1, 0], *_SHOWN, color="black", linewidth=1)
    axes.vlines(levels, -0.13, 0.13, color=_COLOURS["rounded"], linewidth=max(0.5, 4 - bits / 2))
    axes.plot([0, 0], [-0.2, 0.2], color=_GREEN, linewidth=3)
    for integer in range(2**bits) if bits <= 4 else (0, zero, 2**bits - 1):
        _write(axes, levels[integer], -0.36, str(integer))
    _write(axes, 0, -0.66, f"zero point {zero}", _GREEN)
    for real in (0.0, *_GOING):
        to = float(fit.round_trip(torch.tensor(real)))
        axes.annotate("", (to, 0.17), (real, 0.97), arrowprops={"arrowstyle": "-|>", "color": _GREY})
        _write(axes, real, 1.14, f"{real:g}")
    _write(axes, -0.88, 1.14, "reals")
    _write(axes, -0.88, -0.36, "integers")
    axes.set(xlim=_SHOWN, ylim=(-0.9, 1.6))
    axes.set_axis_off()
    title = f"{bits} bits: {2**bits} ticks, {scale:.4f} apart"
    plots.finish(axes, title=title)
    going = ", ".join(f"{real:g} to {float(fit.round_trip(torch.tensor(real))):.3f}" for real in _GOING)
    axes.set_label(
        f"Drawing: {title}; integers 0 to {2**bits - 1} over the reals from {_RANGE[0]} to {_RANGE[1]}; "
        f"zero point {zero} stands for 0; in the range a real is rounded to a tick, outside it is "
        f"clipped to an end: {going}"
    )
    return axes


def _write(axes: Axes, x: float, y: float, text: str, colour: str = "black") -> None:
    axes.text(x, y, text, ha="center", va="center", color=colour, fontsize=11)


def error_curves(
    values: NDArray[np.float32], errors: pd.DataFrame, marks: Mapping[str, float], bits: int
) -> Axes:
    """Draw the values of a layer, and under them the errors of a range that ends at each point.

    Args:
        values: what was seen, any shape.
        errors: columns "rounding" and "clipping", mean squared errors by upper end of the range.
        marks: upper ends that methods choose, by name.
        bits: that the errors were measured with.

    Returns:
        The lower axes.
    """
    import matplotlib.pyplot as plt

    panels: tuple[Axes, Axes] = plt.subplots(2, sharex=True, figsize=(8, 4.8), height_ratios=(1, 2))[1]
    above, below = panels
    above.hist(values[values > 0], bins=150, color="#B8C4CE", log=True)
    for name in ("rounding", "clipping"):
        below.plot(errors.index, errors[name], color=_COLOURS[name], label=name)
    total = errors["rounding"] + errors["clipping"]
    title = f"{bits} bits: together they err least if the range ends at {total.idxmin():.2f}"
    plots.finish(above, title=title, ylabel="values (log)")
    below.plot(errors.index, total, color="black", linestyle="--", label="both")
    # Beyond a few times the least error a curve only says that it is too high.
    highest = 7 * float(total.min())
    for (name, end), shape in zip(marks.items(), "osD^", strict=False):
        height = float(np.interp(end, errors.index, total))
        label = f"{name}: {end:.2f}{', above' if height > highest else ''}"
        below.plot(end, height, shape, color=_GREEN, markersize=9, label=label)
    below.set_ylim(0, highest)
    plots.finish(below, title="", xlabel="upper end of the range", ylabel="mean squared error")
    return below


def settling(correct: pd.DataFrame) -> Axes:
    """Draw what a network gets right after calibration with more and more images.

    Args:
        correct: a row for each draw of images, with columns "images" and some settings, in percent.

    Returns:
        The first axes.
    """
    import matplotlib.pyplot as plt

    settings = correct.columns.drop("images")
    panels: tuple[Axes, ...] = plt.subplots(1, len(settings), figsize=(9.5, 3.4))[1]
    for axes, setting in zip(panels, settings, strict=True):
        axes.plot(correct["images"], correct[setting], "o", alpha=0.6, label="a draw of images")
        axes.plot(correct.groupby("images")[setting].mean(), color="black", linewidth=1, label="mean")
        axes.set_xscale("log", base=2)
        spread = correct.groupby("images")[setting].agg(np.ptp)
        axes.set_xticks(spread.index, map(str, spread.index), minor=False)
        title = f"{setting}:\n{spread.iloc[0]:.1f} points apart, then {spread.iloc[-1]:.1f}"
        plots.finish(axes, title=title, xlabel="calibration images", ylabel="correct (%)")
        axes.legend().set_visible(axes is panels[0])
    return panels[0]


def integers_of_channels(weight: torch.Tensor, bits: int) -> Axes:
    """Draw for each channel which integers its weights become: with one scale for all, and with its own.

    Args:
        weight: float32 [channels, ...]; the channel with the largest weights is drawn at the top.
        bits: 2 to 8.

    Returns:
        The left axes.
    """
    import matplotlib.pyplot as plt

    order = weight.abs().flatten(1).amax(1).argsort(descending=True)
    panels: tuple[Axes, Axes] = plt.subplots(1, 2, figsize=(9, 3.9), sharey=True)[1]
    for axes, one in zip(panels, ("one scale for the layer", "one scale for each channel"), strict=True):
        fit = affine.weight_affine(weight, bits, per_channel="each" in one)
        low, high = fit.limits
        integers = fit.quantize(weight).flatten(1)[order]
        counts = torch.stack([torch.bincount(row - low, minlength=high - low + 1) for row in integers])
        shown = np.sqrt(counts.numpy())  # one weight in a cell stays visible beside nine
        axes.imshow(shown, aspect="auto", cmap="Blues", extent=(low - 0.5, high + 0.5, len(order), 0))
        axes.grid(visible=False)
        kept = int((integers.abs().amax(1) > 2).sum())
        title = f"{one[0].upper()}{one[1:]}: {kept} of\n{len(order)} channels keep more than 2 steps"
        plots.finish(axes, title=title, xlabel=f"integer, {bits} bits")
    panels[0].set_ylabel("channel, largest on top")
    return panels[0]


def bits_sweep(right: Mapping[tuple[str, int], torch.Tensor], in_float: torch.Tensor) -> Axes:
    """Draw right answers by bits a weight: those near float with intervals, and all on the right.

    Args:
        right: by way to scale and bits, whether each image is right: bool [images].
        in_float: the same of the network in float.

    Returns:
        The left axes.
    """
    import matplotlib.pyplot as plt

    panels: tuple[Axes, Axes] = plt.subplots(1, 2, figsize=(9, 3.6))[1]
    near, far = panels
    best = _rate(in_float).value
    names = list(dict.fromkeys(name for name, _ in right))
    for place, name in enumerate(names):
        look = (plots.PALETTE[place], "os"[place])
        found = {bits: _rate(verdicts) for (one, bits), verdicts in right.items() if one == name}
        _dots(far, found, *look, name)
        # Side by side, or one would hide the other.
        _dots(near, {k - 0.1 * place: r for k, r in found.items() if r.value > best - 5}, *look)
    lost = best - _rate(right[names[0], 4]).value
    for axes, title in (
        (near, f"{names[0].capitalize()}, 4 bits lose {lost:.1f} points"),
        (far, f"{names[1].capitalize()} breaks early"),
    ):
        axes.axhline(best, color="black", linestyle=":", label="float")
        axes.invert_xaxis()
        plots.finish(axes, title=title, xlabel="bits a weight", ylabel="correct (%)")
    return near


def bits_under_budgets(bits: Mapping[str, int], right: Mapping[tuple[str, float], torch.Tensor]) -> Axes:
    """Draw how many bits each layer got, and what networks get right by the bytes of their weights.

    Args:
        bits: by layer.
        right: by kind of network and bytes, whether each image is right: bool [images].

    Returns:
        The right axes.
    """
    import matplotlib.pyplot as plt

    panels: tuple[Axes, Axes] = plt.subplots(1, 2, figsize=(9.5, 4), width_ratios=(1.1, 1))[1]
    left, beside = panels
    names = [name.removeprefix("blocks.").removesuffix(".conv") for name in bits]
    left.barh(names, list(bits.values()))
    left.invert_yaxis()
    plots.finish(left, title="Who got how many bits", xlabel="bits a weight")
    for kind, colour, shape in zip(
        dict.fromkeys(kind for kind, _ in right), plots.PALETTE, "so", strict=False
    ):
        found = {size / 1000: _rate(verdicts) for (one, size), verdicts in right.items() if one == kind}
        _dots(beside, found, colour, shape, kind)
    plots.finish(beside, title="Fewer mistakes for the same bytes", ylabel="correct (%)")
    beside.set_xlabel("weights (KB)")
    beside.legend(loc="lower right")
    return beside


def _rate(right: torch.Tensor) -> Interval:
    return intervals.rate(int(right.sum()), len(right))


def _dots(axes: Axes, rates: dict[Any, Interval], colour: str, shape: str, label: str = "") -> None:
    """Draw rates with their intervals; nothing is joined where nothing was measured."""
    ends = [rate.low for rate in rates.values()], [rate.high for rate in rates.values()]
    axes.vlines(list(rates), *ends, color=colour)
    values = [rate.value for rate in rates.values()]
    axes.plot(list(rates), values, shape, color=colour, label=label or None)
