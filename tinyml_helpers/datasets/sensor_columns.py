"""Which column of a recording holds what, by the names that phones and boards give them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from tinyml_helpers.datasets.text_table import TextTable
from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.untrusted import one_line

_SENSORS = {
    "acceleration": r"a|acc|accel|(?:total)?acceleration|accelerometer(?:acceleration)?",
    "rotation": r"w|g|gyr|gyro|gyroscope|rotation|rotationrate|gyrorotation|angularvelocity|omega",
    "gravity": r"grav|gravity|motiongravity",
    "linear": r"lin|linacc|linear|linearacceleration|linearaccelerometer|useracceleration"
    r"|motionuseracceleration|accelerationwithoutg",
}
_TIMES = (
    # The first that is there: Sensor Logger has nanoseconds since 1970 beside the seconds.
    r"(?:seconds|time)elapsed|elapsed(?:time)?",
    r"(?:time|timestamp|t|epoch)(?:s|sec|seconds|ms|millis|us|micros|ns|nanos)?",
    r"millis|micros|ms|us|seconds|loggingtime|date|datetime",
)
# What a bare x, y, z is, by a word in the name of the file; Sensor Logger and phyphox name files so.
_FILE_WORDS = {
    "rotation": "gyr",
    "gravity": "gravity",
    "linear": "linear|useracc|without",
    "other": "magnet|orient",
}
_UNITS = {
    "s": r"s|sec|seconds?",
    "ms": r"ms|millis",
    "us": r"us|µs|micros",
    "ns": r"ns|nanos",
    "g": r"g",
    "m/s2": r"m/?s\^?[2²]|ms[-⁻][2²]",
    "rad/s": r"rads?/?s|rps",
    "deg/s": r"deg/?s|degrees?/s|°/s|dps",
    "mdeg/s": r"mdps|mdeg/s",
}
# A serial capture without names: these columns in this order.
_NAMELESS = {4: ("acceleration",), 7: ("acceleration", "rotation"), 10: ("acceleration", "rotation")}


@dataclass(frozen=True)
class Sensor:
    """The three columns of one sensor, x, y and z, with the unit that their names tell, or ""."""

    kind: str
    places: tuple[int, int, int]
    unit: str


@dataclass(frozen=True)
class Layout:
    """What a table's columns hold: the time, with its unit by name or "", and sensors by kind."""

    time: int
    time_unit: str
    sensors: dict[str, Sensor]


def find(table: TextTable, stem: str) -> Layout:
    """Find the time and the sensors among a table's columns.

    Args:
        table: of one recording, or of one sensor of it.
        stem: the file's name without ending; where columns are called x, y, z it tells the sensor.

    Raises:
        DataError: no time, or no sensor with x, y and z; the message says what is there.
    """
    if not table.header:
        return _nameless(table)
    names = [_parts(name) for name in table.header]
    times = _times(names)
    found: dict[str, Sensor] = {}
    for kind in _SENSORS:
        places = [_axis(names, kind, axis, stem) for axis in "xyz"]
        if all(place is not None for place in places):
            x, y, z = (place for place in places if place is not None)
            found[kind] = Sensor(kind, (x, y, z), names[x][1])
    there = one_line(", ".join(table.header))
    if not times:
        raise DataError(
            f"{table.name} has no column of time: name it time_s, or put the rate into the name of the "
            f"file, such as {stem}_119hz.csv; there are: {there}"
        )
    if not found:
        raise DataError(
            f"{table.name} has no columns ax, ay, az of an accelerometer, nor wx, wy, wz of a "
            f"gyroscope: its first line must name each once; there are: {there}"
        )
    return Layout(times[0], _time_unit(*names[times[0]]), found)


def with_time(table: TextTable, stem: str) -> TextTable:
    """Return a table with a time, where it has none and the file's name tells the rate: `wave_119hz`."""
    rate = re.search(r"(\d+(?:\.\d+)?)hz", stem.lower())
    width = table.values.shape[1]
    timed = _times([_parts(name) for name in table.header]) if table.header else width in _NAMELESS
    if not rate or not float(rate[1]) or timed:
        return table
    time = np.arange(len(table.values)) / float(rate[1])
    header = ("time_s", *table.header) if table.header else ()
    return replace(table, header=header, values=np.column_stack([time, table.values]))


def _times(names: list[tuple[str, str]]) -> list[int]:
    """Return the places of columns that are a time, the best first."""
    return [
        place
        for pattern in _TIMES
        for place, (base, _) in enumerate(names)
        if re.fullmatch(pattern, base)
    ]


def _nameless(table: TextTable) -> Layout:
    width = table.values.shape[1]
    if width not in _NAMELESS:
        raise DataError(
            f"{table.name} has {width} columns without names: write time_s,ax,ay,az,wx,wy,wz into a "
            "first line, in the order in which they stand, without those that are not there"
        )
    kinds = _NAMELESS[width]
    sensors = {
        kind: Sensor(kind, (1 + 3 * number, 2 + 3 * number, 3 + 3 * number), "")
        for number, kind in enumerate(kinds)
    }
    return Layout(0, "", sensors)


def _parts(name: str) -> tuple[str, str]:
    """Part a column's name into letters alone and the unit in brackets behind it."""
    name = name.strip().lower()
    bracket = re.search(r"[(\[]([^)\]]*)[)\]]\s*$", name)
    unit = bracket[1] if bracket else ""
    base = re.sub(r"[^a-z]", "", name[: bracket.start()] if bracket else name)
    return base, _unit(unit)


def _unit(text: str) -> str:
    plain = re.sub(r"\s|[·*]", "", text)
    return next((unit for unit, pattern in _UNITS.items() if re.fullmatch(pattern, plain)), "")


def _time_unit(base: str, unit: str) -> str:
    return unit or _unit(re.sub(r"^(?:timestamp|time|epoch|t)", "", base))


def _axis(names: list[tuple[str, str]], kind: str, axis: str, stem: str) -> int | None:
    """Return the one column of an axis of a sensor; None where there is none, or more than one."""
    for words in (_SENSORS[kind], "") if kind == _kind_of_file(stem) else (_SENSORS[kind],):
        pattern = rf"(?:{words}){axis}(?:axis)?"
        places = [place for place, (base, _) in enumerate(names) if re.fullmatch(pattern, base)]
        if places:
            return places[0] if len(places) == 1 else None
    return None


def _kind_of_file(stem: str) -> str:
    plain = re.sub(r"[^a-z]", "", stem.lower())
    return next((kind for kind, word in _FILE_WORDS.items() if re.search(word, plain)), "acceleration")
