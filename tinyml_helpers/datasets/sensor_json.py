"""Recordings of sensors as JSON, the way Sensor Logger and Edge Impulse write it, as tables.

Sources: github.com/tszheichoi/awesome-sensor-logger, README, "JSON": an array of objects, one for each
sample, with the name of its sensor; Edge Impulse, "Data acquisition format": `payload` with `sensors`,
`interval_ms` and `values`, a row for each sample.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.text_table import TextTable, read_table
from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.untrusted import check_size, one_line

SUFFIX = ".json"
MOST_BYTES = 32_000_000
"""Objects take ten times their text in memory."""
MOST_INTERVAL_MS = 1e6
"""Between two samples; nothing that is recorded here is slower."""
_SENSORS = ("Accelerometer", "TotalAcceleration", "Gravity", "Gyroscope")
_AXES = ("x", "y", "z")
_CURE = "export it as CSV"


def read_tables(path: Path) -> list[TextTable]:
    """Read a recording's file: of text one table, of JSON one for each sensor, or one for all.

    Raises:
        DataError: too large, damaged, or without samples of a sensor; the message names the file.
    """
    if path.suffix.lower() != SUFFIX:
        return [read_table(path)]
    try:
        check_size(path, MOST_BYTES)
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path.name} cannot be read as JSON ({one_line(error)}): {_CURE}") from error
    if isinstance(found, list):
        return _by_sensor(path.name, found)
    payload = found.get("payload") if isinstance(found, dict) else None
    if isinstance(payload, dict):
        return [_of_payload(path.name, payload)]
    raise DataError(f"{path.name} is no recording of Sensor Logger or Edge Impulse: {_CURE}")


def _by_sensor(name: str, samples: list[Any]) -> list[TextTable]:
    """Part the samples of Sensor Logger by sensor; each table's columns bear its sensor's name."""
    rows: dict[str, list[list[float]]] = {sensor: [] for sensor in _SENSORS}
    for sample in samples:
        sensor = sample.get("sensor") if isinstance(sample, dict) else None
        if isinstance(sensor, str) and sensor in rows:
            rows[sensor].append([_number(sample.get(key)) for key in ("seconds_elapsed", *_AXES)])
    if rows["TotalAcceleration"]:
        del rows["Accelerometer"]  # the same without gravity
    tables = [
        _table(name, ("seconds_elapsed", *(f"{sensor}{axis}" for axis in _AXES)), np.array(values))
        for sensor, values in rows.items()
        if values
    ]
    if not tables:
        raise DataError(f"{name} has no samples of {' or '.join(_SENSORS)}: {_CURE}")
    return tables


def _of_payload(name: str, payload: dict[str, Any]) -> TextTable:
    """Return the samples of Edge Impulse, with the time that its interval gives."""
    sensors, values = _list(payload.get("sensors")), _list(payload.get("values"))
    interval_ms = _number(payload.get("interval_ms"))
    if not 0 < interval_ms <= MOST_INTERVAL_MS or not all(isinstance(one, dict) for one in sensors):
        raise DataError(f"{name} has no sensors, interval_ms and values in its payload: {_CURE}")
    columns = tuple(f"{one.get('name')} ({one.get('units')})" for one in sensors)
    rows = [row for row in values if isinstance(row, list) and len(row) == len(columns)]
    if not columns or len(rows) < max(2, len(values)):
        raise DataError(f"{name} does not hold {len(columns)} values in each row: {_CURE}")
    numbers = np.array([[_number(value) for value in row] for row in rows])
    time = interval_ms * np.arange(len(rows))
    return _table(name, ("timestamp (ms)", *columns), np.column_stack([time, numbers]))


def _table(name: str, header: tuple[str, ...], values: NDArray[np.float64]) -> TextTable:
    return TextTable(name, header, values, np.arange(1, len(values) + 1))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float:
    """Return a number, as such or as text; NaN for anything else."""
    try:
        return float(value) if isinstance(value, str | int | float) else float("nan")
    except (ValueError, OverflowError):
        return float("nan")
