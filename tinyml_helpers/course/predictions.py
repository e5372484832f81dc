"""Predict, then measure: a learner's guess before a headline figure, and both side by side after it.

    flash = predict("flash of `small` in int8, in KB", 40, lesson=8)
    ...
    flash.compare(firmware.flash_bytes / 1000)
    review(8)  # at the close of the lesson

Leaving the number out, or writing None, is allowed. Nothing is graded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinyml_helpers.course import scoreboard
from tinyml_helpers.system.tables import html_table, html_words, text_table

RECORDS = "guess."
"""How the names of records of guesses begin."""
_NOT_GUESSED = (
    "○ No guess: {}? To commit yourself, put a number in place of None and run this cell again."
)
_HEADER = ("what", "your guess", "measured", "unit", "you said")


@dataclass(frozen=True, repr=False)
class Comparison:
    """A guess beside its measurement: `what` it is about, `guess` (None if there was none), `unit`."""

    what: str
    guess: float | None
    measured: float
    unit: str

    @property
    def closeness(self) -> float:
        """How near a guess came, from 0 to 1: the smaller of the two figures over the larger.

        A guess of half or of double is worth 0.5; so is one without a number worth nothing.
        """
        if self.guess is None:
            return 0.0
        small, large = sorted((abs(self.guess), abs(self.measured)))
        if large == 0:
            return 1.0
        return small / large if self.guess * self.measured > 0 else 0.0

    @property
    def error(self) -> str:
        """Which way a guess went, and by how much: "2.1 times too much"."""
        if self.guess is None:
            return ""
        if math.isclose(self.guess, self.measured, rel_tol=0.02):
            return "as measured"
        way = "too much" if self.guess > self.measured else "too little"
        if self.closeness == 0:
            return way
        times = 1 / self.closeness
        return f"{times:,.0f} times {way}" if times >= 10 else f"{times:.1f} times {way}"

    def __repr__(self) -> str:
        measured = f"measured {_figure(self.measured)} {self.unit}".rstrip()
        if self.guess is None:
            return f"{self.what}: {measured}; no guess."
        return f"{self.what}: you said {_figure(self.guess)}, {measured}: {self.error}."

    def _repr_html_(self) -> str:
        return f"<p>{html_words(repr(self))}</p>"


@dataclass(frozen=True, repr=False)
class Prediction:
    """A guess before a measurement: `what` is guessed, in which `unit`, the number or None.

    `lesson` is the number of the lesson that measures it.
    """

    what: str
    unit: str
    guess: float | None
    lesson: int

    @property
    def record_name(self) -> str:
        """The name under which the guess stands on the scoreboard."""
        return RECORDS + (re.sub(r"[^a-z0-9]+", "_", self.what.lower()).strip("_") or "unnamed")

    def __repr__(self) -> str:
        if self.guess is None:
            return _NOT_GUESSED.format(f"{self.what}, in {self.unit}" if self.unit else self.what)
        return f"● Your guess: {self.what}, {_figure(self.guess)} {self.unit}".rstrip() + "."

    def compare(self, measured: float) -> Comparison:
        """Hold the guess against what was measured, and keep both for the close of the lesson.

        Raises:
            ValueError: the measurement is no finite number.
        """
        measured = _number(measured, "measurement")
        made = Comparison(self.what, self.guess, measured, self.unit)
        _compared.setdefault(self.lesson, {})[self.what] = made
        if self.guess is not None:
            scoreboard.record(self.record_name, self.guess, self.unit, self.lesson)
            scoreboard.record(f"{self.record_name}.measured", measured, self.unit, self.lesson)
        return made

    def mark(self, draw: Callable[..., Any]) -> None:
        """Draw the guess into a figure, if there is one: `guess.mark(axis.axvline)`.

        Args:
            draw: draws a line at a number, and takes a label.
        """
        if self.guess is not None:
            draw(self.guess, color="black", linestyle="--", label="your guess")


@dataclass(frozen=True, repr=False)
class Review:
    """The guesses of a lesson beside what was measured."""

    comparisons: tuple[Comparison, ...]

    @property
    def guessed(self) -> tuple[Comparison, ...]:
        """Those in which there was a guess."""
        return tuple(one for one in self.comparisons if one.guess is not None)

    @property
    def score(self) -> float:
        """How well guesses are calibrated, from 0 to 100: the mean of their closeness.

        Raises:
            ValueError: there was no guess.
        """
        if not self.guessed:
            raise ValueError("there was no guess: put numbers in place of None and run the lesson again")
        return 100 * sum(one.closeness for one in self.guessed) / len(self.guessed)

    @property
    def sentence(self) -> str:
        """The score in words, and which way the guesses lean."""
        count = len(self.guessed)
        if not count:
            return "No guesses this time: put numbers in place of None where the lesson says predict."
        above = sum(one.guess > one.measured for one in self.guessed if one.guess is not None)
        below = sum(one.guess < one.measured for one in self.guessed if one.guess is not None)
        return (
            f"Calibration: {self.score:.0f} of 100 over {count} {'guess' if count == 1 else 'guesses'} "
            f"(a guess of half or double counts 50): {above} too much, {below} too little."
        )

    def __repr__(self) -> str:
        return f"{text_table(_HEADER, self._rows(), (0, 3, 4))}\n{self.sentence}"

    def _repr_html_(self) -> str:
        table = html_table(_HEADER, self._rows(), (0, 3, 4))
        return f"{table}<p>{html_words(self.sentence)}</p>"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                one.what,
                "–" if one.guess is None else _figure(one.guess),
                _figure(one.measured),
                one.unit,
                one.error or "–",
            )
            for one in self.comparisons
        ]


_compared: dict[int, dict[str, Comparison]] = {}


def predict(what: str, guess: float | None = None, *, lesson: int) -> Prediction:
    """Note a guess before a measurement, and say that it is noted.

    Args:
        what: what will be measured, then a comma, `in` and its unit: "flash of `small`, in KB".
        guess: a number; None for no guess.
        lesson: number of the lesson.

    Raises:
        ValueError: the guess is no finite number.
    """
    words, comma, unit = what.rpartition(", in ")
    number = None if guess is None else _number(guess, "guess")
    made = Prediction(words if comma else what, unit if comma else "", number, lesson)
    print(made)
    return made


def review(lesson: int) -> Review:
    """Return all guesses of a lesson that were measured in this run, in their order."""
    return Review(tuple(_compared.get(lesson, {}).values()))


def _number(value: Any, kind: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"the {kind} {value!r} is no number: give one such as 40, or None for no guess")
    return number


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:.4g}"
