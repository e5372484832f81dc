"""A simulation of rotating machines, as an accelerometer on a bearing's housing would feel them.

Nothing here was recorded. The acceleration of a machine is::

    a(t) = gain * [ sum_k a_k cos(k phi(t) + psi_k)  +  h * (w + b)(t)  +  knocks ] + n(t)

phi is the angle of the shaft, whose speed falls with load and wavers; a_k are the harmonics that
unbalance and misalignment leave; w is the noise of rolling and friction; b is a train of blows, one
each time that a damaged place is rolled over; h is the housing, which rings at its resonances; n is
the noise of the sensor. `draw` makes machines that differ from each other in all of these.

`excitation` has these parts, and the literature that they come from. Levels and spreads are
assumptions, chosen so that small faults hide among the differences between machines. Trust the method
that a lesson shows on them, not its figures: those depend on the levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.datasets.vibration.simulator import excitation
from tinyml_helpers.datasets.vibration.simulator.bearings import BEARINGS, Bearing
from tinyml_helpers.datasets.vibration.simulator.excitation import RATE_HZ, Mode

Fault = Literal["healthy", "outer race", "inner race", "ball", "unbalance"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
SAMPLES = 8192
"""In a segment: half a second."""
FULL_SCALE_G = 16.0
COUNTS_PER_G = 32768 / FULL_SCALE_G
"""Of a 16-bit sensor with a range of +-16 g."""

# 75 ug per root hertz over half of the rate: a sensor made for this work (ST IIS3DWB, data sheet).
SENSOR_NOISE_G = 75e-6 * math.sqrt(RATE_HZ / 2)
# Assumptions: a warm machine is noisier, and its housing a little softer.
NOISE_PER_KELVIN, FREQUENCY_PER_KELVIN = 0.012, -0.0004
NOISE_OF_AGE = 0.5
BLOW_G_PER_MM = 1.6  # excitation by one blow at 25 turns a second under full load
_LEAD = 1024  # samples in front of a segment, so that no ringing is cut
_ROWS = 16  # simulated at a time: they fit a processor's cache


@dataclass(frozen=True, repr=False)
class Machine:
    """One simulated machine.

    Args:
        number: its name; `draw(number)` gives the same machine again.
        bearing: the bearing beside the sensor.
        shaft_hz: turns a second without load.
        load_slip: share of the speed that full load takes.
        harmonics_g: amplitude at 1, 2, 3 ... times the shaft's frequency, at 25 turns a second.
        modes: what the housing rings at.
        noise_g: excitation by rolling and friction, root mean square.
        throb: share by which that noise swells and ebbs with each turn, as of a fan or a pump.
        gain: how well the sensor is mounted.
    """

    number: int
    bearing: Bearing
    shaft_hz: float
    load_slip: float
    harmonics_g: tuple[float, ...]
    modes: tuple[Mode, ...]
    noise_g: float
    throb: float
    gain: float

    def __repr__(self) -> str:
        rings = ", ".join(f"{mode.frequency_hz:,.0f}" for mode in self.modes)
        return (
            f"simulated machine {self.number}: {self.shaft_hz:.0f} turns a second, "
            f"bearing {self.bearing.name}, rings at {rings} Hz"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """What the sensor on one simulated machine gave.

    Args:
        samples: int16 [N, SAMPLES], `COUNTS_PER_G` counts for each g.
        shaft_hz: float64 [N], mean turns a second of each segment: the truth, which no sensor sees.
    """

    samples: NDArray[np.int16]
    shaft_hz: NDArray[np.float64]

    def __repr__(self) -> str:
        seconds = self.samples.shape[1] / RATE_HZ
        return f"{len(self.samples):,} simulated segments of {seconds:.3f} s at {RATE_HZ:,} Hz"


def draw(number: int) -> Machine:
    """Draw a machine at random; `number` says which, any whole number from 0 up."""
    random = np.random.default_rng([0, number])
    modes = tuple(
        Mode(
            float(random.uniform(*band)),
            float(random.uniform(0.02, 0.06)),
            float(random.lognormal(0, 0.35)),
        )
        for band in ((900, 1800), (2000, 3600), (3800, 6000))
    )
    falling = 0.08 / np.arange(1, 7) ** 1.2
    return Machine(
        number=number,
        bearing=BEARINGS[int(random.integers(len(BEARINGS)))],
        shaft_hz=float(random.choice([20.0, 25.0, 30.0, 50.0])),
        load_slip=float(random.uniform(0.015, 0.05)),
        harmonics_g=tuple((falling * random.lognormal(0, 0.4, 6)).tolist()),
        modes=modes,
        noise_g=float(0.045 * random.lognormal(0, 0.3)),
        throb=float(random.uniform(0, 0.6)),
        gain=float(random.lognormal(0, 0.2)),
    )


def record(
    machine: Machine,
    count: int,
    fault: Fault = "healthy",
    size_mm: ArrayLike = 0.0,
    *,
    load: ArrayLike | None = None,
    temperature_c: ArrayLike = 20.0,
    age: ArrayLike = 0.0,
    seed: int = 0,
) -> Recording:
    """Simulate `count` segments of half a second.

    Args:
        machine: from `draw`.
        count: number of segments.
        fault: what is damaged. Unbalance adds a mass; the others are a pit that is rolled over.
        size_mm: width of the pit, one number or one for each segment; for unbalance the growth of
            the first harmonic, which 1 mm makes four times as large.
        load: of the machine, 0 to 1; None draws one for each segment from 0.3 up.
        temperature_c: of the machine; levels are stated for 20.
        age: wear of a healthy machine; 1 means half as much noise again.
        seed: of noise, slip and whatever else is drawn.

    Raises:
        ValueError: an unknown fault, no segments, or a size or load below zero.
    """
    random = np.random.default_rng([seed, machine.number])
    loads = random.uniform(0.3, 1.0, count) if load is None and count > 0 else load
    if fault not in FAULTS:
        raise ValueError(f"unknown fault {fault!r}: choose one of {', '.join(FAULTS)}")
    for name, value in (("count", count - 1), ("size_mm", size_mm), ("load", loads)):
        if np.min(np.asarray(value)) < 0:
            raise ValueError(f"{name} is too small: give 1 or more segments, no size or load below 0")
    states = np.stack(
        [
            np.broadcast_to(np.asarray(value, float), count)
            for value in (size_mm, loads, temperature_c, age)
        ]
    )[:, :, None]
    parts = [_record(machine, fault, states[:, i : i + _ROWS], random) for i in range(0, count, _ROWS)]
    samples, speeds = zip(*parts, strict=True)
    return Recording(np.concatenate(samples), np.concatenate(speeds))


def _record(
    machine: Machine, fault: Fault, states: NDArray[np.float64], random: np.random.Generator
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Simulate a few segments; `states` are size, load, temperature and age [4, N, 1]."""
    size, load, temperature, age = states
    speed, warm = machine.shaft_hz * (1 - machine.load_slip * load), temperature - 20
    angle = excitation.shaft_angle(speed, SAMPLES + _LEAD, random)
    turn = (np.cos(angle) + 1j * np.sin(angle)).astype(np.complex64)
    noise = machine.noise_g * (0.5 + 0.5 * load) * np.sqrt(speed / 25) * (1 + NOISE_OF_AGE * age)
    noise *= (1 + NOISE_PER_KELVIN * warm).clip(0.3)
    push = random.standard_normal(angle.shape, np.float32) * noise.astype(np.float32)
    push *= 1 + machine.throb * turn.real
    if fault not in ("healthy", "unbalance"):
        strength = BLOW_G_PER_MM * size * (speed / 25) * (0.4 + 0.6 * load)
        for row in range(len(push)):
            blows = (push[row], angle[row], machine.bearing, fault, float(strength[row, 0]))
            excitation.add_blows(*blows, random)
    shaken = excitation.ring(push, machine.modes, FREQUENCY_PER_KELVIN * warm)
    amplitudes = np.array(machine.harmonics_g) * (0.5 + 0.5 * load)
    # An unbalanced mass pulls with the square of the speed.
    pull = (speed / 25) ** 2 * (1 + 3 * size if fault == "unbalance" else 1)
    amplitudes[:, :1] = machine.harmonics_g[0] * pull
    shaken += excitation.harmonics(turn, amplitudes, random)
    shaken += excitation.knocks((len(push), push.shape[1]), random)
    shaken = np.float32(machine.gain) * shaken[:, _LEAD:]
    shaken += np.float32(SENSOR_NOISE_G) * random.standard_normal(shaken.shape, np.float32)
    counts = np.rint(shaken * np.float32(COUNTS_PER_G)).clip(-32768, 32767).astype(np.int16)
    return counts, speed[:, 0]
