"""The questions as their files have them: checked, and with the figures that the lessons measured."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyml_helpers.course import scoreboard
from tinyml_helpers.course.scoreboard import Scoreboard

_FOLDER = Path(__file__).parent / "questions"
# {qat.tiny.ptq4_loss_points:.0f}: the name of a record, and how to write it.
_FIGURE = re.compile(r"\{([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)(?::([^{}]*))?\}")
_KINDS = ("one", "several", "truth", "number", "match")


class QuizError(ValueError):
    """A file asks something that no platform could ask; the message names it and the cure."""


@dataclass(frozen=True)
class Choice:
    """Something to answer: its `text`, whether it is `right`, and `why`.

    Of a number, `tolerance` is how far from it is still right; of a pair, `partner` is what belongs to
    the text.
    """

    text: str
    right: bool
    why: str = ""
    tolerance: float = 0.0
    partner: str = ""


@dataclass(frozen=True, repr=False)
class Question:
    """A question of a lesson, at its `place` from 1: what is asked, and the `section` that shows why.

    Of the kinds, `one` has one right answer among several, `several` has two or more, `truth` is true or
    false, `number` is to be typed, and `match` joins pairs. Backticks stand around code.
    """

    lesson: int
    place: int
    kind: str
    name: str
    text: str
    section: str
    answers: tuple[Choice, ...]
    why: str = ""

    @property
    def key(self) -> str:
        """What identifies the question on a platform, such as L02Q4."""
        return f"L{self.lesson:02d}Q{self.place}"

    @property
    def title(self) -> str:
        """Number and name, such as `02.4 One scale or many`."""
        return f"{self.lesson:02d}.{self.place} {self.name}"

    def explain(self, why: str) -> str:
        """Return a reason with the place in the lesson that shows it."""
        return f"{why} See lesson {self.lesson:02d}, “{self.section}”."

    def __repr__(self) -> str:
        marks = (("+" if one.right else "-", one.text, one.partner) for one in self.answers)
        lines = [f"  {mark} {text}{' -> ' if to else ''}{to}" for mark, text, to in marks]
        return "\n".join([f"{self.title}. {self.text}", *lines])


def read_questions(number: int) -> tuple[Question, ...]:
    """Return the questions of a lesson, in order, with their figures; none where it has no file.

    Raises:
        QuizError: the file is damaged, or a question has not the answers that its kind needs.
    """
    path = _FOLDER / f"{number:02d}.toml"
    if not path.exists():
        return ()
    board = scoreboard.reference()
    try:
        entries = tomllib.loads(path.read_text("utf-8"))["question"]
        return tuple(_read(number, place, entry, board) for place, entry in enumerate(entries, 1))
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise QuizError(
            f"{path.name} is no file of questions ({error}): compare it with 00.toml"
        ) from error


def _read(number: int, place: int, entry: Mapping[str, Any], board: Scoreboard) -> Question:
    question = Question(
        lesson=number,
        place=place,
        kind=entry["kind"],
        name=entry["name"],
        text=_fill(entry["text"], board),
        section=entry["section"],
        answers=_answers(entry, board),
        why=_fill(entry.get("why", ""), board),
    )
    if trouble := _find_trouble(question):
        raise QuizError(f"question {question.title}: {trouble}")
    return question


def _answers(entry: Mapping[str, Any], board: Scoreboard) -> tuple[Choice, ...]:
    """Return what the entry of a question has for its kind."""
    if entry["kind"] == "match":
        pairs = entry["pairs"]
        return tuple(Choice(_fill(a, board), True, partner=_fill(b, board)) for a, b in pairs)
    if entry["kind"] == "truth":
        said = {"True": entry["if_true"], "False": entry["if_false"]}
        holds = entry["is_true"]
        return tuple(
            Choice(text, (text == "True") == holds, _fill(why, board)) for text, why in said.items()
        )
    answers = (
        Choice(
            _fill(one["text"], board),
            one.get("right", False),
            _fill(one["why"], board),
            float(entry.get("tolerance", 0)),
        )
        for one in entry["answers"]
    )
    # The order of the alphabet tells nothing, where a platform does not shuffle.
    return tuple(sorted(answers, key=lambda one: one.text))


def _fill(text: str, board: Scoreboard) -> str:
    """Put figures in place of the names of records."""
    figures = {record.name: record for record in board.records}

    def figure(found: re.Match[str]) -> str:
        record = figures.get(found[1])
        if record is None:
            raise QuizError(
                f"no lesson records {found[1]!r}: take a name from data/reference/scoreboard.json"
            )
        return f"{record.value:{found[2]}}" if found[2] else record.figure

    return " ".join(_FIGURE.sub(figure, text).split())


def _find_trouble(question: Question) -> str:
    """Say what a platform could not make of a question and how to mend it, or ""."""
    right = sum(one.right for one in question.answers)
    texts = [one.text for one in question.answers]
    if question.kind not in _KINDS:
        return f"there is no kind {question.kind!r}: choose one of {', '.join(_KINDS)}"
    if len(set(texts)) < len(texts) or len(texts) < 2:
        return "it needs two answers or more, each another: write them apart"
    if question.kind in ("one", "truth", "number") and right != 1:
        return f"{right} of its answers are right: mark one with right = true"
    if question.kind == "several" and not 2 <= right < len(texts):
        return f"{right} of its {len(texts)} answers are right: mark two or more, and leave one wrong"
    if question.kind == "match":
        partners = {one.partner for one in question.answers}
        return "" if len(partners) == len(texts) and question.why else "pairs need partners and a why"
    if question.kind == "number" and not all(_is_number(text) for text in texts):
        return f"{', '.join(texts)} are no numbers: write digits, such as 0.4"
    return "" if all(one.why for one in question.answers) else "say why of each answer"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None
