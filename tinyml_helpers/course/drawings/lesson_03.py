"""Drawings of lesson 03: a layer that trains with rounded weights, its lie, and when to train at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from tinyml_helpers.course import plots
from tinyml_helpers.course.drawings.flow import Arrow, Box, flow
from tinyml_helpers.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FakeQuantize = Callable[[torch.Tensor, torch.Tensor, int, int], torch.Tensor]
"""A function of values, scale, lowest and highest integer that returns the rounded values."""


def layer() -> Axes:
    """Draw one layer of quantization-aware training: solid what is computed, dashed what is learnt."""
    boxes = {
        "weight": Box("weight,\nkept in float", 0.0, 1.3, "learnt"),
        "fold": Box("fold the\nbatch norm", 2.3, 1.3),
        "round": Box("round to\n15 levels", 4.5, 1.3),
        "convolve": Box("convolve", 6.8, 1.3),
        "input": Box("what comes in", 6.8, 0.2, "data"),
        "loss": Box("next layers,\nloss", 6.8, 2.6, "result"),
    }
    arrows = [
        Arrow("weight", "fold"),
        Arrow("fold", "round"),
        Arrow("round", "convolve"),
        Arrow("input", "convolve"),
        Arrow("convolve", "loss"),
        Arrow(
            "loss", "fold", "gradient: past the rounding,\nas if it were not there", -0.3, dashed=True
        ),
        Arrow("fold", "weight", bend=-0.55, dashed=True),
    ]
    return flow(boxes, arrows, title="Forward it rounds, backward it pretends not to")


def decision() -> Axes:
    """Draw the way from rounding after training to training with rounded weights, cheapest first."""
    boxes = {
        "ptq": Box("1. round after\ntraining: 8 bits,\nper channel", 0.0, 0.0),
        "cheap": Box("2. new batch\nnorms, ranges;\nequalized layers", 3.1, 0.0),
        "asked": Box("labels, training\ncode, time?", 6.2, 0.0, "data"),
        "ship": Box("ship it", 0.0, 2.0, "result"),
        "qat": Box("3. train with\nrounded weights,\nfreeze late", 3.1, 2.0),
        "else": Box("more bits where\nit hurts, or a\nlarger network", 6.2, 2.0, "learnt"),
    }
    arrows = [
        Arrow("ptq", "cheap", "not\nyet"),
        Arrow("cheap", "asked", "not\nyet"),
        Arrow("asked", "qat", "yes"),
        Arrow("asked", "else", "no"),
        Arrow("ptq", "ship", "good enough"),
        Arrow("cheap", "ship", "good enough"),
        Arrow("qat", "ship", "good enough"),
        Arrow("qat", "else", "not yet"),
    ]
    return flow(boxes, arrows, title="Training comes last: stop as soon as it is good enough")


def staircase(
    fake_quantize: FakeQuantize, weights: torch.Tensor, *, bits: int, range_percent: float
) -> Axes:
    """Draw what rounding does to weights, above its true derivative and the one that it is given.

    Args:
        fake_quantize: rounds values, and hands a gradient back.
        weights: float32, any shape; each is a dot.
        bits: of the rounded weights.
        range_percent: how much of the largest magnitude the integers reach.

    Returns:
        The lower axes, with the derivatives.
    """
    import matplotlib.pyplot as plt

    top = 2 ** (bits - 1) - 1
    reach = weights.detach().abs().max()
    scale = range_percent / 100 * reach / top
    line = torch.linspace(-float(reach), float(reach), 2001, requires_grad=True)
    stairs = fake_quantize(line, scale, -top, top)
    (slope,) = torch.autograd.grad(stairs.sum(), line)
    dots = weights.detach().flatten()
    clipped = int((_slope_at(fake_quantize, dots, scale, top) == 0).sum())
    lower: Axes
    upper, lower = plt.subplots(2, 1, figsize=(8, 5), sharex=True)[1]
    x = line.detach().numpy()
    upper.plot(x, stairs.detach().numpy(), label="rounded")
    rounded = fake_quantize(dots, scale, -top, top)
    upper.plot(dots, rounded, "o", alpha=0.5, label=f"{len(dots)} weights of a layer")
    levels = f"Rounding leaves {2 * top + 1} levels"
    plots.finish(upper, title=levels, ylabel="rounded weight")
    upper.set_label(f"Drawing: {levels}; stairs, and a dot for each of {len(dots)} weights")
    lower.plot(x, slope.numpy(), label="straight-through: 1 in the range")
    edges = scale.item() * (np.arange(-top, top) + 0.5)
    lower.vlines(edges, 0, 1.6, plots.PALETTE[3], label="true: 0, endless at jumps")
    lower.plot(edges, np.full(len(edges), 1.6), "^", color=plots.PALETTE[3])
    lower.axhline(0, color=plots.PALETTE[3], linewidth=1)
    lower.set_ylim(-0.15, 2.4)
    title = f"{clipped} of {len(dots)} weights are clipped, and cannot learn"
    plots.finish(lower, title=title, xlabel="weight", ylabel="gradient")
    lower.legend(loc="upper left", ncols=2)
    lower.set_label(
        f"Drawing: {title}; the straight-through gradient is 1 in the range and 0 outside, "
        f"the true one 0 with a spike at each of {len(edges)} jumps"
    )
    return lower


def _slope_at(
    fake_quantize: FakeQuantize, values: torch.Tensor, scale: torch.Tensor, top: int
) -> torch.Tensor:
    """Return the gradient that `fake_quantize` hands to each of some values, of their shape."""
    values = values.clone().requires_grad_()
    return torch.autograd.grad(fake_quantize(values, scale, -top, top).sum(), values)[0]


def dots(found: Mapping[str, Interval], *, title: str, xlabel: str) -> Axes:
    """Draw figures as dots with their intervals, the largest on top.

    Args:
        found: by what they are of.
        title: the finding.
        xlabel: what they are, with the unit.
    """
    import matplotlib.pyplot as plt

    rows = sorted(found.items(), key=lambda row: row[1].value)
    axes = plt.subplots(figsize=(8, 1.1 + 0.36 * len(rows)))[1]
    for label, one in rows:
        reach = [[one.value - one.low], [one.high - one.value]]
        axes.errorbar([one.value], [label], xerr=reach, fmt="o", capsize=4, color=plots.PALETTE[0])
        axes.annotate(f"{one.value:.1f}", (one.value, label), (0, 7), textcoords="offset points")
    axes.margins(x=0.08, y=0.12)
    plots.finish(axes, title=title, xlabel=xlabel)
    said = ", ".join(f"{label} {one.value:.1f} ({one.low:.1f} to {one.high:.1f})" for label, one in rows)
    axes.set_label(f"Drawing: {title}; {xlabel}: {said}")
    return axes


def by_bits(rates: pd.DataFrame, *, title: str) -> Axes:
    """Draw rates with their intervals over the number of bits, from many to few.

    Args:
        rates: an `Interval` for each method (rows) and number of bits (columns).
        title: the finding.
    """
    import matplotlib.pyplot as plt

    axes: Axes = plt.subplots()[1]
    for (label, row), style in zip(rates.iterrows(), (":", "o-", "s--", "^-."), strict=False):
        (drawn,) = axes.plot(rates.columns, [one.value for one in row], style, label=str(label))
        ends = [one.low for one in row], [one.high for one in row]
        axes.vlines(rates.columns, *ends, color=drawn.get_color())
    axes.set_xlim(max(rates.columns) + 0.2, min(rates.columns) - 0.2)
    return plots.finish(axes, title=title, xlabel="bits a weight", ylabel="correct (%), 95 % interval")
