"""Cycles of RISC-V cores: what each kind of instruction takes at the least and at the most.

The makers of two of the cores state no timing, so the tables hold what others measured on boards with
code and data in RAM. What depends on the past of a branch predictor, on alignment or on who measured
is a range. No public run of a network validates the sum.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinyml_helpers.mcu.target.cores import CORES
from tinyml_helpers.mcu.target.counting import CodeBlock
from tinyml_helpers.mcu.target.image import Image

Range = tuple[int, int]
_LOADS = ("lb", "lbu", "lh", "lhu", "lw", "lwsp")
_STORES = ("sb", "sh", "sw", "swsp")
_BRANCHES = ("beq", "bne", "blt", "bge", "bltu", "bgeu", "beqz", "bnez", "blez", "bgez", "bltz", "bgtz")
_COPIES = ("mv", "li", "lui", "neg", "not", "seqz", "snez")  # two operands, and only the second is read
_KINDS = {
    **dict.fromkeys(("j", "jal", "jr", "jalr", "ret"), "jump"),
    **dict.fromkeys(("mulh", "mulhu", "mulhsu"), "high_product"),
    **dict.fromkeys(("div", "divu", "rem", "remu"), "division"),
}


@dataclass(frozen=True)
class Rules:
    """Cycles of a core, from least to most; whatever is not named takes one.

    Args:
        source: where they stand, or who measured them.
        load: from memory.
        used_load: one whose value is an address or a number of the very next instruction.
        jump: unconditional, calls and returns.
        high_product: the upper half of a product.
        division: or remainder.
        back: a branch backwards that is taken, and one that is not.
        forth: a branch forwards that is taken, and one that is not.
    """

    source: str
    load: Range
    used_load: Range
    jump: Range
    high_product: Range
    division: Range
    back: tuple[Range, Range]
    forth: tuple[Range, Range]


_ESPRESSIF = "timing measured by ctrlsrc.io (2023) and LLTA-Bench"
RULES: Mapping[str, Rules] = {
    # Products and quotients were measured on the C6 only, and are taken for both.
    "espressif-rv32imc": Rules(
        f"ESP32-C3 {_ESPRESSIF}", (1, 2), (2, 3), (2, 2), (2, 2), (10, 10),
        ((3, 3), (1, 1)), ((3, 3), (1, 1)),
    ),
    "espressif-rv32imac": Rules(
        f"ESP32-C6 {_ESPRESSIF}", (1, 2), (2, 3), (1, 3), (2, 2), (10, 10),
        ((1, 2), (3, 4)), ((3, 4), (1, 2)),
    ),
    # Its documentation times the fastest configuration, which is taken for the RP2350's.
    "hazard3-rv32imac": Rules(
        "Hazard3 timing, Instruction Cycle Counts of its documentation", (1, 1), (2, 2), (2, 3),
        (1, 1), (18, 19), ((1, 3), (1, 2)), ((2, 3), (1, 2)),
    ),
}  # fmt: skip
"""Core -> its cycles.

Sources: https://ctrlsrc.io/posts/2023/counting-cpu-cycles-on-esp32c3-esp32c6 (branches, jumps, loads),
https://github.com/nilhoel1/LLTA-Bench, RESULTS.md (latencies of the ESP32-C6), and
https://github.com/Wren6991/Hazard3, doc/sections/instruction_timings.adoc.
"""


def bounds(image: Image, blocks: Iterable[CodeBlock]) -> tuple[int, int, str]:
    """Cycles of a run with memory that answers at once.

    Args:
        image: the program, for one of the cores of `RULES`.
        blocks: what was executed.

    Returns:
        At the least, at the most, and where the table comes from.
    """
    rules, decode = RULES[image.core], CORES[image.core].architecture.decode
    low = high = 0
    for address, size, entries, passed in blocks:
        decoded = decode(image.read_code(address, size), address)
        listing = [(name, operands) for _, name, operands in decoded]
        for least, most in _straight(rules, listing):
            low, high = low + entries * least, high + entries * most
        name, operands = listing[-1]
        if name in _BRANCHES:
            jump, none = rules.back if operands.split()[-1].startswith("-") else rules.forth
            low += (entries - passed) * jump[0] + passed * none[0]
            high += (entries - passed) * jump[1] + passed * none[1]
    return low, high, rules.source


def _straight(rules: Rules, listing: Sequence[tuple[str, str]]) -> Iterator[Range]:
    """Cycles of each instruction of a block, once; a branch at its end is left out."""
    followed = [*listing[1:], ("", "")]
    for (name, operands), after in zip(listing, followed, strict=True):
        if name in _LOADS:
            register = operands.partition(",")[0]
            yield rules.used_load if register in _reads(*after) else rules.load
        elif name not in _BRANCHES:
            yield getattr(rules, _KINDS[name]) if name in _KINDS else (1, 1)


def _reads(name: str, operands: str) -> list[str]:
    """Registers that an instruction needs at once: what it stores may come a cycle later."""
    registers = re.findall(r"\b[a-z]\w*", operands)
    writes = name in (*_LOADS, *_STORES, *_COPIES) or operands.count(",") == 2
    return registers[1:] if writes and name not in _BRANCHES else registers
