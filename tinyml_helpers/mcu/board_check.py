"""Hold what a board printed against the emulated run of the same project."""

from __future__ import annotations

import importlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyml_helpers.devices import size
from tinyml_helpers.mcu import board_line
from tinyml_helpers.system.tables import text_table

MOST_BYTES = 1 << 20
_LONGEST_LINE = 500
_BEGIN = '{"tinyml"'
_WORDS = ("name", "model", "device", "kit", "counter")
_NUMBERS = ("checks", "wrong_checks", "bytes", "wrong_bytes", "cycles", "stack_bytes")
_EMULATED = ("instructions", "cycles_of_the_core", "cycles_low", "cycles_high", "emulated_stack_bytes")


class LogError(ValueError):
    """What a board printed, or what it is held against, cannot be used."""


@dataclass(frozen=True, eq=False, repr=False)
class BoardRun:
    """A run on a board beside the emulated one; prints as a table.

    Args:
        row: what both say: names of the project, wrong checks and bytes, cycles and stack.
    """

    row: Mapping[str, Any]

    @property
    def right(self) -> bool:
        """Whether every check and every byte of the output was right."""
        return not self.row["wrong_checks"] and not self.row["wrong_bytes"]

    def __repr__(self) -> str:
        """What was right, and what was measured beside what was emulated."""
        told = self.row
        low, high, core = told["cycles_low"], told["cycles_high"], told["cycles_of_the_core"]
        measured = f"{told['cycles']:,} ({told['counter']})" if told["cycles"] else "not counted"
        rows = [
            ("wrong checks", f"0 of {told['checks']}", f"{told['wrong_checks']} of {told['checks']}"),
            ("wrong bytes", f"0 of {told['bytes']}", f"{told['wrong_bytes']} of {told['bytes']}"),
            ("cycles", f"{low:,} to {high:,}", measured),
            ("of the core alone", f"{core:,}", ""),
            ("stack, bytes", f"{told['emulated_stack_bytes']:,}", f"about {told['stack_bytes']:,}"),
        ]
        head = f"{told['name']} ({told['model']}) on {told['device']} by {told['kit']}"
        return f"{head}\n{text_table(('', 'emulated', 'measured'), rows, names=(0,))}"


def check_log(log: str, project: Path) -> BoardRun:
    """Compare the last line of JSON in a log with the emulated run of a project.

    Args:
        log: what a board printed.
        project: folder of the export.

    Raises:
        LogError: no such line, one that no board prints, or the line of another project.
    """
    told, emulated = _last_line(log), _emulated(project)
    for key in ("name", "model", "device", "checks", "bytes"):
        if told[key] != emulated[key]:
            raise LogError(
                f"the board says {key} {told[key]}, {project / board_line.FILE} {emulated[key]}: "
                "upload the program of this folder, or give the folder of the one that runs"
            )
    beside = {**emulated, "emulated_stack_bytes": emulated["stack_bytes"]}
    return BoardRun(check_row({**told, **{key: beside[key] for key in _EMULATED}}))


def check_row(row: Any) -> dict[str, Any]:
    """Give a row, which may be a stranger's, if it is one.

    Raises:
        LogError: with the first thing that is wrong.
    """
    if not isinstance(row, dict) or sorted(row) != sorted([*_WORDS, *_NUMBERS, *_EMULATED]):
        raise LogError("a row that lacks a key or has another: let `tinyml board check` write it")
    for key in _WORDS:
        if not isinstance(row[key], str) or not re.fullmatch(r"[\w-]{1,80}", row[key], re.ASCII):
            raise LogError(f"{key} {str(row[key])[:40]!r}: expected at most 80 letters, digits, _ and -")
    for key in (*_NUMBERS, *_EMULATED):
        if type(row[key]) is not int or not 0 <= row[key] < 1 << 48:
            raise LogError(f"{key} {str(row[key])[:40]}: expected a count")
    for wrong, whole in (("wrong_checks", "checks"), ("wrong_bytes", "bytes")):
        if row[wrong] > row[whole]:
            raise LogError(f"{row[wrong]} {wrong} of {row[whole]}: more than there are")
    return row


def listen(port: str, seconds: float) -> str:
    """Read a serial port until a line has come whole, and give what was read.

    Raises:
        LogError: pyserial is missing, the port cannot be opened, or nothing of use came.
    """
    try:
        serial = importlib.import_module("serial")
    except ModuleNotFoundError as error:
        raise LogError(
            "reading a port needs pyserial: pip install pyserial; or save what a serial monitor shows "
            "and give it by --from-file"
        ) from error
    heard, end = b"", time.monotonic() + seconds
    try:
        with serial.Serial(port, 115200, timeout=0.2) as line:
            while time.monotonic() < end and len(heard) < MOST_BYTES:
                heard += line.read(4096)
                if re.search(rb'\{"tinyml".*\}\s', heard):
                    break
    except (OSError, ValueError) as error:  # what pyserial raises is an OSError
        raise LogError(
            f"{port} cannot be read ({error}): is the board there, and no monitor open?"
        ) from error
    return heard.decode("ascii", "replace")


def read_log(path: Path) -> str:
    """A saved log.

    Raises:
        LogError: it is missing or too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise LogError(f"{path} has more than {size(MOST_BYTES)}: keep the lines of one run")
    return content.decode("ascii", "replace")


def _last_line(log: str) -> dict[str, Any]:
    found = [line.partition(_BEGIN) for line in log.splitlines()]  # a monitor may put a time before it
    lines = [begin + rest.rstrip() for _, begin, rest in found if begin]
    if not lines:
        raise LogError(f"no line with {_BEGIN}: is the program of an export running?")
    lines = [line for line in lines if line.endswith("}")] or lines  # the last may have been cut off
    try:
        told = json.loads(lines[-1][:_LONGEST_LINE])
    except (ValueError, RecursionError) as error:
        raise LogError(f"a line that was cut off, {lines[-1][:60]!r}: save the log again") from error
    if not isinstance(told, dict) or told.pop("tinyml", None) != 1:
        raise LogError("a line of another version of this course: export and upload again")
    check_row({**told, **dict.fromkeys(_EMULATED, 0)})
    return told


def _emulated(project: Path) -> dict[str, Any]:
    path = project / board_line.FILE
    try:
        told: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return {key: told[key] for key in board_line.KEYS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LogError(
            f"{path} is missing or damaged: give the folder that `tinyml deploy --export --for` wrote"
        ) from error
