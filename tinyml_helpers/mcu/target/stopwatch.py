"""A second run of a program on which each instruction is timed: its pipeline, and its waits for flash.

The timing is done in C (stopwatch.c), by a hook on every instruction and on reads of flash. That
takes ten times as long as counting, so it is done only where somebody asks for cycles.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from unicorn import arm_const as arm
from unicorn import unicorn_const as const
from unicorn.unicorn_py3.unicorn import Uc, UcError, uclib  # the short names have no types

from tinyml_helpers.mcu.target.costs import CoreTiming, Cost
from tinyml_helpers.mcu.target.flash import MOST_LINES, Cache, Flash
from tinyml_helpers.mcu.target.toolchain import host_library

_INSTRUCTION = np.dtype([
    ("writes", np.uint16), ("address", np.uint16),
    ("cycles", np.uint8), ("taken", np.uint8), ("flags", np.uint8), ("unused", np.uint8),
])  # fmt: skip
_LINES = ctypes.c_uint64 * MOST_LINES


@dataclass(frozen=True)
class Ticks:
    """What a stopwatch read.

    Args:
        issue: cycles of the core's table.
        fetch: cycles that the core waited for instructions.
        data: cycles that it waited for constants.
        ram_loads: loads from RAM that overlapped with no other.
    """

    issue: int
    fetch: int
    data: int
    ram_loads: int


class _Cache(ctypes.Structure):
    """`struct cache` of stopwatch.c."""

    _fields_ = (
        ("lines", ctypes.c_uint64),
        ("line_bytes", ctypes.c_uint64),
        ("ways", ctypes.c_uint64),
        ("clock", ctypes.c_uint64),
        ("tags", _LINES),
        ("used", _LINES),
        ("parts", _LINES),
    )


class Stopwatch(ctypes.Structure):
    """`struct stopwatch` of stopwatch.c: what instructions cost, and the cycles so far."""

    _fields_ = (
        ("flash_base", ctypes.c_uint64),
        ("halfwords", ctypes.c_uint64),
        ("instructions", ctypes.c_void_p),
        ("end", ctypes.c_uint64),
        ("wait_cycles", ctypes.c_uint64),
        ("read_bytes", ctypes.c_uint64),
        ("prefetch", ctypes.c_uint64),
        ("shared", ctypes.c_uint64),
        ("before", ctypes.c_void_p),
        ("next", ctypes.c_uint64),
        ("alone", ctypes.c_uint64),
        ("fetched", ctypes.c_uint64),
        ("fetched_at", ctypes.c_uint64),
        ("issue", ctypes.c_uint64),
        ("fetch_waits", ctypes.c_uint64),
        ("data_waits", ctypes.c_uint64),
        ("ram_loads", ctypes.c_uint64),
        ("status", ctypes.c_uint64),
        ("read_register", ctypes.c_void_p),
        ("write_register", ctypes.c_void_p),
        ("code", _Cache),
        ("data", _Cache),
    )
    flash_base: int
    end: int
    before: int | None
    fetched: int
    fetched_at: int
    issue: int
    fetch_waits: int
    data_waits: int
    ram_loads: int
    code: _Cache
    data: _Cache
    _keep: tuple[npt.NDArray[np.uint8], npt.NDArray[np.void], Flash]
    _learnt: set[tuple[int, int]]

    def learn(self, blocks: Iterable[tuple[int, int]], table: CoreTiming) -> None:
        """Enter what the instructions of some blocks cost; of others nothing is known.

        Args:
            blocks: address and size in bytes of each.
            table: of the core.
        """
        code, known, _ = self._keep
        for address, size_bytes in set(blocks) - self._learnt:
            start = address - self.flash_base
            self._learnt.add((address, size_bytes))
            content = code[start : start + size_bytes].tobytes()
            for length, name, operands in table.decode(content, address):
                known[start // 2] = _entry(table.cost(name, operands))
                start += length

    def start(self, end: int) -> None:
        """Forget what was timed, empty the caches; the run is over at an address."""
        flash = self._keep[2]
        for place, cache_ in ((self.code, flash.code), (self.data, flash.data)):
            ctypes.memset(ctypes.byref(place), 0, ctypes.sizeof(_Cache))
            geometry = cache_ or Cache(1, 1, 1)
            place.lines = geometry.lines if cache_ else 0
            place.line_bytes, place.ways = geometry.line_bytes, geometry.ways
        self.issue = self.fetch_waits = self.data_waits = self.ram_loads = 0
        self.end, self.before, self.fetched, self.fetched_at = end, None, 0, 0

    def read(self) -> Ticks:
        """The cycles since `start`; the run ended with a jump."""
        known = self._keep[1]
        place = ((self.before or known.ctypes.data) - known.ctypes.data) // _INSTRUCTION.itemsize
        last = int(known["taken"][place]) if self.before else 0
        return Ticks(self.issue + last, self.fetch_waits, self.data_waits, self.ram_loads)


def attach_stopwatch(uc: Uc, memory: npt.NDArray[np.uint8], flash_base: int, flash: Flash) -> Stopwatch:
    """Time every instruction that an emulator executes from now on.

    Args:
        uc: the emulator, which has executed nothing yet.
        memory: uint8 array, the flash that it executes from.
        flash_base: address of its first byte.
        flash: how it answers.

    Raises:
        UcError: a hook was refused.
        ToolchainError: the C could not be built.
    """
    known = np.zeros(memory.size // 2, _INSTRUCTION)
    watch = Stopwatch(
        flash_base=flash_base,
        halfwords=known.size,
        instructions=known.ctypes.data,
        wait_cycles=flash.wait_cycles,
        read_bytes=flash.read_bytes,
        prefetch=flash.prefetch,
        shared=flash.shared,
        status=arm.UC_ARM_REG_XPSR if uc._arch == const.UC_ARCH_ARM else 0,
        read_register=ctypes.cast(uclib.uc_reg_read, ctypes.c_void_p).value,
        write_register=ctypes.cast(uclib.uc_reg_write, ctypes.c_void_p).value,
    )
    watch._keep, watch._learnt = (memory, known, flash), set()  # C holds addresses in the first
    library, all_of_it = _library(), (flash_base, flash_base + memory.size - 1)
    _hook(uc, const.UC_HOOK_CODE, library.on_instruction, watch, *all_of_it)
    _hook(uc, const.UC_HOOK_MEM_READ, library.on_read, watch, *all_of_it)
    return watch


def _hook(uc: Uc, kind: int, function: object, watch: Stopwatch, begin: int, end: int) -> None:
    status = uclib.uc_hook_add(
        uc._uch,
        ctypes.byref(ctypes.c_size_t()),
        kind,
        ctypes.cast(function, ctypes.c_void_p),  # type: ignore[arg-type]
        ctypes.byref(watch),
        ctypes.c_uint64(begin),
        ctypes.c_uint64(end),
    )
    if status != const.UC_ERR_OK:
        raise UcError(status)


def _entry(cost: Cost) -> tuple[int, ...]:
    flags = (cost.overlaps, cost.opens, cost.loads, cost.computes)
    packed = sum(1 << bit for bit, flag in enumerate(flags) if flag)
    return cost.writes, cost.address, cost.cycles, cost.taken, packed, 0


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(str(host_library("stopwatch.c")))
