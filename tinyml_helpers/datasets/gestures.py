"""Movements of the arm, recorded by a watch: as shipped, or your own from CSV files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.shipped import DataError, read_verified
from tinyml_helpers.tables import html_table, text_table

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
    """Recordings of movements; prints as a table of them."""

    recordings: tuple[Recording, ...]
    classes: tuple[str, ...]
    rate_hz: int = RATE_HZ

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
        return Gestures(kept, self.classes, self.rate_hz)

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
        return Gestures(kept, self.classes, self.rate_hz)

    def __repr__(self) -> str:
        return f"{self._head()}\n{text_table(*self._table())}"

    def _repr_html_(self) -> str:
        return f"{self._head()}{html_table(*self._table())}"

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


def load_gestures(folder: str | Path | None = None) -> Gestures:
    """Load recordings of an accelerometer and a gyroscope at the wrist.

    Without a folder: ten people, both arms, seven exercises for the shoulder, as shipped.

    With one: your own. A CSV file for each recording, its name `person_side_gesture_anything.csv`,
    such as `anna_left_wave_1.csv`; side is left or right. First line: the names of the columns
    `time_s, ax, ay, az, wx, wy, wz` in any order, others are ignored. `time_s` counts seconds
    and may start anywhere; ax, ay, az are in g (1 g at rest, along the axis that points up), wx, wy,
    wz in rad/s. Any steady rate from 25 to 1,000 Hz is resampled to 50 Hz.

    Args:
        folder: where your CSV files lie; None for the shipped set.

    Raises:
        DataError: no such folder, or a file that is not as said above; the message names file,
            value and cure.

    Source: the shipped set is from Burns et al., arXiv 1802.01489.
    """
    if folder is not None:
        from tinyml_helpers.datasets.gesture_files import read_folder

        return read_folder(Path(folder))
    with np.load(io.BytesIO(read_verified("gestures.npz")), allow_pickle=False) as arrays:
        stored = {name: arrays[name] for name in arrays.files}
    if not np.allclose(stored["units"], UNITS):
        raise DataError("data/gestures.npz has other units than this version of the course")
    classes = tuple(str(name) for name in stored["classes"])
    parts = np.split(stored["samples"], np.cumsum(stored["lengths"])[:-1])
    recordings = tuple(
        Recording(raw, str(person), "right" if right else "left", int(label), classes[label])
        for raw, person, right, label in zip(
            parts, stored["people"], stored["right"], stored["labels"], strict=True
        )
    )
    return Gestures(recordings, classes)
