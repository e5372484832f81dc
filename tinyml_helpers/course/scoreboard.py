"""The scoreboard: what each lesson measured, collected in one table."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from tinyml_helpers.course.wording import explain_record
from tinyml_helpers.system.folders import CHECKOUT, build_folder, configured_folder, write_atomically
from tinyml_helpers.system.shared_folders import lock_folder
from tinyml_helpers.system.tables import html_table, text_table

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_HEADER = ("lesson", "measured", "value", "unit")
_NAMES = (0, 1, 3)  # columns set to the left


@dataclass(frozen=True, repr=False)
class Record:
    """One measurement: dotted `name`, `value`, `unit` and the number of its `lesson`."""

    name: str
    value: float
    unit: str
    lesson: int

    @property
    def figure(self) -> str:
        """The value with four significant digits."""
        return f"{self.value:,.0f}" if self.value.is_integer() else f"{self.value:,.4g}"

    def __repr__(self) -> str:
        return f"{self.name} = {self.figure} {self.unit}".rstrip()


@dataclass(frozen=True, repr=False)
class Scoreboard:
    """All records, ordered by lesson, in the order in which the lessons wrote them."""

    records: tuple[Record, ...]

    def __getitem__(self, name: str) -> float:
        """Return the value recorded under `name`.

        Raises:
            KeyError: nothing is recorded under it.
        """
        for record in self.records:
            if record.name == name:
                return record.value
        raise KeyError(f"nothing is recorded as {name!r}: run the lesson that measures it")

    def of_lesson(self, lesson: int) -> Scoreboard:
        """Return what one lesson recorded."""
        return Scoreboard(tuple(r for r in self.records if r.lesson == lesson))

    def of_own(self) -> Scoreboard:
        """Return what was measured on a learner's own files."""
        return Scoreboard(tuple(r for r in self.records if r.name.startswith("own.")))

    def __repr__(self) -> str:
        if not self.records:
            return "The scoreboard is empty: run a lesson, or `tinyml course`."
        return text_table(_HEADER, self._rows(), _NAMES)

    def _repr_html_(self) -> str:
        """Show what each record means, and the name under which it is found again."""
        if not self.records:
            return f"<p>{self!r}</p>"
        rows = [
            (f"{r.lesson:02d}", explain_record(r.name), r.name, r.figure, r.unit) for r in self.records
        ]
        return html_table(("lesson", "what was measured", "record", "value", "unit"), rows, (0, 1, 2, 4))

    def _rows(self) -> list[tuple[str, ...]]:
        return [(f"{r.lesson:02d}", r.name, r.figure, r.unit) for r in self.records]


def results_folder() -> Path:
    """Return the folder of the records: `TINYML_RESULTS`, or `build/results` of the checkout.

    In a checkout that cannot be written to, it is in the user's cache.
    """
    return configured_folder("TINYML_RESULTS") or build_folder() / "results"


def record(name: str, value: float, unit: str, lesson: int) -> Record:
    """Record a measurement; a later one of the same name and lesson replaces it.

    Args:
        name: dotted lower-case words, the first of which names the subject: "prune.large.gzip_ratio".
        value: a finite number.
        unit: "percent", "bytes", "ms" ...; "" for a plain ratio or count.
        lesson: number of the lesson.

    Raises:
        ValueError: the name is not dotted, or the value is not finite.
        OSError: the folder of the records cannot be written to; the old records are as they were.
    """
    if not _NAME.fullmatch(name):
        example = "such as 'prune.large.gzip_ratio'"
        raise ValueError(f"record name {name!r} is not dotted lower case, {example}")
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}: only finite numbers are recorded")
    made = Record(name, float(value), unit, lesson)
    path = results_folder() / f"{lesson:02d}.json"
    with lock_folder(path.parent):  # another kernel may run the same lesson
        kept = [r for r in read_records(path) if r.name != name] if path.exists() else []
        write_atomically(path, json.dumps([asdict(r) for r in (*kept, made)], indent=2) + "\n")
    return made


def read_records(path: Path) -> list[Record]:
    """Return the records of one file, in their order.

    Raises:
        ValueError: it is missing or damaged.
    """
    try:
        records = [Record(**entry) for entry in json.loads(path.read_text("utf-8"))]
        if not all(_is_sound(record) for record in records):
            raise TypeError("a record is not one")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: delete it and run its lesson again") from error
    return records


def _is_sound(record: Record) -> bool:
    texts = isinstance(record.name, str) and isinstance(record.unit, str)
    numbers = type(record.value) is float and type(record.lesson) is int
    return texts and numbers and math.isfinite(record.value)


def collect() -> Scoreboard:
    """Return the records of all lessons that have run.

    Raises:
        ValueError: a file of records is damaged.
    """
    files = sorted(results_folder().glob("[0-9][0-9].json"))
    return Scoreboard(tuple(record for path in files for record in read_records(path)))


def reference_path() -> Path:
    """Return the file of the reference scoreboard: what the stored outputs of the lessons show."""
    return CHECKOUT / "data" / "reference" / "scoreboard.json"


def reference() -> Scoreboard:
    """Return the reference scoreboard, empty before the first `make outputs`."""
    from tinyml_helpers.datasets import read_file

    path = reference_path()
    records = json.loads(read_file(path)) if path.exists() else []
    return Scoreboard(tuple(Record(**record) for record in records))
