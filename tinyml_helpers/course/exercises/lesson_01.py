"""Exercises of lesson 1, device constraints."""

from __future__ import annotations

import math
from collections.abc import Callable

from tinyml_helpers.course.check import Verdict, exercise, hint, right

_OUTPUTS, _CHANNELS, _TAPS = 25 * 5, 64, 3 * 3


@exercise(wrong=[(4_608_000,), (1_125,), (8_000,), (576,), (100,)])
def depthwise_macs(answer: int) -> Verdict:
    """MACs of a 3x3 depthwise convolution: 64 channels, 25 x 5 outputs each."""
    if answer == _OUTPUTS * _CHANNELS * _TAPS:
        return right(
            "Each output sums 9 products of its own channel. An ordinary convolution would sum "
            "over all 64 channels: 64 times the work. The 1x1 convolution that follows a depthwise "
            "one mixes the channels, and is where most of such a network's MACs are."
        )
    if answer == _OUTPUTS * _CHANNELS**2 * _TAPS:
        return hint("That is an ordinary convolution. A depthwise one does not mix channels.")
    if answer == _OUTPUTS * _TAPS:
        return hint("That is one channel. There are 64.")
    if answer == _OUTPUTS * _CHANNELS:
        return hint("That is the number of outputs. How many products does each of them sum?")
    return hint("Multiply: outputs of a channel (25 x 5), channels, products of one output.")


_MAP = 32 * 32 * 16


@exercise(wrong=[(_MAP,), (2 * _MAP,), (4 * _MAP,), (3 * 4 * _MAP,), (7,)])
def residual_peak(answer: int) -> Verdict:
    """Peak bytes of a residual block on int8 maps of 32 x 32 x 16."""
    if answer == 3 * _MAP:
        return right(
            "While the second convolution runs, three maps are alive: its input, its output and "
            "the block's own input, which the addition still needs. That is why networks for "
            "microcontrollers put shortcuts around narrow maps, or have none."
        )
    if answer == 2 * _MAP:
        return hint("Input and output of one layer: right for a chain. What waits for the addition?")
    if answer == _MAP:
        return hint("That is one map. A layer needs its input and its output at the same time.")
    if answer == 3 * 4 * _MAP:
        return hint("Right number of maps, but in float32. In int8 an element is one byte.")
    return hint("Count maps of 32 x 32 x 16 bytes: which are alive while the second layer runs?")


_CASES = ((660.0, 10.0, 188.0, 10.0, 9.5), (660.0, 10.0, 188.0, 0.188, 9.5), (100, 41, 5, 60, 2))


@exercise(
    wrong=[
        (lambda battery_mwh, active_mw, latency_ms, interval_s, sleep_uw: 0.0,),
        (lambda battery_mwh, active_mw, latency_ms, interval_s, sleep_uw: battery_mwh / active_mw,),
        (lambda b, a, t, i, s: b / (a * t / 1e3 / i + s / 1e3),),
        (lambda b, a, t, i, s: b / (a * t / 1e3 / i) / 24,),
        (lambda b, a, t, i, s: b / (a * t / i + s / 1e3) / 24,),
        (3.0,),
    ]
)
def battery_days(answer: Callable[[float, float, float, float, float], float]) -> Verdict:
    """Days that a battery lasts: awake for one inference each interval, asleep in between."""
    if not callable(answer):
        return hint("Give the function itself: check.battery_days(battery_days).")
    given = [float(answer(*case)) for case in _CASES]
    truth = [_days(*case) for case in _CASES]
    if all(math.isclose(a, b, rel_tol=0.001) for a, b in zip(given, truth, strict=True)):
        return right(
            "Mean power decides, not peak power: at one inference in ten seconds the device sleeps "
            "98 % of the time. Halving the latency nearly doubles the life of the battery, until "
            "sleep is what empties it."
        )
    if math.isclose(given[0], 24 * truth[0], rel_tol=0.01):
        return hint("That is the life in hours.")
    if math.isclose(given[0], truth[0], rel_tol=0.06):
        return hint("Close. Does your mean power hold the sleep between inferences, in mW?")
    return hint(
        "Mean power in mW = active power x share of time awake + sleep power x share of time "
        "asleep. Mind the units: ms against s, uW against mW."
    )


def _days(
    battery_mwh: float, active_mw: float, latency_ms: float, interval_s: float, sleep_uw: float
) -> float:
    awake = latency_ms / 1e3 / interval_s
    return battery_mwh / (active_mw * awake + sleep_uw / 1e3 * (1 - awake)) / 24
