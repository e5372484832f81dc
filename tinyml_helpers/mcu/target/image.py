"""A linked program: its bytes, where they go, and the names in it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile


FLASH_BASE, RAM_BASE, SENSOR_BASE = 0x0800_0000, 0x2000_0000, 0x6000_0000  # as in link.ld
_MOST_SENSOR_BYTES = 64 << 20  # as there


@dataclass(frozen=True)
class Symbol:
    """A named variable or function: address and size in bytes."""

    address: int
    size_bytes: int
    is_function: bool


@dataclass(frozen=True, repr=False)
class Image:
    """A program for one core, as the linker wrote it.

    Args:
        elf: the ELF file.
        core: the core that it was compiled for.
        flash_limit_bytes: flash of the device that it was linked for.
        ram_limit_bytes: RAM of that device.
    """

    elf: bytes
    core: str
    flash_limit_bytes: int
    ram_limit_bytes: int

    @property
    def code_bytes(self) -> int:
        """Instructions, in flash."""
        return self._sections.get(".text", 0)

    @property
    def constant_bytes(self) -> int:
        """Constants (`const`), in flash: the weights of a network, above all."""
        return self._sections.get(".rodata", 0)

    @property
    def data_bytes(self) -> int:
        """Variables with a starting value: it waits in flash and is copied to RAM."""
        return self._sections.get(".data", 0)

    @property
    def zeroed_bytes(self) -> int:
        """Variables that start at zero, in RAM only."""
        return self._sections.get(".bss", 0)

    @property
    def flash_bytes(self) -> int:
        """All that the program occupies in flash."""
        return self.code_bytes + self.constant_bytes + self.data_bytes

    @property
    def ram_bytes(self) -> int:
        """All variables; the stack comes on top."""
        return self.data_bytes + self.zeroed_bytes

    @property
    def sensor_bytes(self) -> int:
        """Samples that a sensor delivers: neither flash nor RAM."""
        size_bytes = self._sections.get(".sensor", 0)
        if size_bytes > _MOST_SENSOR_BYTES:
            raise ValueError(f"{size_bytes:,} bytes of samples: at most {_MOST_SENSOR_BYTES:,} fit")
        return size_bytes

    @cached_property
    def symbols(self) -> Mapping[str, Symbol]:
        """Variables and functions by name."""
        from elftools.elf.sections import SymbolTableSection

        with _whole():
            table = self._file.get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)  # the toolchain links with -g
            found = {
                entry.name: Symbol(
                    entry["st_value"] & ~1 if kind == "STT_FUNC" else entry["st_value"],
                    entry["st_size"],
                    kind == "STT_FUNC",
                )
                for entry in table.iter_symbols()
                if entry.name and (kind := entry["st_info"]["type"]) != "STT_FILE"
            }
            found["main"], found["Reset_Handler"], found["_stack_top"]  # what a run needs
            return found

    def variable(self, name: str) -> Symbol:
        """Find a variable or constant by its name, or a part of one: `name[4:12]`, in bytes.

        Raises:
            ValueError: the program has none of that name, or it has no such part.
        """
        if part := re.fullmatch(r"(\w+)\[(\d+):(\d+)\]", name):
            whole, (start, end) = self.variable(part[1]), map(int, part.groups()[1:])
            if not start <= end <= whole.size_bytes:
                raise ValueError(f"{name!r}: {part[1]} has {whole.size_bytes:,} bytes")
            return Symbol(whole.address + start, end - start, False)
        symbol = self.symbols.get(name)
        if symbol is None or symbol.is_function:
            there = [k for k, s in self.symbols.items() if s.size_bytes and not s.is_function]
            raise ValueError(
                f"no variable {name!r} (one that nothing uses is left out): "
                f"choose one of {', '.join(sorted(there)) or 'none'}"
            )
        if symbol.size_bytes > self._room_after(symbol.address):
            raise ValueError(f"{name!r} lies outside of the device's memory: build the program again")
        return symbol

    def _room_after(self, address: int) -> int:
        """Bytes from an address to the end of the memory that it lies in."""
        memories = (
            (FLASH_BASE, self.flash_limit_bytes),
            (RAM_BASE, self.ram_limit_bytes),
            (SENSOR_BASE, self.sensor_bytes),
        )
        return max(base + size - address if base <= address else 0 for base, size in memories)

    def segments(self) -> Iterator[tuple[int, bytes]]:
        """Address in flash and content of each piece that a programmer would write there.

        Raises:
            ValueError: the file is damaged, or a piece lies outside of flash.
        """
        with _whole():
            parts = [part for part in self._file.iter_segments(type="PT_LOAD") if part["p_filesz"]]
            pieces = [(part["p_paddr"], part.data()) for part in parts]
        for address, content in pieces:
            if not 0 <= address - FLASH_BASE <= self.flash_limit_bytes - len(content):
                raise ValueError(
                    f"{len(content):,} bytes at 0x{address:08x} lie outside of the device's flash of "
                    f"{self.flash_limit_bytes:,}: link the program for this device"
                )
            yield address, content

    def read_code(self, address: int, size_bytes: int) -> bytes:
        """Read from flash, as the program lies there.

        Raises:
            ValueError: nothing lies at that address.
        """
        for base, content in self._flash:
            if base <= address < base + len(content):
                return content[address - base : address - base + size_bytes]
        raise ValueError(f"no code at 0x{address:08x}, flash starts at 0x{FLASH_BASE:08x}")

    def function_at(self, address: int) -> str | None:
        """Name of the function that holds an instruction's address, if any."""
        for name, symbol in self.symbols.items():
            if symbol.is_function and 0 <= address - symbol.address < symbol.size_bytes:
                return name
        return None

    def __repr__(self) -> str:
        """Show where every byte of the program goes."""
        rows = [
            ("code", self.code_bytes, "flash"),
            ("constants", self.constant_bytes, "flash"),
            ("initialised variables", self.data_bytes, "flash and RAM"),
            ("zeroed variables", self.zeroed_bytes, "RAM"),
            ("flash", self.flash_bytes, f"{self.flash_bytes / self.flash_limit_bytes:.1%} used"),
            ("RAM", self.ram_bytes, f"{self.ram_bytes / self.ram_limit_bytes:.1%} used, + stack"),
        ]
        lines = [f"{name:<22}{size:>9,} B   {where}" for name, size, where in rows]
        return "\n".join([f"program for {self.core}", *lines])

    @cached_property
    def _flash(self) -> tuple[tuple[int, bytes], ...]:
        return tuple(self.segments())

    @cached_property
    def _file(self) -> ELFFile:
        from elftools.elf.elffile import ELFFile

        with _whole():
            return ELFFile(io.BytesIO(self.elf))

    @cached_property
    def _sections(self) -> Mapping[str, int]:
        with _whole():
            return {part.name: part["sh_size"] for part in self._file.iter_sections()}


@contextmanager
def _whole() -> Iterator[None]:
    """Say in one sentence that a file is no linked program, wherever it fails to be one."""
    from elftools.common.exceptions import ELFError

    try:
        yield
    except (ELFError, KeyError, AssertionError, TypeError, AttributeError, OverflowError) as error:
        why = f"{type(error).__name__}: {error}"[:100]
        raise ValueError(f"not a whole linked program ({why}): build it again") from error
