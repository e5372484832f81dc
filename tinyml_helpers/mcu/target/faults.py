"""Say why an emulated program stopped, in words that lead to the cure."""

from __future__ import annotations

from unicorn import unicorn_const as const
from unicorn.unicorn_py3.unicorn import Uc  # the short names have no types

from tinyml_helpers.mcu.target.cores import CORES
from tinyml_helpers.mcu.target.image import RAM_BASE, Image

NEVER_WOKEN = "it waits for an interrupt (wfi), and none comes here"
_BELOW_STACK_BYTES = 16 << 20  # how far below the RAM a large array on the stack may land


class EmulatorError(RuntimeError):
    """The program did something that stops a real microcontroller, or did not end."""


def name_place(uc: Uc, image: Image) -> str:
    """Say where the program is: the function, or the address if it is in none."""
    address = uc.reg_read(CORES[image.core].architecture.program_counter)
    function = image.function_at(address)
    return f"in {function}()" if function else f"at 0x{address:08x}"


def explain_fault(uc: Uc, image: Image, last_block: int, access: int, address: int) -> str:
    """Say what an access to memory that the device refuses means.

    Args:
        uc: the emulator, stopped.
        image: the program.
        last_block: address of the last block of instructions that it entered.
        access: kind of access, `UC_MEM_*`.
        address: what it tried to reach.

    Returns:
        One sentence.
    """
    where = name_place(uc, image)
    if access in (const.UC_MEM_FETCH_UNMAPPED, const.UC_MEM_FETCH_PROT):
        caller = image.function_at(last_block)
        return f"wild jump in {caller}() to 0x{address:08x}, where there is no code"
    if access == const.UC_MEM_WRITE_PROT:
        return f"write to flash at 0x{address:08x} {where}: constants cannot change"
    if 0 < RAM_BASE - address <= _BELOW_STACK_BYTES:
        free_bytes = image.ram_limit_bytes - image.ram_bytes
        return f"stack overflow {where}: variables leave {free_bytes:,} B of RAM for the stack"
    verb = "write to" if access == const.UC_MEM_WRITE_UNMAPPED else "read from"
    return f"{verb} 0x{address:08x} {where}: there is no memory (a wrong pointer or index?)"
