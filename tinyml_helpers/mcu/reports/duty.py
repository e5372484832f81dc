"""What a program takes that never stops: instructions, its share of the time, energy, days on a cell."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml_helpers.mcu.run import Run
from tinyml_helpers.system.tables import text_table

COIN_CELL_MAH, COIN_CELL_V = 225.0, 3.0
"""Typical capacity of a CR2032, which its makers state for 0.2 mA; at more it gives less."""

MICROPHONE_MA = 0.65
"""What a digital microphone draws: ST's MP34DT05-A, on the Nano 33 BLE Sense (datasheet, 650 uA)."""


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
    def current_ma(self) -> tuple[float, float] | None:
        """Average current of the chip at the cell's voltage, in mA."""
        energy = self.energy_uj_per_second
        return energy and (energy[0] / COIN_CELL_V / 1000, energy[1] / COIN_CELL_V / 1000)

    @property
    def coin_cell_days(self) -> tuple[float, float] | None:
        """Days on a CR2032 that feeds the chip and a microphone, at most, from worst to best."""
        current = self.current_ma
        if current is None:
            return None
        low, high = (COIN_CELL_MAH / (chip_ma + MICROPHONE_MA) / 24 for chip_ma in current)
        return high, low

    def __repr__(self) -> str:
        rows = [("instructions", f"{self.instructions_per_second:,.0f}", "exact")]
        tell = self.run.cycles.tell
        rows.append(("real-time factor", tell(*self.realtime_factor, ".2f"), "must stay below 1"))
        energy, current, days = self.energy_uj_per_second, self.current_ma, self.coin_cell_days
        if energy and current and days:
            alone = "estimate, of the chip alone"
            rows.append(("energy", f"{tell(*energy)} uJ", alone))
            rows.append(("current", f"{tell(*current, '.2f')} mA", f"{alone}, at 3 V"))
            cell = f"with {MICROPHONE_MA} mA for a microphone; {COIN_CELL_MAH:.0f} mAh, at most"
            rows.append(("coin cell", f"{days[0]:.1f} to {days[1]:.1f} days", cell))
        return f"for each second\n{text_table(('', '', ''), rows, names=(0, 2))}"
