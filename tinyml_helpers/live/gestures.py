"""Move a phone, or look at a recording, and the movement network answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinyml_helpers.datasets.gestures.recordings import RATE_HZ, UNITS
from tinyml_helpers.live.page import Page, Task, encode, make
from tinyml_helpers.usecases.gestures.features import HOP, WINDOW

if TYPE_CHECKING:
    from tinyml_helpers.mcu import Firmware

_ABOUT = (
    "A watch at the wrist, four seconds at a time: the grey part of the curves is what the network "
    "sees. Play a recording of a person whom it never met, or open the page on a phone, hold it to your "
    "wrist as a watch sits, and move. It knows {}, and has no word for anything else. A phone held "
    "otherwise has other axes."
)


def make_watch(
    firmware: Firmware,
    classes: Sequence[str],
    stream: npt.NDArray[np.int16],
    truth: npt.NDArray[np.int64],
) -> Page:
    """Make a page that feels movements.

    Args:
        firmware: a movement network behind `usecases.gestures.firmware.pipeline`.
        classes: names of its outputs.
        stream: int16 [N, 6], a recording in the units of the watch (`recordings.UNITS`) at 50 Hz, for
            who has no sensors.
        truth: int64 [N], which class each sample belongs to, -1 for none.

    Returns:
        The page.

    Raises:
        ValueError: the firmware has another pipeline, or the recording holds no window.
    """
    around = firmware.pipeline
    if around is None or around.before != "motion_features":
        raise ValueError("this firmware does not feel: build it with gestures.firmware.pipeline")
    if stream.ndim != 2 or stream.shape[1] != len(UNITS) or len(stream) <= WINDOW:
        raise ValueError(f"a recording of shape {list(stream.shape)}: give [more than {WINDOW}, 6]")
    if truth.shape != stream.shape[:1]:
        raise ValueError(f"{truth.shape[0]} labels for {len(stream)} samples: give one for each")
    given = {
        "classes": list(classes),
        "rate": RATE_HZ,
        "window": WINDOW,
        "hop": HOP,
        "units": UNITS.tolist(),
        "stream": encode(stream.astype("<i2").tobytes()),
        "truth": encode(truth.astype(np.int8).tobytes()),
    }
    about = _ABOUT.format(", ".join(classes))
    return make(firmware, Task("gestures.js", "Move your wrist", about, given, height=900))
