"""What a program takes that never stops: instructions, its share of the time, energy, days on a cell."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml_helpers.mcu.report import Run
from tinyml_helpers.tables import text_table

COIN_CELL_J = 225e-3 * 3600 * 3.0
"""Energy of a CR2032, in joules: 225 mAh at 3.0 V (typical; IEC 60086-3 type CR2032)."""


@dataclass(frozen=True, repr=False)
class AlwaysOn:
    """A run repeated for ever, each for `sound_s` seconds of what a sensor delivers."""

    run: Run
    sound_s: float

    @property
    def instructions_per_second(self) -> float:
        """Instructions for a second of the sensor's samples."""
        return self.run.instructions / self.sound_s

    @property
    def realtime_factor(self) -> tuple[float, float]:
        """Seconds of work for a second of samples, as a band; above 1 it does not keep up."""
        low, high = self.run.latency_ms
        return low / 1000 / self.sound_s, high / 1000 / self.sound_s

    @property
    def energy_uj_per_second(self) -> tuple[float, float] | None:
        """Microjoules for a second of samples; `None` where the device states no power."""
        energy = self.run.energy_uj
        return energy and (energy[0] / self.sound_s, energy[1] / self.sound_s)

    @property
    def coin_cell_days(self) -> tuple[float, float] | None:
        """Days on a CR2032 that feeds nothing else, from worst to best."""
        energy = self.energy_uj_per_second
        return energy and tuple(COIN_CELL_J / (uj * 1e-6) / 86_400 for uj in energy[::-1])  # type: ignore[return-value]

    def __repr__(self) -> str:
        rows = [("instructions", f"{self.instructions_per_second:,.0f}", "exact")]
        low, high = self.realtime_factor
        rows.append(("real-time factor", f"{low:.2f} to {high:.2f}", "must stay below 1"))
        if (energy := self.energy_uj_per_second) and (days := self.coin_cell_days):
            rows.append(
                ("energy", f"{energy[0]:,.0f} to {energy[1]:,.0f} uJ", "estimate, of the chip alone")
            )
            rows.append(
                ("coin cell", f"{days[0]:.1f} to {days[1]:.1f} days", "a CR2032: 225 mAh at 3 V")
            )
        return f"for each second\n{text_table(('', '', ''), rows, names=(0, 2))}"
