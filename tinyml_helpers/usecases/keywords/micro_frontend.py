"""TFLM's audio front end in numpy: the same integers as the C library, for many frames at once.

Window, 16-bit Fourier transform, energies, triangular mel filters, square root, logarithm; where asked
for, noise reduction and gain control between the last two. Source: TensorFlow's
lite/experimental/microfrontend, the front end of TensorFlow Lite for Microcontrollers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.usecases.keywords import fixed_fft, pcan

WINDOW_BITS = FILTER_BITS = 12
# The transform divides by 512 and the root of the filters' scale multiplies by 64: 8 stay to be undone.
CORRECTION_BITS = 9 - FILTER_BITS // 2
CHUNK = 512  # frames at a time, so that the work fits the processor's cache


@dataclass(frozen=True)
class Settings:
    """How sound becomes a picture. Frequencies in Hz, lengths in ms; 16,000 samples a second."""

    name: str
    step_ms: int
    channels: int
    lower_hz: float
    upper_hz: float
    log_shift: int
    noise_reduction: bool = False
    gain_control: bool = False
    window_ms: int = 30
    rate_hz: int = 16_000

    @property
    def window_samples(self) -> int:
        """Samples of one frame."""
        return self.window_ms * self.rate_hz // 1000

    @property
    def step_samples(self) -> int:
        """Samples from one frame to the next."""
        return self.step_ms * self.rate_hz // 1000

    def frames(self, samples: int) -> int:
        """Frames that so many samples give."""
        return max(0, (samples - self.window_samples) // self.step_samples + 1)


MLPERF = Settings("MLPerf Tiny", 20, 10, 20.0, 4000.0, 5)
WAKE_WORD = Settings("wake words", 10, 40, 125.0, 7500.0, 6, noise_reduction=True, gain_control=True)


@cache
def window(settings: Settings) -> NDArray[np.int16]:
    """The Hann window in units of 1/4096: int16 of shape (window samples,)."""
    size = settings.window_samples
    if not 256 < size <= fixed_fft.LENGTH:
        raise ValueError(
            f"a window of {size} samples: take 257 to {fixed_fft.LENGTH} (17 to 32 ms at 16 kHz)"
        )
    # In 32-bit floats, as the library computes it: in 64 bits one coefficient would round otherwise.
    angle = np.float32(2 * np.pi / size) * (np.arange(size, dtype=np.float32) + np.float32(0.5))
    value = np.float32(0.5) - np.float32(0.5) * np.cos(angle.astype(np.float64)).astype(np.float32)
    return np.asarray(np.floor(value * (1 << WINDOW_BITS) + 0.5), np.int16)


def _mel(frequency_hz: NDArray[np.float32] | np.float32) -> NDArray[np.float32]:
    return np.asarray(1127.0 * np.log1p(np.asarray(frequency_hz, np.float64) / 700.0)).astype(np.float32)


@dataclass(frozen=True)
class Filters:
    """Triangles on the mel scale: bins `first` and on; each bin is shared by two neighbours.

    Bin first + i lies on the rising side of triangle `channel[i]`, with weight `rising[i]`, and on the
    falling side of the one below, with weight `falling[i]`, in units of 1/4096.
    """

    first: int
    channel: NDArray[np.int64]
    rising: NDArray[np.int64]
    falling: NDArray[np.int64]


@cache
def filters(settings: Settings) -> Filters:
    """The mel filters; all arithmetic in 32-bit floats, as the C library computes them."""
    width_hz = np.float32(0.5 * settings.rate_hz / (fixed_fft.POINTS))
    first = int(1.5 + np.float32(settings.lower_hz) / width_hz)
    low, high = _mel(np.float32(settings.lower_hz)), _mel(np.float32(settings.upper_hz))
    spacing = (high - low) / np.float32(settings.channels + 1)
    centers = low + spacing * np.arange(1, settings.channels + 2, dtype=np.float32)
    mel = _mel(np.arange(first, fixed_fft.POINTS, dtype=np.float32) * width_hz)
    channel = np.searchsorted(centers, mel, side="left")
    channel = channel[channel <= settings.channels]
    below = np.concatenate([[low], centers[:-1]]).astype(np.float32)[channel]
    falling = (centers[channel] - mel[: len(channel)]) / (centers[channel] - below)
    one = 1 << FILTER_BITS
    down = np.floor(falling * np.float32(one) + 0.5).astype(np.int64)
    up = np.floor((1.0 - falling.astype(np.float64)) * one + 0.5).astype(np.int64)
    return Filters(first, channel, up, down)


def _windowed(
    frames: NDArray[np.int16], settings: Settings
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Frames under the window, shifted up as far as 16 bits allow, (512, frames); and the shifts."""
    shaped = frames.astype(np.int32) * window(settings) >> WINDOW_BITS
    loudest = np.abs(shaped.astype(np.int16)).max(axis=1).clip(0)
    shift = 15 - np.frexp(loudest.astype(np.float64))[1]
    padded = np.zeros((fixed_fft.LENGTH, len(frames)), np.int16)
    padded[: frames.shape[1]] = (shaped.T << shift).astype(np.int16)
    return padded, shift.astype(np.int64)


