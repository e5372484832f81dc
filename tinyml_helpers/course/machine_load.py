"""What a lesson takes of a machine: memory and seconds, as measured by `make load`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tinyml_helpers.course.scoreboard import Record
from tinyml_helpers.system.folders import CHECKOUT, write_atomically
from tinyml_helpers.system.tables import html_table, text_table

MOST_MIB = 2048
MOST_SECONDS = 60
MOST_BUSY_SECONDS = 300
YARDSTICK_SECONDS = 1.5
"""The promise is for a machine that needs so long for the yardstick, thirty training steps of `small`.

A slower machine may take in proportion longer.
"""
# Records of the whole course belong to no lesson; they are kept under the number after the last.
WHOLE_COURSE = 16
_FILE = CHECKOUT / "data" / "reference" / "memory.json"
_HEADER = ("lesson", "memory (MiB)", "seconds", "beside one busy process")


@dataclass(frozen=True)
class LessonLoad:
    """Largest memory of a lesson's kernel and its children, in MiB, and seconds from start to end.

    `busy_seconds` is the time beside one process that keeps a core busy. `yardstick_seconds` says how
    fast the machine was just then: thirty training steps of `small`, in batches of 128. Both are 0 where
    they were not measured.
    """

    lesson: int
    peak_mib: float
    seconds: float
    busy_seconds: float = 0.0
    yardstick_seconds: float = 0.0

    @property
    def times_slower(self) -> float:
        """How many times slower the machine was than one of `YARDSTICK_SECONDS`; 1 for a faster one."""
        return max(1.0, self.yardstick_seconds / YARDSTICK_SECONDS)

    @property
    def fits(self) -> bool:
        """Whether it keeps within 2 GB and one minute, or five beside a busy process."""
        alone = self.seconds <= self.times_slower * MOST_SECONDS
        beside = self.busy_seconds <= self.times_slower * MOST_BUSY_SECONDS
        return self.peak_mib <= MOST_MIB and alone and beside


@dataclass(frozen=True, repr=False)
class Load:
    """Every lesson's load in one profile, and the memory of a learner's Jupyter server, in MiB."""

    lessons: tuple[LessonLoad, ...]
    server_mib: float = 0.0
    cores: int = 0
    profile: str = "quick"

    def of(self, number: int) -> LessonLoad | None:
        """Return a lesson's load, or None where it was not measured."""
        return next((load for load in self.lessons if load.lesson == number), None)

    def class_gib(self, numbers: Iterable[int], learners: int) -> float:
        """Return the memory in GiB for learners who all run the heaviest of these lessons at once."""
        peaks = [load.peak_mib for number in numbers if (load := self.of(number))]
        return learners * (max(peaks, default=0.0) + self.server_mib) / 1024

    @property
    def too_much(self) -> tuple[LessonLoad, ...]:
        """The lessons that take more than 2 GB, or longer than the promise for such a machine."""
        return tuple(load for load in self.lessons if not load.fits)

    @property
    def records(self) -> tuple[Record, ...]:
        """What the scoreboard keeps: minutes of the whole course and its largest memory."""
        if not self.lessons:
            return ()
        minutes = sum(load.seconds for load in self.lessons) / 60
        peak = max(load.peak_mib for load in self.lessons)
        return (
            Record("course.minutes", round(minutes, 1), "min", WHOLE_COURSE),
            Record("course.peak_memory_mib", float(round(peak)), "MiB", WHOLE_COURSE),
        )

    def __repr__(self) -> str:
        return text_table(_HEADER, self._rows(), ())

    def _repr_html_(self) -> str:
        return html_table(_HEADER, self._rows(), ())

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                f"{one.lesson:02d}",
                f"{one.peak_mib:,.0f}",
                f"{one.seconds:.0f}",
                f"{one.busy_seconds:.0f}" if one.busy_seconds else "–",
            )
            for one in self.lessons
        ]


def read_load() -> Load:
    """Return what was measured last; an empty load before the first `make load`.

    Raises:
        ValueError: the file is damaged.
    """
    if not _FILE.exists():
        return Load(())
    try:
        stored = json.loads(_FILE.read_text("utf-8"))
        lessons = tuple(LessonLoad(**entry) for entry in stored.pop("lessons"))
        return Load(lessons, **stored)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{_FILE.name} is damaged: run `make load` again") from error


def to_json(load: Load) -> dict[str, Any]:
    """Return a load as plain values, a lesson after the other."""
    ordered = sorted(load.lessons, key=lambda one: one.lesson)
    return {
        "profile": load.profile,
        "cores": load.cores,
        "server_mib": round(load.server_mib, 1),
        "lessons": [
            {
                "lesson": one.lesson,
                "peak_mib": round(one.peak_mib, 1),
                "seconds": round(one.seconds, 1),
                "busy_seconds": round(one.busy_seconds, 1),
                "yardstick_seconds": round(one.yardstick_seconds, 2),
            }
            for one in ordered
        ],
    }


def store_load(load: Load) -> None:
    """Store a load; lessons that it does not hold keep what was measured before on such a machine."""
    before = [one for one in read_load().lessons if load.of(one.lesson) is None]
    whole = Load((*before, *load.lessons), load.server_mib, load.cores, load.profile)
    write_atomically(_FILE, json.dumps(to_json(whole), indent=2) + "\n")
