"""Words in a stream: windows that slide, scores made smooth, detections, false alarms and misses.

The rule is that of TensorFlow's micro_speech example (recognize_commands): average the last scores, take
the best word that reaches a threshold, then stay silent for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.usecases.keywords import features as keyword_features


@dataclass(frozen=True)
class Spoken:
    """A word at a known time."""

    start_s: float
    end_s: float
    word: str


@dataclass(frozen=True)
class Detection:
    """A word that the device has reported."""

    time_s: float
    word: str
    score: float


@dataclass(frozen=True, repr=False)
class Outcome:
    """Detections held against what was spoken.

    `hits` were spoken, `missed` spoken words were not reported, `false_alarms` were reported and not
    spoken, within `seconds` of sound.
    """

    hits: tuple[Detection, ...]
    missed: tuple[Spoken, ...]
    false_alarms: tuple[Detection, ...]
    seconds: float

    @property
    def miss_percent(self) -> float:
        """Share of the spoken words that were not reported; 0 if none was spoken."""
        spoken = len(self.hits) + len(self.missed)
        return 100 * len(self.missed) / spoken if spoken else 0.0

    @property
    def false_alarms_per_hour(self) -> float:
        """Reports without a word, per hour of sound."""
        return len(self.false_alarms) * 3600 / self.seconds

    def __repr__(self) -> str:
        return (
            f"{len(self.hits)} words found, {len(self.missed)} missed ({self.miss_percent:.1f} %), "
            f"{len(self.false_alarms)} false alarms in {self.seconds / 60:.1f} minutes "
            f"({self.false_alarms_per_hour:.0f} an hour)"
        )


@dataclass(frozen=True, eq=False)
class Windows:
    """What the network sees of a stream: `features` uint16 (n, 50, 10), each window ends at `end_s`."""

    features: NDArray[np.uint16]
    end_s: NDArray[np.float64]


def cut_windows(samples: NDArray[np.int16], hop: int = 10) -> Windows:
    """Slide over a stream, as the device does: each frame is computed once, each window has its level.

    Args:
        samples: int16 at 16 kHz, at least 16,160 of them.
        hop: frames (of 20 ms) from one window to the next.

    Raises:
        ValueError: less than one window, or a hop below 1.
    """
    settings = keyword_features.MLPERF
    if hop < 1:
        raise ValueError(f"a hop of {hop} frames: give at least 1")
    if len(samples) < keyword_features.SAMPLES:
        raise ValueError(f"{len(samples)} samples: a window takes {keyword_features.SAMPLES}")
    raw = keyword_features.micro_frontend(samples)
    loud = np.abs(
        samples[: (len(raw) - 1) * settings.step_samples + settings.window_samples].astype(int)
    )
    starts = np.arange(0, len(raw) - keyword_features.FRAMES + 1, hop)
    seen = np.stack([raw[start : start + keyword_features.FRAMES] for start in starts])
    at = starts * settings.step_samples
    peaks = np.array([loud[start : start + keyword_features.SAMPLES].max() for start in at])
    return Windows(
        keyword_features.raise_level(seen, peaks), (at + keyword_features.SAMPLES) / settings.rate_hz
    )


def smooth(scores: NDArray[np.floating], width: int) -> NDArray[np.float64]:
    """Average each score with those before it; before the first one nothing was heard.

    Args:
        scores: of shape (windows, classes).
        width: how many windows count.

    Raises:
        ValueError: a width below 1.
    """
    if width < 1:
        raise ValueError(f"a width of {width} windows: give at least 1")
    earlier = np.concatenate([np.zeros((width, scores.shape[1])), np.asarray(scores, np.float64)])
    sums = np.cumsum(earlier, 0)
    return np.asarray((sums[width:] - sums[:-width]) / width)


def detect(
    scores: NDArray[np.floating],
    end_s: NDArray[np.floating],
    words: Sequence[str],
    threshold: float,
    silent: int = 5,
) -> list[Detection]:
    """Report the best word wherever it reaches the threshold, then nothing for a while.

    Args:
        scores: of shape (windows, at least the words), smoothed or not; further classes never report.
        end_s: when each window ends.
        words: names of the first classes.
        threshold: least score.
        silent: the next report comes so many windows later at the earliest.
    """
    found: list[Detection] = []
    best, free = scores.argmax(1), 0
    for i in np.flatnonzero((best < len(words)) & (scores.max(1) >= threshold)).tolist():
        if i >= free:
            found.append(Detection(float(end_s[i]), words[best[i]], float(scores[i, best[i]])))
            free = i + silent
    return found


def judge(
    detections: Sequence[Detection], spoken: Sequence[Spoken], seconds: float, late_s: float = 0.8
) -> Outcome:
    """Hold reports against the words that were spoken.

    Args:
        detections: reports in order of time.
        spoken: the words to be found.
        seconds: length of the stream.
        late_s: how long after a word's end its report still counts. A second report of the same
            word is a false alarm.
    """
    open_words = list(spoken)
    hits: list[Detection] = []
    alarms: list[Detection] = []
    for found in detections:
        fits = [
            word
            for word in open_words
            if word.word == found.word and word.start_s <= found.time_s <= word.end_s + late_s
        ]
        if fits:
            open_words.remove(fits[0])
        (hits if fits else alarms).append(found)
    return Outcome(tuple(hits), tuple(open_words), tuple(alarms), seconds)
