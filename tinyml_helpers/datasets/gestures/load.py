"""Movements of the arm, recorded by a watch: as shipped, or your own from CSV files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from tinyml_helpers.datasets.gestures.folder import read_folder
from tinyml_helpers.datasets.gestures.recordings import UNITS, Gestures, Recording
from tinyml_helpers.system import own_files
from tinyml_helpers.system.shipped_files import DataError, read_verified


def load_gestures(folder: str | Path | None = None) -> Gestures:
    """Load recordings of an accelerometer and a gyroscope at the wrist.

    Without a folder: ten people, both arms, seven exercises for the shoulder, as shipped.

    With one: your own, a CSV or text file for each recording, or a folder with a file for each sensor,
    as Edge Impulse, Sensor Logger, phyphox or a serial monitor give them. The name says whose it is:
    `person_side_gesture_anything.csv`, such as `anna_left_arm_up_1.csv`; side is left or right, and the
    gesture goes up to the first word that begins with a digit.

    Columns go by their names: a time, x, y and z of an accelerometer, and of a gyroscope if you have
    one, such as `time_s, ax, ay, az, wx, wy, wz`. Separators, decimal commas, and the units of time (s,
    ms, us, ns, dates), acceleration (g, mg, m/s²) and rotation (rad/s, degrees a second) are found out;
    gravity must be in the acceleration. Rates from 12.5 to 1,000 Hz become 50 Hz. What was assumed, and
    each file that was not used, stands under the table.

    Args:
        folder: where your CSV files lie; None for the shipped set.

    Raises:
        DataError: no such folder, or a file that is not as said above; the message names file,
            value and cure.

    Source: the shipped set is from Burns et al., arXiv 1802.01489.
    """
    if folder is not None:
        return read_folder(own_files.find(folder))
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
