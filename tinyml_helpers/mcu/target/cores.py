"""The cores that programs are compiled for and run on, and what tells their two architectures apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from unicorn import arm_const as arm
from unicorn import riscv_const as riscv
from unicorn import unicorn_const as const

from tinyml_helpers import devices
from tinyml_helpers.devices import Device

if TYPE_CHECKING:
    from capstone import Cs

_HALFWORDS = np.arange(1 << 16)


@dataclass(frozen=True, eq=False, repr=False)
class Architecture:
    """What the tools must know about an instruction set.

    Args:
        startup: file of the C that runs before `main`.
        flags: of clang, for each of its cores.
        gcc: its GCC as many call it, and the flags that give `printf` a way out to a debugger.
        emulator: architecture and mode of unicorn.
        stack_pointer: number of that register in unicorn, as the next two.
        return_address: the register that says where a function returns to.
        program_counter: the register that says where the program is.
        entry_bit: set in the address where the emulator starts; 1 stands for Thumb.
        register_pages: where the core's own registers lie, by pages of 4 KiB.
        cycle_counters: addresses of cycle counters, each in a page of its own.
        halfwords: uint8 array of shape (65536,): the halfwords of an instruction, by its first.
        decoder: gives a disassembler (capstone).
        mnemonic: what is left of an instruction's name without its width.
    """

    startup: str
    flags: tuple[str, ...]
    gcc: tuple[str, str]
    emulator: tuple[int, int]
    stack_pointer: int
    return_address: int
    program_counter: int
    entry_bit: int
    register_pages: tuple[int, ...]
    cycle_counters: tuple[int, ...]
    halfwords: npt.NDArray[np.uint8]
    decoder: Callable[[], Cs]
    mnemonic: Callable[[str], str]

    def decode(self, code: bytes, address: int) -> list[tuple[bytes, str, str]]:
        """Bytes, mnemonic and operands of each instruction of code that lies at an address."""
        listing = self.decoder().disasm_lite(code, address)
        return [
            (code[at - address :][:size], self.mnemonic(name), operands)
            for at, size, name, operands in listing
        ]


@cache
def _arm_decoder() -> Cs:
    from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, CS_OPT_SYNTAX_NOREGNAME, Cs

    decoder = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
    decoder.syntax = CS_OPT_SYNTAX_NOREGNAME  # r9, not sb
    return decoder


@cache
def _riscv_decoder() -> Cs:
    from capstone import CS_ARCH_RISCV, CS_MODE_RISCV32, CS_MODE_RISCVC, Cs

    return Cs(CS_ARCH_RISCV, CS_MODE_RISCV32 | CS_MODE_RISCVC)


ARM = Architecture(
    startup="startup.c",
    flags=(),
    gcc=("arm-none-eabi-gcc", "--specs=nano.specs --specs=rdimon.specs"),
    emulator=(const.UC_ARCH_ARM, const.UC_MODE_THUMB),
    stack_pointer=arm.UC_ARM_REG_SP,
    return_address=arm.UC_ARM_REG_LR,
    program_counter=arm.UC_ARM_REG_PC,
    entry_bit=1,
    register_pages=(0xE000_E000,),  # holds the register that switches the FPU on
    cycle_counters=(0xE000_1004,),  # DWT->CYCCNT
    halfwords=np.where(_HALFWORDS >= 0xE800, 2, 1).astype(np.uint8),
    decoder=_arm_decoder,
    mnemonic=lambda name: name.partition(".")[0],  # of `ldr.w`
)
"""Thumb, as all Cortex-M execute it."""

RISCV = Architecture(
    startup="startup_riscv.c",
    # No register is set apart for small variables or for the frame, and no unwinding is listed.
    flags=(
        "-msmall-data-limit=0",
        "-mno-relax",
        "-fomit-frame-pointer",
        "-fno-unwind-tables",
        "-fno-asynchronous-unwind-tables",
    ),
    gcc=("riscv64-unknown-elf-gcc", "--specs=nano.specs --specs=semihost.specs"),
    emulator=(const.UC_ARCH_RISCV, const.UC_MODE_RISCV32),
    stack_pointer=riscv.UC_RISCV_REG_SP,
    return_address=riscv.UC_RISCV_REG_RA,
    program_counter=riscv.UC_RISCV_REG_PC,
    entry_bit=0,
    register_pages=(),
    cycle_counters=(),  # it is no memory, and each maker has a register of its own
    halfwords=np.where(_HALFWORDS & 3 == 3, 2, 1).astype(np.uint8),
    decoder=_riscv_decoder,
    mnemonic=lambda name: name.removeprefix("c."),  # of `c.lw`
)
"""RV32 with multiplication and short instructions."""


@dataclass(frozen=True, eq=False)
class Core:
    """A core, as clang, GCC and the emulator call it.

    Args:
        architecture: its instruction set.
        target: triple of clang, with the convention for floating point.
        cpu: name and features in clang.
        model: number in unicorn.
        gcc: flags of GCC.
        dsp: whether it has the DSP instructions that kernels are written for.
    """

    architecture: Architecture
    target: str
    cpu: str
    model: int
    gcc: str
    dsp: bool = False


_SOFT, _HARD, _RISCV = (
    "thumb-freestanding-eabi",
    "thumb-freestanding-eabihf",
    "riscv32-freestanding-none",
)
_E31 = riscv.UC_CPU_RISCV32_SIFIVE_E31  # rv32imac and nothing else
# zig's names of Cortex-M leave the FPU (and the M33's DSP instructions) out: they are added here.
CORES: Mapping[str, Core] = {
    "cortex-m0plus": Core(
        ARM, _SOFT, "cortex_m0plus", arm.UC_CPU_ARM_CORTEX_M0, "-mcpu=cortex-m0plus -mthumb"
    ),
    "cortex-m3": Core(ARM, _SOFT, "cortex_m3", arm.UC_CPU_ARM_CORTEX_M3, "-mcpu=cortex-m3 -mthumb"),
    "cortex-m4": Core(
        ARM,
        _HARD,
        "cortex_m4+vfp4d16sp",
        arm.UC_CPU_ARM_CORTEX_M4,
        "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard",
        dsp=True,
    ),
    "cortex-m7": Core(
        ARM,
        _HARD,
        "cortex_m7+fp_armv8d16",
        arm.UC_CPU_ARM_CORTEX_M7,
        "-mcpu=cortex-m7 -mthumb -mfpu=fpv5-d16 -mfloat-abi=hard",
        dsp=True,
    ),
    "cortex-m33": Core(
        ARM,
        _HARD,
        "cortex_m33+fp_armv8d16sp+dsp",
        arm.UC_CPU_ARM_CORTEX_M33,
        "-mcpu=cortex-m33 -mthumb -mfpu=fpv5-sp-d16 -mfloat-abi=hard",
        dsp=True,
    ),
    "espressif-rv32imc": Core(RISCV, _RISCV, "generic_rv32+m+c", _E31, "-march=rv32imc -mabi=ilp32"),
    "espressif-rv32imac": Core(RISCV, _RISCV, "generic_rv32+m+a+c", _E31, "-march=rv32imac -mabi=ilp32"),
    # It has Zba, Zbb, Zbs and more, which stop the emulator (unicorn 2.1.4): it does without them here.
    "hazard3-rv32imac": Core(RISCV, _RISCV, "generic_rv32+m+a+c", _E31, "-march=rv32imac -mabi=ilp32"),
}
"""Name -> core, smallest Cortex-M first."""


def core_name(core: str) -> str:
    """The name in `CORES` of a core as a datasheet spells it: "Cortex-M0+" is "cortex-m0plus"."""
    return core.lower().replace("+", "plus").replace(" ", "-").removesuffix("f")


def emulated_devices() -> list[Device]:
    """The devices of the catalogue whose core is one of `CORES`."""
    return [device for device in devices.catalogue() if core_name(device.core) in CORES]


def core_of(device: Device) -> Core:
    """The core of a device.

    Raises:
        ValueError: it is none that is emulated; the message names devices whose core is.
    """
    core = CORES.get(core_name(device.core))
    if core is None:
        keys = ", ".join(one.key for one in emulated_devices())
        raise ValueError(f"{device.name}: {device.core} is not emulated here, choose one of {keys}")
    return core
