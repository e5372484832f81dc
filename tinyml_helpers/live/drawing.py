"""Draw a garment, and a classifier of grey pictures of 28 x 28 pixels answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinyml_helpers.live.page import Page, Task, encode, make

if TYPE_CHECKING:
    from tinyml_helpers.mcu import Firmware

_PIXELS = 28 * 28
_ABOUT = (
    "Draw on the black square: a compiled network looks at its 28 x 28 pixels and names what it sees. "
    "It learnt from photos of clothes and never saw a drawing, so expect mistakes: filled shapes are "
    "closest to what it knows."
)


def page(firmware: Firmware, photos: npt.NDArray[np.uint8], classes: Sequence[str]) -> Page:
    """Make a page to draw on.

    Args:
        firmware: a classifier of one picture of 784 values, 0 to 1 as real numbers, without a pipeline.
        photos: uint8 [N, 28, 28], with which one may begin instead of an empty pad; N at least 1.
        classes: what the outputs stand for, one name each.

    Returns:
        The page.

    Raises:
        ValueError: the network takes another input or gives another number of scores.
    """
    graph = firmware.program.graph
    given, asked = (graph.tensors[ends[0]] for ends in (graph.inputs, graph.outputs))
    if len(graph.inputs) != 1 or np.prod(given.shape) != _PIXELS or firmware.pipeline:
        raise ValueError(f"a drawing has {_PIXELS} pixels, and this network takes {list(given.shape)}")
    if np.prod(asked.shape) != len(classes):
        raise ValueError(
            f"{len(classes)} classes for {np.prod(asked.shape)} scores: give a name for each"
        )
    task = Task(
        "drawing.js",
        "Draw a garment",
        _ABOUT,
        {"classes": list(classes), "photos": [encode(photo.tobytes()) for photo in photos]},
        height=720,
    )
    return make(firmware, task)
