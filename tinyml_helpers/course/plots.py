"""The look of every figure in the course."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyml_helpers.course.alt_text import describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's hues, told apart by people with any common colour blindness, each dark enough for a
# line on white (a contrast of 3, as WCAG 2.2 asks of graphics); yellow, which cannot be, is left out.
# Source: Okabe and Ito, Color Universal Design, 2008.
PALETTE = ["#005A94", "#C98200", "#00805D", "#B34700", "#B85C95", "#3A9BD4", "#000000"]


def use_house_style() -> None:
    """Set fonts, colours and grid for all figures that follow, and have each say what it shows."""
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
    _carry_alt_text()


def _carry_alt_text() -> None:
    """Let each shown figure carry a text that says what it shows.

    Pages made by nbconvert, the book and JupyterLab (with the course's extension) read it from the
    picture's metadata, editors such as VS Code from the plain text beside the picture.
    """
    from IPython.core.getipython import get_ipython
    from matplotlib.figure import Figure

    shell = get_ipython()
    if shell is not None:
        # Not the formatter of image/png: matplotlib replaces that one when it chooses its backend.
        shell.display_formatter.mimebundle_formatter.for_type(Figure, _in_words)


def _in_words(figure: Figure) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return the words of a figure as a mime bundle, which the picture itself is added to."""
    if not figure.axes:
        return {}, {}
    figure.draw_without_rendering()  # only then do ticks have their labels
    words = describe(figure)
    return {"text/plain": words}, {"image/png": {"alt": words}}


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
