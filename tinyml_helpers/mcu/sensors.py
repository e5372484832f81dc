"""Sketches that read a sensor: which board carries which, and the C++ between driver and network."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from tinyml_helpers.devices import Device
from tinyml_helpers.mcu.projects import read_kit_file

EXAMPLE = "examples/stream/stream.ino"


@cache
def sensors() -> Mapping[str, Mapping[str, Any]]:
    """Name of a sensor -> the devices that carry it, its library and the words of its sketch."""
    return tomllib.loads(read_kit_file("sensors.toml"))


def check_sensor(sensor: str, toolchain: str, device: Device) -> None:
    """Refuse a sensor that a board does not carry, or that no sketch reads.

    Raises:
        ValueError: with the sensors or boards that would do.
    """
    if not sensor:
        return
    if sensor not in sensors():
        raise ValueError(f"sensor {sensor!r}: choose one of {', '.join(sensors())}")
    if toolchain != "arduino":
        raise ValueError(f"the {sensor} is read by an Arduino library: choose --for arduino")
    boards = sensors()[sensor]["devices"]
    if device.key not in boards:
        theirs = [one for one, told in sensors().items() if device.key in told["devices"]]
        other = f", or --sensor {' or '.join(theirs)}" if theirs else ""
        raise ValueError(f"{device.name} has no {sensor}: choose {' or '.join(boards)}{other}")


def make_sketch(sensor: str, words: Mapping[str, str]) -> str:
    """Write the sketch that feeds a network from a sensor.

    Args:
        sensor: one that `check_sensor` let pass.
        words: of the network and its stream.

    Raises:
        ValueError: the network takes neither samples nor readings of that sensor.
    """
    told = sensors()[sensor]
    count, sample = int(words.get("window", 0)), words.get("sample")
    motion = told["kind"] == "sensor_imu.txt"
    if not motion and sample != "int16_t":
        raise ValueError(f"a network that takes no samples of {sensor}: build it with its pipeline")
    axes = 6 if sample == "int16_t" else 3  # movements take turns too, in the sensor's own steps
    if motion and (sample not in ("int16_t", "float") or count % axes):
        raise ValueError(f"the network takes {count} values, which are no readings of {sensor}")
    all_words = {**words, **told, "axes": str(axes)}
    driver = string.Template(read_kit_file(told["kind"])).substitute(all_words)
    answer = "Serial.println((long)score);" if words["scored"] else _print_all(words["name"])
    invoke = f"{words['calls']}\n    {answer}"
    return string.Template(read_kit_file("sensor.ino")).substitute(
        {**all_words, "driver": driver, "invoke": invoke}
    )


def _print_all(name: str) -> str:
    lines = [
        f"for (int i = 0; i < {name.upper()}_OUTPUT_COUNT; i++) {{",
        f"    Serial.print({name}_output()[i]);",
        "    Serial.print(' ');",
        "}",
    ]
    return "\n    ".join(lines)
