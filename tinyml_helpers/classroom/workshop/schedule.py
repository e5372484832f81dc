"""What a lesson's speaker notes say: the sections of a lesson, with minutes and notes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tinyml_helpers.course.syllabus import Lesson, read_notebook

BREAK_MINUTES = 10
LUNCH_MINUTES = 60
MOST_WITHOUT_PAUSE_MINUTES = 60
DAY_HOURS = 8
_NOON = (12, 15)


@dataclass(frozen=True)
class Section:
    """Part of a lesson: `title`, first minute, `minutes`, speaker `notes` and the `cell` it opens in."""

    title: str
    start: int
    minutes: int
    notes: str
    cell: int


@dataclass(frozen=True)
class Slot:
    """A line of the day's plan: the clock's time, what happens, and for how many minutes."""

    clock: str
    what: str
    minutes: int
    lesson: int | None = None


def find_headings(source: str) -> list[str]:
    """Return the headings of a Markdown text, code fences apart."""
    return re.findall(r"^#{1,2} (.+)$", re.sub(r"```.*?```", "", source, flags=re.DOTALL), re.MULTILINE)


def find_sections(notebook: Any) -> tuple[Section, ...]:
    """Return the sections that have speaker notes, with a running clock.

    A cell that holds several headings is one section.
    """
    found: list[Section] = []
    minute = 0
    for index, cell in enumerate(notebook.cells):
        spoken = cell.metadata.get("tinyml", {})
        if cell.cell_type == "markdown" and "minutes" in spoken:
            title = " · ".join(find_headings(cell.source)) or "…"
            found.append(Section(title, minute, spoken["minutes"], spoken.get("notes", ""), index))
            minute += spoken["minutes"]
    return tuple(found)


def format_clock(section: Section) -> str:
    """Return when a section runs, such as `0:05 to 0:12 (7 min)`."""
    end = section.start + section.minutes
    return f"{_clock(section.start)} to {_clock(end)} ({section.minutes} min)"


def _clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02d}"


def minutes(lesson: Lesson) -> int:
    """Return how long a lesson takes in a class: its sections' minutes, else its stated reading time."""
    planned = sum(section.minutes for section in find_sections(read_notebook(lesson.path)))
    return planned or stated_minutes(lesson)


def stated_minutes(lesson: Lesson) -> int:
    """Return the reading time that a lesson states in its opening.

    Raises:
        ValueError: it states none.
    """
    stated = re.match(r"\d+", lesson.time)
    if not stated:
        raise ValueError(f"{lesson.path.name} states no minutes in **Time**: {lesson.time!r}")
    return int(stated[0])


def plan_days(
    lessons: Iterable[Lesson], start: str, hands_on_minutes: int = 0
) -> tuple[tuple[Slot, ...], ...]:
    """Return the plan, day by day: lessons, breaks between them, and lunch at about noon.

    Args:
        lessons: the lessons, in order.
        start: the clock's time at which a day begins, such as "09:00".
        hands_on_minutes: time for learners to work on the exercises after each lesson.

    Raises:
        ValueError: `start` is not a time of day.
    """
    try:
        opening = datetime.strptime(start, "%H:%M")
    except ValueError as error:
        raise ValueError(f"start {start!r} is not a time of day, such as 09:00") from error
    plan = [_Day(opening)]
    for lesson in lessons:
        length = minutes(lesson)
        if not plan[-1].has_room(length + hands_on_minutes):
            plan.append(_Day(opening))
        plan[-1].add(lesson, length, hands_on_minutes)
    return tuple(day.closed() for day in plan)


class _Day:
    """A day that fills up; a pause is due after an hour's teaching, and lunch comes once."""

    def __init__(self, opening: datetime) -> None:
        self.now = self.opening = opening
        self.noon = opening.replace(hour=_NOON[0], minute=_NOON[1])
        self.lunch_due = opening < self.noon
        self.taught_minutes = 0  # since the last pause
        self.slots: list[Slot] = []

    def has_room(self, length: int) -> bool:
        """Say whether a lesson of that length still ends within the day; an empty day takes any."""
        end = self.now + timedelta(minutes=length + BREAK_MINUTES)
        return not self.slots or end <= self.opening + timedelta(hours=DAY_HOURS)

    def add(self, lesson: Lesson, length: int, hands_on: int) -> None:
        """Put a lesson and its exercises at the end of the day, after a pause if one is due."""
        if self.lunch_due and self.slots and self.now >= self.noon - timedelta(minutes=20):
            self._pause("Lunch", LUNCH_MINUTES)
            self.lunch_due = False
        elif self.slots and self.taught_minutes + length + hands_on > MOST_WITHOUT_PAUSE_MINUTES:
            self._pause("Break", BREAK_MINUTES)
        self._put(f"{lesson.number} · {lesson.title}", length, lesson.number)
        if hands_on:
            self._put(f"Exercises of lesson {lesson.number}", hands_on, None)
        self.taught_minutes += length + hands_on

    def closed(self) -> tuple[Slot, ...]:
        """Return the day's plan, with its end."""
        return (*self.slots, Slot(f"{self.now:%H:%M}", "End", 0))

    def _pause(self, what: str, length: int) -> None:
        self._put(what, length, None)
        self.taught_minutes = 0

    def _put(self, what: str, length: int, lesson: int | None) -> None:
        self.slots.append(Slot(f"{self.now:%H:%M}", what, length, lesson))
        self.now += timedelta(minutes=length)
