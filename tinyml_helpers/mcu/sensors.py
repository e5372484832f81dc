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


def choose_sensor(sensor: str, toolchain: str, device: Device) -> str:
    """Find the sensor that is meant: one of them by name, or that of a board for "motion" and the like.

    Returns:
        Its name; "" for none.

    Raises:
        ValueError: the board does not carry it, or no sketch reads it; with those that would do.
    """
    if not sensor:
        return ""
    known = sensors()
    meant = [one for one, told in known.items() if sensor in (one, told["senses"])]
    if not meant:
        senses = dict.fromkeys(told["senses"] for told in known.values())
        raise ValueError(f"sensor {sensor!r}: choose one of {', '.join([*senses, *known])}")
    if toolchain != "arduino":
        raise ValueError(f"the {sensor} is read by an Arduino library: choose --for arduino")
    for one in meant:
        if device.key in known[one]["devices"]:
            return one
    boards = dict.fromkeys(board for one in meant for board in known[one]["devices"])
    theirs = [one for one, told in known.items() if device.key in told["devices"]]
    other = f", or --sensor {' or '.join(theirs)}" if theirs else ""
    raise ValueError(f"{device.name} has no {sensor} sensor: choose {' or '.join(boards)}{other}")


def tell(sensor: str) -> str:
    """A paragraph about the sketch, in Markdown; none without a sensor."""
    if not sensor:
        return ""
    told = sensors()[sensor]
    return (
        f"`{EXAMPLE}` feeds the network from the {told['sensor']}: upload it in place of `board`, and "
        f"the serial monitor shows an answer for each hop. Library: {told['library']}. The sensor is "
        f"carried by {told['carried']}.\n\n"
    )


def make_sketch(sensor: str, words: Mapping[str, str], room_bytes: int) -> str:
    """Write the sketch that feeds a network from a sensor.

    Args:
        sensor: one that `choose_sensor` gave.
        words: of the network and its stream.
        room_bytes: of RAM, beside the network and its stack.

    Raises:
        ValueError: the network takes neither samples nor readings of that sensor, or its window is too
            large for the device.
    """
    told = sensors()[sensor]
    count, sample = int(words.get("window", 0)), words.get("sample")
    motion = told["kind"] == "sensor_imu.txt"
    if not motion and sample != "int16_t":
        raise ValueError(
            f"the network takes no samples of {sensor}: build it with what makes its input of samples, "
            "as lesson 09 does by mcu.build(..., pipeline=...), and call firmware.export(...)"
        )
    axes = 6 if sample == "int16_t" else 3  # movements take turns too, in the sensor's own steps
    if motion and (sample not in ("int16_t", "float") or count % axes):
        raise ValueError(f"the network takes {count} values, which are no readings of {sensor}")
    window_bytes = count * (2 if words["kept"] == "int16_t" else 1)
    if window_bytes > room_bytes:
        raise ValueError(
            f"the window of {window_bytes:,} bytes does not fit the {max(room_bytes, 0):,} bytes of RAM "
            "that the network leaves: choose a larger device"
        )
    all_words = {**words, **told, "axes": str(axes)}
    driver = string.Template(read_kit_file(told["kind"])).substitute(all_words)
    answer = "Serial.println((long)score);" if words["scored"] else _print_all(words["name"])
    invoke = f"{words['calls']}\n    {answer}"
    return string.Template(read_kit_file("sensor.ino")).substitute(
        {**all_words, "driver": driver, "invoke": invoke}
    )


def _print_all(name: str) -> str:
    loop = f"for (int i = 0; i < {name.upper()}_OUTPUT_COUNT; i++) {{"
    return f"{loop}\n        Serial.print({name}_output()[i]);\n        Serial.print(' ');\n    }}"
