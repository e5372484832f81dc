"""Say a word, and a keyword network with its whole stream answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinyml_helpers.live.page import Page, Task, encode, make

if TYPE_CHECKING:
    from tinyml_helpers.mcu import Firmware
    from tinyml_helpers.mcu.pipeline import Pipeline

RATE_HZ = 16_000
GATE_DB = -60
_TABLES = "stream_tables.h"
_THRESHOLD = """#include <stdint.h>
uint32_t page_least_total = {};
__attribute__((export_name("threshold"))) void page_threshold(uint32_t total) {{
    page_least_total = total;
}}
"""
_ABOUT = (
    "Press the button, allow the microphone, and say one of the words, one at a time. Sound goes "
    "through the same C as on the chip: its front end, its network, and the rule that reports a word."
)


def make_listener(
    firmware: Firmware, classes: Sequence[str], recording: npt.NDArray[np.int16], says: str
) -> Page:
    """Make a page that listens.

    Args:
        firmware: a keyword network behind `usecases.keywords.firmware.pipeline`.
        classes: names of its outputs, the words first.
        recording: int16 [samples] at 16 kHz, for who has no microphone.
        says: what is said in it, and by whom.

    Returns:
        The page.

    Raises:
        ValueError: the firmware has another pipeline, or another number of classes.
    """
    around = firmware.pipeline
    if around is None or _TABLES not in around.files:
        raise ValueError("this firmware does not listen: build it with keywords.firmware.pipeline")
    tables = around.files[_TABLES]
    numbers = {name: int(value) for name, value in re.findall(r"#define (\w+) (\d+)", tables)}
    if len(classes) != numbers["CLASSES"]:
        raise ValueError(f"{len(classes)} names for {numbers['CLASSES']} classes: give one for each")
    given = {
        "classes": list(classes),
        "words": list(classes[: numbers["WORDS"]]),
        "rate": RATE_HZ,
        "hop": around.count,
        "width": numbers["WIDTH"],
        "least": numbers["LEAST_TOTAL"],
        "gate": GATE_DB,
        "recording": encode(recording.astype("<i2").tobytes()),
        "says": says,
    }
    task = Task("keywords.js", "Say a word", _ABOUT, given, height=980)
    return make(firmware, task, _with_threshold(around, numbers["LEAST_TOTAL"]))


def _with_threshold(around: Pipeline, least: int) -> Pipeline:
    """The same C, but for its threshold, which a page may move: a variable in place of a constant."""
    tables = around.files[_TABLES].replace(f"LEAST_TOTAL {least}", "LEAST_TOTAL page_least_total")
    declared = f"extern unsigned page_least_total;\n{tables}"
    files = {**around.files, _TABLES: declared, "page_threshold.c": _THRESHOLD.format(least)}
    return replace(around, files=files)
