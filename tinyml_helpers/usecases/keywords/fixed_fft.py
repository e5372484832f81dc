"""A Fourier transform of real samples in 16-bit integers, as microcontrollers compute it.

The steps and roundings are those of kissfft (https://github.com/mborgerding/kissfft) in 16-bit fixed
point, which TFLM's audio front end runs: 256 complex points in four stages of radix 4, then the split
into the spectrum of 512 real ones. Every stage divides by 4 and the split by 2, so that nothing grows
beyond 16 bits; the result is 1/512 of the mathematical sum.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

LENGTH = 512
POINTS = LENGTH // 2
ONE = 32767  # what stands for 1.0

Complex = tuple[NDArray[np.int32], NDArray[np.int32]]


def _unit_circle(angle: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.floor(0.5 + ONE * np.stack([np.cos(angle), np.sin(angle)])).astype(np.int16)


@cache
def twiddles() -> NDArray[np.int16]:
    """Factors of the four stages: int16 of shape (2, 256), cosines over sines."""
    return _unit_circle(-2 * np.pi * np.arange(POINTS) / POINTS)


@cache
def split_twiddles() -> NDArray[np.int16]:
    """Factors that split the spectrum, for bins 1 to 128: int16 of shape (2, 128)."""
    return _unit_circle(-np.pi * (np.arange(1, POINTS // 2 + 1) / POINTS + 0.5))


@cache
def reverse_digits() -> NDArray[np.intp]:
    """Which of 256 inputs stands where before the first stage: the index, its base-4 digits reversed."""
    index = np.arange(POINTS)
    return (index & 3) << 6 | (index >> 2 & 3) << 4 | (index >> 4 & 3) << 2 | index >> 6


def _rounded(product: NDArray[np.int32]) -> NDArray[np.int32]:
    return product + (1 << 14) >> 15


def _wrapped(real: NDArray[np.int32], imaginary: NDArray[np.int32]) -> Complex:
    return real.astype(np.int16).astype(np.int32), imaginary.astype(np.int16).astype(np.int32)


def _divided(value: Complex, by: int) -> Complex:
    return _rounded(value[0] * (ONE // by)), _rounded(value[1] * (ONE // by))


def _times(value: Complex, factors: NDArray[np.int16]) -> Complex:
    (real, imaginary), (cosine, sine) = value, factors.astype(np.int32)[..., None]
    return _rounded(real * cosine - imaginary * sine), _rounded(real * sine + imaginary * cosine)


def _stage(value: Complex, width: int) -> Complex:
    """One stage: groups of four transforms of `width` points become one of 4 `width`."""
    frames = value[0].shape[-1]
    quarters = [part.reshape(-1, 4, width, frames) for part in _divided(value, 4)]
    steps = np.arange(width) * (POINTS // (4 * width))
    a = quarters[0][:, 0], quarters[1][:, 0]
    b, c, d = (
        _times((quarters[0][:, n], quarters[1][:, n]), twiddles()[:, n * steps]) for n in (1, 2, 3)
    )
    even, odd = (a[0] + c[0], a[1] + c[1]), (a[0] - c[0], a[1] - c[1])
    plus, minus = (b[0] + d[0], b[1] + d[1]), (b[0] - d[0], b[1] - d[1])
    real = [even[0] + plus[0], odd[0] + minus[1], even[0] - plus[0], odd[0] - minus[1]]
    imaginary = [even[1] + plus[1], odd[1] - minus[0], even[1] - plus[1], odd[1] + minus[0]]
    joined = np.stack(real, 1).reshape(POINTS, frames), np.stack(imaginary, 1).reshape(POINTS, frames)
    return _wrapped(*joined)


def _split(value: Complex) -> Complex:
    """The spectrum of 512 real samples, bins 0 to 256, from the transform of 256 pairs of them."""
    real, imaginary = value
    forward = _divided((real[1:129], imaginary[1:129]), 2)
    backward = _divided((real[:127:-1], -imaginary[:127:-1]), 2)
    total = _wrapped(forward[0] + backward[0], forward[1] + backward[1])
    difference = _wrapped(forward[0] - backward[0], forward[1] - backward[1])
    turned = _wrapped(*_times(difference, split_twiddles()))
    low = total[0] + turned[0] >> 1, total[1] + turned[1] >> 1
    high = total[0] - turned[0] >> 1, turned[1] - total[1] >> 1
    ends = _divided((real[:1], imaginary[:1]), 2)
    # Bin 128 is in both halves; the upper one stands.
    first = np.concatenate([ends[0] + ends[1], low[0][:-1], high[0][::-1], ends[0] - ends[1]])
    second = np.concatenate([0 * ends[0], low[1][:-1], high[1][::-1], 0 * ends[0]])
    return _wrapped(first, second)


def real_fft(samples: NDArray[np.int16]) -> Complex:
    """Spectrum of real samples in 16-bit fixed point.

    Args:
        samples: int16 of shape (512, frames): one column a frame.

    Returns:
        Real and imaginary parts, int32 holding 16-bit values, each of shape (257, frames).
    """
    ordered = samples.astype(np.int32).reshape(POINTS, 2, -1)[reverse_digits()]
    value = ordered[:, 0], ordered[:, 1]
    for width in (1, 4, 16, 64):
        value = _stage(value, width)
    return _split(value)
