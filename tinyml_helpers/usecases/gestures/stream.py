"""Continuous streams of movement and rest, and what decisions on them are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.datasets.gestures.recordings import RATE_HZ, UNITS, Gestures
from tinyml_helpers.usecases.gestures import features
from tinyml_helpers.usecases.gestures.vote import NONE, VOTES, is_still, vote

_REST_S = 8  # before each movement


@dataclass(frozen=True, repr=False, eq=False)
class Stream:
    """Recordings of one arm one after another, with rest between them.

    `raw` int16 [N, 6]; `truth` int64 [N], the class or `NONE` at each sample; `starts`, the samples
    at which movements begin.
    """

    raw: NDArray[np.int16]
    truth: NDArray[np.int64]
    starts: tuple[int, ...]
    right: bool
    classes: tuple[str, ...]
    person: str

    def __repr__(self) -> str:
        seconds = len(self.raw) / RATE_HZ
        return f"{len(self.starts)} movements in {seconds:.0f} s, one after another, with rest between"

    def windows(self, hop: int = features.HOP) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """Return every window [M, 200, 6], and the sample [M] at which each is complete."""
        ends = np.arange(features.WINDOW, len(self.raw) + 1, hop)
        return np.stack([self.raw[end - features.WINDOW : end] for end in ends]), ends

    def quantized(self, scale: float, zero_point: int) -> NDArray[np.int8]:
        """Return every window as an int8 network sees it: [M, 1, 100, 6]."""
        raw, _ = self.windows()
        return features.quantized_input(raw, np.full(len(raw), self.right), scale, zero_point)


def join(gestures: Gestures, *, seed: int = 0) -> Stream:
    """Join recordings of one person and arm in random order.

    The movements are real. The rest between them is simulated: the arm hangs where the recording
    began, and the sensor adds noise of 0.005 g and 0.01 rad/s.

    Args:
        gestures: recordings of one arm.
        seed: of order and noise.

    Raises:
        ValueError: several people or arms.
    """
    if len({(one.person, one.side) for one in gestures.recordings}) != 1:
        raise ValueError("a stream is of one person and one arm: choose them with `of` and `arm`")
    draw = np.random.default_rng(seed)
    pieces, truth, starts = [], [], []
    for number in draw.permutation(len(gestures)):
        one = gestures.recordings[number]
        rest = np.zeros((_REST_S * RATE_HZ, 6))
        rest[:, :3] = one.raw[0, :3]
        rest += draw.normal(0, np.array([0.005] * 3 + [0.01] * 3) / UNITS, rest.shape)
        pieces += [np.round(rest).astype(np.int16), one.raw]
        truth += [np.full(len(rest), NONE), np.full(len(one.raw), one.label)]
        starts.append(sum(map(len, pieces)) - len(one.raw))
    right = gestures.recordings[0].side == "right"
    joined, known = np.concatenate(pieces), np.concatenate(truth)
    return Stream(joined, known, tuple(starts), right, gestures.classes, gestures.people[0])


def join_each_arm(gestures: Gestures, *, seed: int = 0) -> list[Stream]:
    """Return a stream for each person and arm."""
    arms = dict.fromkeys((one.person, one.side) for one in gestures.recordings)
    return [join(gestures.of(person).arm(side), seed=seed) for person, side in arms]


@dataclass(frozen=True)
class Judged:
    """How a stream was decided.

    Args:
        correct_percent: right decisions, of those on windows that lie within one movement.
        delays_s: for each movement from its start to the first right decision; infinity if never.
        changes_a_minute: how often the decision changes while the movement does not.
        rest_percent: answers of `NONE`, of windows that are nothing but rest. The rest of `join` is
            simulated with less noise than the threshold, so there it is 100 by construction.
    """

    correct_percent: float
    delays_s: tuple[float, ...]
    changes_a_minute: float
    rest_percent: float


def decide(
    flow: Stream, outputs: ArrayLike, count: int = VOTES
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Decide on a stream by votes and by the threshold for rest.

    Args:
        flow: the stream.
        outputs: of a network, for every window of `flow.windows()`: [M, classes].
        count: windows that vote.

    Returns:
        The answer to each window [M], the sample at which it is complete [M], and whether it lies
        within one movement [M].
    """
    raw, ends = flow.windows()
    answers = vote(outputs, count, still=is_still(raw))
    truth, before = flow.truth[ends - 1], flow.truth[ends - features.WINDOW]
    return answers, ends, (truth == before) & (truth != NONE)


def judge(flow: Stream, outputs: ArrayLike, count: int = VOTES) -> Judged:
    """Decide on a stream by votes and by the threshold for rest, and hold it against the truth.

    Args:
        flow: the stream.
        outputs: of a network, for every window of `flow.windows()`: [M, classes].
        count: windows that vote.
    """
    answers, ends, within = decide(flow, outputs, count)
    truth = flow.truth[ends - 1]
    rest = (truth == NONE) & (flow.truth[ends - features.WINDOW] == NONE)
    delays = []
    for start, stop in zip(flow.starts, (*flow.starts[1:], len(flow.raw)), strict=True):
        right = ends[(answers == flow.truth[start]) & (ends > start) & (ends <= stop)]
        delays.append(float(right[0] - start) / RATE_HZ if len(right) else float("inf"))
    changed = (answers[1:] != answers[:-1])[within[1:] & within[:-1]]
    return Judged(
        100 * float((answers == truth)[within].mean()),
        tuple(delays),
        60 * float(changed.mean()) * RATE_HZ / features.HOP,
        100 * float((answers[rest] == NONE).mean()),
    )


def judge_all(
    flows: Sequence[Stream], outputs: Sequence[ArrayLike], count: int = VOTES
) -> dict[str, float]:
    """Judge several streams: means of shares, median delay, and movements never recognised."""
    judged = [judge(flow, said, count) for flow, said in zip(flows, outputs, strict=True)]
    delays = np.concatenate([one.delays_s for one in judged])
    return {
        "correct within a movement (%)": float(np.mean([one.correct_percent for one in judged])),
        "changes a minute": float(np.mean([one.changes_a_minute for one in judged])),
        "rest refused (%)": float(np.mean([one.rest_percent for one in judged])),
        "median delay (s)": float(np.median(delays)),
        "never recognised": float(np.isinf(delays).sum()),
    }
