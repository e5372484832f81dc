"""Have an answer run in one locked process and judged in another; here nothing of it is even read."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

from tinyml_helpers.classroom.grade import assessor
from tinyml_helpers.classroom.grade.lockdown import ANSWERS, PACKAGE, Limits
from tinyml_helpers.classroom.grade.sandbox import Sandbox, StoppedError
from tinyml_helpers.classroom.grade.submissions import Answer
from tinyml_helpers.course.constants import Seat

Verdict = Literal["right", "hint", "not tried", "error"]
JUDGING = Limits(seconds=30.0, memory_mib=3072, room_mib=8)
"""What judging one answer may take."""
COMPILING = Limits(seconds=60.0, memory_mib=3072, room_mib=512)
"""What compiling the C of one answer may take."""
_PROCESS_SECONDS = 86_400.0
_CHECKS = PACKAGE / "course" / "exercises"
NOBODY = Seat()
"""Whoever is in no class, where constants are everybody's."""


@dataclass(frozen=True)
class Judged:
    """What came of one answer: `verdict`, the `message` for the learner, and the `seconds` it took.

    `figures` are what was measured of a right answer, by name.
    """

    verdict: Verdict
    message: str
    seconds: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)


class Assessors:
    """Locked processes that judge, and others that compile: one of each for each worker, as needed.

    One that an answer broke is not used again.

    Args:
        hidden: folders that they must not see.
    """

    def __init__(self, hidden: Iterable[Path] = ()) -> None:
        self._hidden = tuple(hidden)
        self._idle = queue.SimpleQueue[Sandbox]()
        self._compilers = queue.SimpleQueue[Sandbox]()

    def __enter__(self) -> Assessors:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for idle in (self._idle, self._compilers):
            while not idle.empty():
                idle.get().close()

    @contextmanager
    def one(self) -> Iterator[Sandbox]:
        """Lend one that judges, with the time for one answer; it comes back if nothing was raised.

        Raises:
            RuntimeError: it does not start.
        """
        with _lend(self._idle, self._start) as lent:
            lent.grant(JUDGING.seconds)
            yield lent

    def compile(self, line: bytes) -> bytes:
        """Send a line to one that compiles, and return what it answers.

        Raises:
            StoppedError: it was not finished in time, or broke another limit.
            RuntimeError: it does not start.
        """
        with _lend(self._compilers, self._start_compiler) as lent:
            lent.grant(COMPILING.seconds)
            return lent.exchange(line)

    def _start(self) -> Sandbox:
        # Its processor time is that of many answers; the deadline of each is kept from here.
        limits = replace(JUDGING, seconds=_PROCESS_SECONDS)
        closed = [folder for folder in ANSWERS if folder != _CHECKS]
        return Sandbox(limits, self._hidden, program="assessor", closed=closed)

    def _start_compiler(self) -> Sandbox:
        return Sandbox(replace(COMPILING, seconds=_PROCESS_SECONDS), self._hidden, program="compiler")


@contextmanager
def _lend(idle: queue.SimpleQueue[Sandbox], start: Callable[[], Sandbox]) -> Iterator[Sandbox]:
    try:
        lent = idle.get_nowait()
    except queue.Empty:
        lent = start()
    try:
        yield lent
    except BaseException:
        lent.close()
        raise
    idle.put(lent)


def judge(
    answer: Answer,
    limits: Limits,
    assessors: Assessors,
    hidden: Iterable[Path] = (),
    whole: bool = False,
    seat: Seat = NOBODY,
) -> Judged:
    """Run the cell of an answer in one sandbox, and have what it hands in judged in another.

    Args:
        answer: the cell, and those before it.
        limits: what it may take.
        assessors: those who judge.
        hidden: folders that it must not see.
        whole: run all cells before it, in place of the statements that it needs.
        seat: whose constants its exercise has.

    Returns:
        The verdict: "error" if nothing was handed in.

    Raises:
        RuntimeError: a sandbox does not start.
    """
    whose = {"group": seat.group, "learner": seat.learner}
    job = whose | {
        "before": answer.before, "answer": answer.source, "name": answer.exercise, "whole": whole,
    }  # fmt: skip
    with Sandbox(limits, hidden) as child:
        try:
            said = child.exchange(json.dumps(job).encode())
        except StoppedError as stopped:
            return Judged("error", f"Your code {stopped}.", child.seconds)
        about = json.dumps(whose | {"exercise": answer.exercise}).encode()
        try:
            with assessors.one() as bench:
                found = _judged(child, bench, about, said, assessors.compile)
        except StoppedError as stopped:
            found = Judged("error", f"Your answer could not be judged: judging it {stopped}.")
        return replace(found, seconds=child.seconds)


def _judged(
    child: Sandbox, bench: Sandbox, about: bytes, said: bytes, compile_it: Callable[[bytes], bytes]
) -> Judged:
    """Carry lines between them, until there is a verdict; what the child says is not read here."""
    line = bench.exchange(b"\n".join((about, b"{}", said)))
    while line.startswith((assessor.CALL, assessor.COMPILE)):
        ask = compile_it if line.startswith(assessor.COMPILE) else child.exchange
        try:
            reply = b"{}\n" + ask(line)
        except StoppedError as stopped:
            reply = json.dumps({"stopped": str(stopped)}).encode()
        line = bench.exchange(reply)
    try:
        found = json.loads(line)
        figures = {str(name): float(value) for name, value in found["figures"].items()}
        judged = Judged(found["verdict"], str(found["message"]), 0.0, figures)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise StoppedError("gave no verdict") from error
    if judged.verdict not in get_args(Verdict):
        raise StoppedError("gave no verdict")
    return judged
