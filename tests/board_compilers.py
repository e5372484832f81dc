"""GCC and clang for Arm as a firmware maker calls them, and QEMU's boards to run what they make."""

import ctypes
import os
import shutil
import subprocess
import sys

from tinyml_helpers.mcu.target import toolchain

GCC, CLANG = shutil.which("arm-none-eabi-gcc"), shutil.which("clang")
QEMU, CMAKE = shutil.which("qemu-system-arm"), shutil.which("cmake")
CORES = {
    "m0plus": ["-mcpu=cortex-m0plus"],
    "m3": ["-mcpu=cortex-m3"],
    "m4": ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "m7": ["-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"],
    "m33": ["-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"],
}
RISCV = {
    "rv32imc": ["--target=riscv32-unknown-elf", "-march=rv32imc", "-mabi=ilp32"],
    "rv32imac": ["--target=riscv32-unknown-elf", "-march=rv32imac", "-mabi=ilp32"],
}
LEVELS = ["-O0", "-O1", "-O2", "-O3", "-Os"]
WARNINGS = [
    *("-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wsign-conversion", "-Wshadow"),
    *("-Wdouble-promotion", "-Wundef"),
]
C, CPLUSPLUS = ["-x", "c", "-std=c17"], ["-x", "c++", "-std=gnu++17"]
# QEMU's board for a core, where its flash and RAM lie, and how much there is of each.
BOARDS = {
    "m0plus": ("mps2-an385", 0, 0x20000000, 4 << 20),  # it has no Cortex-M0 with so much memory
    "m3": ("mps2-an385", 0, 0x20000000, 4 << 20),
    "m4": ("mps2-an386", 0, 0x20000000, 4 << 20),
    "m7": ("mps2-an500", 0, 0x20000000, 4 << 20),
    "m33": ("mps2-an505", 0x10000000, 0x38000000, 2 << 20),
}
START = """#include <stdint.h>
extern uint32_t __stack[];
void _start(void);
void Reset_Handler(void);
void Reset_Handler(void) {
#ifdef __ARM_FP
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* the FPU */
    __asm__ volatile("dsb\\n isb");
#endif
    _start();
}
__attribute__((section(".vectors"), used)) static void *const vectors[2] = {
    (void *)__stack, (void *)(uintptr_t)Reset_Handler,
};
"""
LINK = """MEMORY {{
  FLASH (rx) : ORIGIN = {flash}, LENGTH = {size}
  RAM (rwx) : ORIGIN = {ram}, LENGTH = {size}
}}
SECTIONS {{
  .text : {{
    KEEP(*(.vectors)) *(.text .text.*) KEEP(*(.init)) KEEP(*(.fini)) *(.rodata .rodata.*)
  }} > FLASH
  .ARM.exidx : {{ *(.ARM.exidx*) }} > FLASH
  .data : {{ *(.data .data.*) }} > RAM
  .bss : {{ __bss_start__ = .; *(.bss .bss.* COMMON) . = ALIGN(8); __bss_end__ = .; }} > RAM
  end = .;
  __end__ = .;
  __stack = ORIGIN(RAM) + LENGTH(RAM);
}}
"""


def compile_all(compiler, sources, core, *flags, folder):
    """Compile each source by itself, in one call of the compiler; return what it says."""
    target = ["--target=arm-none-eabi"] if "clang" in compiler else []
    target = RISCV[core] if core in RISCV else [*target, "-mthumb", *CORES[core]]
    command = [compiler, *target, "-ffreestanding", *flags, *sources]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return "" if done.returncode == 0 and not done.stderr else done.stderr[:3000] or "failed"


def build(project, core, folder):
    """Build an exported project as its README says; return the folder of its programs."""
    _, flash, ram, size = BOARDS[core]
    (folder / "board.c").write_text(START)
    (folder / "board.ld").write_text(LINK.format(flash=flash, ram=ram, size=size))
    board = f"{folder / 'board.c'} -T {folder / 'board.ld'}"
    options = ["-DCMAKE_C_COMPILER=arm-none-eabi-gcc", "-DCMAKE_SYSTEM_NAME=Generic"]
    options.append(f"-DCMAKE_EXE_LINKER_FLAGS={board}")
    for command in (
        ["cmake", "-S", project, "-B", folder / "build", *options],
        ["cmake", "--build", folder / "build"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return folder / "build"


def run(program, core, *options):
    """Run a program on QEMU's board; return the number it leaves with, and what it printed."""
    machine = ["-machine", BOARDS[core][0], "-display", "none", "-monitor", "none", "-serial", "none"]
    halt = ["-semihosting-config", "enable=on,target=native", "-no-reboot", *options]
    command = [QEMU, *machine, *halt, "-kernel", program]
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    done = subprocess.run(command, timeout=300, stdout=pipe, stderr=both, text=True)
    return done.returncode, done.stdout


def load_on_host(folder, *arguments):
    """Make a shared library of C and C++ by the compiler that pip brings, for this computer; load it."""
    cache = str(toolchain.cache_dir() / "zig")
    flags = ["-shared", "-fPIC", "-O1", "-fno-sanitize=all", "-fno-exceptions"]
    done = subprocess.run(
        [sys.executable, "-m", "ziglang", "c++", *flags, *arguments, "-o", "made.so"],
        cwd=folder,
        env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[:3000]
    return ctypes.CDLL(str(folder / "made.so"))
