"""Alterations of sound for training, made on its features: a batch in the time one clip would take.

Features are logarithms, 2^5 steps for a factor of e in amplitude. So a louder band is an addition, two
sounds at once are the logarithm of a sum, slower speech is frames read at other places, and an echo is
energy that leaks into the frames after it. Only pitch needs the samples: see `change_speed`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tinyml_helpers.usecases.keywords import features

# Steps of the features for a factor of e in power, and for a decibel.
PER_POWER = 2.0 ** (features.MLPERF.log_shift - 1)
PER_DB = float(PER_POWER * np.log(10) / 10)
Rng = torch.Generator


@dataclass(frozen=True)
class Strength:
    """How far each alteration goes; chances run from 0 to 1.

    `stretch` is the range of tempo, `shift` in frames, `tilt_db` the spread of random equalizing,
    `noise_db` the range of signal-to-noise ratios, `level_db` the spread of the level.
    """

    stretch: tuple[float, float] = (0.8, 1.25)
    shift: float = 5.0
    tilt_db: float = 5.0
    echo_chance: float = 0.5
    telephone_chance: float = 0.25
    noise_chance: float = 0.7
    noise_db: tuple[float, float] = (0.0, 30.0)
    level_db: float = 2.0
    masks: int = 2
    warp: float = 0.06


def change_speed(
    clips: NDArray[np.int16], seed: int = 0, ends: tuple[float, float] = (0.85, 1.18)
) -> NDArray[np.int16]:
    """Play each clip faster or slower, pitch included, as other throats would speak.

    Args:
        clips: int16 [N, samples]; what is too long after it is cut at both ends.
        seed: of the random factors.
        ends: of the factors; above 1 is faster and higher.
    """
    rng = np.random.default_rng(seed)
    size = clips.shape[1]
    middle = (size - 1) / 2
    altered = np.empty_like(clips)
    for place, (clip, factor) in enumerate(zip(clips, rng.uniform(*ends, len(clips)), strict=True)):
        where = middle + (np.arange(size) - middle) * factor
        altered[place] = np.interp(where, np.arange(size), clip, left=0, right=0)
    return altered


def raw_features(clips: NDArray[np.int16]) -> torch.Tensor:
    """Return the features of int16 [N, samples]: float32 [N, 50, 10] in the front end's units."""
    return torch.from_numpy(features.features(clips).astype(np.float32))


def as_input(raw: torch.Tensor) -> torch.Tensor:
    """Return altered features [N, 50, 10] as the networks take them: float32 [N, 1, 50, 10], 0 to 1.

    The same line as `audio.network_input`, without rounding to bytes.
    """
    return ((1.3 * 256 / 666 * raw - 45) / 225).clamp(0, 1)[:, None]


def alter(
    raw: torch.Tensor, noises: torch.Tensor, rng: Rng, strength: Strength | None = None
) -> torch.Tensor:
    """Alter every clip of a batch in its own random way.

    Args:
        raw: features float32 [N, 50, 10].
        noises: features of backgrounds and babble, float32 [M, 50, 10], drawn from at random.
        rng: where the randomness comes from.
        strength: how far each alteration goes.

    Returns:
        float32 [N, 50, 10] in the same units.
    """
    how = strength or Strength()
    out = _read_elsewhere(raw, rng, how)
    out = out + _equalizer(out, rng, how)
    out = torch.where(_chance(out, rng, how.echo_chance), _with_echo(out, rng), out)
    chosen = noises[torch.randint(len(noises), (len(out),), generator=rng)]
    level = PER_DB * _uniform(out, rng, *how.noise_db)
    noisy = mix(out, _read_elsewhere(chosen, rng, how), level)
    out = torch.where(_chance(out, rng, how.noise_chance), noisy, out)
    out = out + PER_DB * how.level_db * torch.randn(len(out), 1, 1, generator=rng)
    return _masked(out.clamp(min=0), rng, how.masks)


