"""What a run on the virtual microcontroller gave and took, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.devices import Device
from tinyml_helpers.mcu.compiler.codegen import Program
from tinyml_helpers.mcu.pipeline import Pipeline
from tinyml_helpers.mcu.target.execution import Span
from tinyml_helpers.mcu.target.timer import Timer
from tinyml_helpers.mcu.target.timing import Cycles
from tinyml_helpers.system.tables import html_table, text_table


@dataclass(frozen=True)
class LayerProfile:
    """One layer's part of a run."""

    name: str
    note: str
    instructions: int
    macs: int

    def with_strip(self, other: LayerProfile) -> LayerProfile:
        """Add a further strip of the same layer."""
        spent, macs = self.instructions + other.instructions, self.macs + other.macs
        note = self.note if self.note.startswith("in strips") else f"in strips of {self.note}"
        return LayerProfile(self.name, note, spent, macs)

    @property
    def instructions_per_mac(self) -> float | None:
        """Instructions for each multiplication with a weight; `None` if it has none."""
        return self.instructions / self.macs if self.macs else None


@dataclass(frozen=True, repr=False)
class Profile:
    """Where the instructions went, layer by layer."""

    layers: tuple[LayerProfile, ...]

    HEADER = ("layer", "", "instructions", "share", "MACs", "instructions per MAC")

    def __iter__(self) -> Iterator[LayerProfile]:
        """The layers in order."""
        return iter(self.layers)

    def __len__(self) -> int:
        """How many layers have code."""
        return len(self.layers)

    def __repr__(self) -> str:
        """One row for each layer."""
        return text_table(self.HEADER, self._rows(), names=(0, 1))

    def _repr_html_(self) -> str:
        return html_table(self.HEADER, self._rows(), names=(0, 1))

    def _rows(self) -> list[tuple[str, ...]]:
        total = sum(layer.instructions for layer in self.layers) or 1
        return [
            (
                layer.name,
                layer.note.split(", ")[0],
                f"{layer.instructions:,}",
                f"{layer.instructions / total:.1%}",
                f"{layer.macs:,}" if layer.macs else "",
                f"{layer.instructions_per_mac:.2f}" if layer.macs else "",
            )
            for layer in self.layers
        ]


def attribute(
    program: Program, pipeline: Pipeline | None, spans: Sequence[Span]
) -> Iterator[LayerProfile]:
    """Give each layer what its calls took, and the pipeline's what theirs took."""
    invoke = f"{program.name}_invoke"
    of_main = {span.function: span for span in spans if span.caller == "main"}
    of_network = (span for span in spans if span.caller == invoke)
    if pipeline:
        spent = of_main[pipeline.before].instructions
        yield LayerProfile(pipeline.before, f"{pipeline.count:,} samples", spent, 0)
    found: dict[int, LayerProfile] = {}
    for n, layer in enumerate(program.layers):
        if layer.calls:
            spent = sum(span.instructions for span in islice(of_network, len(layer.calls)))
            strips = "strip" in layer.operator.options
            one = LayerProfile(layer.operator.label, layer.note, spent, layer.macs)
            key = -1 - layer.operator.position if strips else n
            found[key] = found[key].with_strip(one) if key in found else one
    yield from found.values()
    if pipeline and pipeline.after:
        yield LayerProfile(pipeline.after, "answer", of_main[pipeline.after].instructions, 0)


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """One inference; prints what it took.

    Args:
        outputs: one array for each output, as the network gives it: int8.
        values: the same as real numbers.
        instructions: executed, exact.
        timer: runs it once more for whoever asks for `cycles`.
        profile: instructions by layer.
        stack_bytes: the deepest that the stack grew.
        ram_bytes: arena, variables and stack.
        device: where it ran.
        score: the answer of the pipeline's `after`.
    """

    outputs: tuple[npt.NDArray[Any], ...]
    values: tuple[npt.NDArray[np.float32], ...]
    instructions: int
    timer: Timer
    profile: Profile
    stack_bytes: int
    ram_bytes: int
    device: Device
    score: int | None = None

    @property
    def output(self) -> npt.NDArray[Any]:
        """The first output."""
        return self.outputs[0]

    @property
    def value(self) -> npt.NDArray[np.float32]:
        """The first output as real numbers."""
        return self.values[0]

    @cached_property
    def cycles(self) -> Cycles:
        """Estimated: what the core takes, and what it waits for. A second run, ten times as long."""
        return self.timer.cycles()

    @property
    def latency_ms(self) -> tuple[float, float]:
        """The band of cycles at the device's clock."""
        return (
            1e3 * self.cycles.low / self.device.clock_hz,
            1e3 * self.cycles.high / self.device.clock_hz,
        )

    @property
    def energy_uj(self) -> tuple[float, float] | None:
        """Latency times the chip's active power: an estimate. `None` where none is stated."""
        power_mw = self.device.active_mw
        if power_mw is None:
            return None
        return (power_mw * self.latency_ms[0], power_mw * self.latency_ms[1])

    @property
    def energy_source(self) -> str:
        """Where the active power behind `energy_uj` stands."""
        return self.device.sources.get("active_mw", "no active power is stated for this device")

    def __repr__(self) -> str:
        """What the run took, exact figures first."""
        cycles, energy = self.cycles, self.energy_uj
        joules = f"{cycles.tell(*energy)} uJ" if energy else "not stated"
        waits = [("", f"{n:,}", f"of them waiting for {name}") for name, n in cycles.waits.items()]
        latency = f"{cycles.tell(*self.latency_ms, ',.2f')} ms"
        rows = [
            ("instructions", f"{self.instructions:,}", "executed, exact"),
            ("stack", f"{self.stack_bytes:,} B", "the deepest that it grew, exact"),
            ("RAM", f"{self.ram_bytes:,} B", "arena, variables and stack"),
            ("cycles", cycles.tell(cycles.low, cycles.high), f"estimate: {cycles.basis}"),
            *waits,
            ("latency", latency, f"at {self.device.clock_hz / 1e6:,.0f} MHz"),
            ("energy", joules, f"estimate: {self.energy_source}"),
        ]
        if self.score is not None:
            rows.insert(0, ("score", f"{self.score:,}", "the chain's answer, exact"))
        return text_table(("", self.device.name, ""), rows, names=(0, 2))
