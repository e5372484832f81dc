"""The answer book of a workshop: exercises, solutions, what checks look for, typical slips."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyml_helpers.classroom.workshop import handout, pages
from tinyml_helpers.course import check, constants
from tinyml_helpers.course.syllabus import Lesson

_CALL = re.compile(r"\bcheck\.(\w+)\(")
_MOST_SLIPS = 12


@dataclass(frozen=True)
class Answered:
    """One exercise as a teacher needs it.

    Args:
        name: of its check.
        question: as the lesson asks it, in Markdown.
        solution: the code of the lesson's own solution.
        looks_for: what its check looks for.
        slips: a wrong answer, "" for code, and what the check says to it.
        constants: name -> the values among which learners of a class get theirs.
    """

    name: str
    question: str
    solution: str
    looks_for: str
    slips: tuple[tuple[str, str], ...]
    constants: Mapping[str, tuple[float, ...]]


def render_answers(lessons: Sequence[Lesson], notebooks: Mapping[int, Any], group: str) -> str:
    """Return the answer book of some lessons as one HTML page.

    Args:
        lessons: in order.
        notebooks: number of a lesson -> the stored notebook.
        group: name of the class, "" for none.
    """
    chapters = [(lesson, collect_answers(notebooks[lesson.number])) for lesson in lessons]
    return pages.render("answers.html.j2", chapters=chapters, group=group)


def collect_answers(notebook: Any) -> tuple[Answered, ...]:
    """Gather the exercises of a lesson, in its order."""
    stubs, solutions = (_tagged(notebook, tag) for tag in ("exercise", "solution"))
    questions = handout.find_questions(notebook)
    return tuple(
        _answered(question, stub, solutions) for question, stub in zip(questions, stubs, strict=True)
    )


def _answered(question: str, stub: Any, solutions: list[Any]) -> Answered:
    name = _name(stub)
    made = check.exercises().get(name)
    solution = next((cell.source for cell in solutions if _name(cell) == name), "")
    return Answered(
        name=name,
        question=question,
        solution=solution.removeprefix("# NBVAL_CHECK_OUTPUT\n"),
        looks_for=(inspect.getdoc(made.judge) or "").partition("\n")[0] if made else "",
        slips=find_slips(made) if made else (),
        constants={key: values[1:] for key, values in constants.CONSTANTS.get(name, {}).items()},
    )


def find_slips(made: check.Exercise) -> tuple[tuple[str, str], ...]:
    """Return typical wrong answers and what the check says to them, each hint once.

    An exercise that builds brings its slips; of others, the plausible wrong answers of the tests serve.
    """
    if made.slips:
        return tuple(("", hint) for hint in dict.fromkeys(made.slips))
    found: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of wrong answers
        said = [made.weigh(*answer).message for answer in made.wrong]
    for answer, message in zip(made.wrong, said, strict=True):
        shown = "" if any(map(callable, answer)) else ", ".join(map(repr, answer))
        found.setdefault(message, shown[:60])
    return tuple((shown, message) for message, shown in found.items())[:_MOST_SLIPS]


def _tagged(notebook: Any, tag: str) -> list[Any]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def _name(cell: Any) -> str:
    """Return the exercise that a cell answers; of unknown ones the last, as in a lesson of one's own."""
    called = _CALL.findall(cell.source)
    known = [name for name in called if name in check.exercises()]
    return [*called, *known][-1] if called else ""
