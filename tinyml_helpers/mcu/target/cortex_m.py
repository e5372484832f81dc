"""How long the instructions of a Cortex-M take, by the manual of each core.

A `Cost` is what an instruction takes alone, with memory that answers at once, and what decides whether
it overlaps with the one before it. The rules are those of Arm's Technical Reference Manuals (TRM):

- M4, M3 (DDI0439, DDI0337I, 3.3 and 3.3.2): a load takes 2 cycles and one less behind another load,
  unless it needs that one's result as an address; a store 1, with an offset in a register 2; nothing
  overlaps with a store, nor with what moves several words; 1 + N for N words; a jump that is taken
  fills the pipeline again, in 1 to 3 cycles by where it lands (taken as 2). The M4's FPU: 7.2.3.
- M0+ (DDI0484, 3.3): a load or store takes 2, several words 1 + N, a jump that is taken 1 more.
- M33, M7: Arm publishes no table. Theirs is the M4's divided by what boards with these cores were
  measured to gain (`CORES` says by whom).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tinyml_helpers.mcu.target.costs import CoreTiming, Cost

_SEVERAL = ("ldm", "stm", "push", "pop", "vldm", "vstm", "vpush", "vpop")
_ADDED = ("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms")  # to a sum, in float
# A division takes 2 to 12 cycles by its operands: the middle stands here.
_LONG_M4 = {"sdiv": 7, "udiv": 7, "vdiv": 14, "vsqrt": 14} | dict.fromkeys(_ADDED, 3)
_LONG_M3 = {"sdiv": 7, "udiv": 7, "mla": 2, "mls": 2} | {
    "umull": 4, "smull": 4, "umlal": 5, "smlal": 5,  # 3 to 5 and 4 to 7
}  # fmt: skip
_LONG_M0 = dict.fromkeys(("mrs", "msr", "dmb", "dsb", "isb"), 3)
_REGISTER = re.compile(r"\b(r\d+|sb|sl|fp|ip|sp|lr|pc)\b")
_OTHER_NAMES = {"sb": 9, "sl": 10, "fp": 11, "ip": 12, "sp": 13, "lr": 14, "pc": 15}
_OFFSET_IN_REGISTER = re.compile(r"\[\w+, *-?[a-z]")
_LOADS_SEVERAL = ("ldm", "pop", "vldm", "vpop")
_NO_RESULT = ("cmp", "cmn", "tst", "teq", "nop", "it", "v")


def decode_thumb(code: bytes, address: int) -> list[tuple[int, str, str]]:
    """Size in bytes, name and operands of each instruction of a piece of code."""
    from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, Cs

    decoder = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
    listing = decoder.disasm_lite(code, address)
    return [(size, name.split(".")[0], operands) for _, size, name, operands in listing]


def cost_m4(name: str, operands: str) -> Cost:
    """What an instruction takes on a Cortex-M4."""
    return _memory(name, operands) or _other(name, operands, _LONG_M4)


def cost_m3(name: str, operands: str) -> Cost:
    """What an instruction takes on a Cortex-M3, which multiplies to 64 bits slowly."""
    memory = _memory(name, operands)
    if memory and memory.overlaps and ("]," in operands or operands.endswith("!")):
        return Cost(2, writes=memory.writes, address=memory.address, loads=memory.loads)
    return memory or _other(name, operands, _LONG_M3)


def cost_m0plus(name: str, operands: str) -> Cost:
    """What an instruction takes on a Cortex-M0+ with the multiplier of one cycle."""
    if name.startswith(_SEVERAL):
        jump = 2 * ("pc" in operands)
        return Cost(1 + _count(operands), jump, loads=name.startswith(_LOADS_SEVERAL))
    if name.startswith(("ldr", "str")):
        return Cost(2, loads=name.startswith("ldr"))
    return Cost(_LONG_M0.get(name, 1), (2 if name == "bl" else 1) * _jumps(name, operands))


CORES: Mapping[str, CoreTiming] = {
    "cortex-m0plus": CoreTiming(cost_m0plus, decode_thumb, 1.0, "Cortex-M0+ TRM"),
    "cortex-m3": CoreTiming(cost_m3, decode_thumb, 1.0, "Cortex-M3 TRM"),
    "cortex-m4": CoreTiming(cost_m4, decode_thumb, 1.0, "Cortex-M4 TRM"),
    "cortex-m33": CoreTiming(
        cost_m4, decode_thumb, 1.05, "Cortex-M4 TRM / 1.05, by nine runs on an STM32U575", spread=0.12
    ),
    "cortex-m7": CoreTiming(
        cost_m4,
        decode_thumb,
        1.55,
        "Cortex-M4 TRM / 1.55, by twelve runs on STM32H7A3 and F746",
        spread=0.15,
    ),
}
"""Core -> its table; the runs are those of `data/reference/board_cells.json`."""


def _memory(name: str, operands: str) -> Cost | None:
    """What a load or store takes on the M3 and M4; `None` if it is neither."""
    written = _registers(operands.partition(",")[0])
    inside = operands.partition("[")[2].partition("]")[0]
    if name.startswith(_SEVERAL):
        base = 0 if "{" in operands[:1] else written
        jump = 2 * ("pc" in operands)
        loads = name.startswith(_LOADS_SEVERAL)
        return Cost(1 + _count(operands), jump, address=base, loads=loads)
    if name.startswith(("tbb", "tbh")):
        return Cost(3, 3, address=_registers(inside), loads=True)
    if name.startswith(("ldrd", "strd")):
        return Cost(3, address=_registers(inside), loads=name[0] == "l")
    if name.startswith(("vldr", "vstr")):
        return Cost(1 + _words(operands), address=_registers(inside), loads=name[1] == "l")
    if name.startswith("ldr"):
        jump = 3 * operands.startswith("pc")
        return Cost(2, jump, written, _registers(inside), True, not jump, True)
    if name.startswith("str"):
        slow = bool(_OFFSET_IN_REGISTER.search(operands))
        return Cost(2 if slow else 1, address=_registers(inside), overlaps=slow)
    return None


def _other(name: str, operands: str, long: Mapping[str, int]) -> Cost:
    jumps = _jumps(name, operands)
    none = jumps or name.startswith(_NO_RESULT)
    result = 0 if none else _registers(operands.partition(",")[0])
    return Cost(long.get(name, 1), 2 * jumps, result, computes=bool(result))


def _jumps(name: str, operands: str) -> bool:
    """Whether an instruction that moves no memory can go elsewhere."""
    conditional = len(name) == 3 and name[0] == "b" and name not in ("bic", "bfi", "bfc")
    to_pc = name.startswith(("mov", "add")) and operands.startswith("pc")
    return name in ("b", "bl", "bx", "blx", "cbz", "cbnz") or conditional or to_pc


def _registers(text: str) -> int:
    """Bit n for each register n that is named."""
    names = _REGISTER.findall(text)
    numbers = (_OTHER_NAMES[name] if name in _OTHER_NAMES else int(name[1:]) for name in names)
    return sum(1 << number for number in set(numbers))


def _count(operands: str) -> int:
    """Words that an instruction for several registers moves."""
    registers = operands.count(",") + 1 - (0 if operands.startswith("{") else 1)
    return registers * _words(operands.partition("{")[2])


def _words(operands: str) -> int:
    """Words of the first register: a `d` register of the FPU has two."""
    return 2 if operands.startswith("d") else 1
