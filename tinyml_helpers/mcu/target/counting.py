"""Count the instructions that an emulated core executes, exactly and at full speed.

The counting is done in C (counter.c), once for each block of instructions that runs through
without a jump: a hook in Python would slow a run by a factor of ten to thirty.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from unicorn import unicorn_const as const
from unicorn.unicorn_py3.unicorn import Uc, UcError, uclib  # the short names have no types

from tinyml_helpers.mcu.target.cores import Architecture
from tinyml_helpers.mcu.target.toolchain import host_library

_BLOCK = np.dtype([
    ("size_bytes", np.uint16), ("instructions", np.uint16),
    ("entries", np.uint32), ("passed", np.uint32),
])  # fmt: skip
_MOST_VISITS = 1 << 16  # more calls than a flash holds


class CodeBlock(NamedTuple):
    """Instructions that run through without a jump.

    Args:
        address: of the first.
        size_bytes: of them all.
        entries: how often they were executed.
        passed: how often what came next lay right behind them: no jump was taken.
    """

    address: int
    size_bytes: int
    entries: int
    passed: int


class Counter(ctypes.Structure):
    """`struct counter` of counter.c: executed and entered so far; where to stop."""

    _fields_ = (
        ("executed", ctypes.c_uint64),
        ("limit", ctypes.c_uint64),
        ("breakpoint", ctypes.c_uint64),
        ("last_block", ctypes.c_uint64),
        ("flash_base", ctypes.c_uint64),
        ("flash", ctypes.c_void_p),
        ("halfwords", ctypes.c_void_p),
        ("blocks", ctypes.c_void_p),
        ("block_count", ctypes.c_uint64),
        ("arrived", ctypes.c_uint64),
        ("stop", ctypes.c_void_p),
        ("watch_start", ctypes.c_uint64 * 2),
        ("watch_bytes", ctypes.c_uint64 * 2),
        ("visits", ctypes.c_void_p),
        ("visited", ctypes.c_void_p),
        ("went_to", ctypes.c_void_p),
        ("visit_count", ctypes.c_uint64),
        ("most_visits", ctypes.c_uint64),
        ("inside", ctypes.c_uint64),
    )
    executed: int
    limit: int
    breakpoint: int
    flash_base: int
    last_block: int
    arrived: int
    watch_start: ctypes.Array[ctypes.c_uint64]
    watch_bytes: ctypes.Array[ctypes.c_uint64]
    visit_count: int
    inside: int
    _keep: tuple[npt.NDArray[np.uint8], npt.NDArray[np.void], npt.NDArray[np.uint64]]

    def start(self, breakpoint_at: int, limit: int) -> None:
        """Forget what was counted; stop at an address or after so many instructions."""
        self._keep[2][:, : self.visit_count] = 0
        self.executed, self.visit_count, self.inside, self.arrived = 0, 0, 0, 0
        self.breakpoint, self.limit, self.last_block = breakpoint_at, limit, 0
        self._keep[1]["entries"] = self._keep[1]["passed"] = 0

    def watch(self, functions: Sequence[tuple[int, int]]) -> None:
        """Note each coming into one of up to two functions, given by address and size in bytes."""
        for i, (start, size_bytes) in enumerate([*functions, (0, 0), (0, 0)][:2]):
            self.watch_start[i], self.watch_bytes[i] = start, size_bytes

    def read_visits(self) -> list[tuple[int, int, int]]:
        """Number of the function (0 or 1), instructions executed before, and the address it went to."""
        counts, which, went_to = self._keep[2][:, : self.visit_count].tolist()
        return [(i - 1, count, to) for i, count, to in zip(which, counts, went_to, strict=True)]

    def read_blocks(self) -> list[CodeBlock]:
        """Each block that was executed."""
        blocks, base = self._keep[1], self.flash_base
        (found,) = blocks["entries"].nonzero()
        columns = (blocks[name][found].tolist() for name in ("size_bytes", "entries", "passed"))
        return [CodeBlock(*row) for row in zip((base + 2 * found).tolist(), *columns, strict=True)]


def attach_counter(
    uc: Uc, flash: npt.NDArray[np.uint8], flash_base: int, architecture: Architecture
) -> Counter:
    """Count every instruction that an emulator executes from now on.

    Args:
        uc: the emulator.
        flash: uint8 array, the memory that it executes from.
        flash_base: address of its first byte.
        architecture: how long its instructions are.

    Returns:
        The counter; set `breakpoint` and `limit` before a run, read `executed` after it.

    Raises:
        UcError: the hook was refused.
    """
    blocks = np.zeros(flash.size // 2, _BLOCK)  # one for each halfword
    visits = np.zeros((3, _MOST_VISITS), np.uint64)
    counter = Counter(
        flash_base=flash_base,
        flash=flash.ctypes.data,
        halfwords=architecture.halfwords.ctypes.data,
        blocks=blocks.ctypes.data,
        block_count=blocks.size,
        visits=visits[0].ctypes.data,
        visited=visits[1].ctypes.data,
        went_to=visits[2].ctypes.data,
        most_visits=_MOST_VISITS,
        stop=ctypes.cast(uclib.uc_emu_stop, ctypes.c_void_p).value,
    )
    handle, everywhere = ctypes.c_size_t(), (ctypes.c_uint64(1), ctypes.c_uint64(0))
    status = uclib.uc_hook_add(
        uc._uch,
        ctypes.byref(handle),
        const.UC_HOOK_BLOCK,
        ctypes.cast(load_library().on_block, ctypes.c_void_p),
        ctypes.byref(counter),
        *everywhere,
    )
    if status != const.UC_ERR_OK:
        raise UcError(status)
    counter._keep = (flash, blocks, visits)  # C holds their addresses
    return counter


@cache
def load_library() -> ctypes.CDLL:
    """Return the counter in C, built for this machine and loaded once."""
    return ctypes.CDLL(str(host_library("counter.c")))
