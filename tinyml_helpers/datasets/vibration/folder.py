"""Recordings of vibration, from WAV or CSV files to segments as the course's sensor gives them."""

from __future__ import annotations

import csv
from array import array
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.sound_files import RATES_HZ, read_sound
from tinyml_helpers.datasets.vibration.simulator.excitation import RATE_HZ
from tinyml_helpers.datasets.vibration.simulator.machines import COUNTS_PER_G, FULL_SCALE_G, SAMPLES
from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.untrusted import MOST_VALUE, check_size, one_line

_SLOWEST_HZ = 4000  # a slower recording has nothing left of what a housing rings at
_G = 9.80665  # m/s2
_UNITS = {"acceleration_g": 1.0, "acceleration_ms2": _G}


def read_segments(path: str | Path) -> NDArray[np.int16]:
    """Read a WAV (FLAC, Ogg) or CSV file as segments int16 [N, SAMPLES] at `RATE_HZ`.

    Raises:
        DataError: damaged, too slow, shorter than one segment, or without the columns it needs.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        acceleration, rate_hz = _read_csv(path)
        return cut_segments(acceleration, rate_hz, path.name)
    sound = read_sound(path, RATE_HZ)
    _check_rate(sound.file_rate_hz, path.name)
    return cut_segments(sound.samples * np.float32(FULL_SCALE_G), RATE_HZ, path.name)


def cut_segments(acceleration_g: NDArray[np.floating], rate_hz: float, name: str) -> NDArray[np.int16]:
    """Cut a recording [T] in g into segments int16 [N, SAMPLES] at `RATE_HZ`.

    What a 16-bit sensor of +-16 g cannot hold is clipped.

    Raises:
        DataError: too slow, shorter than one segment, or not finite; `name` stands in the message.
    """
    from scipy.signal import resample_poly

    _check_rate(rate_hz, name)
    if not (np.abs(acceleration_g) <= MOST_VALUE).all():
        raise DataError(f"{name} has values that are no numbers, or huge ones: take them out")
    rate = round(rate_hz)
    if rate != RATE_HZ:
        divisor = gcd(rate, RATE_HZ)
        acceleration_g = resample_poly(acceleration_g, RATE_HZ // divisor, rate // divisor)
    count = len(acceleration_g) // SAMPLES
    if not count:
        seconds = len(acceleration_g) / RATE_HZ
        raise DataError(f"{name} lasts {seconds:.2f} s: give at least {SAMPLES / RATE_HZ:.3f} s")
    counts = np.rint(acceleration_g[: count * SAMPLES] * COUNTS_PER_G).clip(-32768, 32767)
    return np.asarray(counts.reshape(count, SAMPLES), np.int16)


def _check_rate(rate_hz: float, name: str) -> None:
    if not _SLOWEST_HZ <= rate_hz <= RATES_HZ[1]:
        raise DataError(
            f"{name} has {rate_hz:,.6g} samples a second: record at {_SLOWEST_HZ:,} or more, "
            f"because damaged bearings are heard at some thousand hertz, and at {RATES_HZ[1]:,} at most"
        )


def _read_csv(path: Path) -> tuple[NDArray[np.float64], float]:
    header, rows = _table(path)
    unit = next((name for name in _UNITS if name in header), None)
    if "time_s" not in header or unit is None or len(rows) < 2:
        raise DataError(
            f"{path.name} has the columns {one_line(', '.join(header)) or 'none'} and {len(rows)} rows: "
            f"give time_s and {' or '.join(_UNITS)}"
        )
    time = rows[:, header.index("time_s")]
    # A time that is no number leaves no even step either.
    steps = np.diff(np.where(np.abs(time) <= MOST_VALUE, time, np.nan))
    step = float(np.median(steps))
    if not (step > 0 and np.abs(steps - step).max() <= 0.5 * step):
        raise DataError(f"{path.name}: time_s does not rise in even steps; export it without gaps")
    rate_hz = (len(rows) - 1) / float(steps.sum())
    return rows[:, header.index(unit)] / _UNITS[unit], rate_hz


def _table(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    """The names of the columns, and the numbers under them, [rows, columns]."""
    numbers = array("d")
    try:
        check_size(path)
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            header = [name.strip() for name in next(lines, [])]
            for line in filter(None, lines):
                if len(line) != len(header):
                    raise ValueError(f"line {lines.line_num} has {len(line)} of {len(header)} columns")
                numbers.extend(map(float, line))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(
            f"{path.name} is not a table of numbers under one header: {one_line(error)}"
        ) from error
    return header, np.array(numbers).reshape(-1, max(len(header), 1))
