"""A class's table of what its learners built and measured, from a folder of results.

Files of strangers: they are read as data, with limits, and names are shown as the grader shows them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyml_helpers.classroom.grade.report import Names
from tinyml_helpers.course import check, scoreboard
from tinyml_helpers.course.firmware_task import FIGURES
from tinyml_helpers.system.tables import text_table

_MOST_BYTES, _MOST_FILES = 20 << 20, 20_000
_BUILT = "built."


@dataclass(frozen=True)
class Entry:
    """What one learner reached in one exercise: `figures` by name, less is better.

    `is_graded` says that `tinyml grade` measured it; else it is what the learner handed in.
    """

    exercise: str
    learner: str
    figures: dict[str, float]
    is_graded: bool

    @property
    def order(self) -> tuple[float, ...]:
        """By what entries are ordered: the figure that decides first, then the others."""
        return tuple(self.figures.get(name, float("inf")) for name in FIGURES)


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """All `entries`, one for each learner and exercise, and the files that could not be read."""

    entries: tuple[Entry, ...]
    unread: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Show a table for each exercise, the best first."""
        parts = [self._table(name) for name in sorted({one.exercise for one in self.entries})]
        if not parts:
            parts = ["Nothing was built and measured here: see `tinyml leaderboard --help`."]
        parts += [f"Not read: {name}" for name in self.unread]
        return "\n\n".join(parts)

    def _table(self, exercise: str) -> str:
        names = Names()
        ranked = sorted(
            (one for one in self.entries if one.exercise == exercise), key=lambda one: one.order
        )
        rows = [
            [
                str(1 + sum(other.order < one.order for other in ranked)),
                names.shown(one.learner),
                *(f"{one.figures[name]:,.4g}" if name in one.figures else "–" for name in FIGURES),
                "graded" if one.is_graded else "as handed in",
            ]
            for one in ranked
        ]
        header = ["", "learner", *(name.replace("_", " ") for name in FIGURES), "measured"]
        return f"{exercise}\n{text_table(header, rows, (1, len(header) - 1))}"


def read(folder: Path) -> Leaderboard:
    """Read a folder of results.

    Args:
        folder: tables of `tinyml grade` (`.csv`), and a folder of records for each learner, as lessons
            leave them in `build/results`. Where a learner is in both, the graded figures count.

    Raises:
        ValueError: there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}: give the one that holds the results of a class")
    best: dict[tuple[str, str], Entry] = {}
    unread = []
    for number, path in enumerate(sorted([*folder.glob("*.csv"), *folder.glob("*/**/[0-9][0-9].json")])):
        try:
            if number >= _MOST_FILES or path.is_symlink() or path.stat().st_size > _MOST_BYTES:
                raise ValueError("too many files, a link, or far too large")
            found = list(_graded(path) if path.suffix == ".csv" else _handed_in(path, folder))
        except (OSError, ValueError, csv.Error, RecursionError):
            unread.append(path.relative_to(folder).as_posix())
            continue
        for one in found:
            key = one.exercise, one.learner
            known = best.get(key)
            if not known or (not one.is_graded, one.order) < (not known.is_graded, known.order):
                best[key] = one
    return Leaderboard(tuple(best.values()), tuple(unread))


def _graded(path: Path) -> Iterator[Entry]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            figures = _figures(row.get("figures") or "")
            exercise = row.get("exercise") or ""
            if row.get("verdict") == "right" and figures and exercise in check.exercises():
                yield Entry(exercise, row.get("learner") or "", figures, is_graded=True)


def _figures(text: str) -> dict[str, float]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): float(value) for name, _, value in pairs if name.strip() in FIGURES}


def _handed_in(path: Path, folder: Path) -> Iterator[Entry]:
    learner = path.relative_to(folder).parts[0]
    built: dict[str, dict[str, float]] = {}
    for record in scoreboard.read_records(path):
        exercise, _, figure = record.name.removeprefix(_BUILT).partition(".")
        if record.name.startswith(_BUILT) and figure in FIGURES and exercise in check.exercises():
            built.setdefault(exercise, {})[figure] = record.value
    for exercise, figures in built.items():
        yield Entry(exercise, learner, figures, is_graded=False)
