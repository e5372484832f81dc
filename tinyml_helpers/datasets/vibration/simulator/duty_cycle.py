"""How a simulated machine is used over days: its load, and the temperature that goes with the hour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.vibration.simulator import machines


@dataclass(frozen=True, eq=False, repr=False)
class Duty:
    """A plan of checks on one machine, each float64 [N].

    Args:
        day: when each check is made, in days from the start.
        load: of the machine, 0.3 to 1: more by day than by night, and wandering over hours.
        temperature_c: warmest in the evening, 4 degrees either way.
    """

    day: NDArray[np.float64]
    load: NDArray[np.float64]
    temperature_c: NDArray[np.float64]

    def __repr__(self) -> str:
        minutes = (self.day[1] - self.day[0]) * 24 * 60 if len(self.day) > 1 else 0
        return f"{len(self.day):,} checks, one every {minutes:.0f} minutes"

    def segments(
        self,
        number: int,
        fault: machines.Fault = "healthy",
        size_mm: NDArray[np.float64] | float = 0.0,
        *,
        warmer_c: NDArray[np.float64] | float = 0.0,
        age: NDArray[np.float64] | float = 0.0,
        seed: int = 0,
    ) -> NDArray[np.int16]:
        """Simulate what the sensor on machine `number` gives at each check: int16 [N, SAMPLES].

        Args:
            number: of the machine.
            fault: as in `machines.record`.
            size_mm: of the fault, one or for each check.
            warmer_c: on top of the plan's temperature, one or for each check.
            age: wear, one or for each check.
            seed: of the segments.
        """
        return machines.record(
            machines.draw(number), len(self.day), fault, size_mm,
            load=self.load, temperature_c=self.temperature_c + warmer_c, age=age, seed=seed,
        ).samples  # fmt: skip


def plan(days: float, minutes: float, seed: int = 0) -> Duty:
    """Plan a check every `minutes` for `days`. The pattern of load is an assumption.

    Raises:
        ValueError: fewer than one check.
    """
    count = int(days * 24 * 60 / minutes)
    if count < 1:
        raise ValueError(f"no check in {days} days at one every {minutes} minutes: give more days")
    random, hour = np.random.default_rng(seed), np.arange(count) * minutes / 60
    kept = np.exp(-minutes / 120)  # a wandering load has forgotten itself after hours
    steps, wander = random.standard_normal(count), np.zeros(count)
    for i in range(1, count):
        wander[i] = kept * wander[i - 1] + np.sqrt(1 - kept**2) * steps[i]
    load = 0.6 + 0.15 * np.sin(2 * np.pi * (hour - 9) / 24) + 0.15 * wander
    temperature = 20 + 4 * np.sin(2 * np.pi * (hour - 12) / 24)
    return Duty(hour / 24, load.clip(0.3, 1), temperature)
