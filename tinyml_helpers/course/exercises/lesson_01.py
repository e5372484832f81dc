"""Exercises of lesson 1, device constraints."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right

_OUTPUTS, _TAPS = 25 * 5, 3 * 3


@exercise(
    right=[(72_000,), (72_000.0,)],
    wrong=[
        *((macs,) for macs in (4_608_000, 1_125, 8_000, 576, 100, 288_000, 72_064, 144_000)),
        (72_000.5,),
        (0,),
    ],
)
def depthwise_macs(answer: int) -> Verdict:
    """MACs of a 3x3 depthwise convolution: 64 channels (or as given), 25 x 5 outputs each."""
    macs, channels = float(answer), constants.given("depthwise_macs")["channels"]
    if macs == _OUTPUTS * channels * _TAPS:
        return right(
            "Each output sums the products of its own channel only; an ordinary convolution would sum "
            "over all channels, and take as many times the work as there are channels. The 1x1 "
            "convolution that follows a depthwise one mixes them, and is where most of such a "
            "network's MACs are."
        )
    if macs == _OUTPUTS * channels**2 * _TAPS:
        return hint("That is an ordinary convolution. A depthwise one does not mix channels.")
    if macs == _OUTPUTS * _TAPS:
        return hint(f"That is one channel. There are {channels}.")
    if macs == _OUTPUTS * channels:
        return hint("That is the number of outputs. How many products does each of them sum?")
    if macs == 4 * _OUTPUTS * channels * _TAPS:
        return hint("Those are all four layers. The question is about one of them.")
    return hint("Multiply: outputs of a channel (25 x 5), channels, products of one output.")


def _days(
    battery_mwh: float, active_mw: float, latency_ms: float, interval_s: float, sleep_uw: float
) -> float:
    awake = latency_ms / 1e3 / interval_s
    return battery_mwh / (active_mw * awake + sleep_uw / 1e3 * (1 - awake)) / 24


def _by_energy(
    battery_mwh: float, active_mw: float, latency_ms: float, interval_s: float, sleep_uw: float
) -> float:
    """Return the same from the energy of one interval, as people who think in joules do."""
    awake_s = latency_ms / 1000
    millijoules = np.float64(active_mw) * awake_s + sleep_uw * 1e-3 * (interval_s - awake_s)
    return float(battery_mwh * 3600 / (millijoules / interval_s) / 86400)


@exercise(
    right=[(_days,), (_by_energy,)],
    wrong=[
        (lambda battery_mwh, active_mw, latency_ms, interval_s, sleep_uw: 0.0,),
        (lambda battery_mwh, active_mw, latency_ms, interval_s, sleep_uw: battery_mwh / active_mw,),
        (lambda b, a, t, i, s: 24 * _days(b, a, t, i, s),),
        (lambda b, a, t, i, s: b / (a * t / 1e3 / i + s / 1e3) / 24,),
        (lambda b, a, t, i, s: b / (a * t / 1e3 / i) / 24,),
        (lambda b, a, t, i, s: b / (a * t / i + s / 1e3) / 24,),
        (lambda b, a, t, i, s: b / (a * t / 1e3 / i + s * (1 - t / 1e3 / i)) / 24,),
        (lambda b, a, t, i, s: _days(b, a, t, 10.0, s),),
        (lambda b, a, t, i, s: _days(b, a, t, i, 9.5),),
        (_days(660.0, 10.0, 188.0, 10.0, 9.5),),
        (3.0,),
    ],
)
def battery_days(answer: Callable[[float, float, float, float, float], float]) -> Verdict:
    """Days that a battery lasts: awake for one inference each interval, asleep in between."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    tried = _batteries()
    wrong = cases.first_difference(answer, _days, tried, same=_close)
    if wrong is None:
        return right(
            "Mean power decides, not peak power: a device that looks once in ten seconds sleeps nearly "
            "all of the time. Halving the latency nearly doubles the life of the battery, until sleep "
            "is what empties it."
        )
    given = [float(cases.to_plain(answer(*case))) for case in tried]
    truth = [_days(*case) for case in tried]
    if np.allclose(given, [24 * days for days in truth], rtol=0.01):
        return hint("That is the life in hours.")
    if np.isfinite(wrong.said) and _share(wrong.said, wrong.wanted) < 0.1:
        return hint("Close. Does your mean power hold the sleep in between, in mW? Is anything rounded?")
    return hint(
        "Mean power in mW = active power x share of time awake + sleep power x share of time "
        "asleep. Mind the units: ms against s, uW against mW. Of the batteries tried, this one fails: "
        f"battery_days({cases.quote(wrong.given)})."
    )


def _batteries() -> list[tuple[float, ...]]:
    """Return 20 devices, one always awake and one hardly ever, some whose sleep costs most."""
    draw = cases.rng("battery_days")
    tried: list[tuple[float, ...]] = [
        (1000.0, 20.0, 2000.0, 2.0, 700.0),
        (1000.0, 20.0, 0.001, 5.0, 700.0),
    ]
    for _ in range(18):
        interval_s = float(draw.uniform(0.1, 600))
        latency_ms = 1e3 * interval_s * float(draw.uniform(0.001, 0.9))
        sleep_uw = float(draw.choice([0.0, draw.uniform(1, 20), draw.uniform(500, 90_000)]))
        battery_mwh, active_mw = (float(x) for x in draw.uniform([100, 1], [5000, 400]))
        tried.append((battery_mwh, active_mw, latency_ms, interval_s, sleep_uw))
    return tried


def _close(said: object, wanted: object) -> bool:
    return cases.agrees(said, wanted, tolerance=1e-3)


def _share(said: float, wanted: float) -> float:
    return abs(said / wanted - 1)
