"""Windows for training: turned as another wrist would give them, played faster or slower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.gestures.recordings import UNITS
from tinyml_helpers.usecases.gestures import features
from tinyml_helpers.usecases.gestures.features import Windows

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Recipe:
    """What a training run does.

    Args:
        steps: batches.
        batch: windows in one.
        learning_rate: the peak of a one-cycle schedule with AdamW.
        degrees: standard deviation of the random turn about x, y and z. The forearm lies along
            x: a watch turns most about it.
        speed: up to how many times faster or slower a movement is played.
        keep_slow: do not subtract the slow part of the acceleration.
        same_arms: mirror the right arm.
        axes: 6, or 3 for the accelerometer alone.
    """

    steps: int = 600
    batch: int = 96
    learning_rate: float = 8e-3
    degrees: tuple[float, float, float] = (30.0, 15.0, 15.0)
    speed: float = 1.3
    keep_slow: bool = False
    same_arms: bool = True
    axes: int = 6


RECIPE = Recipe()


def augment(values: torch.Tensor, recipe: Recipe, draw: torch.Generator) -> torch.Tensor:
    """Play long windows [N, samples, 6] at random speeds from random starts, turned: [N, 200, 6].

    Played faster, an arm also turns faster: the gyroscope's values grow with the speed.
    """
    import torch

    count, length = values.shape[:2]
    speeds = recipe.speed ** (2 * torch.rand(count, generator=draw) - 1)
    room = length - 1.001 - speeds * (features.WINDOW - 1)
    at = torch.rand(count, generator=draw) * room
    moments = at[:, None] + speeds[:, None] * torch.arange(features.WINDOW)
    before, rows = moments.long(), torch.arange(count)[:, None]
    later = (moments - before)[:, :, None]
    played = values[rows, before] * (1 - later) + values[rows, before + 1] * later
    played[..., 3:] *= speeds[:, None, None]
    return rotate(played, draw_rotations(count, recipe.degrees, draw))


def rotate(values: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Turn windows [N, samples, 6] by rotations [N, 3, 3]: as if the watch sat differently."""
    count, length = values.shape[:2]
    return (values.reshape(count, 2 * length, 3) @ by.mT).reshape(count, length, 6)


def draw_rotations(
    count: int, degrees: tuple[float, float, float], draw: torch.Generator
) -> torch.Tensor:
    """Draw rotations [count, 3, 3], by N(0, degrees) about x, y and z.

    Source: Rodrigues' rotation formula, as the exponential of a skew-symmetric matrix.
    """
    import torch

    spread = torch.tensor(degrees).deg2rad()
    x, y, z = torch.randn(3, count, generator=draw) * spread[:, None]
    zero = torch.zeros(count)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    made: torch.Tensor = torch.linalg.matrix_exp(torch.stack(rows, 1).reshape(count, 3, 3))
    return made


def prepare(values: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """Steps 2 to 4 of the front end in float: [N, 200, 6] in g and rad/s to [N, axes, 1, 100]."""
    import torch

    halved = values.reshape(len(values), -1, 2, 6).mean(2)
    if not recipe.keep_slow:
        passing = torch.from_numpy(high_pass()).float()
        halved = torch.cat([passing @ halved[..., :3], halved[..., 3:]], -1)
    weighted = halved * torch.from_numpy(features.WEIGHTS).float()
    return weighted[..., : recipe.axes].permute(0, 2, 1)[:, :, None]


def high_pass() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the matrix [100, 100] that subtracts the low-pass from a window of an axis.

    Row t of the low-pass is what each moment counts for at t: share * (1 - share) ** age, and what
    is left of the mean that it started from.
    """
    share, steps = features.SLOW_SHARE_256 / 256, features.STEPS
    age = np.subtract.outer(np.arange(steps), np.arange(steps))
    low = np.where(age >= 0, share * (1 - share) ** np.maximum(age, 0), 0)
    low += (1 - share) ** (1 + np.arange(steps))[:, None] / steps
    return np.eye(steps) - low


def simulate_wrists(raw: NDArray[np.int16], seed: int = 0) -> NDArray[np.float32]:
    """Turn a window int16 [200, 6] eight times as in training: float32 [9, 200, 6] in g and rad/s.

    The first is the window as it is.
    """
    import torch

    draw = torch.Generator().manual_seed(seed)
    copies = torch.from_numpy((raw * UNITS).astype(np.float32)).repeat(9, 1, 1)
    by = draw_rotations(8, RECIPE.degrees, draw)
    result: NDArray[np.float32] = torch.cat([copies[:1], rotate(copies[1:], by)]).numpy()
    return result


def in_units(windows: Windows, recipe: Recipe) -> torch.Tensor:
    """Return windows in g and rad/s, arms made alike if the recipe says so: float32 [M, samples, 6]."""
    import torch

    raw = features.mirror(windows.raw, windows.right) if recipe.same_arms else windows.raw
    return torch.from_numpy((raw * UNITS).astype(np.float32))
