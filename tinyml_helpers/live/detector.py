"""Show a scene, and the tiny detector draws its boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinyml_helpers.live.page import Page, Task, encode, make
from tinyml_helpers.usecases.detection.network import ANCHOR, STRIDE

if TYPE_CHECKING:
    from tinyml_helpers.mcu import Firmware

_VARIANCES = (10, 5)  # by which training multiplied the codes: `vision.boxes.decode`
_OVERLAP = 0.4  # as in `detection.decode.read_grid`
_ABOUT = (
    "A small network looks for garments in pictures of 97 x 97 grey pixels. It learnt from scenes put "
    "together from photos of clothes, such as those below, so a camera shows it a world that it does "
    "not know: see how far it gets."
)


def page(firmware: Firmware, scenes: npt.NDArray[np.uint8], classes: Sequence[str]) -> Page:
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
    return make(firmware, Task("detector.js", "Find the garments", _ABOUT, given, height=760))