def mix(first: torch.Tensor, second: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    """Return two sounds at once, the second quieter by `below` steps, both against the louder peak."""
    quieter = second - below
    both = PER_POWER * torch.logaddexp(first / PER_POWER, quieter / PER_POWER)
    # The peak of a sum: as if peaks added in power. Both had the same one before.
    louder = PER_POWER * torch.log1p(torch.exp(-below / PER_POWER))
    return both - louder


def _read_elsewhere(raw: torch.Tensor, rng: Rng, how: Strength) -> torch.Tensor:
    """Read frames and bands at stretched, shifted and warped places, by linear interpolation."""
    count, frames, bands = raw.shape
    tempo = _uniform(raw, rng, *how.stretch).flatten()
    shift = _uniform(raw, rng, -how.shift, how.shift).flatten() * 2 / frames
    warp = 1 + how.warp * (2 * torch.rand(count, generator=rng) - 1)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = warp, warp - 1
    theta[:, 1, 1], theta[:, 1, 2] = tempo, shift
    grid = functional.affine_grid(theta, [count, 1, frames, bands], align_corners=False)
    read = functional.grid_sample(raw[:, None], grid, padding_mode="border", align_corners=False)
    return torch.as_tensor(read[:, 0])


def _equalizer(raw: torch.Tensor, rng: Rng, how: Strength) -> torch.Tensor:
    """Return what each band gains: a smooth random curve, and now and then a telephone's."""
    count, _, bands = raw.shape
    curve = functional.interpolate(
        torch.randn(count, 1, 4, generator=rng), bands, mode="linear", align_corners=True
    )
    gain = how.tilt_db * (curve - curve.mean(2, keepdim=True))
    phone = torch.zeros(bands)
    phone[:2], phone[-1] = torch.tensor([-30.0, -10.0]), -15.0
    called = _chance(raw, rng, how.telephone_chance)
    return PER_DB * torch.where(called, gain + phone, gain)


def _with_echo(raw: torch.Tensor, rng: Rng) -> torch.Tensor:
    """Let energy leak into the frames after it, dying away in 0.1 to 0.8 seconds."""
    per_frame_s = features.MLPERF.step_ms / 1000
    dying = torch.exp(-13.8 * per_frame_s / _uniform(raw, rng, 0.1, 0.8))
    share = _uniform(raw, rng, 0.02, 0.5)
    power = torch.exp(raw / PER_POWER)
    tail = torch.zeros_like(power[:, :1])
    frames = []
    for now in power.split(1, 1):
        frames.append(now + tail)
        tail = dying * (tail + share * now)
    return PER_POWER * torch.log(torch.cat(frames, 1))


def _masked(raw: torch.Tensor, rng: Rng, masks: int) -> torch.Tensor:
    """Hide up to 8 frames and one band, `masks` times (SpecAugment, arXiv 1904.08779)."""
    count, frames, bands = raw.shape
    hidden = torch.zeros(count, frames, bands, dtype=torch.bool)
    for _ in range(masks):
        for axis, size, most in ((1, frames, 8), (2, bands, 1)):
            width = torch.randint(0, most + 1, (count, 1), generator=rng)
            start = torch.randint(0, size, (count, 1), generator=rng)
            places = torch.arange(size)[None]
            struck = (places >= start) & (places < start + width)
            hidden |= struck[:, :, None] if axis == 1 else struck[:, None, :]
    floor = raw.amin((1, 2), keepdim=True)
    return torch.where(hidden, floor, raw)


def _uniform(raw: torch.Tensor, rng: Rng, low: float, high: float) -> torch.Tensor:
    return low + (high - low) * torch.rand(len(raw), 1, 1, generator=rng)


def _chance(raw: torch.Tensor, rng: Rng, chance: float) -> torch.Tensor:
    return torch.rand(len(raw), 1, 1, generator=rng) < chance
