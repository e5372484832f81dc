"""What an instruction takes, and the table of such costs that a core has: any architecture's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one instruction takes.

    Attributes:
        cycles: alone, if it does not jump.
        taken: further cycles if it jumps.
        writes: bit n: it writes register n.
        address: bit n: register n is part of the address that it reads or writes.
        overlaps: one cycle less behind one that `opens`, but for an address that that one loads.
        opens: the next instruction may overlap with it.
        loads: it reads memory.
        computes: its result comes a cycle late where the next one needs it as an address.
    """

    cycles: int
    taken: int = 0
    writes: int = 0
    address: int = 0
    overlaps: bool = False
    opens: bool = False
    loads: bool = False
    computes: bool = False


@dataclass(frozen=True)
class CoreTiming:
    """The table of a core.

    Args:
        cost: name and operands of an instruction -> what it takes.
        decode: code and its address -> size in bytes, name and operands of each instruction.
        divided_by: the sum of the table is divided by this.
        source: where the table stands, and who measured the divisor.
        spread: by how much the divisor may be wrong, as a part of 1.
    """

    cost: Callable[[str, str], Cost]
    decode: Callable[[bytes, int], Sequence[tuple[int, str, str]]]
    divided_by: float
    source: str
    spread: float = 0.0
