"""One recording of a wrist, from a file of all its sensors or a file for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets import sensor_clock, sensor_columns, sensor_json
from tinyml_helpers.datasets.gestures import units
from tinyml_helpers.datasets.gestures.recordings import RATE_HZ, UNITS
from tinyml_helpers.system.shipped_files import DataError

SHORTEST_S = 15
_WORDS = {
    "ms": "time in milliseconds",
    "us": "time in microseconds",
    "ns": "time in nanoseconds",
    "m/s2": "acceleration in m/s²",
    "mg": "acceleration in thousandths of g",
    "deg/s": "rotation in degrees a second",
    "mdeg/s": "rotation in millidegrees a second",
}


@dataclass(frozen=True)
class _Track:
    """One sensor in even steps: values [N, 3] from `start` on, in seconds."""

    name: str
    start: float
    rate_hz: float
    values: NDArray[np.float64]
    told: str

    def at(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values [M, 3] at other times [M], drawn straight between samples."""
        mine = self.start + np.arange(len(self.values)) / self.rate_hz
        return np.column_stack([np.interp(time, mine, column) for column in self.values.T])


def read(paths: Sequence[Path]) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Read one recording as raw integers [N, 6] at 50 Hz, in the units of the shipped set.

    What lies beyond +-8 g or +-2,000 degrees a second is clipped, as a sensor would. Without a gyroscope
    the rotation is zero.

    Args:
        paths: its files, all of one clock.

    Returns:
        The samples, and what was assumed, a sentence each.

    Raises:
        DataError: it cannot be used; the message names file, value and cure.
    """
    tracks, notes = _tracks(paths)
    pull = tracks.get("acceleration") or tracks.get("linear")
    if pull is None:
        raise DataError(f"{paths[0].name} has a gyroscope only: put the accelerometer's file beside it")
    others = [one for kind, one in tracks.items() if one is not pull]
    time = _shared_time(pull, others)
    acceleration, unit = _with_gravity(pull, tracks.get("gravity"), time)
    notes += _said(unit)
    rotation = np.zeros_like(acceleration)
    if turning := tracks.get("rotation"):
        rotation, unit = units.in_radians(
            turning.name, turning.at(time), acceleration, pull.rate_hz, turning.told
        )
        notes += _said(unit)
    else:
        notes += ["no gyroscope: rotation is left at zero"]
    both = np.column_stack([acceleration, rotation])
    steady = sensor_clock.resample(both, pull.rate_hz, RATE_HZ, finest=50)
    return np.round(steady / UNITS).clip(-32768, 32767).astype(np.int16), tuple(notes)


def _tracks(paths: Sequence[Path]) -> tuple[dict[str, _Track], list[str]]:
    tracks: dict[str, _Track] = {}
    notes: list[str] = []
    zero: float | None = None
    read = [(path, one) for path in _with_total(paths) for one in sensor_json.read_tables(path)]
    for path, untimed in read:
        table = sensor_columns.with_time(untimed, path.stem)
        layout = sensor_columns.find(table, path.stem)
        places = [place for sensor in layout.sensors.values() for place in sensor.places]
        numbers, left_out = table.numbers(layout.time, places)
        unit, worth = sensor_clock.unit_of(path.name, numbers[:, 0], layout.time_unit)
        zero = numbers[0, 0] if zero is None else zero
        time = (numbers[:, 0] - zero) * worth
        rate_hz, values, assumed = sensor_clock.evenly(path.name, time, numbers[:, 1:])
        notes += [*left_out, *_said(unit), *assumed]
        for number, (kind, sensor) in enumerate(layout.sensors.items()):
            if kind in tracks:
                other = tracks[kind].name
                raise DataError(f"{path.name} holds the same sensor as {other}: take one away")
            part = values[:, 3 * number : 3 * number + 3]
            tracks[kind] = _Track(path.name, float(time[0]), rate_hz, part, sensor.unit)
    return tracks, list(dict.fromkeys(notes))


def _with_total(paths: Sequence[Path]) -> list[Path]:
    """Leave out Sensor Logger's Accelerometer, which lacks gravity, where TotalAcceleration is there."""
    if not any("totalacceleration" in path.stem.lower() for path in paths):
        return list(paths)
    return [path for path in paths if not path.stem.lower().endswith("accelerometer")]


def _said(unit: str) -> list[str]:
    """Say a unit that is not the course's own."""
    return [_WORDS[unit]] if unit in _WORDS else []


def _shared_time(pull: _Track, others: list[_Track]) -> NDArray[np.float64]:
    """Return the times of the accelerometer's samples at which every sensor was on."""
    time = pull.start + np.arange(len(pull.values)) / pull.rate_hz
    for one in others:
        end = one.start + (len(one.values) - 1) / one.rate_hz
        time = time[(time >= one.start - 0.5 / one.rate_hz) & (time <= end + 0.5 / one.rate_hz)]
    seconds = len(time) / pull.rate_hz
    if seconds < SHORTEST_S:
        together = f", together with {others[0].name}" if others and others[0].name != pull.name else ""
        raise DataError(f"{pull.name} lasts {seconds:.1f} s{together}: record at least {SHORTEST_S} s")
    return time


def _with_gravity(
    pull: _Track, gravity: _Track | None, time: NDArray[np.float64]
) -> tuple[NDArray[np.float64], str]:
    """Return the acceleration [N, 3] in g, with the gravity of its own file added where it lacks it."""
    try:
        return units.in_g(pull.name, pull.at(time), pull.rate_hz)
    except units.NoGravityError:
        if gravity is None:
            raise
    return units.in_g(pull.name, pull.at(time) + gravity.at(time), pull.rate_hz)
