"""Judge an answer here, while its functions run there: the only place where a verdict is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tinyml_helpers.course import check
from tinyml_helpers.course.grade import codec
from tinyml_helpers.course.grade.locks import Limits
from tinyml_helpers.course.grade.sandbox import Sandbox, StoppedError
from tinyml_helpers.course.grade.submissions import Answer

Verdict = Literal["right", "hint", "not tried", "error"]


class AnswerError(RuntimeError):
    """A function of the answer raised an error, or returned what is no data."""


@dataclass(frozen=True)
class Judged:
    """What came of one answer: `verdict`, the `message` for the learner, and the `seconds` it took."""

    verdict: Verdict
    message: str
    seconds: float = 0.0


def judge(answer: Answer, limits: Limits, hidden: Iterable[Path] = (), whole: bool = False) -> Judged:
    """Run the cell of an answer in a sandbox, and judge what it hands in.

    Args:
        answer: the cell, and those before it.
        limits: what it may take.
        hidden: folders that it must not see.
        whole: run all cells before it, in place of the statements that it needs.

    Returns:
        The verdict: "error" if nothing was handed in.

    Raises:
        RuntimeError: the sandbox does not start.
    """
    job = {
        "before": answer.before, "answer": answer.source, "name": answer.exercise, "whole": whole,
    }  # fmt: skip
    with Sandbox(limits, hidden) as sandbox:
        try:
            verdict, message = _verdict(sandbox, answer.exercise, sandbox.ask(job))
        except StoppedError as stopped:
            verdict, message = "error", f"Your code {stopped}."
        return Judged(verdict, message, sandbox.seconds)


def _verdict(sandbox: Sandbox, exercise: str, said: dict[str, Any]) -> tuple[Verdict, str]:
    if "raised" in said:
        return "error", f"Your cell stopped: {said['raised']!s:.400}"
    if not isinstance(said.get("answer"), list):
        return "error", f"Your cell ran, but it never called check.{exercise}(...) with an answer."
    try:
        parts = [codec.decode(part, _caller(sandbox)) for part in said["answer"]]
    except (ValueError, RecursionError, OverflowError, MemoryError) as error:
        return "error", f"Your answer is no data that can be judged ({error!s:.200})."
    found = check.exercises()[exercise](*parts)
    return "not tried" if found.status == "not tried yet" else found.status, found.message


def _caller(sandbox: Sandbox) -> Callable[[int], Callable[..., Any]]:
    """Make functions that stand for those in the sandbox."""

    def fetch(number: int) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            message = {"call": number, "given": _data(list(given)), "named": _data(named)}
            said = sandbox.ask(message)
            if "value" not in said:
                raise AnswerError(f"your function stopped: {said.get('raised', 'no answer')!s:.300}")
            return codec.decode(said["value"], _caller(sandbox))

        return call

    return fetch


def _data(value: Any) -> Any:
    def keep(function: Callable[..., Any]) -> int:
        raise ValueError(f"{function!r} is no data: a check can send data only")

    return codec.encode(value, keep)
