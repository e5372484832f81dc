"""From executed instructions to cycles: the table of the core, waits for flash, and how sure that is.

Three kinds of figures, and each says which it is:

- The table alone: memory that answers at once. A real board adds waits for its flash, or a cache that
  hides some of them: it is taken to need 1.0 to 1.7 times as long.
- With the flash of the device (`flash`, `stopwatch`): where the catalogue knows how it answers. The
  band goes from no waits to twice as many as computed, and a tenth more for what nobody counted; both
  ends move out by what the table of a core without one of its own may be wrong.
- The same on a device whose figures were held against runs on boards: one number, with the error that
  was found (`data/reference/board_cells.json`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tinyml_helpers.mcu.target import cortex_m, riscv_timing
from tinyml_helpers.mcu.target.costs import CoreTiming, Cost
from tinyml_helpers.mcu.target.counting import CodeBlock
from tinyml_helpers.mcu.target.flash import Flash
from tinyml_helpers.mcu.target.image import Image
from tinyml_helpers.mcu.target.stopwatch import Ticks

BOARD_FACTOR = 1.7
"""How much slower a board may be than memory without wait states, where nothing else is known."""

_WAITS_FACTOR, _NOT_COUNTED = 2.0, 1.1

TABLES: Mapping[str, CoreTiming] = cortex_m.CORES
"""Core -> its table; each architecture brings its own."""


@dataclass(frozen=True, repr=False)
class Cycles:
    """Cycles of a run, and what they are spent on.

    Attributes:
        issue: instructions, with memory that answers at once.
        fetch: waiting for instructions from flash.
        constants: waiting for weights, scales and tables from flash.
        ram: waiting for RAM, where boards have shown that the core does.
        low: the least that a board should take.
        high: the most.
        error_percent: of the sum, where the device was held against boards; `None` where only the
            band is known.
        basis: what the figures rest on.
    """

    issue: int
    fetch: int
    constants: int
    ram: int
    low: int
    high: int
    error_percent: float | None
    basis: str

    @property
    def total(self) -> int:
        """What the model says; a band's truth may lie on either side."""
        return self.issue + self.fetch + self.constants + self.ram

    @property
    def waits(self) -> Mapping[str, int]:
        """What is waited for -> cycles, where there are any."""
        spent = {
            "instructions from flash": self.fetch,
            "constants from flash": self.constants,
            "RAM": self.ram,
        }
        return {name: cycles for name, cycles in spent.items() if cycles}

    def tell(self, low: float, high: float, form: str = ",.0f") -> str:
        """Ends of a band that follows from these cycles, in words: a figure and its error, or both ends.

        Args:
            low: its lower end, in any unit.
            high: its upper end.
            form: how a number is written.
        """
        if self.error_percent is None:
            return f"{low:{form}} to {high:{form}}"
        return f"{(low + high) / 2:{form}} (±{self.error_percent:.0f} %)"

    def __repr__(self) -> str:
        """The figure or the band in millions, and what it is spent on."""
        parts = "".join(f", {n / 1e6:,.2f} waiting for {name}" for name, n in self.waits.items())
        spent = f": {self.issue / 1e6:,.2f} for instructions{parts}" if parts else ""
        return f"{self.tell(self.low / 1e6, self.high / 1e6, ',.2f')} M cycles{spent} ({self.basis})"


def by_table(image: Image, blocks: Iterable[CodeBlock]) -> Cycles:
    """Cycles by the table of the program's core alone, in the band of a board that nobody knows.

    What overlaps from one block of instructions to the next is not seen here.

    Args:
        image: the program.
        blocks: what was executed.
    """
    if image.core in riscv_timing.RULES:
        least, most, source = riscv_timing.bounds(image, blocks)
        basis = f"{source}; to {BOARD_FACTOR}x for slow flash, more where it lies outside"
        return Cycles(least, 0, 0, 0, least, round(most * BOARD_FACTOR), None, basis)
    table, total = TABLES[image.core], 0
    for block in blocks:
        code = image.read_code(block.address, block.size_bytes)
        costs = [table.cost(name, operands) for _, name, operands in table.decode(code, block.address)]
        jumps = block.entries - block.passed
        total += block.entries * _sum(costs) + jumps * costs[-1].taken
    issue = round(total / table.divided_by)
    basis = f"{table.source}; to {BOARD_FACTOR}x for slow flash"
    return Cycles(issue, 0, 0, 0, issue, round(issue * BOARD_FACTOR), None, basis)


def with_waits(core: str, ticks: Ticks, flash: Flash) -> Cycles:
    """Cycles of a run that was timed with the flash of its device.

    Args:
        core: key of `TABLES`.
        ticks: of the run.
        flash: of the device.
    """
    table = TABLES[core]
    issue, ram = round(ticks.issue / table.divided_by), round(flash.ram_load_cycles * ticks.ram_loads)
    total, waits = issue + ram + ticks.fetch + ticks.data, ticks.fetch + ticks.data
    if flash.error_percent is None:
        upwards = max(_NOT_COUNTED, 1 + table.spread)
        low = round(issue * (1 - table.spread))
        high = round(upwards * (issue + ram + _WAITS_FACTOR * waits))
        basis = f"{table.source}, and waits for this flash, to twice as many; held against no board"
    else:
        error = flash.error_percent / 100
        low, high = round(total * (1 - error)), round(total * (1 + error))
        basis = f"{table.source}, and waits for this flash; error by runs on boards"
    return Cycles(issue, ticks.fetch, ticks.data, ram, low, high, flash.error_percent, basis)


def _sum(costs: list[Cost]) -> int:
    """Cycles of a block that is left at its end without a jump."""
    total = costs[0].cycles
    for before, now in pairwise(costs):
        needs = bool(before.writes & now.address)
        overlap = now.overlaps and before.opens and not needs
        total += now.cycles - overlap + (before.computes and needs)
    return total
