"""Seconds of sound with a word in each: who says it, and to which part of a split it belongs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.tables import text_table

RATE_HZ = SAMPLES = 16_000
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WAKE_WORDS = ("hey jarvis", "alexa")
# In no class of the keyword networks: for what they take for a command though nobody said one.
OTHER_WORDS = (
    "cup", "door", "hello", "lift", "light", "low", "music", "office", "people", "shop", "so", "toe",
    "town", "water", "yet",
)  # fmt: skip
UNKNOWN, SILENCE = "unknown", "silence"
KEYWORD_CLASSES = (*COMMANDS, UNKNOWN, SILENCE)
Vocabulary = Literal["commands", "digits", "wake words", "other words"]
VOCABULARIES: dict[str, tuple[str, ...]] = {
    "commands": KEYWORD_CLASSES,
    "digits": (*DIGITS, UNKNOWN, SILENCE),
    "wake words": WAKE_WORDS,
    "other words": OTHER_WORDS,
}


@dataclass(frozen=True, repr=False, eq=False)
class Keywords:
    """Seconds of sound with the word in each.

    `clips` int16 [N, 16000] at 16 kHz, `labels` int64 [N] into `classes`. What was said, by which
    `voices` and `engines`, and to which part of the `split` it belongs are arrays of text [N].
    `skipped` lists the files that could not be used and why; `notes` counts what was done to the others;
    `caution` says what a figure from this split cannot show.
    """

    clips: NDArray[np.int16]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    words: NDArray[np.str_]
    voices: NDArray[np.str_]
    engines: NDArray[np.str_]
    split: NDArray[np.str_]
    source: str
    skipped: tuple[str, ...] = ()
    notes: tuple[tuple[str, int], ...] = ()
    caution: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        lines = [f"{self.source}: {len(self):,} clips of one second, {len(self.classes)} classes"]
        lines.append(text_table(("engine", "split", "voices", "clips"), self._rows(), names=(0, 1)))
        lines += [f"{what}: {count:,}" for what, count in self.notes]
        if self.skipped:
            lines.append(f"skipped: {len(self.skipped)}")
            lines += [f"  {reason}" for reason in self.skipped[:10]]
        return "\n".join([*lines, self.caution] if self.caution else lines)

    def _rows(self) -> list[tuple[str, ...]]:
        counts = Counter(zip(self.engines.tolist(), self.split.tolist(), strict=True))
        rows: list[tuple[str, ...]] = []
        for (engine, part), count in counts.items():
            here = (self.engines == engine) & (self.split == part)
            rows.append((engine, part, f"{len(np.unique(self.voices[here])):,}", f"{count:,}"))
        return rows

    def take(self, where: slice | NDArray[Any]) -> Keywords:
        """Return the clips at `where`: a slice, places int64 [M] or a choice bool [N]."""
        fields = ("clips", "labels", "words", "voices", "engines", "split")
        return replace(self, **{name: getattr(self, name)[where] for name in fields})

    def part(self, name: str) -> Keywords:
        """Return the clips of one part of the split.

        Raises:
            ValueError: there is no such part.
        """
        if name not in self.split:
            raise ValueError(f"no part {name!r}: choose one of {', '.join(np.unique(self.split))}")
        return self.take(self.split == name)

    def with_silence(
        self, clips: NDArray[np.int16], voices: list[str], engine: str, split: list[str]
    ) -> Keywords:
        """Return these clips and others without a word, as the class `SILENCE`.

        Args:
            clips: int16 [M, 16000].
            voices: what makes the noise in each.
            engine: where all of them come from.
            split: part of each.
        """
        count = len(clips)
        return Keywords(
            np.concatenate([self.clips, clips]),
            np.append(self.labels, np.full(count, self.classes.index(SILENCE))),
            self.classes,
            np.append(self.words, text_array([SILENCE] * count)),
            np.append(self.voices, text_array(voices)),
            np.append(self.engines, text_array([engine] * count)),
            np.append(self.split, text_array(split)),
            self.source,
        )


def choose_per_class(
    labels: NDArray[np.int64], split: NDArray[np.str_], per_class: int | None, seed: int
) -> NDArray[np.int64]:
    """Return the places of at most `per_class` clips of each label in each part, in their order."""
    if per_class is None:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    taken: Counter[tuple[int, str]] = Counter()
    places = []
    for place in order.tolist():
        key = (int(labels[place]), str(split[place]))
        taken[key] += 1
        if taken[key] <= per_class:
            places.append(place)
    return np.array(sorted(places), np.int64)


def text_array(values: list[str]) -> NDArray[np.str_]:
    """Return text as an array, also when there is none."""
    return np.array(values, np.str_)
