"""What a measured rate or mean is worth: its number of trials and its interval, in one place.

A rate without its n and its interval invites the reader to compare what cannot be compared. Where the
trials of one person, voice or machine resemble each other, count the people and not the trials:
`over_groups`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.95
"""Of every interval here, two-sided but for a count of zero."""


@dataclass(frozen=True, repr=False)
class Interval:
    """A measured `value` with the ends of its interval, and the `n` things of some kind behind it."""

    value: float
    low: float
    high: float
    n: int
    unit: str
    things: str
    digits: int = 1

    def __contains__(self, other: float) -> bool:
        return self.low <= other <= self.high

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2

    def __repr__(self) -> str:
        value, low, high = (f"{x:,.{self._digits_shown}f}" for x in (self.value, self.low, self.high))
        unit = f" {self.unit}" if self.unit else ""
        return f"{value}{unit} ({low} to {high}, n = {self.n:,} {self.things})"

    @property
    def _digits_shown(self) -> int:
        """One digit more than `digits` where an end would look like the value, or like 0, and is not."""
        ends, smallest = (self.low, self.high), 10.0 ** -(self.digits + 1)
        alike = (
            abs(end - same) > smallest and round(end, self.digits) == round(same, self.digits)
            for end in ends
            for same in (self.value, 0.0)
        )
        return self.digits + any(alike)


def rate(hits: int, trials: int, things: str = "trials") -> Interval:
    """Return the share of hits in percent, with Wilson's interval.

    Args:
        hits: how often it happened.
        trials: how often it could have happened, each independent of the others.
        things: what was counted, in the plural: "photos".

    Raises:
        ValueError: no trial, or more hits than trials.

    Source: Wilson, Journal of the American Statistical Association 22 (1927), 209.
    """
    from scipy.stats import binomtest

    hits, trials = int(hits), int(trials)
    if not 0 <= hits <= trials or not trials:
        raise ValueError(f"{hits} hits of {trials} trials: give from 0 to all of one trial or more")
    found = binomtest(hits, trials).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(100 * hits / trials, 100 * found.low, 100 * found.high, trials, "%", things)


def gained(before: ArrayLike, after: ArrayLike, things: str = "photos") -> Interval:
    """Return how many points more a second network gets right of the trials that a first one met, too.

    Answers to the same trials come in pairs, and only those pairs count whose verdict changed: some are
    won, some are lost. Where 0 lies in the interval, there is no difference to speak of.

    Args:
        before: for each trial, whether the first network is right.
        after: the same of the second.
        things: what the trials are, in the plural.

    Raises:
        ValueError: no trials, or another number of them.

    Source: Agresti and Min, Statistics in Medicine 24 (2005), 729: Wald's interval, half a trial more in
        each of the four cells.
    """
    from scipy.stats import norm

    first, second = np.asarray(before, bool).ravel(), np.asarray(after, bool).ravel()
    if len(first) != len(second) or not len(first):
        raise ValueError(f"{len(first)} and {len(second)} verdicts: give two for each of some trials")
    trials, won, lost = len(first), int((second & ~first).sum()), int((first & ~second).sum())
    middle = (won - lost) / (trials + 2)
    error = np.sqrt(won + lost + 1 - (won - lost) ** 2 / (trials + 2)) / (trials + 2)
    reach = float(norm.ppf((1 + CONFIDENCE) / 2) * error)
    low, high = 100 * max(middle - reach, -1), 100 * min(middle + reach, 1)
    named = f"{things}, {won:,} won, {lost:,} lost"
    return Interval(100 * (won - lost) / trials, low, high, trials, "points", named, digits=2)


def over_groups(values: ArrayLike, unit: str = "%", things: str = "people") -> Interval:
    """Return the mean over people, voices or machines, with Student's interval for another such group.

    Args:
        values: one figure for each group, at least two.
        unit: of the figures.
        things: what the groups are, in the plural.

    Raises:
        ValueError: fewer than two groups, or a figure that is no number.

    Source: Student, Biometrika 6 (1908), 1.
    """
    from scipy.stats import t

    figures = np.asarray(values, np.float64).ravel()
    if len(figures) < 2 or not np.isfinite(figures).all():
        raise ValueError(f"{len(figures)} {things}: give a finite figure for each of two or more")
    mean, error = float(figures.mean()), float(figures.std(ddof=1) / np.sqrt(len(figures)))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, len(figures) - 1)) * error
    return Interval(mean, mean - reach, mean + reach, len(figures), unit, things)


def resampled(
    values: ArrayLike, groups: Sequence[object] | ArrayLike, things: str = "people"
) -> Interval:
    """Return the mean of trials that come in groups, with the interval of a bootstrap over groups.

    10,000 times as many groups are drawn as there are. Where every trial is right, or none, drawing
    anew says nothing: then it is Wilson's interval, with a whole group for one trial.

    Args:
        values: one figure for each trial, such as 100 for right and 0 for wrong.
        groups: the person, voice or machine of each trial.
        things: what the groups are, in the plural.

    Raises:
        ValueError: other lengths, or fewer than two groups.

    Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    """
    figures = np.asarray(values, np.float64).ravel()
    names, members = np.unique(np.asarray(groups), return_inverse=True)
    if len(members) != len(figures) or len(names) < 2:
        raise ValueError(
            f"{len(figures)} figures and {len(members)} marks of {len(names)} {things}: "
            "give a mark for each figure, and two groups or more"
        )
    if figures.min() == figures.max() and figures[0] in (0, 100):
        return rate(int(figures[0] > 0) * len(names), len(names), things)
    sums, counts = np.bincount(members, figures), np.bincount(members)
    drawn = np.random.default_rng(0).integers(len(names), size=(10_000, len(names)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(figures.mean()), float(low), float(high), len(names), "%", things)


def per_hour(count: int, hours: float) -> Interval:
    """Return events an hour with their exact interval, for events that come independently.

    Without an event the upper end is what hours of silence do not rule out, one-sided: 3 / hours.

    Args:
        count: events seen.
        hours: of watching.

    Raises:
        ValueError: no time, or a negative count.

    Source: Garwood, Biometrika 28 (1936), 437.
    """
    from scipy.stats import chi2

    if count < 0 or hours <= 0:
        raise ValueError(f"{count} events in {hours} hours: give a count from 0 up, and some time")
    outside = (1 - CONFIDENCE) / 2 if count else 1 - CONFIDENCE
    low = float(chi2.ppf(outside, 2 * count)) / 2 if count else 0.0
    high = float(chi2.ppf(1 - outside, 2 * count + 2)) / 2
    watched = f"events in {60 * hours:,.0f} minutes"
    return Interval(count / hours, low / hours, high / hours, int(count), "an hour", watched)
