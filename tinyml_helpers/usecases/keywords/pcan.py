"""Integer square root, logarithm, noise reduction and gain control of TFLM's audio front end.

Source: TensorFlow, lite/experimental/microfrontend/lib (filterbank, log_scale, noise_reduction,
pcan_gain_control); gain control after Wang et al. 2017, arXiv 1607.05666.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

LOG_BITS = 16
SEGMENTS = 128
LN_2 = 45426  # in units of 1/65536
SMOOTHING_BITS = 10
NOISE_BITS = 14
# How fast the noise estimate follows in even and odd channels, and what stays of a signal at least.
EVEN, ODD, REMAINING = (int(share * (1 << NOISE_BITS)) for share in (0.025, 0.06, 0.05))
GAIN_BITS, SNR_BITS, SHRUNK_BITS = 21, 12, 6
STRENGTH, OFFSET = 0.95, 80.0


def rounded_root(value: Integers) -> Integers:
    """Square root, rounded to the nearest integer; but no more than 65,535 for 32-bit values."""
    root = np.sqrt(value.astype(np.float64)).astype(np.int64)
    root -= root * root > value
    root += (root + 1) * (root + 1) <= value
    up = (value - root * root > root) & ~((root == 0xFFFF) & (value < 1 << 32))
    return np.asarray(root + up, np.int64)


@cache
def log_table() -> NDArray[np.uint16]:
    """By how much log2(1 + x) exceeds x, at 128 steps of x and the end, in units of 1/65536."""
    x = np.arange(SEGMENTS + 1) / SEGMENTS
    return np.round((np.log2(1 + x) - x) * (1 << LOG_BITS)).astype(np.uint16)


def scale_log(value: Integers, shift: int) -> NDArray[np.uint16]:
    """2^shift times the natural logarithm of 32-bit values of any shape, rounded; 0 and 1 give 0."""
    value = value & 0xFFFFFFFF
    whole = np.frexp(np.maximum(value, 1).astype(np.float64))[1].astype(np.int64) - 1
    part = (value - (1 << whole) << LOG_BITS) >> whole
    segment = np.clip(part >> 9, 0, SEGMENTS - 1)
    table = log_table().astype(np.int64)
    # The library interpolates with too large a shift, which leaves next to a step; kept for equality.
    between = (table[segment + 1] - table[segment]) * (part & 511) >> LOG_BITS
    log2 = (whole << LOG_BITS) + part + table[segment] + between
    half = 1 << LOG_BITS - 1
    scaled = ((LN_2 * log2 + half >> LOG_BITS) << shift) + half >> LOG_BITS
    return np.where(value > 1, np.minimum(scaled, 0xFFFF), 0).astype(np.uint16)


@cache
def _gain_table() -> Integers:
    """Gain against noise: a parabola over each octave of the estimate, (33, 3); row 1 holds 0 and 1."""

    def gain(noise: int) -> int:
        base = np.float32(noise) / np.float32(1 << SMOOTHING_BITS - 3) + np.float32(OFFSET)
        value = np.float32(1 << GAIN_BITS) * np.power(base, np.float32(-STRENGTH))
        return int(min(value + np.float32(0.5), 32767))

    rows = [[0, 0, 0], [gain(0), gain(1), 0]]
    for octave in range(2, 33):
        start = 1 << octave - 1
        end = 2 * start - 1 if octave == 32 else 2 * start
        low, middle, high = gain(start), gain(start + start // 2), gain(end)
        slope = 4 * (middle - low) - (high - low)
        rows.append([low, slope, high - low - slope])
    return np.array(rows)


def _gain(noise: Integers) -> Integers:
    octave = np.frexp(noise.astype(np.float64))[1].astype(np.int64)
    low, slope, bend = np.moveaxis(_gain_table()[octave], -1, 0)
    part = np.where(
        octave < 11, noise << np.maximum(11 - octave, 0), noise >> np.maximum(octave - 11, 0)
    )
    part &= 0x3FF
    curve = ((bend * part >> 5) + (slope << 5)) * part + (1 << 14) >> 15
    first = _gain_table()[1]
    small = np.where(noise == 0, first[0], np.where(noise == 1, first[1], _gain_table()[2][0]))
    return np.asarray(np.where(noise <= 2, small, low + curve), np.int64)


def _controlled(signal: Integers, noise: Integers) -> Integers:
    """The signal against its noise, small ratios squared: what gain control leaves."""
    ratio = (signal * _gain(noise) >> GAIN_BITS - 3 - SNR_BITS) & 0xFFFFFFFF
    squared = (ratio * ratio & 0xFFFFFFFF) >> 2 + 2 * SNR_BITS - SHRUNK_BITS
    linear = (ratio >> SNR_BITS - SHRUNK_BITS) - (1 << SHRUNK_BITS)
    return np.where(ratio < 2 << SNR_BITS, squared, linear)


def reduce_noise(signal: Integers, *, gain_control: bool) -> Integers:
    """Noise subtracted that a slow average has learnt, then, if asked for, gain control.

    Args:
        signal: int64 of shape (..., frames, channels), from the square root.
        gain_control: divide by the noise estimate too (per-channel automatic normalization).

    Returns:
        int64 of the same shape.
    """
    smoothing = np.where(np.arange(signal.shape[-1]) % 2 == 0, EVEN, ODD)
    noise = np.zeros(signal.shape[:-2] + signal.shape[-1:], np.int64)
    result = np.empty_like(signal)
    for at in range(signal.shape[-2]):
        now = signal[..., at, :]
        raised = now << SMOOTHING_BITS & 0xFFFFFFFF
        noise = raised * smoothing + noise * ((1 << NOISE_BITS) - smoothing) >> NOISE_BITS
        clean = (raised - np.minimum(noise, raised)) >> SMOOTHING_BITS
        clean = np.maximum(clean, now * REMAINING >> NOISE_BITS)
        result[..., at, :] = _controlled(clean, noise) if gain_control else clean
    return result
