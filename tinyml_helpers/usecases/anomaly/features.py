"""From half a second of vibration to the numbers that a detector sees.

A short-time Fourier transform cuts the segment into overlapping frames of 16 ms. The energies of 28
bands, in powers of two, make a log-spectrogram. Two numbers remain of each band: its mean over time,
and how much it swings about that mean; blows on a damaged bearing make both larger.

`firmware.pipeline` does the same in C on a microcontroller with a floating-point unit.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

FRAME, HOP, BANDS = 256, 128, 28
FEATURES = 2 * BANDS
Samples = NDArray[np.int16]


@cache
def band_edges() -> NDArray[np.int64]:
    """First bin of each band, and one past the last: int64 [BANDS + 1].

    Bands widen in equal ratios, as far as a bin is no narrower; bin 0, which holds what never
    changes, such as gravity, is left out, and so is the last.
    """
    last, edges = FRAME // 2, [1]
    for left in range(BANDS, 0, -1):
        ratio = (last / edges[-1]) ** (1 / left)
        edges.append(max(edges[-1] + 1, round(edges[-1] * ratio)))
    return np.array(edges)


@cache
def window() -> NDArray[np.float32]:
    """Hann's window, which fades each frame in and out: float32 [FRAME]."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME), np.float32)


def log_spectrogram(samples: Samples) -> NDArray[np.float32]:
    """Energy of each band in each frame, as a power of two.

    Args:
        samples: int16 [N, T] with T at least one frame.

    Returns:
        float32 [N, frames, BANDS]; one more means twice the energy, 3 dB.

    Raises:
        ValueError: samples of another shape or type, or too few.
    """
    from scipy import fft

    samples = np.asarray(samples)
    if samples.ndim != 2 or samples.dtype != np.int16 or samples.shape[1] < FRAME:
        raise ValueError(
            f"samples of shape {samples.shape} and type {samples.dtype}: "
            f"give int16 [segments, at least {FRAME} samples]"
        )
    mean = np.floor(samples.mean(1, keepdims=True) + 0.5).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME, axis=1)[:, ::HOP]
    spectrum = fft.rfft((frames - mean[:, :, None]) * window())
    power = (spectrum.real**2 + spectrum.imag**2)[:, :, : FRAME // 2]
    energy = np.add.reduceat(power, band_edges()[:-1], axis=2)
    return np.asarray(np.log2(energy + 1), np.float32)


def features(samples: Samples) -> NDArray[np.float32]:
    """Mean and swing (standard deviation) of each band over time: float32 [N, FEATURES].

    Args:
        samples: int16 [N, T].

    Raises:
        ValueError: as `log_spectrogram`.
    """
    parts = [
        np.concatenate([levels.mean(1), levels.std(1)], axis=1)
        for levels in (log_spectrogram(samples[i : i + 64]) for i in range(0, len(samples), 64))
    ]
    return np.concatenate(parts) if parts else np.zeros((0, FEATURES), np.float32)


def rms(samples: Samples) -> NDArray[np.float64]:
    """Root mean square of each segment about its mean, in counts: float64 [N]."""
    return np.asarray(samples.std(axis=1, dtype=np.float64))


def kurtosis(samples: Samples) -> NDArray[np.float64]:
    """How far each segment is from a bell curve: float64 [N], 0 for Gaussian noise, large for blows.

    Source: Dyer and Stewart, Journal of Mechanical Design 100, 1978, minus the 3 of a bell curve.
    """
    centred = samples - samples.mean(1, keepdims=True, dtype=np.float64)
    square = centred * centred
    return np.asarray((square * square).mean(1) / np.maximum(square.mean(1), 1e-12) ** 2 - 3)


def rms_and_kurtosis(samples: Samples) -> NDArray[np.float64]:
    """RMS, as a power of two, and kurtosis: float64 [N, 2]."""
    return np.stack([np.log2(rms(samples) + 1e-9), kurtosis(samples)], axis=1)


def spectrum(samples: Samples, rate_hz: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in Hz [F], and the amplitude at each in counts, averaged over segments [N, T].

    A sine of amplitude a that falls on a bin gives a.
    """
    from scipy.signal import windows

    shape = windows.hann(samples.shape[1], sym=False)
    centred = samples - samples.mean(1, keepdims=True)
    amplitude = np.abs(np.fft.rfft(centred * shape)) * 2 / shape.sum()
    frequency = np.asarray(np.fft.rfftfreq(samples.shape[1], 1 / rate_hz), np.float64)
    return frequency, np.asarray(amplitude.mean(0))


def envelope_spectrum(
    samples: Samples, rate_hz: float, band_hz: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spectrum of the envelope of what lies in a band: blows stand out at the rate at which they come.

    The band is cut out by Fourier transform, its negative frequencies dropped; the magnitude of the
    complex signal that remains is the envelope.

    Args:
        samples: int16 [N, T].
        rate_hz: samples a second.
        band_hz: low and high end, around a resonance.

    Returns:
        Frequencies in Hz [F], and the amplitude at each in counts, averaged over segments.

    Raises:
        ValueError: the band is empty or reaches above half of the rate.

    Source: Randall and Antoni, Mechanical Systems and Signal Processing 25, 2011, section 5.
    """
    low, high = band_hz
    if not 0 < low < high <= rate_hz / 2:
        raise ValueError(f"band {low} to {high} Hz: give 0 < low < high <= {rate_hz / 2:g}")
    count = samples.shape[1]
    half = np.asarray(np.fft.rfftfreq(count, 1 / rate_hz), np.float64)
    inside = np.where((half >= low) & (half <= high), 2 * np.fft.rfft(samples), 0)
    envelope = np.abs(np.fft.ifft(inside, count))
    centred = envelope - envelope.mean(1, keepdims=True)
    return half, np.asarray((np.abs(np.fft.rfft(centred)) * 2 / count).mean(0))
