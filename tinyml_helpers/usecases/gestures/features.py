"""Movements at the wrist, from raw samples to what a network sees, in the integers of the C.

A window of 4 s (200 samples of 6 axes at 50 Hz) goes through four steps:

1. A right arm is mirrored, so that it looks like a left one.
2. Two samples become one: 50 Hz become 25.
3. The slow part of each axis of the accelerometer is subtracted: a first-order low-pass,
   s += (a - s) * share, that starts at the mean of the window. Of an arm at rest that is gravity; when
   the arm swings, gravity swings as fast in the watch's axes, and much of it stays.
4. Rotation is weighted by a quarter against acceleration; one scale brings all to int8.

`c/motion.c` does the same, and gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.datasets.gestures.recordings import RATE_HZ, UNITS, Gestures

WINDOW, HOP, STEPS = 200, 50, 100
"""Raw samples in a window, from one window to the next, and time steps that a network sees."""

MIRROR = np.array([-1, 1, 1, 1, -1, -1])
"""What turns a right arm into a left one: a mirror reverses acceleration along x, and the turns about y
and z. Of all 64 choices of signs it is also the one that fits best."""

SLOW_SHARE_256 = 19
"""In 1/256: share of the difference by which the low-pass moves in 1/25 s, a cut-off of 0.3 Hz."""

WEIGHTS = np.array([1, 1, 1, 0.25, 0.25, 0.25])
"""What an axis counts for: a fast turn of 4 rad/s as much as 1 g."""

INPUT_LIMIT = 3.0
"""Largest value that the int8 input holds: 3 g, or 12 rad/s."""

GAIN_SHIFT = 20
"""`input_gains` are in 1/2**20."""

_LARGEST_GAIN = 16383


@dataclass(frozen=True, repr=False, eq=False)
class Windows:
    """Pieces of recordings.

    `raw` int16 [M, samples, 6] as the sensor gave them; `right` bool [M], on the right arm; `labels`
    int64 [M]; `people` str [M]; `recording` int64 [M], the number of the recording.
    """

    raw: NDArray[np.int16]
    right: NDArray[np.bool_]
    labels: NDArray[np.int64]
    people: NDArray[np.str_]
    recording: NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        seconds = self.raw.shape[1] / RATE_HZ
        recordings, people = len(set(self.recording.tolist())), len(set(self.people.tolist()))
        return f"{len(self):,} windows of {seconds:g} s, of {recordings} recordings, {people} people"

    def take(self, chosen: ArrayLike | slice) -> Windows:
        """Return the windows at `chosen`: bool [M], numbers of windows, or a slice."""
        at = chosen if isinstance(chosen, slice) else np.asarray(chosen)
        kept = (self.raw[at], self.right[at], self.labels[at], self.people[at], self.recording[at])
        return Windows(*kept, self.classes)

    def of(self, person: str) -> Windows:
        """Return one person's windows."""
        return self.take(self.people == person)

    def without(self, person: str) -> Windows:
        """Return everybody else's windows."""
        return self.take(self.people != person)

    def first(self, samples: int = WINDOW) -> Windows:
        """Return the first `samples` samples of each window."""
        return Windows(
            self.raw[:, :samples], self.right, self.labels, self.people, self.recording, self.classes
        )


def cut(gestures: Gestures, *, window: int = WINDOW, hop: int = HOP) -> Windows:
    """Cut recordings into windows that overlap.

    Args:
        gestures: recordings at 50 Hz.
        window: raw samples in one; shorter recordings give none.
        hop: raw samples from the start of one to the start of the next.

    Raises:
        ValueError: a window or hop below one sample, or no recording that is long enough.
    """
    if window < 1 or hop < 1:
        raise ValueError(f"window {window}, hop {hop}: give both in samples, at least 1")
    pieces, whose = [], []
    for number, one in enumerate(gestures.recordings):
        starts = range(0, len(one.raw) - window + 1, hop)
        pieces += [one.raw[start : start + window] for start in starts]
        whose += [(one.side == "right", one.label, one.person, number) for _ in starts]
    if not pieces:
        raise ValueError(f"no recording is as long as {window} samples: shorten the window")
    right, labels, people, recording = map(np.array, zip(*whose, strict=True))
    return Windows(np.stack(pieces), right, labels.astype(np.int64), people, recording, gestures.classes)


