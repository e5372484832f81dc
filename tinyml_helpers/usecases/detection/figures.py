"""Pictures with the boxes that were found, or that are there, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from tinyml_helpers.datasets.images.scenes import Scenes
from tinyml_helpers.usecases.detection import matches
from tinyml_helpers.usecases.detection.decode import Detections
from tinyml_helpers.usecases.vision import letterbox
from tinyml_helpers.usecases.vision.boxes import ssd_anchors

FOUND = "#E69F00"
# Anchors in each grid of the 300x300 network: 19x19 cells of three, then 10, 5, 3, 2, 1 of six.
SSD_GRIDS = (1083, 600, 150, 54, 24, 6)
_COLUMNS = 3  # pictures in a row
_ROOM = (6.6, 4.2)  # inches that one image alone may fill, and each of a row
_ROOM_IN_ROW = (2.9, 3.0)
_LETTER, _LINE = 0.09, 0.21  # inches that a letter of a label is wide, and a label high


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
    letterbox.draw_boxes(chosen, found.boxes, found.names if named else (), FOUND)
    _part_labels(chosen, image.shape, _ROOM if axes is None else _ROOM_IN_ROW)
    return chosen


def _axes() -> Axes:
    return plt.subplots(figsize=(7, 4.6))[1]


def gallery(images: Iterable[NDArray[np.uint8]], found: Iterable[Detections], title: str) -> Any:
    """Show images with their detections in a grid, under a title.

    Args:
        images: uint8, grey or RGB.
        found: for each image.
        title: what the pictures show.
    """
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
        _part_labels(axes, image.shape, _ROOM_IN_ROW)
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
    for (x1, y1, x2, y2), missed in zip(boxes, judged.missed, strict=True):
        shape = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="white", linestyle="--")
        axes.add_patch(shape)
        if missed:
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            axes.text(x1, y1, "missed", va="bottom", fontsize=10, bbox=ground)


def _part_labels(axes: Axes, shape: Sequence[int], room: tuple[float, float]) -> None:
    """Keep labels within the image, and move each that would hide one before it to the nearest gap.

    Args:
        axes: with the labels, those first that shall stay where they are.
        shape: of the image, height first.
        room: width and height, in inches, that it may fill: it tells how large a label is in it.
    """
    height, width = shape[:2]
    scale = max(width / room[0], height / room[1])  # pixels of the image in an inch
    taken: list[tuple[float, float, float]] = []
    for text in axes.texts:
        text.set_in_layout(False)  # lest one pushes the pictures apart
        wide, high = _LETTER * scale * len(text.get_text()), _LINE * scale
        x, y = text.get_position()
        x = max(min(x, width - wide), 0)
        top = y if text.get_verticalalignment() == "top" else y - high
        steps = sorted(range(-int(height / high) - 1, int(height / high) + 2), key=abs)
        places = [min(max(top + step * high, 0), height - high) for step in steps]
        free = (place for place in places if not _hides(taken, x, wide, place, high))
        top = next(free, places[0])
        taken.append((x, wide, top))
        text.set_position((x, top))
        text.set_verticalalignment("top")


def _hides(
    taken: Iterable[tuple[float, float, float]], x: float, wide: float, top: float, high: float
) -> bool:
    return any(
        x < other + width and other < x + wide and abs(top - above) < high - 1e-6
        for other, width, above in taken
    )


def show_anchors(image: NDArray[np.uint8]) -> Axes:
    """Show anchors of an SSD-MobileNet nearest to the middle: of every other grid, one colour each."""
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
