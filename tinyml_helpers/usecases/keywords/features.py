"""From sound to what a keyword network sees: log-mel from its formula, and the product's front end.

The product's front end is TFLM's (see `frontend`), with one addition: the level. A clip's peak is
brought to 32,000 by adding a constant to its logarithms; a stream can do so without its samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.integers import Integers
from tinyml_helpers.usecases.keywords import pcan
from tinyml_helpers.usecases.keywords.micro_frontend import (
    MLPERF,
    WAKE_WORD,
    Settings,
    library_features,
    micro_frontend,
)

__all__ = [
    "FRAMES",
    "FULL_SCALE",
    "MLPERF",
    "SAMPLES",
    "WAKE_WORD",
    "Settings",
    "features",
    "input_table",
    "library_features",
    "log_mel",
    "mel_filters",
    "micro_frontend",
    "network_input",
    "quantized_input",
    "raise_level",
    "to_int16",
    "to_mel",
    "wake_word_steps",
]

FULL_SCALE = 32_000
"""The peak that a clip is raised to."""

FRAMES, SAMPLES = 50, 16_160
"""Frames that the network sees, and the samples under them: a second and half a step."""


def to_int16(samples: ArrayLike) -> NDArray[np.int16]:
    """Samples in -1 to 1 as 16-bit integers; louder ones are clipped."""
    return np.clip(np.round(np.asarray(samples) * 32767.0), -32768, 32767).astype(np.int16)


def to_mel(frequency_hz: ArrayLike) -> NDArray[np.float64]:
    """Mel scale: 1127 ln(1 + f / 700), about equal steps of pitch to the ear."""
    return np.asarray(1127.0 * np.log1p(np.asarray(frequency_hz, np.float64) / 700.0))


def mel_filters(channels: int, lower_hz: float, upper_hz: float) -> NDArray[np.float64]:
    """Triangles, equally wide on the mel scale, each half over its neighbours.

    Args:
        channels: number of triangles.
        lower_hz: where the first begins.
        upper_hz: where the last ends.

    Returns:
        float64 of shape (channels, 257): weights of each bin of 512 samples at 16 kHz.

    Raises:
        ValueError: limits that are not 0 <= lower < upper <= 8000, or no channel.
    """
    if not 0 <= lower_hz < upper_hz <= 8000 or channels < 1:
        raise ValueError(
            f"{channels} channels from {lower_hz} to {upper_hz} Hz: "
            f"give at least one, and 0 <= lower < upper <= 8000"
        )
    corners = np.linspace(to_mel(lower_hz), to_mel(upper_hz), channels + 2)
    bins = to_mel(np.arange(257) * 16_000 / 512)
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    return np.clip(np.minimum(rising, falling), 0, None)


def log_mel(samples: ArrayLike) -> NDArray[np.float64]:
    """Log-mel spectrogram from its formula: window, Fourier transform, mel filters, root, logarithm.

    Args:
        samples: of shape (samples,), in the units of int16; window, step and filters are `MLPERF`'s.

    Returns:
        float64 of shape (frames, 10): ln of the amplitude in each filter, at least 0.
    """
    size = MLPERF.window_samples
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float64), size)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(size) + 0.5) / size)
    spectrum = np.abs(np.fft.rfft(frames[:: MLPERF.step_samples] * hann, 512))
    filters = mel_filters(MLPERF.channels, MLPERF.lower_hz, MLPERF.upper_hz)
    return np.log(np.maximum(np.sqrt(spectrum**2 @ filters.T), 1.0))


def raise_level(raw: NDArray[np.uint16], peak: ArrayLike, log_shift: int = 5) -> NDArray[np.uint16]:
    """Log features as if the loudest sample had been 32,000: a constant added; zeros stay.

    Args:
        raw: of shape (..., frames, channels), from `micro_frontend`.
        peak: loudest sample of each clip, of shape (...).
        log_shift: of the settings that made them.
    """
    levels = [np.asarray(FULL_SCALE), np.maximum(np.asarray(peak), 1)]
    full, own = (pcan.scale_log(level.astype(np.int64), log_shift).astype(np.int64) for level in levels)
    louder = raw + (full - own)[..., None, None]
    return np.where(raw > 0, np.clip(louder, 0, 0xFFFF), 0).astype(np.uint16)


def features(samples: NDArray[np.int16], settings: Settings = MLPERF) -> NDArray[np.uint16]:
    """Features of one second of sound, whatever its loudness.

    Args:
        samples: int16 of shape (..., samples) at 16 kHz; cut or filled with zeros to 16,160.
        settings: of the front end.

    Returns:
        uint16 of shape (..., frames, channels): 50 frames of 10 channels with the usual settings.

    Raises:
        ValueError: samples that are not int16.
    """
    samples = np.asarray(samples)[..., :SAMPLES]
    missing = SAMPLES - samples.shape[-1]
    samples = np.pad(samples, [(0, 0)] * (samples.ndim - 1) + [(0, missing)])
    raw = micro_frontend(samples, settings)
    peak = np.maximum(samples.max(-1).astype(np.int32), -samples.min(-1).astype(np.int32))
    return raise_level(raw, peak, settings.log_shift)


def network_input(raw: ArrayLike) -> NDArray[np.float32]:
    """Features as the course's keyword networks take them: 0 to 1, of the same shape.

    The scale to a byte is that of TFLM's examples; the straight line after it was fitted to the public
    MLPerf Tiny network, which takes 225 times as much.
    """
    byte = np.clip((256 * np.asarray(raw, np.int64) + 333) // 666, 0, 255)
    return np.asarray(np.clip(1.3 * byte - 45.0, 0.0, 225.0) / 225.0, np.float32)


def input_table(scale: float, zero_point: int) -> NDArray[np.int8]:
    """The int8 input for each feature value: 710 entries, beyond which nothing changes.

    Args:
        scale: of the network's input tensor, which takes 0 to 1.
        zero_point: of the same.

    Returns:
        int8 of shape (710,).

    Raises:
        ValueError: a scale that is not above zero.
    """
    if not scale > 0:
        raise ValueError(f"scale {scale}: give the input tensor's own, above zero")
    return Integers(scale, zero_point).store(network_input(np.arange(710)))


def quantized_input(raw: NDArray[np.uint16], scale: float, zero_point: int) -> NDArray[np.int8]:
    """Features as an int8 network takes them, of the same shape: see `input_table`."""
    table = input_table(scale, zero_point)
    return table[np.minimum(raw, len(table) - 1)]


def wake_word_steps(samples: NDArray[np.int16]) -> NDArray[np.int8]:
    """Inputs of the wake words that ship, three frames a step: int8 of shape (steps, 1, 3, 40).

    Args:
        samples: int16 of shape (samples,) at 16 kHz.

    Source: microWakeWord, whose networks take the features over 25.6, stored at 26 / 255 a step.
    """
    raw = micro_frontend(samples, WAKE_WORD)
    stored = Integers(26 / 255, -128).store(raw[: len(raw) // 3 * 3] / 25.6)
    return stored.reshape(-1, 1, 3, WAKE_WORD.channels)
