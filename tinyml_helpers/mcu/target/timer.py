"""Time a run when somebody asks for its cycles: by running it once more, with a stopwatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy.typing as npt
from unicorn.unicorn_py3.unicorn import UcError  # the short names have no types

from tinyml_helpers.devices import Device
from tinyml_helpers.mcu.target import timing
from tinyml_helpers.mcu.target.counting import CodeBlock
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.flash import Flash, flash_of
from tinyml_helpers.mcu.target.image import Image
from tinyml_helpers.mcu.target.stopwatch import Ticks
from tinyml_helpers.mcu.target.timing import Cycles
from tinyml_helpers.mcu.target.toolchain import ToolchainError


@dataclass(frozen=True, eq=False, repr=False)
class Timer:
    """A run that can be done again, each of its instructions timed.

    Args:
        image: the program.
        device: its flash decides the waits.
        blocks: what the run executed.
        inputs: what it was given: name of a variable -> array.
        variables: all of them as it found them; `None` as after a reset.
    """

    image: Image
    device: Device
    blocks: Sequence[CodeBlock]
    inputs: Mapping[str, npt.ArrayLike]
    variables: bytes | None = None

    def by_table(self) -> Cycles:
        """Cycles by the core's table, with no second run and no waits for flash."""
        return timing.by_table(self.image, self.blocks)

    def cycles(self) -> Cycles:
        """Cycles with the waits for the device's flash; by the table alone where those are unknown."""
        flash = flash_of(self.device)
        if flash is None:
            return self.by_table()
        try:
            ticks = self._run_again(flash)
        except (ToolchainError, UcError, OSError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            plain = self.by_table()
            return replace(plain, basis=f"{plain.basis}; its waits were not counted, for {reason}")
        return timing.with_waits(self.image.core, ticks, flash)

    def _run_again(self, flash: Flash) -> Ticks:
        machine = _machine(self.image, flash)
        assert machine.stopwatch is not None  # it was made for a flash
        machine.stopwatch.learn([block[:2] for block in self.blocks], timing.TABLES[self.image.core])
        machine.run(self.inputs, variables=self.variables, limit=_NO_LIMIT)
        return machine.stopwatch.read()


_NO_LIMIT = 1 << 62  # the first run has ended


@lru_cache(maxsize=2)
def _machine(image: Image, flash: Flash) -> Machine:
    return Machine(image, flash)
