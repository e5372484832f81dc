"""The look of every figure in the course."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, told apart by people with any common colour blindness.
# Source: Okabe and Ito, Color Universal Design, 2008; yellow is left out, too pale on white.
PALETTE = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000"]


def use_house_style() -> None:
    """Set fonts, colours and grid for all figures that follow."""
    import matplotlib.pyplot as plt
    from cycler import cycler

    plt.rcParams.update(
        {
            "figure.figsize": (8, 3.6),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "font.size": 12,
            "axes.titlesize": 13,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#E0E0E0",
            "axes.prop_cycle": cycler(color=PALETTE),
            "lines.linewidth": 2,
            "legend.frameon": False,
            "image.cmap": "gray",
        }
    )


def finish(axes: Axes, *, title: str, xlabel: str = "", ylabel: str = "") -> Axes:
    """Label a figure and return its axes.

    Args:
        axes: the axes to label.
        title: the finding in a few words, not the subject.
        xlabel: with its unit.
        ylabel: with its unit.
    """
    axes.set_title(title)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    return axes


def show_image(axes: Axes, image: object, title: str = "") -> Axes:
    """Draw a grey image [H, W] without ticks, under a small title."""
    axes.imshow(image)  # type: ignore[arg-type]
    axes.set_axis_off()
    axes.set_title(title, fontsize=11, fontweight="normal", loc="center")
    return axes
