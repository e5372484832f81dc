"""Run a linked program on an emulated core and measure it: exactly, and without a board.

Instruction counts are exact. They are not cycles: how long an instruction takes depends on the
core's pipeline and on how fast its flash answers. Two faults of a real core go unnoticed here:
an unaligned access on a core that forbids it, and use of an FPU that was never switched on.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from unicorn import unicorn_const as const
from unicorn.unicorn_py3.unicorn import Uc, UcError  # the short names have no types

from tinyml_helpers.mcu.target.cores import CORES
from tinyml_helpers.mcu.target.counting import CodeBlock, attach_counter
from tinyml_helpers.mcu.target.execution import Execution, Span
from tinyml_helpers.mcu.target.faults import NEVER_WOKEN, EmulatorError, explain_fault, name_place
from tinyml_helpers.mcu.target.flash import Flash
from tinyml_helpers.mcu.target.image import FLASH_BASE, RAM_BASE, SENSOR_BASE, Image
from tinyml_helpers.mcu.target.stopwatch import attach_stopwatch

_PAGE_BYTES = 4096
_NEVER = 0xFFFF_FFFF
_PAINT = 0xA5


def run(
    image: Image,
    inputs: Mapping[str, npt.ArrayLike] | None = None,
    outputs: Mapping[str, npt.DTypeLike] | None = None,
    *,
    limit: int = 1_000_000_000,
) -> Execution:
    """Run a program once on a fresh device: see `Machine.run`, which can run it many times."""
    return Machine(image).run(inputs, outputs, limit=limit)


class Machine:
    """A microcontroller with a program in its flash. A `run` starts from reset, unless told not to."""

    def __init__(self, image: Image, waits: Flash | None = None) -> None:
        """Make the device that the program was linked for and write its flash.

        Args:
            image: the program.
            waits: how the flash answers, if runs are to be timed by `stopwatch`: that takes longer.
        """
        self._image = image
        core = CORES[image.core]
        self._architecture = core.architecture
        self._uc = Uc(*core.architecture.emulator)
        self._uc.ctl_set_cpu_model(core.model)
        flash = self._map(FLASH_BASE, image.flash_limit_bytes, const.UC_PROT_EXEC)
        flash[:] = 0xFF  # as erased flash reads
        for address, content in image.segments():
            start = address - FLASH_BASE
            flash[start : start + len(content)] = np.frombuffer(content, np.uint8)
        self._ram = self._map(RAM_BASE, image.ram_limit_bytes, const.UC_PROT_WRITE)
        if image.sensor_bytes:
            pages = -(-image.sensor_bytes // _PAGE_BYTES)
            self._uc.mem_map(SENSOR_BASE, pages * _PAGE_BYTES, const.UC_PROT_READ)
        self._counter = attach_counter(self._uc, flash, FLASH_BASE, core.architecture)
        self.stopwatch = attach_stopwatch(self._uc, flash, FLASH_BASE, waits) if waits else None
        self._map_registers()
        self._faults: list[tuple[int, int]] = []
        self._uc.hook_add(const.UC_HOOK_MEM_INVALID, _note_fault, self._faults)
        self._after_reset = self._uc.context_save()
        self._back = 0  # where main() returns to, once there was a reset

    def run(
        self,
        inputs: Mapping[str, npt.ArrayLike] | None = None,
        outputs: Mapping[str, npt.DTypeLike] | None = None,
        *,
        watch: Sequence[str] = (),
        fresh: bool = True,
        variables: bytes | None = None,
        limit: int = 1_000_000_000,
    ) -> Execution:
        """Reset, start up, fill variables, run `main()` to its end and read variables.

        The stack's depth is the deepest since the reset.

        Args:
            inputs: name of a variable -> array, of exactly its size in bytes. `name[4:12]` is a
                part of one, from byte 4 to before byte 12.
            outputs: name of a variable or constant, or a part, -> type of its elements.
            watch: names of up to two functions whose spans are noted.
            fresh: `False` leaves the reset out: `main()` runs again, and finds its variables as it
                left them.
            variables: what they hold before `inputs` are written, as `variables` gave it.
            limit: give up after this many instructions.

        Returns:
            The outputs and what the run took.

        Raises:
            EmulatorError: the program overran its stack, wrote to flash, jumped or reached
                outside memory, met an unknown instruction or went over the limit.
            ValueError: no such variable, or one of another size, or a constant as input.
        """
        writes = [self._input(name, np.asarray(array)) for name, array in (inputs or {}).items()]
        types = {name: np.dtype(dtype) for name, dtype in (outputs or {}).items()}
        reads = {name: self._output(name, dtype) for name, dtype in types.items()}
        watched = [self._image.symbols[name] for name in watch]
        self._counter.watch([(w.address, w.size_bytes) for w in watched])
        main = self._image.symbols["main"].address
        if fresh or not self._back:
            self._back = self._reset(main, limit)
        if variables is not None:
            self._uc.mem_write(self._variables_at, variables)
        for address, content in writes:
            self._uc.mem_write(address, content)
        self._uc.reg_write(self._architecture.return_address, self._back)
        self._go(main, self._back & ~1, limit)
        return Execution(
            {k: np.frombuffer(self._uc.mem_read(*at), types[k]) for k, at in reads.items()},
            self._counter.executed,
            self._image.flash_bytes,
            self._image.ram_bytes,
            self._stack_bytes(),
            tuple(self._spans(watch)),
        )

    def _spans(self, watch: Sequence[str]) -> Iterator[Span]:
        visits = self._counter.read_visits()
        counts = [*(count for _, count, _ in visits), self._counter.executed]
        for (caller, _, went_to), ends in zip(visits, pairwise(counts), strict=True):
            yield Span(watch[caller], self._image.function_at(went_to) or "", *ends)

    def _reset(self, main: int, limit: int) -> int:
        """Start up, and return where `main()` will return to."""
        self._ram[:] = _PAINT
        self._uc.context_restore(self._after_reset)
        self._uc.reg_write(self._architecture.stack_pointer, self._image.symbols["_stack_top"].address)
        self._go(self._image.symbols["Reset_Handler"].address, main, limit)
        return int(self._uc.reg_read(self._architecture.return_address))

    def variables(self) -> bytes:
        """What all variables hold now, for a run that is to begin with it."""
        return bytes(self._uc.mem_read(self._variables_at, self._image.ram_bytes))

    @property
    def _variables_at(self) -> int:
        return self._image.symbols["_stack_top"].address

    def blocks(self) -> list[CodeBlock]:
        """Each block of instructions that the last run executed."""
        return self._counter.read_blocks()

    def _map_registers(self) -> None:
        """Let the core reach its own registers."""
        both = const.UC_PROT_READ | const.UC_PROT_WRITE
        for page in self._architecture.register_pages:
            self._uc.mem_map(page, _PAGE_BYTES, both)  # no code: a real core executes none there either
        for address in self._architecture.cycle_counters:
            # Firmware that times itself runs unchanged: its cycle counter counts instructions.
            page, at = address & -_PAGE_BYTES, address % _PAGE_BYTES
            self._uc.mmio_map(page, _PAGE_BYTES, self._read_counter, at, _ignore, None)

    def _read_counter(self, _uc: Uc, offset: int, _size: int, counter: int) -> int:
        return self._counter.executed & 0xFFFF_FFFF if offset == counter else 0

    def _map(self, base: int, size_bytes: int, right: int) -> npt.NDArray[np.uint8]:
        """Map memory that the program and the host share; the emulator wants whole pages."""
        pages = mmap.mmap(-1, -(-size_bytes // _PAGE_BYTES) * _PAGE_BYTES)
        memory = np.frombuffer(pages, np.uint8)
        rights = const.UC_PROT_READ | right
        self._uc.mem_map_ptr(base, memory.size, rights, memory.ctypes.data)
        return memory

    def _input(self, name: str, array: npt.NDArray[Any]) -> tuple[int, bytes]:
        symbol = self._image.variable(name)
        if symbol.address < RAM_BASE:
            raise ValueError(f"{name!r} is a constant in flash: drop its `const` to fill it")
        if array.nbytes != symbol.size_bytes:
            raise ValueError(
                f"{name!r} takes {symbol.size_bytes:,} bytes, the array has {array.nbytes:,}: "
                f"{array.size:,} of {array.dtype}"
            )
        return symbol.address, array.tobytes()

    def _output(self, name: str, dtype: np.dtype[Any]) -> tuple[int, int]:
        symbol = self._image.variable(name)
        if symbol.size_bytes % dtype.itemsize:
            raise ValueError(
                f"{name!r} has {symbol.size_bytes:,} bytes: no whole number of {dtype} values"
            )
        return symbol.address, symbol.size_bytes

    def _stack_bytes(self) -> int:
        """Measure how far down the paint is gone."""
        top = self._image.symbols["_stack_top"].address - RAM_BASE
        touched = np.flatnonzero(self._ram[:top] != _PAINT)
        return top - int(touched[0]) if touched.size else 0

    def _go(self, start: int, end: int, limit: int) -> None:
        """Execute from one address until another is reached."""
        counter = self._counter
        # The emulator's own end address goes unnoticed in code that it has translated before.
        counter.start(end, limit)
        if self.stopwatch:
            self.stopwatch.start(end)
        self._faults.clear()
        try:
            self._uc.emu_start(start | self._architecture.entry_bit, _NEVER)
        except UcError as error:
            at = counter.last_block
            why = [explain_fault(self._uc, self._image, at, *fault) for fault in self._faults]
            why.append(f"stopped {name_place(self._uc, self._image)}: {error}")
            raise EmulatorError(why[0]) from error
        if counter.executed > limit:
            raise EmulatorError(
                f"not finished after {limit:,} instructions, {name_place(self._uc, self._image)}: "
                "an endless loop? If it only needs longer, raise `limit`"
            )
        if not counter.arrived:
            raise EmulatorError(f"stopped {name_place(self._uc, self._image)}: {NEVER_WOKEN}")


def _ignore(_uc: Uc, _offset: int, _size: int, _value: int, _data: Any) -> None:
    """Take a write to the cycle counter's page: starting it changes nothing."""


def _note_fault(_uc: Uc, access: int, address: int, _size: int, _value: int, faults: list[Any]) -> bool:
    faults.append((access, address))
    return False  # not cured: stop
