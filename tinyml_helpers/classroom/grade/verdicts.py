"""Have an answer run in one locked process and judged in another; here nothing of it is even read."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

from tinyml_helpers.classroom.grade import assessor
from tinyml_helpers.classroom.grade.lockdown import ANSWERS, PACKAGE, Limits
from tinyml_helpers.classroom.grade.sandbox import Sandbox, StoppedError
from tinyml_helpers.classroom.grade.submissions import Answer

Verdict = Literal["right", "hint", "not tried", "error"]
JUDGING = Limits(seconds=30.0, memory_mib=3072, room_mib=8)
"""What judging one answer may take."""
_PROCESS_SECONDS = 86_400.0
_CHECKS = PACKAGE / "course" / "exercises"


@dataclass(frozen=True)
class Judged:
    """What came of one answer: `verdict`, the `message` for the learner, and the `seconds` it took."""

    verdict: Verdict
    message: str
    seconds: float = 0.0


class Assessors:
    """Locked processes that judge, one for each worker; one that an answer broke is not used again.

    Args:
        hidden: folders that they must not see.
    """

    def __init__(self, hidden: Iterable[Path] = ()) -> None:
        self._hidden = tuple(hidden)
        self._idle = queue.SimpleQueue[Sandbox]()

    def __enter__(self) -> Assessors:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        while not self._idle.empty():
            self._idle.get().close()

    @contextmanager
    def one(self) -> Iterator[Sandbox]:
        """Lend one that is idle, with the time for one answer; it comes back if nothing was raised.

        Raises:
            RuntimeError: it does not start.
        """
        try:
            lent = self._idle.get_nowait()
        except queue.Empty:
            lent = self._start()
        lent.grant(JUDGING.seconds)
        try:
            yield lent
        except BaseException:
            lent.close()
            raise
        self._idle.put(lent)

    def _start(self) -> Sandbox:
        # Its processor time is that of many answers; the deadline of each is kept from here.
        limits = replace(JUDGING, seconds=_PROCESS_SECONDS)
        closed = [folder for folder in ANSWERS if folder != _CHECKS]
        return Sandbox(limits, self._hidden, program="assessor", closed=closed)


def judge(
    answer: Answer,
    limits: Limits,
    assessors: Assessors,
    hidden: Iterable[Path] = (),
    whole: bool = False,
) -> Judged:
    """Run the cell of an answer in one sandbox, and have what it hands in judged in another.

    Args:
        answer: the cell, and those before it.
        limits: what it may take.
        assessors: those who judge.
        hidden: folders that it must not see.
        whole: run all cells before it, in place of the statements that it needs.

    Returns:
        The verdict: "error" if nothing was handed in.

    Raises:
        RuntimeError: a sandbox does not start.
    """
    job = {
        "before": answer.before, "answer": answer.source, "name": answer.exercise, "whole": whole,
    }  # fmt: skip
    with Sandbox(limits, hidden) as child:
        try:
            said = child.exchange(json.dumps(job).encode())
        except StoppedError as stopped:
            return Judged("error", f"Your code {stopped}.", child.seconds)
        try:
            with assessors.one() as bench:
                verdict, message = _verdict(child, bench, answer.exercise, said)
        except StoppedError as stopped:
            verdict, message = "error", f"Your answer could not be judged: judging it {stopped}."
        return Judged(verdict, message, child.seconds)


def _verdict(child: Sandbox, bench: Sandbox, exercise: str, said: bytes) -> tuple[Verdict, str]:
    """Carry lines between the two, until there is a verdict; what the child says is not read here."""
    line = bench.exchange(b"\n".join((json.dumps({"exercise": exercise}).encode(), b"{}", said)))
    while line.startswith(assessor.CALL):
        try:
            reply = b"{}\n" + child.exchange(line)
        except StoppedError as stopped:
            reply = json.dumps({"stopped": str(stopped)}).encode()
        line = bench.exchange(reply)
    try:
        found = json.loads(line)
        verdict, message = found["verdict"], str(found["message"])
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise StoppedError("gave no verdict") from error
    if verdict not in get_args(Verdict):
        raise StoppedError("gave no verdict")
    return verdict, message