def _energies(frames: NDArray[np.int16], settings: Settings) -> NDArray[np.int64]:
    """Root of the energy under each filter: (frames, channels)."""
    padded, shift = _windowed(frames, settings)
    real, imaginary = fixed_fft.real_fft(padded)
    bank = filters(settings)
    used = slice(bank.first, bank.first + len(bank.channel))
    energy = real[used].astype(np.int64) ** 2 + imaginary[used].astype(np.int64) ** 2
    sums = np.zeros((settings.channels + 2, len(frames)), np.int64)
    np.add.at(sums, bank.channel + 1, energy * bank.rising[:, None])
    np.add.at(sums, bank.channel, energy * bank.falling[:, None])
    return pcan.rounded_root(sums[1:-1].T) >> shift[:, None]


def _blocks(samples: NDArray[np.int16], settings: Settings) -> Iterator[NDArray[np.int16]]:
    """Yield all frames of all clips in order, about `CHUNK` at a time: (frames, window samples)."""
    clips = samples.reshape(-1, samples.shape[-1])
    size, step, count = settings.window_samples, settings.step_samples, settings.frames(clips.shape[1])
    frames = np.lib.stride_tricks.sliding_window_view(clips, size, axis=-1)[:, ::step]
    together = max(1, CHUNK // count)
    for first in range(0, len(clips), together):
        for at in range(0, count, CHUNK):
            yield frames[first : first + together, at : at + CHUNK].reshape(-1, size)


def micro_frontend(samples: NDArray[np.int16], settings: Settings = MLPERF) -> NDArray[np.uint16]:
    """Log-mel features in integers, equal to TFLM's to the last bit.

    Args:
        samples: int16 at 16 kHz, of shape (..., samples): one clip or many of equal length.
        settings: window, step and filters.

    Returns:
        uint16 of shape (..., frames, channels); 2^log_shift steps are a factor of e in amplitude.

    Raises:
        ValueError: samples that are not int16, or fewer than one window.

    Source: TensorFlow, lite/experimental/microfrontend/lib.
    """
    samples = np.asarray(samples)
    if samples.dtype != np.int16:
        raise ValueError(f"samples are {samples.dtype}: give int16, or use audio.full_scale first")
    if settings.frames(samples.shape[-1]) == 0:
        needed = settings.window_samples
        raise ValueError(f"{samples.shape[-1]} samples are less than one window: give at least {needed}")
    parts = [_energies(block, settings) for block in _blocks(samples, settings)]
    shape = (*samples.shape[:-1], settings.frames(samples.shape[-1]), settings.channels)
    signal = np.concatenate(parts).reshape(shape)
    if settings.noise_reduction:
        signal = pcan.reduce_noise(signal, gain_control=settings.gain_control)
    return pcan.scale_log(signal << CORRECTION_BITS, settings.log_shift)


def library_features(samples: NDArray[np.int16]) -> NDArray[np.uint16]:
    """Features of one clip with the settings `WAKE_WORD`, from TensorFlow's own C++ (pymicro-features).

    Args:
        samples: int16 of shape (samples,) at 16 kHz.

    Returns:
        uint16 of shape (frames, 40).
    """
    from pymicro_features import MicroFrontend

    front, content, at, rows = MicroFrontend(), samples.tobytes(), 0, []
    while at + 2 * WAKE_WORD.step_samples <= len(content):
        result = front.process_samples(content[at : at + 2 * WAKE_WORD.step_samples])
        at += 2 * result.samples_read
        rows += [result.features] if result.features else []
    # It divides by 25.6, as the networks of micro_speech were trained.
    return np.rint(np.array(rows).reshape(-1, WAKE_WORD.channels) * 25.6).astype(np.uint16)
