"""Gravity, and units of acceleration and rotation: what its header does not tell, its physics does.

The bounds were measured on the 140 shipped recordings, and on their 744 pieces of six seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.shipped_files import DataError

G = 9.80665  # m/s2
_IN_G = {"g": 1.0, "m/s2": 1 / G, "mg": 1e-3}
_IN_RADIANS = {"rad/s": 1.0, "deg/s": np.pi / 180, "mdeg/s": np.pi / 180_000}
# The middle length of an acceleration with gravity, in g: 0.96 to 2.62 there.
_USUAL_PULL_G = (0.8, 3.2)
# One sample in ten is shorter than that; a sensor of 2,048 counts per g gives twice as much.
_MOST_AT_REST_G = 1.6  # 1.25 there
# Gravity stays when movement averages out: of the middle length the slow part keeps 0.42 to 1.04, and
# without gravity 0.31 at the most.
_SLOW_SHARE = 0.36
_SLOW_HZ = 0.2
# A wrist turns, in rad/s, 0.46 to 9.9 times as fast as gravity turns in its accelerometer; in degrees a
# second that is 26 to 570.
_MOST_TURNS = 16


class NoGravityError(DataError):
    """A recording of what moves the wrist, without the pull of the earth."""


def in_g(name: str, values: NDArray[np.float64], rate_hz: float) -> tuple[NDArray[np.float64], str]:
    """Return an acceleration [N, 3] in g, and the unit that it was in.

    Args:
        name: of the file.
        values: evenly sampled, with gravity, which is looked for.
        rate_hz: samples a second.

    Raises:
        DataError: no gravity in it, or another unit than g, mg or m/s².
    """
    pull = float(np.median(np.linalg.norm(values, axis=1)))
    rest = float(np.percentile(np.linalg.norm(values, axis=1), 10))
    low, high = _USUAL_PULL_G
    fitting = (
        unit
        for unit, worth in _IN_G.items()
        if low <= pull * worth <= high and rest * worth <= _MOST_AT_REST_G
    )
    unit = next(fitting, "")
    share = float(np.median(np.linalg.norm(_slow(values, rate_hz), axis=1))) / max(pull, 1e-12)
    if pull < low or share < _SLOW_SHARE:
        raise NoGravityError(
            f"{name}: there is no gravity in its acceleration (half of its samples are shorter than "
            f"{pull:.3g}, and {100 * share:.0f} % of that stays when movement is averaged out): record "
            "the accelerometer itself, in Sensor Logger Total Acceleration, in phyphox Acceleration "
            "(with g)"
        )
    if not unit:
        raise DataError(
            f"{name}: its acceleration is {pull:,.4g} long in the middle, and gravity alone is 1 g, "
            "1,000 mg or 9.81 m/s²: give ax, ay, az in one of these; counts of a sensor are divided by "
            "its counts per g"
        )
    return values * _IN_G[unit], unit


def in_radians(
    name: str, rotation: NDArray[np.float64], gravity: NDArray[np.float64], rate_hz: float, told: str
) -> tuple[NDArray[np.float64], str]:
    """Return a rotation [N, 3] in rad/s, and the unit that it was in.

    Args:
        name: of the file.
        rotation: evenly sampled.
        gravity: the acceleration of the same moments, in g: it turns as the wrist does.
        rate_hz: samples a second.
        told: the unit by the columns' names, or "".

    Raises:
        DataError: faster than any sensor of a wrist, in whichever unit.
    """
    direction = _slow(gravity, rate_hz, 2.0)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
    turning = np.linalg.norm(np.gradient(direction, 1 / rate_hz, axis=0), axis=1)
    turns = float(np.median(np.linalg.norm(rotation, axis=1))) / max(float(np.median(turning)), 1e-3)
    unit = told or ("deg/s" if turns > _MOST_TURNS else "rad/s")
    values = rotation * _IN_RADIANS[unit]
    fastest = float(np.abs(values).max())
    if fastest > 70:
        raise DataError(
            f"{name}: a rotation of {fastest:,.0f} rad/s, taken for {unit}: give wx, wy, wz in rad/s or "
            "degrees a second"
        )
    return values, unit


def _slow(values: NDArray[np.float64], rate_hz: float, hz: float = _SLOW_HZ) -> NDArray[np.float64]:
    from scipy.signal import butter, sosfiltfilt

    slow: NDArray[np.float64] = sosfiltfilt(butter(2, hz, fs=rate_hz, output="sos"), values, axis=0)
    return slow
