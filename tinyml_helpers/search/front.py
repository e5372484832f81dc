"""Designs on a device, and the front of those that nothing else beats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers import devices
from tinyml_helpers.devices import Device
from tinyml_helpers.search.search_space import Settings
from tinyml_helpers.search.trial import Trial
from tinyml_helpers.system.tables import html_table, text_table

HEADER = (
    "design", "score", "seeds", "instructions", "ms", "flash KiB", "RAM KiB", "file", "gzipped",
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A design on a device.

    Args:
        settings: of the design, seed 0.
        device: where it would run.
        scores: on validation data, one for each seed.
        seeds: of the scores.
        instructions: of one run, from raw samples to an answer.
        around: how many of them the network does not take.
        flash_bytes: code and constants.
        ram_bytes: arena, variables and stack.
        cycles: of one run, from low to high.
        tflite_bytes: of the int8 file.
        gzip_bytes: of the same, packed.
    """

    settings: Settings
    device: Device
    scores: tuple[float, ...]
    seeds: tuple[int, ...]
    instructions: int
    around: int
    flash_bytes: int
    ram_bytes: int
    cycles: tuple[int, int]
    tflite_bytes: int
    gzip_bytes: int

    @property
    def score(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.scores))

    @property
    def low(self) -> float:
        """The score of the worst seed: a budget has to hold for it."""
        return min(self.scores)

    @property
    def high(self) -> float:
        """The score of the best seed."""
        return max(self.scores)

    @property
    def score_text(self) -> str:
        """The score in words: the mean, and the range over seeds where there are several."""
        seeds = f" ({self.low:.1f} to {self.high:.1f})" if len(self.scores) > 1 else ""
        return f"{self.score:.1f}{seeds}"

    @property
    def latency_ms(self) -> tuple[float, float]:
        """The band of cycles at the device's clock."""
        low, high = (1e3 * cycles / self.device.clock_hz for cycles in self.cycles)
        return low, high

    @property
    def energy_uj(self) -> tuple[float, float] | None:
        """Latency times the chip's active power; None where none is stated."""
        power = self.device.active_mw
        low, high = self.latency_ms
        return None if power is None else (power * low, power * high)

    def row(self) -> tuple[str, ...]:
        """The candidate as a row under `HEADER`; of milliseconds the worse end."""
        return (
            str(self.settings), self.score_text, f"{len(self.scores)}",
            f"{self.instructions:,}", f"{self.latency_ms[1]:.2f}", f"{self.flash_bytes / 1024:.1f}",
            f"{self.ram_bytes / 1024:.1f}", f"{self.tflite_bytes:,}", f"{self.gzip_bytes:,}",
        )  # fmt: skip


@dataclass(frozen=True, repr=False)
class Candidates(Sequence[Candidate]):
    """Designs of one task on one device, best score first; prints as a table."""

    rows: tuple[Candidate, ...]

    def __getitem__(self, place: int) -> Candidate:  # type: ignore[override]
        """The candidate at a place."""
        return self.rows[place]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.rows)

    @property
    def front(self) -> Candidates:
        """Those that no other beats in score, instructions and bytes at once."""
        kept = on_front([(-c.score, c.instructions, c.tflite_bytes) for c in self.rows])
        return Candidates(tuple(c for c, keep in zip(self.rows, kept, strict=True) if keep))

    def __repr__(self) -> str:
        return text_table(HEADER, [one.row() for one in self.rows])

    def _repr_html_(self) -> str:
        return html_table(HEADER, [one.row() for one in self.rows])


def on_front(costs: ArrayLike) -> NDArray[np.bool_]:
    """Tell which points are on the Pareto front: no other is as good everywhere and better somewhere.

    Args:
        costs: [N, K] of N points in K respects, less being better in each; of equal points all stay.

    Returns:
        bool [N].

    Raises:
        ValueError: not a table, or a cost that is not a number.
    """
    table = np.asarray(costs, np.float64)
    if table.ndim != 2 or np.isnan(table).any():
        raise ValueError(f"costs of shape {table.shape}: give a row of numbers for each point")
    as_good = (table[:, None] <= table[None]).all(2)
    better = (table[:, None] < table[None]).any(2)
    return np.asarray(~(as_good & better).any(0))


def candidates(trials: Iterable[Trial], device: Device | str) -> Candidates:
    """Put trials together by design, and look at them on one device.

    Raises:
        ValueError: an unknown device, one whose core no trial measured, or trials of several tasks.
    """
    chosen = devices.get(device) if isinstance(device, str) else device
    groups: dict[Settings, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.settings.design, []).append(trial)
    tasks = {trial.task for same in groups.values() for trial in same}
    if len(tasks) > 1:
        raise ValueError(f"trials of {', '.join(sorted(tasks))}: compare one task at a time")
    found = [_candidate(design, same, chosen) for design, same in groups.items()]
    return Candidates(tuple(sorted(found, key=lambda one: -one.score)))


def _candidate(design: Settings, trials: Sequence[Trial], device: Device) -> Candidate:
    same = sorted(trials, key=lambda one: one.settings.seed)
    try:
        on = [trial.cores[device.core] for trial in same]
    except KeyError:
        known = ", ".join(same[0].cores)
        raise ValueError(f"{device.name} is a {device.core}: trials were measured on {known}") from None
    # Counts hardly depend on the seed; where they do, the worst one counts.
    worst = {
        name: max(getattr(core, name) for core in on)
        for name in ("instructions", "around", "flash_bytes", "ram_bytes", "cycles")
    }
    sizes = {
        name: max(getattr(trial, name) for trial in same) for name in ("tflite_bytes", "gzip_bytes")
    }
    scores, seeds = tuple(one.score for one in same), tuple(one.settings.seed for one in same)
    return Candidate(design, device, scores, seeds, **worst, **sizes)