def mirror(samples: NDArray[Any], right: ArrayLike) -> NDArray[Any]:
    """Make right arms look like left ones: samples [..., 6] of one arm, or [M, ..., 6] of M."""
    flags = np.asarray(right)
    signs = np.where(flags[..., None], MIRROR, 1).astype(np.int32)
    between = (1,) * (samples.ndim - flags.ndim - 1)
    arms: NDArray[Any] = samples * signs.reshape(*flags.shape, *between, 6)
    return arms


def halve_rate(raw: NDArray[np.int16], right: ArrayLike) -> NDArray[np.float64]:
    """Steps 1 and 2 in g and rad/s: windows int16 [M, 200, 6] to [M, 100, 6], arms alike, 25 Hz."""
    arms = mirror(raw, right) * UNITS
    pairs: NDArray[np.float64] = arms.reshape(len(arms), -1, 2, 6).mean(2)
    return pairs


def subtract_slow_part(raw: NDArray[np.int16], right: ArrayLike) -> NDArray[np.int32]:
    """Steps 1 to 3 of the front end: mirror, halve the rate, subtract the slow part.

    Args:
        raw: int16 [M, 200, 6].
        right: bool [M].

    Returns:
        int32 [M, 100, 6]: sums of two samples, in halves of a raw unit.
    """
    arms = mirror(raw.astype(np.int32), right)
    pairs: NDArray[np.int32] = arms.reshape(len(arms), -1, 2, 6).sum(2, dtype=np.int32)
    # The low-pass keeps 8 bits more than its input. The C divides towards zero, and so does fix.
    start = pairs[..., :3].sum(1) * 256
    level = np.fix(start / pairs.shape[1]).astype(np.int32)
    for moment in range(pairs.shape[1]):
        level += ((pairs[:, moment, :3] * 256 - level) * SLOW_SHARE_256) >> 8
        pairs[:, moment, :3] -= level >> 8
    return pairs


def network_input(raw: NDArray[np.int16], right: ArrayLike) -> NDArray[np.float32]:
    """What a network in float sees: float32 [M, 6, 1, 100], in g and in 4 rad/s.

    Args:
        raw: int16 [M, 200, 6].
        right: bool [M].
    """
    values: NDArray[np.float32] = (subtract_slow_part(raw, right) * (UNITS / 2 * WEIGHTS)).astype(
        np.float32
    )
    return values.transpose(0, 2, 1)[:, :, None]


def quantized_input(
    raw: NDArray[np.int16], right: ArrayLike, scale: float, zero_point: int
) -> NDArray[np.int8]:
    """What an int8 network sees: int8 [M, 1, 100, 6], the bytes that `c/motion.c` writes.

    Args:
        raw: int16 [M, 200, 6].
        right: bool [M].
        scale: of the network's input.
        zero_point: of the network's input.
    """
    scaled = (
        subtract_slow_part(raw, right) * input_gains(scale) + (1 << (GAIN_SHIFT - 1))
    ) >> GAIN_SHIFT
    integers: NDArray[np.int8] = (scaled + zero_point).clip(-128, 127).astype(np.int8)
    return integers[:, None]


def calibration_inputs(windows: Windows, count: int = 500, seed: int = 0) -> NDArray[np.float32]:
    """Draw inputs for the converter to calibrate on: float32 [count, 1, 100, 6], channels last.

    They are clipped to `INPUT_LIMIT`, so that the few fastest jerks do not coarsen all the rest. Where
    all movements are gentle, two values stretch the range to the least that `input_gains` takes.
    """
    chosen = np.random.default_rng(seed).permutation(len(windows))[:count]
    some = windows.take(chosen)
    seen = network_input(some.raw, some.right).clip(-INPUT_LIMIT, INPUT_LIMIT)
    reach = 130 * _least_scale()  # of 127 steps, and a little
    if np.abs(seen).max() < reach:
        seen[0, 0, 0, :2] = -reach, reach
    return seen.transpose(0, 2, 3, 1)


def _least_scale() -> float:
    return float((UNITS / 2 * WEIGHTS * (1 << GAIN_SHIFT)).max() / _LARGEST_GAIN)


def input_gains(scale: float) -> NDArray[np.int32]:
    """Return the whole factors, in 1/2**20, from the sum of two raw samples to input steps: [6].

    Raises:
        ValueError: a scale so small that 32 bits would not hold the products.
    """
    if not scale >= _least_scale():
        raise ValueError(f"input scale {scale}: it must be at least {_least_scale():.4f}")
    worth = UNITS / 2 * WEIGHTS * (1 << GAIN_SHIFT)
    whole: NDArray[np.int32] = np.round(worth / scale).astype(np.int32)
    return whole
