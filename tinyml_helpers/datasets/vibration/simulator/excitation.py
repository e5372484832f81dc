"""The parts of a simulated machine's vibration: shaft, blows, housing, and knocks from next door.

Sources: Randall and Antoni, Rolling element bearing diagnostics: a tutorial, Mechanical Systems and
Signal Processing 25, 2011 (the whole model); McFadden and Smith, Journal of Sound and Vibration 96,
1984 (blows that ring a resonance, load zone); Antoni and Randall, Journal of Vibration and Acoustics
125, 2003 (slip that adds up from blow to blow).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.datasets.vibration.simulator.bearings import Bearing

Floats = NDArray[np.float32]
Random = np.random.Generator

RATE_HZ = 16_000
SLIP = 0.01  # of the angle between two blows: Antoni and Randall speak of one to two percent
WAVER = 0.002  # of the speed, an assumption
KNOCKS_PER_SEGMENT = 0.06  # an assumption
LOAD_SPREAD = 0.5  # of Stribeck's load zone


@dataclass(frozen=True)
class Mode:
    """One resonance of a housing: its frequency, share of critical damping, and weight."""

    frequency_hz: float
    damping: float
    weight: float


def shaft_angle(speed_hz: NDArray[np.float64], count: int, random: Random) -> Floats:
    """Angle of the shaft in radians, float32 [N, count], at mean speeds [N, 1] that waver slowly."""
    seconds = (np.arange(count) / RATE_HZ).astype(np.float32)
    start, phase = random.uniform(0, 2 * np.pi, (2, len(speed_hz), 1)).astype(np.float32)
    slow = (2 * np.pi * random.uniform(0.5, 3, (len(speed_hz), 1))).astype(np.float32)
    swing = WAVER / slow * np.cos(slow * seconds + phase)
    return np.asarray(start + (2 * np.pi * speed_hz).astype(np.float32) * (seconds - swing), np.float32)


def harmonics(turn: NDArray[np.complex64], amplitudes: NDArray[np.float64], random: Random) -> Floats:
    """Sum of cosines at 1, 2, 3 ... times the shaft's angle, float32 [N, T].

    Args:
        turn: exp(j angle), [N, T].
        amplitudes: [N, K].
        random: draws the phases.
    """
    phases = np.exp(2j * np.pi * random.uniform(size=amplitudes.shape))
    factors = (amplitudes * phases).astype(np.complex64)
    total = np.zeros_like(turn)
    for number in reversed(range(factors.shape[1])):  # Horner's scheme
        total += factors[:, number : number + 1]
        total *= turn
    return total.real


def ring(push: Floats, modes: tuple[Mode, ...], shift: ArrayLike = 0.0) -> Floats:
    """Let a housing answer a push [N, T] with the acceleration of its modes.

    Each mode is a mass on a spring. A force of frequency f moves it with an acceleration of
    r^2 / (1 - r^2 + 2 j zeta r), where r is f over its own frequency and zeta its damping.

    Args:
        push: excitation.
        modes: of the housing.
        shift: relative change of all frequencies, one or [N, 1].

    Source: any text on vibration, such as Rao, Mechanical Vibrations, on harmonic excitation.
    """
    from scipy import fft

    frequency = fft.rfftfreq(push.shape[1], 1 / RATE_HZ).astype(np.float32)
    softer = 1 + np.unique(np.asarray(shift, np.float32))[:, None]
    if len(softer) > 1:
        softer = 1 + np.asarray(shift, np.float32)
    answer = np.zeros((len(softer), frequency.size), np.complex64)
    for mode in modes:
        ratio = frequency / (np.float32(mode.frequency_hz) * softer)
        square = ratio * ratio
        answer += (
            np.float32(mode.weight) * square / (1 - square + np.complex64(2j * mode.damping) * ratio)
        )
    out: Floats = fft.irfft(fft.rfft(push) * answer, push.shape[1])
    return out


def add_blows(
    push: Floats, angle: Floats, bearing: Bearing, fault: str, strength: float, random: Random
) -> None:
    """Add the blows of a damaged bearing to the excitation `push` [T] of one segment.

    They come at equal angles of the shaft but for slip, which adds up. What turns through the load
    zone strikes harder there: the inner race with the shaft, a ball with the cage.

    Args:
        push: excitation, changed in place.
        angle: of the shaft in radians, [T].
        bearing: whose geometry says how often.
        fault: "outer race", "inner race" or "ball".
        strength: of a blow under full load.
        random: draws slip and the unevenness of blows.
    """
    turns = angle.astype(np.float64) / (2 * np.pi)
    gap = 1 / bearing.orders[fault]
    most = int((turns[-1] - turns[0]) / gap * 1.2) + 2
    places = (
        turns[0] + gap * random.uniform() + np.cumsum(gap * (1 + SLIP * random.standard_normal(most)))
    )
    places = places[places < turns[-1]]
    carried_round = {"outer race": 0.0, "inner race": 1.0, "ball": bearing.orders["cage"]}[fault]
    force = strength * load_distribution(2 * np.pi * carried_round * places)
    force = (force * random.lognormal(0, 0.15, len(places))).astype(np.float32)
    at = np.interp(places, turns, np.arange(len(turns)))
    left = np.minimum(at.astype(int), len(push) - 2)
    share = (at - left).astype(np.float32)  # a blow between two samples is shared by them
    np.add.at(push, left, force * (1 - share))
    np.add.at(push, left + 1, force * share)


def load_distribution(angle: ArrayLike) -> NDArray[np.float64]:
    """Share of the load that a bearing carries `angle` radians away from where it is loaded most.

    Stribeck's (1 - (1 - cos angle) / (2 spread)) to the power of 1.5, and 0 outside the zone. The
    spread is 0.5, which loads half of the circumference: a bearing without clearance or preload.

    Source: Stribeck, as in Randall and Antoni 2011, section 2, and McFadden and Smith 1984.
    """
    inside = 1 - (1 - np.cos(angle)) / (2 * 0.5)
    return np.asarray(np.clip(inside, 0, None) ** 1.5, np.float64)


def knocks(shape: tuple[int, int], random: Random) -> Floats:
    """Blows from elsewhere [N, T]: rare, each ringing a floor or a guard of its own."""
    out = np.zeros(shape, np.float32)
    for row in np.flatnonzero(random.uniform(size=shape[0]) < KNOCKS_PER_SEGMENT):
        push = np.zeros((1, shape[1]), np.float32)
        push[0, random.integers(shape[1])] = random.lognormal(1.0, 0.5)
        mode = Mode(random.uniform(200, 1200), random.uniform(0.03, 0.1), 1.0)
        out[row] = ring(push, (mode,))[0]
    return out
