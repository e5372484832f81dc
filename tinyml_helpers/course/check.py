"""Exercises that check themselves.

A lesson calls `check.<exercise>(answer)`. With `None` in place of an answer it says that nothing has
been tried yet; otherwise it says what was right and why it matters, or gives a hint. The exercises of
lesson N are functions in `tinyml_helpers/course/exercises/`, in a file whose name ends in N. What a
learner wrote runs apart from the notebook, so that it may hang or crash.

`check.join` takes a seat in a class, where constants differ by learner; `check.given` shows them.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tinyml_helpers.course import boxed, constants, scoreboard
from tinyml_helpers.course.constants import given as given
from tinyml_helpers.course.constants import join as join
from tinyml_helpers.system.tables import html_words

Status = Literal["right", "hint", "not tried yet"]
_SIGNS = {"right": "✓", "hint": "✗", "not tried yet": "○"}
_COLOURS = {"right": "#009E73", "hint": "#D55E00", "not tried yet": "#767676"}


@dataclass(frozen=True, repr=False)
class Verdict:
    """What an exercise says of an answer: `status` and one `message` for the learner.

    `figures` are what was measured of an answer that is right, by name with unit: less is better.
    """

    status: Status
    message: str
    figures: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{_SIGNS[self.status]} {self.status.capitalize()}. {self.message}".rstrip()

    def _repr_html_(self) -> str:
        return (
            f'<div style="border-left:4px solid {_COLOURS[self.status]};padding:.4em .8em">'
            f"<b>{_SIGNS[self.status]} {self.status.capitalize()}.</b> "
            f"{html_words(self.message)}</div>"
        )


@dataclass(frozen=True)
class Exercise:
    """One exercise: its `judge`, and the `right` and `wrong` argument tuples that a test gives it.

    `slips` are hints for the typical wrong answers, as an answer book lists them.
    """

    judge: Callable[..., Verdict]
    right: tuple[tuple[Any, ...], ...]
    wrong: tuple[tuple[Any, ...], ...]
    slips: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What a lesson calls it."""
        return self.judge.__name__

    @property
    def lesson(self) -> int:
        """The lesson that it belongs to."""
        return int(self.judge.__module__.rpartition("_")[2])

    def __call__(self, *answer: Any) -> Verdict:
        """Judge an answer; one that is missing or cannot be judged gets a verdict too.

        Code of a learner runs apart, with limits. What was measured of it goes to the scoreboard.
        """
        if self.name in constants.CONSTANTS and constants.seat().lacks_name:
            return hint("First put your name into check.join(...) at the top of the lesson.")
        if not any(callable(part) or isinstance(part, str) for part in answer):
            return self.weigh(*answer)
        try:
            found = Verdict(**boxed.run_apart(lambda: asdict(self.weigh(*answer))))
        except boxed.StoppedError as stopped:
            return hint(f"Your code {stopped}.")
        if found.status == "right" and answer not in self.right:
            self._record(found.figures)
        return found

    def weigh(self, *answer: Any) -> Verdict:
        """Judge an answer in this very process, without limits, and record nothing."""
        if not answer or any(part is None for part in answer):
            return Verdict("not tried yet", "Put your answer in place of None and run the cell again.")
        if any(map(_is_quoted_number, answer)) and not any(
            isinstance(part, str) for given in self.right for part in given
        ):
            return hint("That is text: give the number without quotation marks.")
        try:
            return self.judge(*answer)
        except MemoryError:
            return hint("Your code asked for more memory than there is for an answer.")
        except Exception as error:
            call = "Call your function yourself on a small example, and at the ends of what it may get."
            kind = "Is it of the kind that the exercise asks for?"
            advice = call if any(map(callable, answer)) else kind
            return hint(f"Your answer could not be checked ({type(error).__name__}: {error}). {advice}")

    def _record(self, figures: Mapping[str, float]) -> None:
        """Keep what was measured of a learner's own answer; the printed solution is nobody's."""
        for name, value in figures.items():
            unit = "bytes" if name.endswith("_bytes") else ""
            with suppress(OSError, ValueError):  # a verdict does not fail for want of room
                scoreboard.record(f"built.{self.name}.{name}", value, unit, self.lesson)


def _is_quoted_number(part: Any) -> bool:
    return isinstance(part, str) and part.strip().lstrip("+-").replace(".", "", 1).isdecimal()


def right(message: str, figures: Mapping[str, float] | None = None) -> Verdict:
    """Say that the answer is right, and why that matters; `figures` are what was measured of it."""
    return Verdict("right", message, figures or {})


def hint(message: str) -> Verdict:
    """Say that the answer is not right yet, with a hint that helps."""
    return Verdict("hint", message)


def exercise(
    *,
    wrong: Sequence[tuple[Any, ...]],
    right: Sequence[tuple[Any, ...]] = (),
    slips: Sequence[str] = (),
) -> Callable[[Callable[..., Verdict]], Callable[..., Verdict]]:
    """Mark a function as an exercise.

    Args:
        wrong: tuples of arguments that must get a hint; tests try each of them.
        right: tuples of arguments that must be accepted: every right answer that people give, and of
            a function one in numpy and one in torch. No verdict may contain a number of theirs.
        slips: hints for typical wrong answers, for the answer book.
    """

    def mark(judge: Callable[..., Verdict]) -> Callable[..., Verdict]:
        made = Exercise(judge, tuple(right), tuple(wrong), tuple(slips))

        @functools.wraps(judge)
        def answer(*given: Any) -> Verdict:
            return made(*given)

        _registry[judge.__name__] = made
        return answer

    return mark


_registry: dict[str, Exercise] = {}


@functools.cache
def exercises() -> dict[str, Exercise]:
    """Return every exercise of the course by name."""
    package = importlib.import_module("tinyml_helpers.course.exercises")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return _registry


def __getattr__(name: str) -> Exercise:
    if name.startswith("_"):
        raise AttributeError(name)
    if name not in exercises():
        known = ", ".join(sorted(exercises()))
        raise AttributeError(f"no exercise {name!r}: choose one of {known}")
    return exercises()[name]


def __dir__() -> list[str]:
    return sorted([*exercises(), "given", "join"])
