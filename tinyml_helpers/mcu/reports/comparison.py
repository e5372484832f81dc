"""Firmwares side by side: several networks on a device, or a network on several devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyml_helpers.devices import Device
from tinyml_helpers.mcu.firmware import Firmware, build
from tinyml_helpers.mcu.run import Run
from tinyml_helpers.system.tables import html_table, text_table


@dataclass(frozen=True, eq=False)
class Measurement:
    """A network built for a device, and one run of it."""

    firmware: Firmware
    run: Run

    @property
    def instructions_per_mac(self) -> float:
        """Of the whole run."""
        return self.run.instructions / self.firmware.macs

    def row(self) -> tuple[str, ...]:
        """The figures, as text, in the order of `Comparison.HEADER`."""
        low, high = self.run.latency_ms
        energy, tell = self.run.energy_uj, self.run.cycles.tell
        return (
            f"{self.firmware.flash_bytes / 1000:,.1f}",
            f"{self.run.ram_bytes / 1000:,.1f}",
            f"{self.firmware.macs / 1e6:,.2f}",
            f"{self.run.instructions / 1e6:,.2f}",
            f"{self.instructions_per_mac:.2f}" if self.firmware.macs else "",
            tell(low, high, ",.0f" if low >= 10 else ",.1f"),
            tell(energy[0] / 1000, energy[1] / 1000, ",.2g") if energy else "not stated",
        )


@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """Measurement firmwares by name; prints as a table.

    Args:
        measured: name -> firmware and run.
        columns: heading -> name -> text, set before the measured figures.
    """

    measured: Mapping[str, Measurement]
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    HEADER = ("flash KB", "RAM KB", "M MACs", "M instr.", "per MAC", "ms", "mJ")

    def __getitem__(self, name: str) -> Measurement:
        """One of them.

        Raises:
            KeyError: there is none of that name.
        """
        return self.measured[name]

    def __iter__(self) -> Iterator[str]:
        """Their names, in order."""
        return iter(self.measured)

    def __repr__(self) -> str:
        """A table in plain text."""
        return text_table(self._header(), self._rows())

    def _repr_html_(self) -> str:
        return html_table(self._header(), self._rows())

    def _header(self) -> tuple[str, ...]:
        return ("", *self.columns, *self.HEADER)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (name, *(column.get(name, "") for column in self.columns.values()), *one.row())
            for name, one in self.measured.items()
        ]


def measure(
    model: str | Path | bytes, device: Device | str = "nano33ble", *, optimize: str = "-O2"
) -> Measurement:
    """Build a network and run it once, on inputs of zeros.

    Args:
        model: path or bytes of an int8 .tflite.
        device: a device with a Cortex-M or RISC-V core, or its key.
        optimize: the compiler's flag.

    Raises:
        GraphError: see `mcu.build`.
        DoesNotFitError: see `mcu.build`.
    """
    firmware = build(model, device, optimize=optimize)
    graph = firmware.program.graph
    return Measurement(firmware, firmware.run(*(np.zeros(graph.tensors[i].shape) for i in graph.inputs)))
