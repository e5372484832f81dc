"""Drawings of lesson 05: who learns from whom, gains by seed, and which garment is taken for which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tinyml_helpers import intervals
from tinyml_helpers.course import plots
from tinyml_helpers.course.drawings.flow import Arrow, Box, flow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROOM = "\n" * 5  # lines of a box that a picture will cover
_BOXES = {
    "image": Box(f"one image{_ROOM}", 0.1, 1.4, "data"),
    "teacher": Box("teacher: large\n(stays as it is)", 1.95, 0.1),
    "student": Box("student: tiny\n(learns)", 1.95, 2.7, "learnt"),
    "theirs": Box(f"teacher's answers, softened{_ROOM}", 4.4, 0.1, "data"),
    "ours": Box(f"student's answers, softened{_ROOM}", 4.4, 2.7, "data"),
    "loss": Box("loss: how far\nthey are apart", 7.0, 1.4, "result"),
    "label": Box("the label", 7.0, -0.15, "data"),
}
_ARROWS = (
    Arrow("image", "teacher"),
    Arrow("image", "student"),
    Arrow("teacher", "theirs"),
    Arrow("student", "ours"),
    Arrow("theirs", "loss"),
    Arrow("ours", "loss"),
    Arrow("label", "loss"),
    Arrow("loss", "ours", "gradient", dashed=True, bend=-0.35),
    Arrow("ours", "student", dashed=True, bend=-0.5),
)


def set_up(image: ArrayLike, teacher: ArrayLike, student: ArrayLike) -> Axes:
    """Draw how a student is taught: one image, two networks, their answers, and one loss.

    Args:
        image: grey [H, W].
        teacher: its softened probabilities [classes], drawn as bars.
        student: the student's.

    Returns:
        The axes.
    """
    axes = flow(_BOXES, _ARROWS, title="The gradient reaches the student alone")
    _inset(axes, _BOXES["image"], 0.85, 0.85).imshow(np.asarray(image), cmap="gray")
    answers = np.array([np.asarray(teacher), np.asarray(student)])
    for name, shares, colour in zip(("theirs", "ours"), answers, plots.PALETTE, strict=False):
        bars = _inset(axes, _BOXES[name], 1.5, 0.8)
        bars.bar(range(len(shares)), shares, color=colour)
        bars.set_ylim(0, 1.05 * answers.max())
    return axes


def _inset(axes: Axes, box: Box, width: float, height: float) -> Axes:
    """Open room for a picture in the lower part of a box, in inches."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    across, up = right - left, bottom - top
    place = ((box.x - width / 2 - left) / across, (bottom - box.y - height + 0.28) / up)
    inset = axes.inset_axes((*place, width / across, height / up), zorder=5)
    inset.set(xticks=[], yticks=[])
    inset.spines[["left", "bottom"]].set_visible(False)
    return inset


def show_gains(gains: Mapping[str, ArrayLike], *, title: str) -> Axes:
    """Draw gains of some kinds of students: a grey dot for each seed, and the mean with its interval.

    Args:
        gains: points by seed, for each kind, in words; or a table with a column for each.
        title: the finding.

    Returns:
        The axes; the interval of each kind stands at its end in figures.
    """
    import matplotlib.pyplot as plt

    kinds = list(gains)
    axes = plt.subplots(figsize=(9, 0.9 + 0.48 * len(kinds)))[1]
    heard = []
    for row, (kind, by_seed) in enumerate(gains.items()):
        points = np.asarray(by_seed, np.float64)
        found = intervals.over_groups(points, "points", "seeds")
        axes.plot(points, np.full(len(points), row), "o", color="0.65")
        axes.errorbar(
            found.value, row, xerr=found.half_width, fmt="D", capsize=5, color=plots.PALETTE[0]
        )
        said = f"{found.value:+z.1f} ({found.low:+z.1f} to {found.high:+z.1f}), n = {found.n}"
        axes.text(1.01, row, said, transform=axes.get_yaxis_transform(), va="center", fontsize=10)
        heard.append(f"{kind}: {said}")
    axes.axvline(0, color="0.3", linewidth=1)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.set_label(f"Drawing: {title}; gain in points, with its interval; " + "; ".join(heard))
    return plots.finish(axes, title=title, xlabel="gain over the student alone (points)")


def show_changes(before: ArrayLike, after: ArrayLike, names: Sequence[str], *, title: str) -> Axes:
    """Draw how a confusion matrix changes: shares [true class, taken for], the last column others.

    Args:
        before: shares in percent, [classes, classes + 1].
        after: the same of another network, or the mean of some.
        names: of the classes.
        title: the finding.

    Returns:
        The axes; each field holds its change in points, and below it before and after.
    """
    import matplotlib.pyplot as plt

    was, became = np.asarray(before, np.float64), np.asarray(after, np.float64)
    change, taken_for = became - was, [*names, "other"]
    axes = plt.subplots(figsize=(7.5, 3.9))[1]
    reach = 1.8 * float(np.abs(change).max())  # keeps the ends of the colours light enough for words
    axes.imshow(change, cmap="BrBG", vmin=-reach, vmax=reach, aspect="auto")
    heard = []
    for (row, column), points in np.ndenumerate(change):
        both = f"{was[row, column]:.0f} to {became[row, column]:.0f} %"
        axes.text(column, row, f"{points:+z.1f}\n{both}", ha="center", va="center", fontsize=10)
        heard.append(f"{names[row]} taken for {taken_for[column]} {points:+z.1f}")
    axes.set_xticks(range(len(taken_for)), taken_for)
    axes.set_yticks(range(len(names)), names)
    axes.set_label(f"Drawing: {title}; change in points; " + "; ".join(heard))
    plots.finish(axes, title=title, xlabel="taken for", ylabel="is").grid(False)
    return axes
