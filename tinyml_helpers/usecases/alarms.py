"""False alarms and missed words of a stream, counted at every threshold, with what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyml_helpers import intervals
from tinyml_helpers.intervals import Interval

THRESHOLDS = tuple(step / 100 for step in range(30, 100))
"""At which a `TradeOff` counts: 0.30, 0.31 ... 0.99."""


@dataclass(frozen=True, repr=False)
class Tally:
    """Words found and missed, and false alarms, in so many minutes."""

    found: int
    missed: int
    false_alarms: int
    minutes: float

    @property
    def missed_percent(self) -> Interval | None:
        """Share of the words that were missed; `None` if none was said."""
        words = self.found + self.missed
        return intervals.rate(self.missed, words, "words") if words else None

    @property
    def an_hour(self) -> Interval:
        """False alarms an hour."""
        return intervals.per_hour(self.false_alarms, self.minutes / 60)

    def __repr__(self) -> str:
        missed = self.missed_percent
        return f"missed: {missed or 'no word to miss'}; false alarms: {self.an_hour}"

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.found + other.found,
            self.missed + other.missed,
            self.false_alarms + other.false_alarms,
            self.minutes + other.minutes,
        )


@dataclass(frozen=True, repr=False)
class TradeOff:
    """A scene's `tallies`, one for each of `THRESHOLDS`."""

    tallies: tuple[Tally, ...]

    @classmethod
    def empty(cls) -> TradeOff:
        """Return that of no time, to which others are added."""
        return cls(tuple(Tally(0, 0, 0, 0.0) for _ in THRESHOLDS))

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> TradeOff:
        """Return what `stored` wrote.

        Raises:
            ValueError: counts of other thresholds than `THRESHOLDS`.
        """
        columns: list[Sequence[int]] = [stored[name] for name in ("found", "missed", "false_alarms")]
        if any(len(column) != len(THRESHOLDS) for column in columns):
            raise ValueError(f"give counts at each of {len(THRESHOLDS)} thresholds")
        minutes = float(stored["minutes"])
        rows = zip(*columns, strict=True)
        return cls(tuple(Tally(found, missed, alarms, minutes) for found, missed, alarms in rows))

    def stored(self) -> dict[str, Any]:
        """Return it as plain numbers, for a file of figures."""
        counts = {
            name: [getattr(tally, name) for tally in self.tallies]
            for name in ("found", "missed", "false_alarms")
        }
        return {"minutes": self.tallies[0].minutes, **counts}

    def at(self, threshold: float) -> Tally:
        """Return the tally at a threshold.

        Raises:
            ValueError: a threshold that was not counted at.
        """
        place = round(100 * threshold) - round(100 * THRESHOLDS[0])
        if not 0 <= place < len(THRESHOLDS) or abs(THRESHOLDS[place] - threshold) > 1e-9:
            raise ValueError(
                f"threshold {threshold}: give one of {THRESHOLDS[0]:.2f}, {THRESHOLDS[1]:.2f} ... "
                f"{THRESHOLDS[-1]:.2f}"
            )
        return self.tallies[place]

    def least_threshold(self, most_an_hour: float) -> float:
        """Return the least threshold with so few false alarms; 1 if there is none."""
        fits = (t for t in THRESHOLDS if self.at(t).an_hour.value <= most_an_hour)
        return next(fits, 1.0)

    def __add__(self, other: TradeOff) -> TradeOff:
        return TradeOff(tuple(a + b for a, b in zip(self.tallies, other.tallies, strict=True)))
