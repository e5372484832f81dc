"""What pages for teachers take from lessons and measurements: outcomes, two days, sizes of a server."""

from __future__ import annotations

import re
from pathlib import Path

from tinyml_helpers.classroom.workshop import class_load, handout, schedule
from tinyml_helpers.classroom.workshop.quiz import bank
from tinyml_helpers.course import syllabus
from tinyml_helpers.course.syllabus import Lesson

TWO_DAYS = (0, 1, 2, 3, 4, 8, 9, 10, 14, 15)
HANDS_ON_MINUTES = 15
_PART = re.compile(
    r"(<!-- (outcomes|two days|sizes): written by `make book` -->\n).*?(<!-- end of \2 -->)", re.DOTALL
)


def renew(page: str) -> str:
    """Return a page whose marked parts say what the lessons say now."""
    parts = {"outcomes": outcomes, "two days": two_days, "sizes": sizes}
    return _PART.sub(lambda found: f"{found[1]}{parts[found[2]]()}\n{found[3]}", page)


def renewed_pages(root: Path) -> dict[Path, str]:
    """Return the pages for teachers whose marked parts are not what the lessons say now, mended."""
    pages = {path: path.read_text("utf-8") for path in sorted((root / "book" / "teach").glob("*.md"))}
    return {path: renew(page) for path, page in pages.items() if renew(page) != page}


def outcomes() -> str:
    """What learners can do after each lesson, in the lesson's own words, and what checks it."""
    return "".join(_outcome(lesson) for lesson in syllabus.lessons())


def _outcome(lesson: Lesson) -> str:
    notebook = syllabus.read_notebook(lesson.path)
    goals = "\n".join(f"- {goal}" for goal in handout.collect(lesson, notebook).goals)
    exercises = len(handout.find_questions(notebook))
    questions = len(bank.read_questions(lesson.number))
    link = f"[{lesson.title}](../../notebooks/{lesson.path.name})"
    return (
        f"\n## {lesson.number:02d} · {link}\n\n{goals}\n\n"
        f"*Checked by {exercises} exercises and {questions} questions; "
        f"{schedule.minutes(lesson)} minutes to show and discuss.*\n"
    )


def two_days() -> str:
    """The plan that the command of the page makes, a table a day."""
    days = schedule.plan_days(syllabus.select(list(TWO_DAYS)), "09:00", HANDS_ON_MINUTES)
    return "".join(_day(number, slots) for number, slots in enumerate(days, 1))


def sizes() -> str:
    """What `make hub` measured, and the cores and the memory that classes of three sizes need by it."""
    load = class_load.read_hub_load()
    if not load.runs:
        return "\nNot measured yet: run `make hub`.\n"
    measured = "\n".join(f"- {run}." for run in load.runs)
    needs = load.needs(class_load.SIZES)
    rows = "\n".join(
        f"| {need.learners} | {need.lesson:02d} | {need.cores} | {need.gib:.1f} GiB |" for need in needs
    )
    return (
        f"\n{measured}\n- {load.conditions}\n\n"
        f"| learners | lesson | cores for at most {class_load.MOST_TIMES} times as long | memory |\n"
        f"|--:|--:|--:|--:|\n{rows}\n"
    )


def _day(number: int, slots: tuple[schedule.Slot, ...]) -> str:
    rows = "\n".join(f"| {slot.clock} | {slot.what} | {slot.minutes or ''} |" for slot in slots)
    return f"\n## Day {number}\n\n| time | what | minutes |\n|---|---|--:|\n{rows}\n"
