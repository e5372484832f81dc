"""Pictures with the boxes that were found, or that are there, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.images.scenes import Scenes
from tinyml_helpers.usecases.detection import matches
from tinyml_helpers.usecases.detection.decode import Detections
from tinyml_helpers.usecases.vision import letterbox
from tinyml_helpers.usecases.vision.boxes import ssd_anchors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOUND = "#E69F00"
# Anchors in each grid of the 300x300 network: 19x19 cells of three, then 10, 5, 3, 2, 1 of six.
SSD_GRIDS = (1083, 600, 150, 54, 24, 6)
_COLUMNS = 3  # pictures in a row


def show(
    image: NDArray[np.uint8], found: Detections, axes: Axes | None = None, *, named: bool = True
) -> Axes:
    """Show one image, grey or RGB, with its detections, in a figure of its own or in `axes`.

    Args:
        image: uint8 [H, W] or [H, W, 3].
        found: what to draw.
        axes: where.
        named: write class and score beside each box.
    """
    chosen = axes or _axes()
    chosen.imshow(image, cmap="gray", vmin=0, vmax=255)
    chosen.set_axis_off()
    return letterbox.draw_boxes(chosen, found.boxes, found.names if named else (), FOUND)


def _axes() -> Axes:
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(7, 4.6))[1]


def gallery(images: Iterable[NDArray[np.uint8]], found: Iterable[Detections], title: str) -> Any:
    """Show images with their detections in a grid, under a title.

    Args:
        images: uint8, grey or RGB.
        found: for each image.
        title: what the pictures show.
    """
    import matplotlib.pyplot as plt

    pictures = list(zip(images, found, strict=True))
    rows = -(-len(pictures) // _COLUMNS)
    figure, grid = plt.subplots(rows, _COLUMNS, figsize=(9, 3.1 * rows + 0.4), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (image, one) in zip(grid.flat, pictures, strict=False):
        show(image, one, axes)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure


def found_over_truth(scenes: Scenes, found: Sequence[Detections], title: str) -> Any:
    """Show what a detector found in scenes (orange) over what lies there (white, dashed).

    A box that found an object bears its class and its overlap (IoU) with the true box, any other the
    word "false"; an object that no box found bears the word "missed". A match needs an overlap of 0.5.

    Args:
        scenes: to show, all of them.
        found: for each scene.
        title: what the pictures show.
    """
    import matplotlib.pyplot as plt

    rows = -(-len(scenes) // _COLUMNS)
    figure, grid = plt.subplots(rows, _COLUMNS, figsize=(9, 3.2 * rows + 0.4), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    pictures = zip(grid.flat, scenes.images, found, scenes.boxes, scenes.labels, strict=False)
    for axes, image, one, boxes, labels in pictures:
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        judged = matches.judge(one, boxes, labels)
        letterbox.draw_boxes(axes, one.boxes, _verdicts(one, judged), FOUND)
        _lower(axes, one.boxes, judged)
        _draw_truth(axes, boxes, judged)
        _keep_inside(axes, image.shape[0])
        axes.set_title(str(judged), fontsize=11, fontweight="normal", loc="center")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure


def _verdicts(found: Detections, judged: matches.Judged) -> list[str]:
    names = (found.classes[label] for label in found.labels)
    return [
        f"{name} {overlap:.2f}" if overlap else f"false: {name}"
        for name, overlap in zip(names, judged.overlaps, strict=True)
    ]


def _lower(axes: Axes, boxes: NDArray[np.float32], judged: matches.Judged) -> None:
    """Write below false boxes, which often lie over others, so that no label hides another."""
    for text, (x, _, _, bottom), false in zip(axes.texts, boxes, judged.false, strict=True):
        if false:
            text.set_position((x, bottom))
            text.set_verticalalignment("top")


def _draw_truth(axes: Axes, boxes: NDArray[np.float32], judged: matches.Judged) -> None:
    """Draw the true boxes over the others, so that their dashes are seen where both agree."""
    from matplotlib.patches import Rectangle

    for (x1, y1, x2, y2), missed in zip(boxes, judged.missed, strict=True):
        shape = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="white", linestyle="--")
        axes.add_patch(shape)
        if missed:
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            axes.text(x1, y1, "missed", va="bottom", fontsize=10, bbox=ground)


def _keep_inside(axes: Axes, side: int) -> None:
    """Keep labels off the title and whole at the right edge, and let none push the pictures apart."""
    letter = 0.033 * side
    for text in axes.texts:
        text.set_in_layout(False)
        x, y = text.get_position()
        rightmost = side - letter * len(text.get_text())
        text.set_position((max(min(x, rightmost), 0), min(max(y, 0.08 * side), 0.92 * side)))


def show_anchors(image: NDArray[np.uint8]) -> Axes:
    """Show anchors of an SSD-MobileNet nearest to the middle: of every other grid, one colour each."""
    import matplotlib.pyplot as plt

    axes, sides = _axes(), np.array(image.shape[1::-1] * 2)
    axes.imshow(image)
    axes.grid(False)
    colours = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    for number, grid in enumerate(np.split(ssd_anchors(), np.cumsum(SSD_GRIDS)[:-1])[::2], 1):
        middle = grid[np.abs(grid[:, :2] - 0.5).sum(1).argmin(), :2]
        cell = grid[(grid[:, :2] == middle).all(1)]
        corners = np.hstack([cell[:, :2] - cell[:, 2:] / 2, cell[:, :2] + cell[:, 2:] / 2])
        letterbox.draw_boxes(axes, corners * sides, colour=colours[number])
    return axes
