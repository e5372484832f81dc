"""The result: a row for each exercise, as a table to read and as a CSV file that is safe to open."""

from __future__ import annotations

import csv
import io
import os
import tempfile
import unicodedata
from collections import Counter
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from tinyml_helpers.classroom.grade.verdicts import Verdict
from tinyml_helpers.system.tables import text_table

_ALIKE = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0458"
    "\u0455\u0501\u051b\u051d\u04bb"
    "\u03b1\u03b2\u03b5\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7"
    "01|",
    "abekmhopctyxijsdqwhabeikvoptuxoll",
)
"""Cyrillic and Greek letters, and digits, that look like a Latin letter in either case."""
VERDICTS: tuple[Verdict, ...] = ("right", "hint", "not tried", "error")
_FORMULAS = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Row:
    """One exercise of one submission.

    Args:
        learner: by the name of the folder or of the file.
        file: where it was, below the folder.
        lesson: its number, or None if the file is no notebook of the course.
        exercise: its name, or "".
        verdict: "right", "hint", "not tried" or "error".
        attempts: cells that tried to answer it; the last one counts.
        message: what the check says to the learner, or what went wrong.
        seconds: that the answer took.
        figures: what was measured of a right answer, as "name=value" with semicolons between.
    """

    learner: str
    file: str
    lesson: int | None
    exercise: str
    verdict: Verdict
    attempts: int
    message: str
    seconds: float
    figures: str = ""


@dataclass(frozen=True, repr=False)
class Report:
    """All `rows`, in the order of learners, lessons and exercises."""

    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        """Show the verdicts of each learner, counted."""
        counts: dict[str, Counter[str]] = {}
        for row in self.rows:
            counts.setdefault(row.learner, Counter())[row.verdict] += 1
        names = Names()
        table = [
            [names.shown(learner), *(str(count[verdict]) for verdict in VERDICTS)]
            for learner, count in counts.items()
        ]
        return text_table(["learner", *VERDICTS], table)

    def write(self, path: Path) -> None:
        """Write the rows as CSV: the whole file, or none of it.

        Raises:
            OSError: it cannot be written there.
        """
        path = path.absolute()
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(self.csv())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def csv(self, names: Names | None = None) -> str:
        """Return the rows as CSV. No cell of it begins a formula, where a spreadsheet opens it.

        Args:
            names: those of learners that have been shown before, so that new ones differ from them.
        """
        names = names or Names()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([field.name for field in fields(Row)])
        for row in self.rows:
            _, *others = astuple(row)
            writer.writerow([_cell(value) for value in (names.shown(row.learner), *others)])
        return text.getvalue()


class Names:
    """Learners' names as they are shown: no two look alike, so nobody gets into another's row."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._count: Counter[str] = Counter()

    def shown(self, learner: str) -> str:
        """Return a name without signs that hide; the second that looks like it ends in "(2)"."""
        if learner not in self._shown:
            visible = replace_control_characters(learner)
            looks = unicodedata.normalize("NFKD", visible).casefold().translate(_ALIKE)
            self._count[looks] += 1
            number = self._count[looks]
            self._shown[learner] = f"{visible} ({number})".strip() if number > 1 else visible
        return self._shown[learner]


class Journal:
    """Rows as they come, in a file beside the CSV to be: what a killed grader leaves behind.

    Args:
        path: of the CSV; the file beside it ends in `.part`, and goes once the CSV is there.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._rows, self._names = path.absolute(), list[Row](), Names()
        self._part = self._path.with_name(f"{self._path.name}.part")
        self._file = self._part.open("w", encoding="utf-8", newline="")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.close()
        if not self._rows:
            self._part.unlink(missing_ok=True)

    @property
    def report(self) -> Report:
        """What was graded so far."""
        return Report(tuple(self._rows))

    def add(self, row: Row) -> None:
        """Note a row; a disk that is full does not stop the grading."""
        self._rows.append(row)
        new = Report((row,)).csv(self._names)
        with suppress(OSError):
            self._file.write(new if len(self._rows) == 1 else new.partition("\n")[2])
            self._file.flush()

    def finish(self) -> None:
        """Write the CSV and remove the file beside it.

        Raises:
            OSError: it cannot be written; the file beside it stays.
        """
        self.report.write(self._path)
        self._part.unlink(missing_ok=True)


def replace_control_characters(text: str) -> str:
    """Replace what could move a cursor, hide or turn text: names and messages are the learner's."""
    kept = (" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)
    return " ".join("".join(kept).split())


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    text = "" if value is None else replace_control_characters(str(value))
    return f"'{text}" if text.startswith(_FORMULAS) and not isinstance(value, int) else text
