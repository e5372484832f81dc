"""Movements of the arm, recorded by a watch: as shipped, or your own from CSV files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from tinyml_helpers.datasets.gestures.folder import read_folder
from tinyml_helpers.datasets.gestures.recordings import UNITS, Gestures, Recording
from tinyml_helpers.system.shipped_files import DataError, read_verified


def load_gestures(folder: str | Path | None = None) -> Gestures:
    """Load recordings of an accelerometer and a gyroscope at the wrist.

    Without a folder: ten people, both arms, seven exercises for the shoulder, as shipped.

    With one: your own. A CSV file for each recording, its name `person_side_gesture_anything.csv`,
    such as `anna_left_wave_1.csv`; side is left or right. First line: the names of the columns
    `time_s, ax, ay, az, wx, wy, wz` in any order, others are ignored. `time_s` counts seconds
    and may start anywhere; ax, ay, az are in g (1 g at rest, along the axis that points up), wx, wy,
    wz in rad/s. Any steady rate from 25 to 1,000 Hz is resampled to 50 Hz.

    Args:
        folder: where your CSV files lie; None for the shipped set.

    Raises:
        DataError: no such folder, or a file that is not as said above; the message names file,
            value and cure.

    Source: the shipped set is from Burns et al., arXiv 1802.01489.
    """
    if folder is not None:
        return read_folder(Path(folder))
    with np.load(io.BytesIO(read_verified("gestures.npz")), allow_pickle=False) as arrays:
        stored = {name: arrays[name] for name in arrays.files}
    if not np.allclose(stored["units"], UNITS):
        raise DataError("data/gestures.npz has other units than this version of the course")
    classes = tuple(str(name) for name in stored["classes"])
    parts = np.split(stored["samples"], np.cumsum(stored["lengths"])[:-1])
    recordings = tuple(
        Recording(raw, str(person), "right" if right else "left", int(label), classes[label])
        for raw, person, right, label in zip(
            parts, stored["people"], stored["right"], stored["labels"], strict=True
        )
    )
    return Gestures(recordings, classes)
