"""Put a phone beside a machine, and the vibration network tells when it no longer sounds as it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinyml_helpers.datasets.vibration.simulator.excitation import RATE_HZ
from tinyml_helpers.live.page import Page, Task, encode, make
from tinyml_helpers.usecases.anomaly.features import FEATURES

if TYPE_CHECKING:
    from tinyml_helpers.mcu import Firmware
    from tinyml_helpers.mcu.pipeline import Pipeline

LEARN = 20
"""Segments of half a second that give what is usual, and as many again for how much that varies."""
RECORDED_LEARN = 8
"""The same, of the recording that a page brings: it has to be small."""
MARGIN = 1.5
"""Times the highest healthy score: no alarm in 960 checks of the eight held-out machines."""
_KERNEL, _TABLES = "vibration.c", "vibration_tables.h"
_LEARNING = """
/* Of a page, which learns what is usual: the features as they are, and what turns them into steps. */
static float usual[2 * BANDS];

__attribute__((export_name("features"))) float *page_features(void) {
    for (int band = 0; band < BANDS; band++) {
        const float away = sum[band] / FRAMES, square = squares[band] / FRAMES;
        usual[band] = first[band] + away;
        usual[BANDS + band] = root(square - away * away);
    }
    return usual;
}

__attribute__((export_name("offset"))) float *page_offset(void) { return offset; }
__attribute__((export_name("factor"))) const float *page_factor(void) { return factor; }
"""
_ABOUT = (
    "Put the device beside a running machine, press the button, and allow the microphone. For twenty "
    "seconds it learns how the healthy machine sounds; then change something: tape a coin to a blade of "
    "a fan, or hold something against it. The network learnt from simulated machines, as a sensor for "
    "vibration on their housing would feel them, and never met a real one or a microphone: only what it "
    "learns in those seconds is about yours, and it cannot say what has changed. Speech is a change, "
    "too. It takes sound, because it needs 16,000 values a second, as in the lesson: the motion sensor "
    "of a phone gives 60 to 100, and feels nothing above 50 Hz, while a damaged bearing rings at "
    "thousands. The recording is simulated."
)


def make_guard(
    firmware: Firmware,
    baseline: npt.NDArray[np.float32],
    recording: npt.NDArray[np.int16],
    truth: Sequence[str],
) -> Page:
    """Make a page that learns how a machine sounds, and guards it.

    Args:
        firmware: the autoencoder behind `usecases.anomaly.firmware.pipeline`.
        baseline: float32 [FEATURES], with which that pipeline was made.
        recording: int16 [N, samples], segments of one machine, of which the first
            2 * `RECORDED_LEARN` are healthy; kept in 8 bits.
        truth: what the machine was like in each segment.

    Returns:
        The page.

    Raises:
        ValueError: the firmware has another pipeline, or the recording is too short or of another size.
    """
    around = firmware.pipeline
    if around is None or _KERNEL not in around.files:
        raise ValueError("this firmware does not guard: build it with anomaly.firmware.pipeline")
    if baseline.shape != (FEATURES,):
        raise ValueError(f"a baseline of shape {list(baseline.shape)}: give [{FEATURES}]")
    least = 2 * RECORDED_LEARN + 1
    if recording.ndim != 2 or recording.shape[1] != around.count or len(recording) < least:
        wanted = f"[{least} or more, {around.count}]"
        raise ValueError(f"a recording of shape {list(recording.shape)}: give {wanted}")
    if len(truth) != len(recording):
        raise ValueError(f"{len(truth)} labels for {len(recording)} segments: give one for each")
    count = -(-int(np.abs(recording.astype(np.int32)).max()) // 127) or 1
    given = {
        "rate": RATE_HZ,
        "segment": around.count,
        "learn": LEARN,
        "recorded_learn": RECORDED_LEARN,
        "margin": MARGIN,
        "baseline": encode(baseline.astype("<f4").tobytes()),
        "count": count,
        "recording": encode(np.rint(recording / count).astype(np.int8).tobytes()),
        "truth": list(truth),
    }
    task = Task("vibration.js", "Guard a machine", _ABOUT, given, height=900)
    return make(firmware, task, _that_learns(around))


def _that_learns(around: Pipeline) -> Pipeline:
    """The same C, but for its baseline, which a page sets, and with what it needs for that."""
    tables = around.files[_TABLES].replace("const float offset[", "float offset[")
    return replace(
        around, files={**around.files, _TABLES: tables, _KERNEL: around.files[_KERNEL] + _LEARNING}
    )
