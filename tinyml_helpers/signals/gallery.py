"""Pictures with the boxes that were found, or that are there, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.scenes import Scenes
from tinyml_helpers.signals import vision
from tinyml_helpers.signals.boxes import ssd_anchors
from tinyml_helpers.signals.detection import Detections

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOUND = "#E69F00"
# Anchors in each grid of the 300x300 network: 19x19 cells of three, then 10, 5, 3, 2, 1 of six.
SSD_GRIDS = (1083, 600, 150, 54, 24, 6)


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
    return vision.draw_boxes(chosen, found.boxes, found.names if named else (), FOUND)


def _axes() -> Axes:
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(7, 4.6))[1]


def gallery(
    images: Iterable[NDArray[np.uint8]], found: Iterable[Detections], title: str, columns: int = 3
) -> Any:
    """Show images with their detections in a grid, under a title.

    Args:
        images: uint8, grey or RGB.
        found: for each image.
        title: what the pictures show.
        columns: pictures in a row.
    """
    import matplotlib.pyplot as plt

    pictures = list(zip(images, found, strict=True))
    rows = -(-len(pictures) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(9, 3.1 * rows + 0.4), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (image, one) in zip(grid.flat, pictures, strict=False):
        show(image, one, axes)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure


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
        vision.draw_boxes(axes, corners * sides, colour=colours[number])
    return axes


def truth(scenes: Scenes) -> list[Detections]:
    """Return what lies in scenes as if it had been found, with a score of 1."""
    return [
        Detections(boxes, np.ones(len(labels), np.float32), labels, scenes.classes)
        for boxes, labels in zip(scenes.boxes, scenes.labels, strict=True)
    ]
