"""Put a phone beside a machine, and the vibration network tells when it no longer sounds as it did."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinyml_helpers.datasets.vibration.simulator.excitation import RATE_HZ
from tinyml_helpers.live.page import Page, Task, encode, make
from tinyml_helpers.usecases.anomaly.features import FEATURES

if TYPE_CHECKING:
    from tinyml_helpers.datasets.vibration.load import Vibration
    from tinyml_helpers.mcu import Firmware
    from tinyml_helpers.mcu.pipeline import Pipeline

LEARN = 20
"""Segments of half a second that give what is usual, and as many again for how much that varies."""
RECORDED_LEARN = 8
"""The same, of the recording that a page brings: it has to be small."""
MARGIN = 1.5
"""Times the highest healthy score: no alarm in 960 checks of the eight held-out machines."""
_EACH = 5
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
    "Put this device beside a running machine and let it listen for twenty seconds, or lay a phone on "
    "it and let it feel for a minute. It learns how the healthy machine sounds or shakes; then change "
    "something: tape a coin to a blade of a fan, or hold something against it. Speech is a change, too. "
    "The network learnt from simulated machines, at 16,000 values a second, and never met a real one. A "
    "phone's motion sensor gives 60 to 100: it feels slow shaking, below 30 Hz, which goes in sixteen "
    "times as fast, and no damaged bearing. What has changed it cannot say. The recording is simulated."
)


def excerpt(own: Vibration) -> Vibration:
    """Cut a recording for a page: to learn from, then a little that is healthy and a little that is not.

    Args:
        own: segments of one machine; of the damaged ones the last are taken.
    """
    learnt = np.flatnonzero(own.healthy)[: 2 * RECORDED_LEARN + _EACH]
    rows = np.zeros(len(own), bool)
    rows[[*learnt, *np.flatnonzero(~own.healthy)[-_EACH:]]] = True
    return own.take(rows)


def make_guard(firmware: Firmware, baseline: npt.NDArray[np.float32], recording: Vibration) -> Page:
    """Make a page that learns how a machine sounds, and guards it.

    Args:
        firmware: the autoencoder behind `usecases.anomaly.firmware.pipeline`.
        baseline: float32 [FEATURES], with which that pipeline was made.
        recording: of one machine, healthy for the first 2 * `RECORDED_LEARN` segments: see `excerpt`.
            The page keeps it in 8 bits.

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
    least, samples = 2 * RECORDED_LEARN + 1, recording.samples
    if samples.shape[1] != around.count or len(samples) < least or not recording.healthy[:least].all():
        raise ValueError(
            f"a recording of shape {list(samples.shape)}: give [{least} or more, {around.count}], "
            "the first of them healthy"
        )
    count = -(-int(np.abs(samples.astype(np.int32)).max()) // 127) or 1
    wide = np.where(recording.fault == "unbalance", 0, recording.size_mm)
    pits = zip(recording.fault, wide, strict=True)
    given = {
        "rate": RATE_HZ,
        "segment": around.count,
        "learn": LEARN,
        "recorded_learn": RECORDED_LEARN,
        "margin": MARGIN,
        "baseline": encode(baseline.astype("<f4").tobytes()),
        "count": count,
        "recording": encode(np.rint(samples / count).astype(np.int8).tobytes()),
        "truth": [f"{fault}, {size:g} mm" if size else str(fault) for fault, size in pits],
    }
    task = Task("vibration.js", "Guard a machine", _ABOUT, given, height=900)
    return make(firmware, task, _that_learns(around))


def _that_learns(around: Pipeline) -> Pipeline:
    """The same C, but for its baseline, which a page sets, and with what it needs for that."""
    tables = around.files[_TABLES].replace("const float offset[", "float offset[")
    return replace(
        around, files={**around.files, _TABLES: tables, _KERNEL: around.files[_KERNEL] + _LEARNING}
    )
