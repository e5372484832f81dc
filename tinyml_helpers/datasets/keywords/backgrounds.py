"""Sounds without a word, from formulas: hiss, hum, taps, clatter, wheels, calls and near silence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
Samples = NDArray[np.float64]
Rng = np.random.Generator
_SECONDS = np.arange(RATE_HZ) / RATE_HZ


def coloured_noise(rng: Rng, slope: float) -> Samples:
    """Noise whose power falls as frequency to the power of `slope`: 0 is white, 1 pink, 2 brown."""
    spectrum = rng.normal(size=RATE_HZ // 2 + 1) + 1j * rng.normal(size=RATE_HZ // 2 + 1)
    return _unit(np.fft.irfft(spectrum / np.maximum(np.arange(RATE_HZ // 2 + 1), 20) ** (slope / 2)))


def hiss(rng: Rng) -> Samples:
    """Steady noise of any colour."""
    return coloured_noise(rng, rng.uniform(-0.5, 2.2))


def tap(rng: Rng) -> Samples:
    """Running water: a wide band that flutters."""
    flutter = np.interp(_SECONDS, np.linspace(0, 1, 40), rng.uniform(0.5, 1.5, 40))
    return flutter * _band(rng, rng.uniform(300, 1500), rng.uniform(3000, 7500))


def hum(rng: Rng) -> Samples:
    """Mains or a motor: harmonics of a low tone, with some noise."""
    base = rng.choice([50, 60, rng.uniform(30, 300)])
    phases, falls = rng.uniform(0, 2 * np.pi, 20), rng.uniform(0.5, 1.5)
    tones = [np.sin(2 * np.pi * base * n * _SECONDS + phases[n - 1]) / n**falls for n in range(1, 21)]
    return _unit(np.sum(tones, 0)) + rng.uniform(0.05, 1) * hiss(rng)


def clatter(rng: Rng) -> Samples:
    """Dishes: rings that start at random times and die away, over a floor of noise."""
    sound = rng.uniform(0.02, 0.3) * hiss(rng)
    for _ in range(rng.integers(1, 10)):
        after = np.maximum(_SECONDS - rng.uniform(0, 1), 0)
        dying = np.exp(-after / rng.uniform(0.005, 0.12)) * (after > 0)
        for frequency in rng.uniform(400, 7000, rng.integers(1, 6)):
            sound += rng.uniform(0.2, 2) * dying * np.sin(2 * np.pi * frequency * after)
        sound += rng.uniform(0, 2) * dying * rng.normal(size=RATE_HZ)
    return sound


def wheel(rng: Rng) -> Samples:
    """A bike or a fan: noise that comes and goes in turns."""
    turns = 0.5 + 0.5 * np.sin(2 * np.pi * (rng.uniform(0.7, 12) * _SECONDS + rng.uniform()))
    low = rng.uniform(50, 1500)
    swell = rng.uniform(0.1, 0.8) + turns ** rng.uniform(1, 6)
    return swell * _band(rng, low, low * rng.uniform(2, 10))


def call(rng: Rng) -> Samples:
    """A cat, a bird or a siren: a tone with overtones that glides, over a floor of noise."""
    base = rng.uniform(200, 2500)
    glide = np.interp(_SECONDS, np.linspace(0, 1, 5), base * rng.uniform(0.7, 1.4, 5))
    angle = 2 * np.pi * np.cumsum(glide) / RATE_HZ
    tone = np.sum([rng.uniform() / n * np.sin(n * angle) for n in range(1, 7)], 0)
    swell = np.interp(_SECONDS, np.sort(rng.uniform(0, 1, 4)), [0, 1, rng.uniform(), 0])
    return swell * _unit(tone) + rng.uniform(0.02, 0.3) * hiss(rng)


def near_silence(rng: Rng) -> Samples:
    """A quiet room: a few steps of the converter, or none."""
    return rng.uniform(0, 3) * hiss(rng) / 32768


KINDS: dict[str, Callable[[Rng], Samples]] = {
    "hiss": hiss,
    "tap": tap,
    "hum": hum,
    "clatter": clatter,
    "wheel": wheel,
    "call": call,
    "near silence": near_silence,
}


def background(kind: str, rng: Rng) -> NDArray[np.int16]:
    """Make one second of a kind of background: int16 [16000], most of them with a random level.

    Raises:
        ValueError: unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown background {kind!r}: choose one of {', '.join(KINDS)}")
    sound = KINDS[kind](rng)
    if kind != "near silence":
        sound *= 10 ** rng.uniform(-2.5, -0.1) / np.abs(sound).max()
    return (32767 * sound).astype(np.int16)


def backgrounds(count: int, seed: int = 0) -> tuple[NDArray[np.int16], list[str]]:
    """Make `count` seconds of background, the kinds in turn.

    Returns:
        int16 [count, 16000], and the kind of each.
    """
    rng = np.random.default_rng(seed)
    kinds = [list(KINDS)[place % len(KINDS)] for place in range(count)]
    sounds = [background(kind, rng) for kind in kinds]
    return np.array(sounds, np.int16).reshape(count, RATE_HZ), kinds


def _band(rng: Rng, low_hz: float, high_hz: float) -> Samples:
    spectrum = np.fft.rfft(rng.normal(size=RATE_HZ))
    spectrum[: int(low_hz)] *= 0.05
    spectrum[int(high_hz) :] *= 0.05
    return _unit(np.fft.irfft(spectrum))


def _unit(sound: Samples) -> Samples:
    scaled: Samples = sound / sound.std()
    return scaled
