"""Pages that look: a pad to draw on for a classifier, scenes and a camera for the tiny detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinyml_helpers.live.page import Page, Task, encode, make
from tinyml_helpers.usecases.detection.grid import ANCHOR, STRIDE

if TYPE_CHECKING:
    from tinyml_helpers.mcu import Firmware

_PIXELS = 28 * 28
_VARIANCES = (10, 5)  # by which training multiplied the codes: `vision.boxes.decode`
_OVERLAP = 0.4  # as in `detection.decode.read_grid`
_DRAW = (
    "Draw on the black square: a compiled network looks at its 28 x 28 pixels and names what it sees. "
    "It learnt from photos of clothes and never saw a drawing, so expect mistakes: filled shapes are "
    "closest to what it knows."
)
_DRAW_YOURS = (
    "Draw on the black square: your compiled network looks at its 28 x 28 pixels, bright on black, and "
    "names what it sees."
)
_SHOW = (
    "A small network looks for garments in pictures of 97 x 97 grey pixels. It learnt from scenes put "
    "together from photos of clothes, such as those below, so a camera shows it a world that it does "
    "not know: see how far it gets."
)


def make_pad(firmware: Firmware, photos: npt.NDArray[np.uint8], classes: Sequence[str]) -> Page:
    """Make a page to draw on.

    Args:
        firmware: a classifier of one picture of 784 values, 0 to 1 as real numbers, without a pipeline.
        photos: uint8 [N, 28, 28], with which one may begin, garments; none for a network that knows
            something else.
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
        "Draw a garment" if len(photos) else "Draw",
        _DRAW if len(photos) else _DRAW_YOURS,
        {"classes": list(classes), "photos": [encode(photo.tobytes()) for photo in photos]},
        height=800,
    )
    return make(firmware, task)


def make_viewer(firmware: Firmware, scenes: npt.NDArray[np.uint8], classes: Sequence[str]) -> Page:
    """Make a page that finds objects.

    Args:
        firmware: the tiny detector behind `usecases.detection.firmware.pipeline`.
        scenes: uint8 [N, side, side], N at least 1.
        classes: what it looks for.

    Returns:
        The page.

    Raises:
        ValueError: the firmware has another pipeline, or scenes another size.
    """
    around = firmware.pipeline
    if around is None or around.before != "peaks_pixels":
        raise ValueError("this firmware does not look for objects: build it with detection.firmware")
    side = round(around.count**0.5)
    if scenes.shape[1:] != (side, side) or not len(scenes):
        raise ValueError(f"scenes of shape {list(scenes.shape)}: give [1 or more, {side}, {side}]")
    given = {
        "classes": list(classes),
        "side": side,
        "stride": STRIDE,
        "anchor": ANCHOR,
        "variances": _VARIANCES,
        "overlap": _OVERLAP,
        "scenes": [encode(scene.tobytes()) for scene in scenes],
    }
    return make(firmware, Task("detector.js", "Find the garments", _SHOW, given, height=760))
