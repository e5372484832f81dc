"""The process that judges. It believes nothing, and is locked in as the one is whose answer it reads.

An answer is data of a stranger, and reading data can take all time or memory there is: then this
process ends, and not the grader. It judges one answer after the other, and calls the functions of an
answer by way of the grader.
"""

from __future__ import annotations

import base64
import gc
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from tinyml_helpers.classroom.grade import channel, codec
from tinyml_helpers.course import check, constants, firmware_task
from tinyml_helpers.mcu.target import counting, toolchain
from tinyml_helpers.mcu.target.image import Image

CALL = b'{"call"'
"""How a line begins that is not for the grader, but for the process of the answer."""
COMPILE = b'{"compile"'
"""How a line begins that is for the process that compiles."""
_MOST_MESSAGE = 4000
_FLASH_BYTES, _RAM_BYTES = 1 << 20, 256 << 10  # as `compile_c` links by itself


class AnswerError(RuntimeError):
    """A function of the answer raised an error, or returned what is no data."""


class _StoppedError(BaseException):
    """The process of the answer has ended; no check may catch this, so it is no `Exception`."""


class Assessor:
    """Judges what came out of a process: `ask` sends it a line, and returns the line that it answers."""

    def __init__(self, ask: Callable[[str], Any]) -> None:
        self._ask = ask

    def verdict(self, exercise: str, said: Any) -> dict[str, Any]:
        """Judge what a process said of an answer.

        Returns:
            `verdict`: "right", "hint", "not tried" or "error"; the `message` for the learner; and
            `figures`, what was measured of a right answer.
        """
        if not isinstance(said, dict):
            return _error("Your code wrote into the grader's channel what is no answer.")
        if "raised" in said:
            return _error(f"Your cell stopped: {said['raised']!s:.400}")
        if not isinstance(said.get("answer"), list):
            return _error(f"Your cell ran, but it never called check.{exercise}(...) with an answer.")
        try:
            parts = [codec.decode(part, self._fetch) for part in said["answer"]]
        except (ValueError, RecursionError, OverflowError, MemoryError) as error:
            return _error(f"Your answer is no data that can be judged ({error!s:.200}).")
        try:
            found = check.exercises()[exercise].weigh(*parts)
        except _StoppedError as stopped:
            return _error(f"Your code {stopped}.")
        return {
            "verdict": "not tried" if found.status == "not tried yet" else found.status,
            "message": found.message[:_MOST_MESSAGE],
            "figures": {name: float(value) for name, value in found.figures.items()},
        }

    def _fetch(self, number: int, method: str = "") -> Callable[..., Any]:
        """Make a function that stands for one of the answer's, or for a method of one of its objects."""

        def call(*given: Any, **named: Any) -> Any:
            message = {"call": number, "given": _data(list(given)), "named": _data(named)}
            said = self._ask(json.dumps(message | ({"method": method} if method else {})))
            if not isinstance(said, dict) or "value" not in said:
                raised = said.get("raised", "no answer") if isinstance(said, dict) else "no answer"
                raise AnswerError(f"your function stopped: {raised!s:.300}")
            return codec.decode(said["value"], self._fetch)

        return call

    def compile(self, sources: Mapping[str, str]) -> Image:
        """Have a program made where compilers may be started.

        Raises:
            ToolchainError: it does not compile.
        """
        said = self._ask(json.dumps({"compile": dict(sources)}))
        if not isinstance(said, dict) or "elf" not in said:
            told = said.get("error", "error: no program") if isinstance(said, dict) else "error: none"
            raise toolchain.ToolchainError(f"the C program was not built:\n{told}")
        return Image(base64.b64decode(said["elf"]), str(said["core"]), _FLASH_BYTES, _RAM_BYTES)


def _error(message: str) -> dict[str, Any]:
    return {"verdict": "error", "message": message, "figures": {}}


def _data(value: Any) -> Any:
    def keep(function: Callable[..., Any]) -> int:
        raise ValueError(f"{function!r} is no data: a check can send data only")

    return codec.encode(value, keep)


def _said(lines: Iterator[str]) -> Any:
    """Read what the process of the answer said: the grader's word on it, then its line as it came.

    Raises:
        _StoppedError: it has ended.
    """
    about = json.loads(next(lines))
    if "stopped" in about:
        raise _StoppedError(about["stopped"])
    try:
        return json.loads(next(lines))
    except (ValueError, RecursionError, MemoryError):
        return None


def main() -> None:
    """Lock this process in, say what holds, then judge one answer after the other."""
    with suppress(toolchain.ToolchainError, OSError):
        counting.load_library()  # while its file can be read: what counts on an emulated core
    line = channel.lock_in()
    lines = iter(line)

    def ask(text: str) -> Any:
        line.send(text)
        return _said(lines)

    assessor = Assessor(ask)
    firmware_task.COMPILER.set(assessor.compile)
    for text in lines:
        about = json.loads(text)
        constants.join(about["group"], about["learner"])
        line.send(json.dumps(assessor.verdict(about["exercise"], _said(lines))))
        gc.collect()  # an emulated core holds a gigabyte of addresses, and ends only so
