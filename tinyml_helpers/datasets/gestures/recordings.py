"""Movements of the arm, recorded by a watch: one recording, and many with who made them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.tables import html_table, text_table

RATE_HZ = 50
AXES = ("ax", "ay", "az", "wx", "wy", "wz")
UNITS = np.array([8 / 32768] * 3 + [np.deg2rad(2000) / 32768] * 3)
"""What a raw integer is worth, for each of `AXES`: g, and rad/s.

An inertial sensor set to +-8 g and +-2,000 degrees a second, as common for wrists, gives these."""


@dataclass(frozen=True, repr=False, eq=False)
class Recording:
    """One person repeating one movement with one arm.

    `raw` is int16 [N, 6] in `UNITS`, at 50 Hz, in the order of `AXES`. `side` is "left" or "right".
    """

    raw: NDArray[np.int16]
    person: str
    side: str
    label: int
    gesture: str

    @property
    def values(self) -> NDArray[np.float32]:
        """The same in g and rad/s: float32 [N, 6]."""
        values: NDArray[np.float32] = (self.raw * UNITS).astype(np.float32)
        return values

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.raw) / RATE_HZ

    def write_csv(self, path: str | Path) -> Path:
        """Write it as a file that `load_gestures(folder)` reads."""
        import csv

        with Path(path).open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(("time_s", *AXES))
            for number, row in enumerate(self.values):
                lines.writerow((f"{number / RATE_HZ:.2f}", *(f"{value:.5f}" for value in row)))
        return Path(path)

    def __repr__(self) -> str:
        return f"person {self.person}, {self.side} arm, {self.gesture}: {self.seconds:.0f} s"


@dataclass(frozen=True, repr=False, eq=False)
class Gestures:
    """Recordings of movements; prints as a table of them.

    Of your own files, `notes` counts what was assumed, `skipped` names each file that was not used, and
    `caution` says what a figure of them cannot show.
    """

    recordings: tuple[Recording, ...]
    classes: tuple[str, ...]
    rate_hz: int = RATE_HZ
    notes: tuple[tuple[str, int], ...] = ()
    skipped: tuple[str, ...] = ()
    caution: str = ""

    def __len__(self) -> int:
        return len(self.recordings)

    @cached_property
    def people(self) -> tuple[str, ...]:
        """Everybody, in order of first appearance."""
        return tuple(dict.fromkeys(one.person for one in self.recordings))

    def of(self, *people: str) -> Gestures:
        """Return the recordings of some people.

        Raises:
            ValueError: nobody of that name.
        """
        if unknown := set(people) - set(self.people):
            raise ValueError(f"no recordings of {sorted(unknown)[0]!r}: choose of {self.people}")
        kept = tuple(one for one in self.recordings if one.person in people)
        return replace(self, recordings=kept)

    def without(self, *people: str) -> Gestures:
        """Return the recordings of everybody else."""
        self.of(*people)
        return self.of(*(one for one in self.people if one not in people))

    def arm(self, side: str) -> Gestures:
        """Return the recordings of the "left" or the "right" arms.

        Raises:
            ValueError: another side.
        """
        if side not in ("left", "right"):
            raise ValueError(f"side {side!r}: choose left or right")
        kept = tuple(one for one in self.recordings if one.side == side)
        return replace(self, recordings=kept)

    def __repr__(self) -> str:
        return "\n".join([self._head(), text_table(*self._table()), *self._remarks()])

    def _repr_html_(self) -> str:
        remarks = "".join(f"<br>{escape(line)}" for line in self._remarks())
        return f"{self._head()}{html_table(*self._table())}{remarks}"

    def _remarks(self) -> list[str]:
        """What was assumed about your files, and which were not used."""
        lines = [f"{what}: {count:,} recordings" for what, count in self.notes]
        lines += [f"not used: {reason}" for reason in self.skipped]
        return [*lines, self.caution] if self.caution else lines

    def _head(self) -> str:
        minutes = sum(one.seconds for one in self.recordings) / 60
        axes = f"{len(AXES)} axes at {self.rate_hz} Hz"
        return f"{len(self)} recordings of {len(self.people)} people, {minutes:.0f} minutes, {axes}"

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        rows: list[tuple[str, ...]] = []
        for name in self.classes:
            mine = [one for one in self.recordings if one.gesture == name]
            long = [one.seconds for one in mine]
            arms = len({(one.person, one.side) for one in mine})
            figures = (f"{len(mine)}", f"{arms}", f"{sum(long) / 60:.1f}", f"{min(long):.0f}")
            rows.append((name, *figures))
        return ("movement", "recordings", "arms", "minutes", "shortest (s)"), rows
