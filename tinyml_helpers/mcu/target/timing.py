"""From executed instructions to cycles: a table of how long each takes, and a band around it.

The table knows a core's pipeline with memory that answers at once. A real board adds wait states
of its flash, or a cache that hides some of them: it is taken to need 1.0 to 1.7 times as long. On
one board (`mcu.reports.published`) CMSIS-NN, built by GCC, took 1.16 to 1.34 times the table's cycles.
Where code and weights lie in a flash chip outside of the microcontroller, 1.7 is no bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tinyml_helpers.cost.latency import SPEEDS
from tinyml_helpers.devices import Device
from tinyml_helpers.mcu.target import riscv_timing
from tinyml_helpers.mcu.target.image import FLASH_BASE, Image

BOARD_FACTOR = 1.7
"""How much slower a board may be than memory without wait states."""

_LOADS, _STORES = ("ldr",), ("str",)
_SEVERAL = ("ldm", "stm", "push", "pop", "vldm", "vstm", "vpush", "vpop")
_BRANCHES = ("b", "bl", "bx", "blx", "cbz", "cbnz")
_ADDED = ("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms")  # to a sum, in float
_LONG = {"sdiv": 7, "udiv": 7, "vdiv": 14, "vsqrt": 14} | dict.fromkeys(_ADDED, 3)


@dataclass(frozen=True)
class Cycles:
    """Cycles of a run: with memory that answers at once, and on a slow board.

    Attributes:
        low: every access answers at once.
        high: `BOARD_FACTOR` times that, or times the most that the table of a RISC-V core allows.
        basis: what the figures rest on.
    """

    low: int
    high: int
    basis: str

    def __repr__(self) -> str:
        """The band, in millions."""
        return f"{self.low / 1e6:,.2f} to {self.high / 1e6:,.2f} M cycles ({self.basis})"


def estimate(image: Image, blocks: Iterable[tuple[int, int, int]], device: Device) -> Cycles:
    """Cycles of a run on a device's core.

    Args:
        image: the program.
        blocks: address, size in bytes and number of entries of what was executed.
        device: its core decides the table. For a Cortex-M7 and M33 the Cortex-M4's is divided by
            the speed per clock that `cost.latency` knows from measured networks.
    """
    if image.core in riscv_timing.RULES:
        least, most, source = riscv_timing.bounds(image, blocks)
        slow = f"{source}; to {BOARD_FACTOR}x for slow flash, more where it lies outside"
        return Cycles(least, round(most * BOARD_FACTOR), slow)
    from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, Cs

    flash = dict(image.segments())
    decoder = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
    small, total = image.core == "cortex-m0plus", 0
    for address, size, entries in blocks:
        code = _bytes(flash, address, size)
        listing = [(text, operands) for _, _, text, operands in decoder.disasm_lite(code, address)]
        total += entries * (_cycles_m0(listing) if small else _cycles_m4(listing))
    speed = SPEEDS.get((device.core, "optimized"))
    table = "Cortex-M0+" if small else "Cortex-M4"
    relative = 1.0 if small or speed is None else speed.relative
    scaled = f", divided by {relative} for the {device.core}" if relative != 1.0 else ""
    low = round(total / relative)
    return Cycles(
        low, round(low * BOARD_FACTOR), f"{table} timing{scaled}; to {BOARD_FACTOR}x for slow flash"
    )


def _bytes(flash: dict[int, bytes], address: int, size: int) -> bytes:
    for base, content in flash.items():
        if base <= address < base + len(content):
            return content[address - base : address - base + size]
    raise ValueError(f"no code at 0x{address:08x}, flash starts at 0x{FLASH_BASE:08x}")


def _cycles_m4(listing: Sequence[tuple[str, str]]) -> int:
    """Cortex-M4 Technical Reference Manual, 3.3.1 and 7.2.3 (float).

    Loads and stores of the core in a row share a pipeline; those of the FPU do not. Simpler than
    the manual in two places: every branch counts as taken, and a load right behind a store or behind
    one of two words counts as pipelined.
    """
    total, in_row = 0, False
    for text, operands in listing:
        name = text.split(".")[0]
        memory = name.startswith((*_LOADS, *_STORES))
        if name.startswith(_SEVERAL):
            total += 1 + _count(operands)
        elif name.startswith(("ldrd", "strd")):
            total += 3
        elif name.startswith(("vldr", "vstr")):
            total += 1 + _words(operands)
        elif memory:
            total += 1 if in_row or name.startswith("str") else 2
        else:
            total += _LONG.get(name, 1)
        total += 2 * _jumps(name, operands)
        in_row = memory
    return total


def _cycles_m0(listing: Sequence[tuple[str, str]]) -> int:
    """Cortex-M0+ Technical Reference Manual, 3.3: single-cycle multiplier."""
    total = 0
    for text, operands in listing:
        name = text.split(".")[0]
        if name.startswith(_SEVERAL):
            total += 1 + _count(operands) + 2 * ("pc" in operands)
        elif name.startswith((*_LOADS, *_STORES)):
            total += 2
        else:
            total += 3 if name == "bl" else 1 + _jumps(name, operands)
    return total


def _jumps(name: str, operands: str) -> bool:
    conditional = len(name) == 3 and name[0] == "b" and name not in ("bic", "bfi", "bfc")
    return name in _BRANCHES or conditional or (name == "pop" and "pc" in operands)


def _count(operands: str) -> int:
    """Words that an instruction for several registers moves."""
    registers = operands.count(",") + 1 - (0 if operands.startswith("{") else 1)
    return registers * _words(operands.partition("{")[2])


def _words(operands: str) -> int:
    """Words of the first register: a `d` register of the FPU has two."""
    return 2 if operands.startswith("d") else 1
