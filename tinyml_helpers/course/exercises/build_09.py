"""What lesson 09 asks to build: the triangles of a mel filter bank.

Source: Davis and Mermelstein, Comparison of parametric representations for monosyllabic word
recognition, 1980; the mel scale as 1127 ln(1 + f / 700).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise


def _mel(hz: Any) -> NDArray[np.float64]:
    return np.asarray(1127 * np.log1p(np.asarray(hz) / 700))


def _triangles(corners: Any, at: Any) -> NDArray[np.float64]:
    """Return [triangles, places]: each rises between two corners, and falls to the next."""
    left, top, right = (np.reshape(part, (-1, 1)) for part in (corners[:-2], corners[1:-1], corners[2:]))
    return np.asarray(np.minimum((at - left) / (top - left), (right - at) / (right - top)))


def _in_numpy(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> NDArray[np.float64]:
    corners = np.linspace(_mel(low_hz), _mel(high_hz), channels + 2)
    return np.maximum(_triangles(corners, _mel(bins_hz)), 0)


def _in_torch(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    def place(hz: Any) -> Any:
        """Where a frequency lies, in corners from the lowest; ln and log10 differ by a factor."""
        return (1 + hz / 700).log10()

    ends = place(bins_hz.new_tensor([low_hz, high_hz]))
    at = (place(bins_hz) - ends[0]) / (ends[1] - ends[0]) * (channels + 1)
    centers = 1 + bins_hz.new_tensor(range(channels))[:, None]
    return (1 - (at - centers).abs()).clamp(min=0)


def _by_interpolation(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    corners = np.linspace(_mel(low_hz), _mel(high_hz), channels + 2)
    return [np.interp(_mel(bins_hz), corners[i : i + 3], [0, 1, 0]) for i in range(channels)]


def _in_hertz(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    return np.maximum(_triangles(np.linspace(low_hz, high_hz, channels + 2), bins_hz), 0)


def _sides_in_hertz(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    corners = np.linspace(_mel(low_hz), _mel(high_hz), channels + 2)
    return np.maximum(_triangles(700 * np.expm1(corners / 1127), bins_hz), 0)


def _bins_in_hertz(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    corners = np.linspace(_mel(low_hz), _mel(high_hz), channels + 2)
    return np.maximum(_triangles(corners, bins_hz), 0)


def _unclipped(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    corners = np.linspace(_mel(low_hz), _mel(high_hz), channels + 2)
    return _triangles(corners, _mel(bins_hz))


def _one_corner_more(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    corners = np.linspace(_mel(low_hz), _mel(high_hz), channels + 3)
    return np.maximum(_triangles(corners[:-1], _mel(bins_hz)), 0)


def _centers_at_the_ends(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    gap = (_mel(high_hz) - _mel(low_hz)) / max(channels - 1, 1)
    return np.maximum(_triangles(_mel(low_hz) + gap * np.arange(-1, channels + 1), _mel(bins_hz)), 0)


def _one_short(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    corners = np.linspace(_mel(low_hz), _mel(high_hz), channels + 1)
    return np.maximum(_triangles(corners, _mel(bins_hz)), 0)


def _side_by_side(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    corners = np.linspace(_mel(low_hz), _mel(high_hz), 2 * channels + 1)
    return np.maximum(_triangles(corners, _mel(bins_hz)), 0)[::2]


def _boxes(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    return (_in_numpy(channels, low_hz, high_hz, bins_hz) > 0).astype(float)


def _sum_of_one(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    filters = _in_numpy(channels, low_hz, high_hz, bins_hz)
    return filters / np.maximum(filters.sum(1, keepdims=True), 1e-12)


def _turned(channels: int, low_hz: float, high_hz: float, bins_hz: Any) -> Any:
    return _in_numpy(channels, low_hz, high_hz, bins_hz).T


SLIPS = (
    building.Slip(
        _in_hertz, "Those are equally wide in hertz. Turn both limits and the bins into mel first."
    ),
    building.Slip(
        _sides_in_hertz, "The corners are right, but the sides are straight in hertz: they are in mel."
    ),
    building.Slip(_bins_in_hertz, "The corners are in mel, and the bins are still in hertz."),
    building.Slip(_unclipped, "A triangle is never below 0: beyond its corners it is nought."),
    building.Slip(
        _one_short, "One is missing. Each has three corners, and shares two of them with the next."
    ),
    building.Slip(
        _one_corner_more, "The last one must end at the upper limit: how many gaps are there?"
    ),
    building.Slip(
        _centers_at_the_ends, "The limits are where the first begins and the last ends, not their tops."
    ),
    building.Slip(
        _side_by_side, "They stand side by side. Each begins at the top of the one before it."
    ),
    building.Slip(_boxes, "Those are boxes: the weight falls from the top to both sides."),
    building.Slip(_sum_of_one, "Each top is 1 here: do not divide by a triangle's sum."),
    building.Slip(_turned, "Rows and columns are exchanged: a row for each triangle."),
)


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw triangles, one more than `size`, limits in hertz, and bins of which some lie outside."""
    low, high = float(draw.integers(0, 300)), float(draw.integers(2000, 7600))
    count = size + int(draw.integers(3, 6))
    return (
        size + 1,
        low,
        high,
        np.linspace(0, 8000, count) + draw.uniform(-1, 1) * (np.arange(count) > 0),
    )


def _same(said: Any, wanted: Any) -> bool:
    return cases.agrees(said, wanted, tolerance=1e-4)


TASK = building.Task(
    asked="filters(channels, low_hz, high_hz, bins_hz) returns a row for each triangle, and in it the "
    "weight of each bin.",
    arguments=("channels", "low_hz", "high_hz", "bins_hz"),
    reference=_in_numpy,
    draw_case=_draw,
    slips=SLIPS,
    parts=(
        building.Part("the shape", lambda _, said, wanted: np.shape(said) == wanted.shape),
        building.Part(
            "no weight below 0 or above 1",
            lambda _, said, __: np.min(said) >= 0 and np.max(said) <= 1 + 1e-6,
        ),
        building.Part(
            "nothing outside the limits",
            lambda case, said, _: not np.any(
                np.asarray(said)[:, (case[3] <= case[1]) | (case[3] >= case[2])]
            ),
        ),
    ),
    same=_same,
    special=((2, 0.0, 4000.0, np.array([0.0, 500.0, 1000.0, 2000.0, 4000.0])),),
)  # fmt: skip


@exercise(
    right=[(_in_numpy,), (_in_torch,), (_by_interpolation,)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda channels, low, high, bins: np.zeros((channels, len(bins))),),
        (lambda channels, low, high, bins: np.ones((channels, len(bins))) / channels,),
        (lambda channels, low, high, bins: _in_numpy(channels, 20, 4000, bins),),
        (lambda channels, low, high, bins: _in_numpy(channels, low, high, bins)[::-1],),
        (lambda channels, low, high, bins: _in_numpy(channels, low, high, np.arange(len(bins))),),
        (lambda channels, low, high, bins: None,),
        (lambda bins: bins,),
        (10,),
    ],
    slips=[slip.hint for slip in SLIPS],
)
def mel_triangles(answer: Callable[..., Any]) -> Verdict:
    """A bank of triangles, equally wide in mel, each half over its neighbours: [channels, bins]."""
    return building.judge(
        TASK,
        "mel_triangles",
        answer,
        "One matrix, made once: a front end multiplies by it fifty times a second. Half of ten "
        "triangles between 20 and 4,000 Hz have their top in the lowest quarter, where speech "
        "differs most.",
    )
