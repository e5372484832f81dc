"""From windows to decisions: votes over time, rest, and how often people are recognised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.datasets.gestures.recordings import UNITS
from tinyml_helpers.system.tables import text_table
from tinyml_helpers.usecases.gestures.features import Windows

VOTES = 5
NONE = -1
"""The answer where no movement is recognised."""

STILL_G = 0.03
"""A window whose acceleration strays by less from its mean, in g, is rest."""


def vote(
    outputs: ArrayLike, count: int = VOTES, margin: float = 0.0, still: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Decide at each moment on the sum of the last outputs, as `motion_vote` in C does.

    Args:
        outputs: of windows that follow each other, [M, classes]; int8 or logits.
        count: windows that vote; at the start there are fewer.
        margin: by how much, in units of `outputs` and on average over the windows, the best class
            must lead the next one.
        still: bool [M], windows of rest: the answer is `NONE`, and the votes before are forgotten.

    Returns:
        A class or `NONE` for each moment: int64 [M].
    """
    values = np.asarray(outputs, np.float64)
    rest = np.zeros(len(values), bool) if still is None else np.asarray(still)
    answers, since = np.full(len(values), NONE), 0
    for now in range(len(values)):
        if rest[now]:
            since = now + 1
            continue
        heard = values[max(since, now + 1 - count) : now + 1]
        second, best = np.sort(heard.sum(0))[-2:]
        if best - second >= margin * len(heard):
            answers[now] = heard.sum(0).argmax()
    return answers


def is_still(raw: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Tell which windows [M, samples, 6] are rest: what a sensor's motion threshold does."""
    strays = (raw[..., :3] * UNITS[:3]).std(-2)
    return np.asarray(strays.max(-1) < STILL_G)


def macro_percent(answers: ArrayLike, labels: ArrayLike) -> float:
    """Return the share of right answers in percent: the mean over the classes that occur."""
    given, true = np.asarray(answers), np.asarray(labels)
    return 100 * float(np.mean([(given[true == one] == one).mean() for one in np.unique(true)]))


@dataclass(frozen=True, repr=False)
class Scores:
    """Macro accuracy in percent by person, by single windows and with a vote."""

    people: tuple[str, ...]
    window_percent: tuple[float, ...]
    vote_percent: tuple[float, ...]

    @property
    def mean(self) -> tuple[float, float]:
        """Mean over people: by window, with a vote."""
        return float(np.mean(self.window_percent)), float(np.mean(self.vote_percent))

    def __repr__(self) -> str:
        numbers = zip(self.people, self.window_percent, self.vote_percent, strict=True)
        rows: list[tuple[str, ...]] = [
            (who, f"{single:.1f}", f"{voted:.1f}") for who, single, voted in numbers
        ]
        columns = (self.window_percent, self.vote_percent)
        rows.append(("mean", *(f"{np.mean(column):.1f}" for column in columns)))
        if len(self.people) > 1:
            rows.append(("spread", *(f"{np.std(column, ddof=1):.1f}" for column in columns)))
        return text_table(("person", "windows (%)", "vote (%)"), rows)


def score_people(outputs: ArrayLike, windows: Windows, count: int = VOTES) -> Scores:
    """Score a network's outputs [M, classes] for windows, person by person.

    A vote needs `count` windows of one recording that follow each other.
    """
    values = np.asarray(outputs)
    people = tuple(dict.fromkeys(windows.people.tolist()))
    single, voted = [], []
    for person in people:
        mine = windows.people == person
        single.append(macro_percent(values[mine].argmax(1), windows.labels[mine]))
        voted.append(macro_percent(*_votes(values, windows, np.flatnonzero(mine), count)))
    return Scores(people, tuple(single), tuple(voted))


def _votes(
    values: NDArray[np.generic], windows: Windows, mine: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    answers, labels = [], []
    for number in np.unique(windows.recording[mine]):
        here = mine[windows.recording[mine] == number]
        # A recording too short for a whole vote decides once, on all that it has.
        first = min(count, len(here)) - 1
        answers.append(vote(values[here], count)[first:])
        labels.append(windows.labels[here][first:])
    return np.concatenate(answers), np.concatenate(labels)


def vote_leads(outputs: ArrayLike, windows: Windows, count: int = VOTES) -> NDArray[np.float64]:
    """Return by how much the best class leads the next one in every whole vote: [M'].

    Args:
        outputs: [M, classes], one row for each of `windows`.
        windows: what they are of.
        count: windows that vote.
    """
    values, found = np.asarray(outputs, np.float64), []
    for number in np.unique(windows.recording):
        here = values[windows.recording == number]
        size = min(count, len(here))
        sums = np.lib.stride_tricks.sliding_window_view(here, size, 0).sum(-1)
        second, best = np.sort(sums, 1)[:, -2:].T
        found.append((best - second) / size)
    return np.concatenate(found)
