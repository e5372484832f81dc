"""Continuous sound made from clips, with every word at a known time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.usecases.keywords.detector import Spoken


def mix_scene(
    clips: Sequence[NDArray[np.int16]],
    words: Sequence[str],
    seconds: float,
    rng: np.random.Generator,
    noise_db: float = 30.0,
) -> tuple[NDArray[np.int16], list[Spoken]]:
    """Continuous sound with clips at known times, over a noise that rises and falls.

    Args:
        clips: int16 at 16 kHz, one word each; zeros around it are left away. Taken in this order, each
            at a random place of its own share of the time, and at a random loudness.
        words: what each clip says.
        seconds: length of the sound.
        rng: source of chance.
        noise_db: by how much the words' peaks lie above the noise's, on average.

    Returns:
        The samples; and each word with its place, from the first to the last sample of at least a tenth
        of its peak.

    Raises:
        ValueError: clips that do not fit into the time.
    """
    bare = [np.trim_zeros(clip) if clip.any() else clip for clip in clips]
    share = int(seconds * 16_000) // max(len(bare), 1)
    longest = max((len(clip) for clip in bare), default=0)
    if longest > share:
        raise ValueError(
            f"{len(clips)} clips of up to {longest} samples do not fit into {seconds} s: take fewer"
        )
    sound = _noise(int(seconds * 16_000), rng) * 10_000 * 10 ** (-noise_db / 20)
    spoken = []
    for i, (clip, word) in enumerate(zip(bare, words, strict=True)):
        start = i * share + int(rng.integers(share - len(clip) + 1))
        sizes = np.abs(clip.astype(np.int64))
        sound[start : start + len(clip)] += clip * (rng.uniform(5_000, 20_000) / max(sizes.max(), 1))
        heard = start + np.flatnonzero(sizes >= sizes.max() / 10)
        spoken.append(Spoken(heard[0] / 16_000, heard[-1] / 16_000, word))
    return np.clip(np.round(sound), -32768, 32767).astype(np.int16), spoken


def _noise(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of falling spectrum, peak about 1, that swells and fades; half a minute, again and again."""
    loop = min(1 << (count - 1).bit_length(), 1 << 19)
    spectrum = np.fft.rfft(rng.standard_normal(loop))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(loop, 1 / 16_000), 20))
    noise = np.resize(np.fft.irfft(spectrum), count)
    points = np.arange(0, count + 64_000, 64_000)
    swell = 10 ** (np.interp(np.arange(count), points, rng.uniform(-6, 6, len(points))) / 20)
    return np.asarray(noise / (4 * noise.std()) * swell)


def add_noise(clips: NDArray[np.int16], ratio_db: float, rng: np.random.Generator) -> NDArray[np.int16]:
    """Clips under steady noise of falling spectrum.

    Args:
        clips: int16 of shape (clips, samples).
        ratio_db: power of each clip against the noise's, both averaged over the whole clip.
        rng: source of chance.

    Returns:
        int16 of the same shape, quieter where the sum would not fit.
    """
    noise = np.stack([_noise(clips.shape[1], rng) for _ in range(len(clips))])
    power = (clips.astype(np.float64) ** 2).mean(1, keepdims=True)
    loud = np.sqrt(power / (noise**2).mean(1, keepdims=True) / 10 ** (ratio_db / 10))
    both = clips + noise * loud
    peak = np.maximum(np.abs(both).max(1, keepdims=True), 32767)
    return np.asarray(np.round(both * (32767 / peak)), np.int16)
