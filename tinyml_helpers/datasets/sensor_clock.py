"""The time of a sensor's recording: its unit, samples that come in bursts, and lost ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.shipped_files import DataError

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_STEPS_S = (0.0009, 0.085)  # 1,100 to 12 Hz; in no two units does a step lie between these
_LOST = 5.5  # steps; what lies between is drawn straight, and a movement is not straight for longer
_EVEN_SHARE = 0.9
_BURST_S = 0.25  # how much later than due a sample may arrive


def unit_of(
    name: str, time: NDArray[np.float64], told: str = "", fastest_hz: float = 1100
) -> tuple[str, float]:
    """Find the unit of times [N], and return it and what it is worth in seconds.

    Args:
        name: of the file.
        time: counting up.
        told: the unit by the column's name, or "". It is believed if the steps allow it: nanoseconds
            under `time_s` happen. If not, the one unit is taken in which there are 12 to 1,100 samples
            a second.
        fastest_hz: samples a second that `told` may mean.

    Raises:
        DataError: time does not move forward, or there is no such unit.
    """
    steps = np.diff(time)
    if len(steps) < 2 or (steps < 0).any() or time[-1] <= time[0]:
        raise DataError(
            f"{name}: its time does not move forward: it must count up for at least three lines; where "
            "it starts again, make a file of each part"
        )
    step = float(time[-1] - time[0]) / len(steps)
    if told and 1 / fastest_hz <= step * _SECONDS[told] <= _STEPS_S[1]:
        return told, _SECONDS[told]
    for unit, worth in _SECONDS.items():
        if _STEPS_S[0] <= step * worth <= _STEPS_S[1]:
            return unit, worth
    raise DataError(
        f"{name} has {1 / step:,.3g} samples in a unit of its time: record at 12.5 to 1,000 Hz, and "
        "give the time in seconds, milli-, micro- or nanoseconds"
    )


def evenly(
    name: str, time: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], tuple[str, ...]]:
    """Return samples a second, values [N, columns] in even steps from `time[0]`, and what was assumed.

    Args:
        name: of the file.
        time: in seconds, counting up.
        values: [N, columns].

    Raises:
        DataError: a gap, or neither even steps nor short bursts.
    """
    steps = np.diff(time)
    usual = float(np.median(steps))
    if (np.abs(steps - usual) <= 0.5 * usual).mean() < _EVEN_SHARE:
        return _spread_bursts(name, time, values)
    if steps.max() > _LOST * usual:
        at = time[int(steps.argmax())] - time[0]
        raise DataError(f"{name} has a gap of {steps.max():.2f} s at {at:.2f} s: cut the file there")
    even = time[0] + usual * np.arange(int((time[-1] - time[0]) / usual + 1e-6) + 1)
    notes = ("lost samples drawn straight",) if steps.max() > 1.5 * usual else ()
    columns = [np.interp(even, time, column) for column in values.T]
    return 1 / usual, np.column_stack(columns), notes


def _spread_bursts(
    name: str, time: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], tuple[str, ...]]:
    """Take the samples for evenly recorded and late on their way, as radio and serial ports deliver."""
    places = np.arange(len(time))
    step, start = np.polyfit(places, time, 1)
    late = np.abs(time - (start + step * places))
    if late.max() > _BURST_S:
        at = time[int(late.argmax())] - time[0]
        raise DataError(
            f"{name}: near {at:.2f} s a sample is {late.max():.2f} s off an even clock: samples were "
            "lost or came in long bursts; record again, closer to the receiver or at a lower rate"
        )
    return float(1 / step), values, ("samples came in bursts, taken for even",)


def resample(
    values: NDArray[np.floating], rate_hz: float, new_hz: float, finest: int = 1000
) -> NDArray[np.floating]:
    """Change the rate of values [N, ...]; nothing above half of either rate gets through.

    Args:
        values: evenly sampled.
        rate_hz: samples a second.
        new_hz: those that are wanted.
        finest: largest denominator of the ratio that is taken for the two.
    """
    from scipy.signal import resample_poly

    ratio = Fraction(new_hz / rate_hz).limit_denominator(finest)
    if ratio == 1:
        return values
    # From the mean upwards: the filter takes what lies before the start for zero.
    mean = values.mean(0)
    changed: NDArray[np.floating] = resample_poly(values - mean, ratio.numerator, ratio.denominator)
    changed += mean
    return changed
