"""Budgets, what meets them, and what to relax where nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from tinyml_helpers.search.front import Candidate
from tinyml_helpers.system.tables import html_table, text_table

HEADER = ("budget", "allowed", "measured", "")


@dataclass(frozen=True)
class BudgetLine:
    """One budget against what was measured; of a band the worse end counts.

    Args:
        name: of the budget.
        unit: of both figures.
        allowed: the budget.
        measured: None where the device states no figure.
        at_least: the budget is a lower limit.
    """

    name: str
    unit: str
    allowed: float
    measured: float | None
    at_least: bool = False

    @property
    def times(self) -> float:
        """How many times beyond the budget: up to 1 it is met."""
        if self.measured is None:
            return 0.0
        over, under = (self.allowed, self.measured) if self.at_least else (self.measured, self.allowed)
        return over / under if under > 0 else float("inf")

    @property
    def verdict(self) -> str:
        """In a word: met, FAILED or unknown."""
        if self.measured is None:
            return "unknown"
        return "met" if self.times <= 1 else "FAILED"

    @property
    def gap(self) -> str:
        """From the budget to what was measured."""
        return f"from {_number(self.allowed)} to {_number(self.measured or 0)} {self.unit}".rstrip()

    def row(self) -> tuple[str, ...]:
        """The line as text."""
        sign = "≥" if self.at_least else "≤"
        measured = "not stated" if self.measured is None else f"{_number(self.measured)} {self.unit}"
        return (self.name, f"{sign} {_number(self.allowed)} {self.unit}", measured, self.verdict)


def _number(value: float) -> str:
    """A number for people: three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


@dataclass(frozen=True)
class Budgets:
    """What a product may take, and what it must give; None sets no limit.

    Args:
        flash_kib: code and constants.
        ram_kib: arena, variables and stack.
        latency_ms: of one run, from raw samples to an answer, on a slow board.
        energy_uj: of one run, on a slow board.
        score: least score, 0 to 100; of several seeds the worst counts.

    Raises:
        ValueError: a budget that is not above zero, or a score above 100.
    """

    flash_kib: float | None = None
    ram_kib: float | None = None
    latency_ms: float | None = None
    energy_uj: float | None = None
    score: float | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None and not value > 0:
                raise ValueError(f"{one.name} {value}: give a number above 0, or None for no limit")
        if self.score is not None and self.score > 100:
            raise ValueError(f"score {self.score}: it goes from 0 to 100")

    def lines(self, it: Candidate) -> tuple[BudgetLine, ...]:
        """Hold a candidate against every budget that is set."""
        energy = it.energy_uj[1] if it.energy_uj else None
        every = (
            ("flash_kib", "flash", "KiB", it.flash_bytes / 1024),
            ("ram_kib", "RAM", "KiB", it.ram_bytes / 1024),
            ("latency_ms", "latency", "ms", it.latency_ms[1]),
            ("energy_uj", "energy", "uJ", energy),
            ("score", "score", "", it.low),
        )
        return tuple(
            BudgetLine(name, unit, allowed, measured, at_least=key == "score")
            for key, name, unit, measured in every
            if (allowed := getattr(self, key)) is not None
        )

    def allow(self, it: Candidate) -> bool:
        """Tell whether a candidate fails none of them."""
        return all(line.times <= 1 for line in self.lines(it))


@dataclass(frozen=True, repr=False)
class Choice:
    """What budgets leave.

    Args:
        best: the cheapest of those that nothing tells from the best score, or None.
        leader: the best mean score that meets all budgets, or None.
        close: those whose range over seeds reaches the leader's, itself among them.
        nearest: the candidate that misses by least; the best itself where there is one.
        budgets: that were set.
        relax: for each budget that alone stands in the way, its line for the candidate that asks least.
        allowed: how many candidates meet all budgets.
        tried: how many there are.
    """

    best: Candidate | None
    leader: Candidate | None
    close: tuple[Candidate, ...]
    nearest: Candidate
    budgets: Budgets
    relax: tuple[BudgetLine, ...]
    allowed: int
    tried: int

    def __bool__(self) -> bool:
        """True if the budgets can be met."""
        return self.best is not None

    def __repr__(self) -> str:
        rest = "" if self.best else f"\n{self.advice}"
        return f"{self.reason}\n{text_table(HEADER, self._rows(), names=(0, 3))}{rest}"

    def _repr_html_(self) -> str:
        table = html_table(HEADER, self._rows(), names=(0, 3))
        return f"{self.reason}{table}{'' if self.best else self.advice}"

    @property
    def reason(self) -> str:
        """Why this one, in a few sentences."""
        head = f"{self.allowed} of {self.tried} designs meet every budget."
        if not self.best or not self.leader:
            return f"{head} Nearest: {self.nearest.settings}."
        lead = f"The best mean has {self.leader.settings}: {self.leader.score_text}."
        others = len(self.close) - 1
        if not others:
            return f"{head} {lead} No other design's seeds reach it."
        reach = f"The seeds of {others} {'others' if others > 1 else 'other'} reach its range."
        best = f"{self.best.settings}: {self.best.score_text}"
        return f"{head} {lead} {reach} The cheapest of them all is {best}."

    @property
    def advice(self) -> str:
        """What to relax, in a sentence; empty where nothing has to be."""
        if self.best:
            return ""
        if self.relax:
            return f"Relax one: {' or '.join(f'{line.name} {line.gap}' for line in self.relax)}."
        failed = [line for line in self.budgets.lines(self.nearest) if line.times > 1]
        needs = " and ".join(f"{line.name} {line.gap}" for line in failed)
        return f"No single budget is to blame. The nearest miss needs {needs}."

    def _rows(self) -> list[tuple[str, ...]]:
        return [line.row() for line in self.budgets.lines(self.nearest)]


def choose(found: Sequence[Candidate], budgets: Budgets) -> Choice:
    """Choose the cheapest candidate that the seeds do not tell from the best, within all budgets.

    The best has the highest mean score on validation data among those that meet all budgets. A design
    whose best seed reaches the worst seed of that one is not shown to be worse. Of these the one with
    the fewest instructions is taken; then the smallest file, then the better mean.

    Raises:
        ValueError: no candidates.
    """
    if not found:
        raise ValueError("no candidates: run some trials of the task first")
    allowed = [one for one in found if budgets.allow(one)]
    leader = max(allowed, key=lambda one: (one.score, -one.instructions), default=None)
    close = tuple(one for one in allowed if leader and one.high >= leader.low)
    best = min(close, key=lambda one: (one.instructions, one.tflite_bytes, -one.score), default=None)
    nearest = best or min(found, key=lambda one: (_worst(one, budgets), one.instructions))
    relax = () if best else _relaxed(found, budgets)
    return Choice(best, leader, close, nearest, budgets, relax, len(allowed), len(found))


def _worst(one: Candidate, budgets: Budgets) -> float:
    return max((line.times for line in budgets.lines(one)), default=0.0)


def _relaxed(found: Sequence[Candidate], budgets: Budgets) -> tuple[BudgetLine, ...]:
    """For each budget: without it, would anything pass? If so, the least that it would have to be."""
    ways = []
    for key in (one.name for one in fields(budgets) if getattr(budgets, one.name) is not None):
        others = replace(budgets, **{key: None})
        alone = Budgets(**{key: getattr(budgets, key)})
        passing = [alone.lines(one)[0] for one in found if others.allow(one)]
        ways += [min(passing, key=lambda line: line.times)] if passing else []
    return tuple(sorted(ways, key=lambda line: line.times))
