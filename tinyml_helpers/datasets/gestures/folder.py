"""Your own recordings of movements: a CSV file each, checked before it is used."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.gestures.recordings import AXES, RATE_HZ, UNITS, Gestures, Recording
from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.untrusted import MOST_VALUE, check_size, one_line

SHORTEST_S = 5
RATES_HZ = (25, 1000)
_COLUMNS = ("time_s", *AXES)
_SIDES = ("left", "right")


def read_folder(folder: Path) -> Gestures:
    """Read every CSV file of a folder; `load_gestures` says what one looks like.

    Raises:
        DataError: no such folder, no such file in it, a file that is not as it should be, or fewer
            than two gestures.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}: give the one that your CSV files lie in")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    if not paths:
        raise DataError(f"no CSV file in {folder}: name them like anna_left_wave_1.csv")
    named = [_parts(path) for path in paths]
    classes = tuple(sorted({gesture for _, _, gesture in named}))
    if len(classes) < 2:
        raise DataError(f"all files in {folder} are of {classes[0]!r}: record a second gesture")
    recordings = [
        Recording(read_recording(path), person, side, classes.index(gesture), gesture)
        for path, (person, side, gesture) in zip(paths, named, strict=True)
    ]
    return Gestures(tuple(recordings), classes)


def read_recording(path: Path) -> NDArray[np.int16]:
    """Read one CSV file as raw integers [N, 6] at 50 Hz, in the units of the shipped set.

    What lies beyond +-8 g or +-2,000 degrees a second is clipped, as a sensor would.

    Raises:
        DataError: it is not as `load_gestures` says.
    """
    table = _table(path)
    time, values = table[:, 0], table[:, 1:]
    rate_hz = _rate(path.name, time)
    _check_units(path.name, values)
    even = time[0] + np.arange(int((time[-1] - time[0]) * rate_hz) + 1) / rate_hz
    steady = np.column_stack([np.interp(even, time, column) for column in values.T])
    raw: NDArray[np.int16] = (
        np.round(_resampled(steady, rate_hz) / UNITS).clip(-32768, 32767).astype(np.int16)
    )
    if len(raw) < SHORTEST_S * RATE_HZ:
        raise DataError(f"{path.name} lasts {len(raw) / RATE_HZ:.1f} s: record at least {SHORTEST_S} s")
    return raw


def _parts(path: Path) -> tuple[str, str, str]:
    person, side, gesture, *_ = (*path.stem.split("_"), "", "", "")
    if not (person and gesture) or side not in _SIDES:
        raise DataError(
            f"{path.name}: name it person_side_gesture_anything.csv, with left or right as side, "
            "such as anna_left_wave_1.csv"
        )
    return person, side, gesture


def _table(path: Path) -> NDArray[np.float64]:
    """The columns in our order, [N, 7]."""
    try:
        check_size(path)
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            places = _places(path.name, [name.strip().lower() for name in next(lines, [])])
            return np.array(list(_rows(path.name, lines, places))).reshape(-1, len(_COLUMNS))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path.name} cannot be read ({one_line(error)}): save it as CSV in UTF-8"
        ) from error


def _places(name: str, header: list[str]) -> list[int]:
    for column in _COLUMNS:
        if header.count(column) != 1:
            found = one_line(", ".join(header)) or "nothing"
            raise DataError(
                f"{name} has {header.count(column)} columns {column!r}: its first line must name "
                f"{', '.join(_COLUMNS)} once each; found: {found}"
            )
    return [header.index(column) for column in _COLUMNS]


def _rows(name: str, lines: Any, places: list[int]) -> Iterator[list[float]]:
    for row in lines:
        if not row:
            continue
        try:
            numbers = [float(row[place]) for place in places]
        except (ValueError, IndexError) as error:
            raise DataError(
                f"{name}, line {lines.line_num}: {one_line(', '.join(row))!r} does not hold "
                f"{len(places)} numbers: mend or delete the line"
            ) from error
        if not all(abs(number) <= MOST_VALUE for number in numbers):
            raise DataError(
                f"{name}, line {lines.line_num}: not a finite number, or beyond {MOST_VALUE:.0e}: "
                "delete the line"
            )
        yield numbers


def _rate(name: str, time: NDArray[np.float64]) -> float:
    steps = np.diff(time)
    if len(steps) < 2 or steps.min() <= 0:
        cure = "time_s must count up, in seconds, for at least three lines"
        raise DataError(f"{name}: its time does not move forward: {cure}")
    rate_hz = 1 / float(np.median(steps))
    if not RATES_HZ[0] <= round(rate_hz) <= RATES_HZ[1]:
        raise DataError(
            f"{name} has {rate_hz:,.3g} samples a second: record at {RATES_HZ[0]} to "
            f"{RATES_HZ[1]:,} Hz, and give time_s in seconds"
        )
    if steps.max() > 5.5 / rate_hz:
        at = time[int(steps.argmax())]
        raise DataError(f"{name} has a gap of {steps.max():.2f} s at {at:.2f} s: cut the file there")
    return rate_hz


def _check_units(name: str, values: NDArray[np.float64]) -> None:
    pull = float(np.median(np.linalg.norm(values[:, :3], axis=1)))
    # The middle of a movement may be well above 1 g; in m/s² it is about 9.8.
    if not 0.3 <= pull <= 5:
        raise DataError(
            f"{name}: ax, ay, az are {pull:.2f} long in the middle, and gravity alone is 1: give "
            "them in g (m/s² divided by 9.81), with gravity"
        )
    fastest = float(np.abs(values[:, 3:]).max())
    if fastest > 70:
        raise DataError(
            f"{name}: a rotation of {fastest:,.0f} rad/s: give wx, wy, wz in rad/s (degrees a "
            "second divided by 57.3)"
        )


def _resampled(values: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Change the rate to 50 Hz; nothing above half of it gets through."""
    from scipy.signal import resample_poly

    ratio = Fraction(RATE_HZ / rate_hz).limit_denominator(50)
    if ratio == 1:
        return values
    # From the mean upwards: the filter takes what lies before the start for zero.
    mean = values.mean(0)
    changed: NDArray[np.float64] = resample_poly(values - mean, ratio.numerator, ratio.denominator)
    changed += mean
    return changed
