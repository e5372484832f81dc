"""Recordings of vibration, from sound files or tables to segments as the course's sensor gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets import sensor_clock, sensor_columns, sensor_json, sound_files, text_table
from tinyml_helpers.datasets.vibration.simulator.excitation import RATE_HZ
from tinyml_helpers.datasets.vibration.simulator.machines import COUNTS_PER_G, FULL_SCALE_G, SAMPLES
from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.untrusted import MOST_VALUE

_TABLES = (*text_table.SUFFIXES, sensor_json.SUFFIX)
SUFFIXES = (*sound_files.SUFFIXES, *_TABLES)
"""Names that a recording may end in, in lower case."""
SLOW_SAMPLES = 1024
"""Samples of a segment where the rate is below `HEARD_HZ`: five seconds at 200 Hz."""
HEARD_HZ = 4000
"""A slower recording has nothing left of what a housing with a damaged bearing rings at."""
_SLOWEST_HZ = 50
_G = 9.80665  # m/s2
_ONE_AXIS = {"acceleration_g": 1.0, "acceleration_ms2": _G}
_LOSSY = (".ogg", ".oga", ".opus")


@dataclass(frozen=True)
class Signal:
    """One recording: acceleration in g, float64 [T, 1 or 3 axes]; `form` is how it was kept."""

    name: str
    values: NDArray[np.float64]
    rate_hz: float
    form: str
    notes: tuple[str, ...] = ()


def read_signal(path: str | Path) -> Signal:
    """Read a sound file, full scale for 16 g, or a table with a time and one or three axes.

    Raises:
        DataError: damaged, too slow, or without the columns it needs; the message names the file.
    """
    path = Path(path)
    if path.suffix.lower() in _TABLES:
        signal = _read_table(path)
    else:
        sound = sound_files.read_sound(path, None)
        form = "a lossy sound file" if path.suffix.lower() in _LOSSY else "a sound file"
        values = sound.samples[:, None] * np.float64(FULL_SCALE_G)
        signal = Signal(path.name, values, sound.rate_hz, form, sound.notes)
    if signal.rate_hz < _SLOWEST_HZ:
        raise DataError(
            f"{path.name} has {signal.rate_hz:,.4g} samples a second: record at {_SLOWEST_HZ} or more, "
            f"and at {HEARD_HZ:,} or more to hear a damaged bearing"
        )
    return signal


def _read_table(path: Path) -> Signal:
    # The first of several sensors is the accelerometer.
    table = sensor_columns.with_time(sensor_json.read_tables(path)[0], path.stem)
    header = [name.strip().lower() for name in table.header]
    unit = next((name for name in _ONE_AXIS if header.count(name) == 1), None)
    if unit and header.count("time_s") == 1:
        time, places, worth = header.index("time_s"), [header.index(unit)], 1 / _ONE_AXIS[unit]
        told, assumed = "s", ""
    else:
        layout = sensor_columns.find(table, path.stem)
        sensor = layout.sensors.get("acceleration") or layout.sensors.get("linear")
        if sensor is None:
            raise DataError(
                f"{path.name} has no acceleration: give time_s and {' or '.join(_ONE_AXIS)}, or x, y, z"
            )
        time, places, told = layout.time, list(sensor.places), layout.time_unit
        worth, assumed = _worth(table.values[:, places], sensor.unit)
    numbers, notes = table.numbers(time, places)
    fastest = sound_files.RATES_HZ[1]
    _, seconds = sensor_clock.unit_of(path.name, numbers[:, 0], told, fastest)
    since = (numbers[:, 0] - numbers[0, 0]) * seconds
    rate_hz, values, more = sensor_clock.evenly(path.name, since, numbers[:, 1:])
    said = (*notes, *more, *((assumed,) if assumed else ()))
    return Signal(path.name, values * worth, rate_hz, "a table", said)


def _worth(values: NDArray[np.float64], unit: str) -> tuple[float, str]:
    """Return what a number of three axes [T, 3] is worth in g, and what was assumed."""
    if unit in ("g", "m/s2"):
        return (1.0 if unit == "g" else 1 / _G), ""
    pull = float(np.nanmedian(np.linalg.norm(values, axis=1)))
    if 0.8 <= pull <= 1.5:
        return 1.0, "acceleration taken for g, by its gravity"
    return 1 / _G, "acceleration taken for m/s²"


def cut_alike(
    signals: Sequence[Signal], healthy: Sequence[bool]
) -> tuple[list[NDArray[np.int16]], float, list[str]]:
    """Cut recordings into segments int16 [N, samples] that differ in what shook, and in nothing else.

    All are brought to the lowest of their rates, because a band that one recording lacks would look like
    damage; of three axes the one is taken that shakes most in the healthy recordings.

    Args:
        signals: of all conditions.
        healthy: which of them are.

    Returns:
        The segments of each; their samples a second: `RATE_HZ`, or below `HEARD_HZ` the recordings' own;
        and what was assumed, in sentences.

    Raises:
        DataError: kept in different ways, or shorter than one segment.
    """
    forms = {signal.form: signal.name for signal in signals}
    if len(forms) > 1:
        (one, first), (other, second) = list(forms.items())[:2]
        raise DataError(
            f"{first} is {one} and {second} is {other}: that alone would look like damage; give all "
            "recordings in one form"
        )
    lowest = min(signal.rate_hz for signal in signals)
    common = RATE_HZ if lowest >= HEARD_HZ else lowest
    notes = [note for signal in signals for note in signal.notes]
    notes += _about_rates({round(signal.rate_hz) for signal in signals}, lowest)
    axis, about = _loudest_axis(signals, healthy)
    parts = []
    for signal in signals:
        column = signal.values[:, axis if signal.values.shape[1] == 3 else 0]
        slowed = sensor_clock.resample(column, signal.rate_hz, lowest)
        parts.append(cut_segments(slowed, lowest, signal.name))
    return parts, common, list(dict.fromkeys([*notes, *about]))


def _about_rates(rates: set[int], lowest: float) -> list[str]:
    notes = []
    if len(rates) > 1:
        notes.append(
            f"rates from {min(rates):,} to {max(rates):,} Hz: all brought to the lowest, so that no "
            "condition has bands that another lacks"
        )
    if lowest < HEARD_HZ:
        notes.append(
            f"{lowest:,.0f} Hz hears nothing above {lowest / 2:,.0f} Hz: unbalance, looseness and the "
            "blades of slow machines, but not the ringing of a damaged bearing"
        )
    return notes


def _loudest_axis(signals: Sequence[Signal], healthy: Sequence[bool]) -> tuple[int, list[str]]:
    known = [one.values for one, well in zip(signals, healthy, strict=True) if well]
    shakes = [values.var(axis=0) for values in known if values.shape[1] == 3]
    if not shakes:
        return 0, []
    axis = int(np.mean(shakes, axis=0).argmax())
    return axis, [f"axis {'xyz'[axis]} taken, which shakes most in the healthy recordings"]


def cut_segments(acceleration_g: NDArray[np.floating], rate_hz: float, name: str) -> NDArray[np.int16]:
    """Cut a recording [T] in g into segments int16 [N, `SAMPLES`] at `RATE_HZ`.

    What a 16-bit sensor of +-16 g cannot hold is clipped. Below `HEARD_HZ` the rate stays as it is, and
    a segment has `SLOW_SAMPLES`.

    Raises:
        DataError: shorter than one segment, empty, or not finite; `name` stands in the message.
    """
    if not len(acceleration_g):
        raise DataError(f"{name} holds no sample: record it again")
    if not (np.abs(acceleration_g) <= MOST_VALUE).all():
        raise DataError(f"{name} has values that are no numbers, or huge ones: take them out")
    length = SAMPLES if rate_hz >= HEARD_HZ else SLOW_SAMPLES
    rate = RATE_HZ if rate_hz >= HEARD_HZ else rate_hz
    even = sensor_clock.resample(acceleration_g, rate_hz, rate)
    count = len(even) // length
    if not count:
        raise DataError(f"{name} lasts {len(even) / rate:.2f} s: give at least {length / rate:.3f} s")
    counts = np.rint(even[: count * length] * COUNTS_PER_G).clip(-32768, 32767)
    return np.asarray(counts.reshape(count, length), np.int16)
