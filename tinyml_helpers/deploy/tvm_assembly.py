"""What a compiler made of a kernel: how many of its instructions multiply one number, or several."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tinyml_helpers.deploy.tvm import host_target

# A multiplication of floats, with or without an addition, on x86-64 and on 64-bit Arm. There "ss" is a
# single number and "ps" a register full of them; here "s0" is the one, "v0.4s" the other.
_SINGLE = r"v?(?:mul|fn?m(?:add|sub)\d+)ss\s|fn?m(?:add|sub|ul)\s+s\d"
_PACKED = r"v?(?:mul|fn?m(?:add|sub)\d+)ps\s|fm(?:ul|la|ls)\s+v\d+\.[24]s"


@dataclass(frozen=True)
class Multiplications:
    """Instructions of a listing that multiply floats: `single` numbers, or `packed` ones at once."""

    single: int
    packed: int


def write_assembly(kernel: Any) -> str:
    """Return the assembly that LLVM writes, for this machine, of a module of TVM with one kernel."""
    import tvm  # type: ignore[import-untyped]

    return str(tvm.compile(kernel, host_target()).mod.inspect_source("asm"))


def count_multiplications(listing: str) -> Multiplications:
    """Count the instructions that multiply floats, as they stand in an assembly listing.

    Args:
        listing: what LLVM writes for x86-64 or 64-bit Arm.

    Raises:
        ValueError: none is found; the listing may be that of another processor.
    """
    single, packed = (
        len(re.findall(rf"^\s+(?:{pattern})", listing, re.MULTILINE)) for pattern in (_SINGLE, _PACKED)
    )
    if not single + packed:
        raise ValueError("no multiplication of floats in the listing: is it of x86-64 or 64-bit Arm?")
    return Multiplications(single, packed)
