"""Boxes and arrows: the shape of most drawings in the lessons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyml_helpers.course import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

_FILLS = {
    "data": "#FFFFFF",
    "step": "#DCE9F3",
    "learnt": "#FBE8C8",
    "result": "#D5EBE3",
    "faded": "#F2F2F2",
}
_MARGINS = (0.85, 0.5)  # inches from the middles of the outermost boxes to the edge
_TITLE = 0.4
_MOST_SAID = 24  # arrows that a screen reader is told


@dataclass(frozen=True)
class Box:
    """A box of a drawing: its `text`, and in inches the middle of its place, `x` right and `y` down.

    `kind` gives its colour: "data", "step" (what is computed), "learnt" (what training changes),
    "result", or "faded" for what is left out.
    """

    text: str
    x: float
    y: float = 0.0
    kind: str = "step"


@dataclass(frozen=True)
class Arrow:
    """An arrow from one box to another, by their names; `text` stands beside it, `bend` curves it.

    `dashed` is for what flows in training only, or against the direction of the computation.
    """

    start: str
    end: str
    text: str = ""
    bend: float = 0.0
    dashed: bool = False


def flow(boxes: Mapping[str, Box], arrows: Iterable[Arrow], *, title: str) -> Axes:
    """Draw boxes and the arrows between them; a screen reader hears the arrows one after the other.

    Args:
        boxes: by name. A page is 9 inches wide, which leaves 0 to 7.3 for the middles of the boxes.
        arrows: between names of boxes.
        title: what the drawing says.

    Returns:
        The axes, for what a lesson adds, in inches as the boxes.

    Raises:
        ValueError: an arrow names a box that is not there, or a box is of an unknown kind.
    """
    import matplotlib.pyplot as plt

    arrows = list(arrows)
    if unknown := {name for arrow in arrows for name in (arrow.start, arrow.end)} - set(boxes):
        raise ValueError(f"no box is called {', '.join(sorted(unknown))}: there are {', '.join(boxes)}")
    if unknown := {box.kind for box in boxes.values()} - set(_FILLS):
        raise ValueError(f"unknown kind {', '.join(sorted(unknown))}: choose {', '.join(_FILLS)}")
    tops = [_middle(arrow, boxes) for arrow in arrows]
    xs, ys = zip(*[(box.x, box.y) for box in boxes.values()], *tops, strict=True)
    left, right = min(xs) - _MARGINS[0], max(xs) + _MARGINS[0]
    top, bottom = min(ys) - _MARGINS[1], max(ys) + _MARGINS[1]
    width, height = right - left, bottom - top
    figure = plt.figure(figsize=(width, height + _TITLE), layout="none")
    axes = figure.add_axes((0.0, 0.0, 1.0, height / (height + _TITLE)))
    axes.set_axis_off()
    axes.set(xlim=(left, right), ylim=(bottom, top))
    drawn = {name: _draw_box(axes, box) for name, box in boxes.items()}
    for arrow, middle in zip(arrows, tops, strict=True):
        _draw_arrow(axes, arrow, boxes, drawn, middle)
    plots.finish(axes, title=title)
    axes.set_label(_in_words(title, boxes, arrows))
    figure.draw_without_rendering()  # only then do boxes have the size at which arrows end
    return axes


def _middle(arrow: Arrow, boxes: Mapping[str, Box]) -> tuple[float, float]:
    """Where the middle of an arrow lies: a bent one passes the straight line by half of its bend."""
    start, end = boxes[arrow.start], boxes[arrow.end]
    across, down = end.x - start.x, end.y - start.y
    x = (start.x + end.x - arrow.bend * down) / 2
    return x, (start.y + end.y + arrow.bend * across) / 2


def _draw_box(axes: Axes, box: Box) -> Patch | None:
    style = {
        "boxstyle": "round,pad=0.45",
        "facecolor": _FILLS[box.kind],
        "edgecolor": "#8C8C8C" if box.kind == "faded" else plots.PALETTE[0],
    }
    text = axes.text(
        box.x,
        box.y,
        box.text,
        ha="center",
        va="center",
        fontsize=11,
        linespacing=1.35,
        bbox=style,
        zorder=3,
    )
    return text.get_bbox_patch()


def _draw_arrow(
    axes: Axes,
    arrow: Arrow,
    boxes: Mapping[str, Box],
    drawn: Mapping[str, Patch | None],
    middle: tuple[float, float],
) -> None:
    start, end = boxes[arrow.start], boxes[arrow.end]
    look = {
        "arrowstyle": "-|>",
        "color": "#404040",
        "linewidth": 1.5,
        "linestyle": "--" if arrow.dashed else "-",
        "connectionstyle": f"arc3,rad={arrow.bend}",
        "patchA": drawn[arrow.start],
        "patchB": drawn[arrow.end],
        "shrinkA": 2,
        "shrinkB": 2,
    }
    # After its boxes: where a page is cut to size, as notebooks do, they move before they are drawn.
    axes.annotate("", (end.x, end.y), (start.x, start.y), arrowprops=look, zorder=3.5)
    if arrow.text:
        paper = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.9}
        axes.text(*middle, arrow.text, ha="center", va="center", fontsize=10, bbox=paper, zorder=4)


def _in_words(title: str, boxes: Mapping[str, Box], arrows: list[Arrow]) -> str:
    said = [
        f"{boxes[arrow.start].text} {f'({arrow.text}) ' if arrow.text else ''}→ {boxes[arrow.end].text}"
        for arrow in arrows[:_MOST_SAID]
    ]
    met = {name for arrow in arrows for name in (arrow.start, arrow.end)}
    said += [box.text for name, box in boxes.items() if name not in met]
    return f"Drawing: {title}; " + "; ".join(" ".join(one.split()) for one in said)
