"""A keyword spotter held against ten minutes of continuous sound with words at known times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers import intervals
from tinyml_helpers.datasets.keywords.clips import COMMANDS, SILENCE, Keywords
from tinyml_helpers.intervals import Interval
from tinyml_helpers.usecases.alarms import THRESHOLDS, Tally, TradeOff
from tinyml_helpers.usecases.keywords import features
from tinyml_helpers.usecases.keywords.detector import Outcome, Spoken, cut_windows, detect, judge, smooth
from tinyml_helpers.usecases.keywords.mix import add_noise, mix_scene

Network = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Inputs float32 [N, 50, 10, 1] of 0 to 1 -> scores [N, classes], the words first."""


@dataclass(frozen=True, repr=False, eq=False)
class Session:
    """What was played, what was said in it, and what a network made of it.

    `sound` int16 at 16 kHz; `said` are all words, `keys` those of the vocabulary `words`; `scores`
    float64 [windows, classes] are smoothed, each of the window that ends at `end_s`.
    """

    sound: NDArray[np.int16]
    said: tuple[Spoken, ...]
    keys: tuple[Spoken, ...]
    words: tuple[str, ...]
    end_s: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return len(self.sound) / features.MLPERF.rate_hz

    def __repr__(self) -> str:
        return (
            f"{self.seconds / 60:g} minutes, {len(self.said)} words, {len(self.keys)} of them to be "
            f"found, {len(self.end_s):,} windows"
        )

    def at(self, threshold: float) -> Outcome:
        """Return what is found, missed and invented at a threshold of the smoothed score."""
        return judge(detect(self.scores, self.end_s, self.words, threshold), self.keys, self.seconds)

    def tally(self, threshold: float) -> Tally:
        """Return how many words are found and missed and how many invented, with their intervals."""
        out = self.at(threshold)
        return Tally(len(out.hits), len(out.missed), len(out.false_alarms), self.seconds / 60)

    def trade_off(self) -> TradeOff:
        """Return the tally at every threshold."""
        return TradeOff(tuple(map(self.tally, THRESHOLDS)))


def measure_accuracy(network: Network, clips: Keywords) -> Interval:
    """Return how many percent of one-second clips a network gets right, every class counting alike."""
    scores = network(features.network_input(features.features(clips.clips))[..., None])
    return accuracy_interval(scores.argmax(1), clips)


def accuracy_interval(found: NDArray[np.integer], clips: Keywords) -> Interval:
    """Return how many percent of the answers are right, every class counting alike.

    The interval comes from drawing whole voices anew, for the clips of one resemble each other; where
    fewer than ten speak, from drawing clips, and then says nothing of another voice.
    """
    right = found == clips.labels
    sizes = np.bincount(clips.labels)
    shares = np.bincount(clips.labels, right) / np.maximum(sizes, 1)
    mean = shares[sizes > 0].mean()
    # What each clip adds to the mean of the classes: to first order, drawing clips anew moves the one
    # as it moves the other (Davison and Hinkley, section 2.7.2).
    weights = len(clips) / (sizes > 0).sum() / sizes[clips.labels]
    values = 100 * (mean + weights * (right - shares[clips.labels]))
    speak = clips.voices[clips.words != SILENCE]
    if len(np.unique(speak)) < 10:
        return intervals.resampled(values, np.arange(len(clips)), things="clips")
    voices = np.where(clips.words == SILENCE, np.arange(len(clips)).astype(str), clips.voices)
    return intervals.resampled(values, voices, things="voices and noises")


def people_interval(counts: Mapping[str, Any]) -> Interval:
    """Return how many percent of people's clips were right, with the interval of drawing other people.

    Args:
        counts: "clips_of_each" person and "right_of_each", and "confusion", whose last class has no
            speaker: each of its clips counts as a person of its own.
    """
    silent = counts["confusion"][-1]
    noises = sum(silent)
    trials = np.array([*counts["clips_of_each"], *[1] * noises])
    hits = np.array([*counts["right_of_each"], *[1] * silent[-1], *[0] * (noises - silent[-1])])
    verdicts = np.concatenate([np.arange(n) < right for n, right in zip(trials, hits, strict=True)])
    found = intervals.resampled(100 * verdicts, np.repeat(np.arange(len(trials)), trials))
    return replace(found, n=len(trials) - noises, things=f"people, {noises} noises")


def balanced_percent(found: NDArray[np.integer], labels: NDArray[np.integer]) -> float:
    """Return how many percent are right, every class counting alike however many clips it has."""
    return 100 * float(np.mean([(found[labels == one] == one).mean() for one in np.unique(labels)]))


def accuracy_under_noise(
    networks: Mapping[str, Network], clips: Keywords, ratios_db: Sequence[float], seed: int = 0
) -> dict[str, dict[float, float]]:
    """Return how many percent of the clips each network gets right, at each ratio of speech to noise.

    Args:
        networks: by name; all of them hear the same noise.
        clips: one second each.
        ratios_db: power of the clip over that of the noise.
        seed: of the noise.
    """
    rng, found = np.random.default_rng(seed), {name: dict[float, float]() for name in networks}
    for ratio_db in ratios_db:
        noisy = add_noise(clips.clips, ratio_db, rng)
        seen = features.network_input(features.features(noisy))[..., None]
        for name, network in networks.items():
            found[name][ratio_db] = balanced_percent(network(seen).argmax(1), clips.labels)
    return found


def listen(
    network: Network,
    clips: Keywords,
    *,
    minutes: float = 10,
    share: float = 0.5,
    seed: int = 0,
) -> Session:
    """Make a scene from clips, some of them commands, and let a network hear it.

    A word comes every 3 s on average; the scores of three windows are averaged.

    Args:
        network: maps inputs to scores.
        clips: where the words come from, at random.
        minutes: length of the scene.
        share: of the clips that are one of the ten commands.
        seed: which clips, where and how loud.

    Raises:
        ValueError: clips that lack commands, or others.
    """
    rng = np.random.default_rng(seed)
    count = round(60 * minutes / 3)
    chosen = _drawn(clips, (round(share * count), count - round(share * count)), rng)
    sound, said = mix_scene(list(clips.clips[chosen]), clips.words[chosen].tolist(), 60 * minutes, rng)
    keys = tuple(word for word in said if word.word in COMMANDS)
    seen = cut_windows(sound)
    scores = smooth(network(features.network_input(seen.features)[..., None]), 3)
    return Session(sound, tuple(said), keys, COMMANDS, seen.end_s, scores)


def _drawn(clips: Keywords, sizes: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw so many commands and so many others, in random order."""
    inside = np.isin(clips.words, COMMANDS)
    groups = np.flatnonzero(inside), np.flatnonzero(~inside)
    for group, size, kind in zip(groups, sizes, ("commands", "others"), strict=True):
        if size and not len(group):
            raise ValueError(f"the clips hold no {kind}: change `share`, or give other clips")
    drawn = [
        rng.choice(group, size, replace=size > len(group))
        for group, size in zip(groups, sizes, strict=True)
        if size
    ]
    return rng.permutation(np.concatenate(drawn))
