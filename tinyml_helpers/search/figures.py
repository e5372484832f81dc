"""The picture of a search: score against instructions, bytes as size, the front as a line."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from tinyml_helpers.search.budgets import Budgets
from tinyml_helpers.search.front import Candidate, Candidates

# Okabe and Ito's colours; shape and filling say the same for those who see none.
_ALLOWED, _FORBIDDEN, _LINE = "#009E73", "#9A9A9A", "#0072B2"


def front(found: Candidates, budgets: Budgets, axes: Axes) -> Axes:
    """Draw every design: allowed ones as filled discs, others as crosses, the front as a step line.

    A thin line reaches from the score of the worst seed to that of the best, with a mark for each.

    Args:
        found: designs on one device.
        budgets: that decide what is allowed.
        axes: where to draw.
    """
    best = sorted(found.front, key=lambda one: one.instructions)
    axes.plot(*_places(best), color=_LINE, drawstyle="steps-post", zorder=1, label="the front")
    allowed = [one for one in found if budgets.allow(one)]
    _scatter(axes, [one for one in found if one not in allowed], _FORBIDDEN, "x", "beyond a budget")
    _scatter(axes, allowed, _ALLOWED, "o", "meets every budget")
    for one in found:
        x = one.instructions / 1000
        axes.vlines(x, one.low, one.high, color="#555555", linewidth=1, zorder=2)
        axes.scatter([x] * len(one.scores), one.scores, marker="_", color="#555555", zorder=2)
    for place, one in enumerate(best):
        below = place % 2 == 1
        axes.annotate(
            str(one.settings), (one.instructions / 1000, one.score), fontsize=9,
            xytext=(6, -14 if below else 8), textcoords="offset points",
        )  # fmt: skip
    if budgets.score:
        axes.axhline(budgets.score, color="#D55E00", linewidth=1, linestyle="--", label="least score")
    axes.margins(x=0.2, y=0.15)
    return axes


def _places(found: Sequence[Candidate]) -> tuple[list[float], list[float]]:
    return [one.instructions / 1000 for one in found], [one.score for one in found]


def _scatter(axes: Axes, found: Sequence[Candidate], colour: str, marker: str, label: str) -> None:
    # Area in proportion to the bytes of the file.
    sizes = [one.tflite_bytes / 80 for one in found]
    axes.scatter(*_places(found), s=sizes, color=colour, marker=marker, label=label, zorder=3)
