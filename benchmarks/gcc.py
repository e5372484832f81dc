"""The same C by GCC for Arm, the compiler that most boards are programmed with.

It is no part of the set-up: on Debian `apt install gcc-arm-none-eabi libnewlib-arm-none-eabi`.
"""

from __future__ import annotations

import re
import shutil
import string
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.mcu.target.image import Image

NAME = "arm-none-eabi-gcc"
FLAGS = ("-O2", "-O3", "-Ofast")
"""Tried one after the other: Arm recommends -Ofast for CMSIS-NN, and it is not always the fastest."""

_TARGET = {"cortex-m4": ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")}
_COMMON = (
    "-std=gnu17",
    "-ffreestanding",
    "-ffunction-sections",
    "-fdata-sections",
    "-g",
    "-nostdlib",
    "-Wl,--gc-sections",
    "-Wl,-e,Reset_Handler",
    "-Wl,-T,link.ld",
)


def version() -> str | None:
    """Say which GCC for Arm is installed, such as "12.2.1"; None if there is none."""
    if shutil.which(NAME) is None:
        return None
    told = subprocess.run([NAME, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+\.\d+\.\d+)", told)
    return found[1] if found else "unknown"


def compile(
    sources: Mapping[str, str], core: str, *, optimize: str, flash_bytes: int, ram_bytes: int
) -> Image:
    """Compile and link as `toolchain.compile_c` does, by GCC and with newlib's memory functions.

    Raises:
        ToolchainError: the program was not built; the message holds what GCC said.
    """
    files = {**sources, "_startup.c": toolchain._asset("startup.c")}
    files["link.ld"] = string.Template(toolchain._asset("link.ld")).substitute(
        ram_origin="0x20000000",
        flash_bytes=flash_bytes,
        ram_bytes=ram_bytes,
        least_stack_bytes=toolchain.LEAST_STACK_BYTES,
    )
    with tempfile.TemporaryDirectory() as work:
        for name, text in files.items():
            Path(work, name).write_text(text, "utf-8")
        units = [name for name in files if name.endswith(".c")]
        command = [NAME, *_TARGET[core], optimize, *_COMMON, *units, "-lc", "-lgcc", "-o", "built.elf"]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        if done.returncode:
            raise toolchain.ToolchainError(f"{NAME}: {done.stderr[:2000]}")
        elf = Path(work, "built.elf").read_bytes()
    return Image(elf, core, flash_limit_bytes=flash_bytes, ram_limit_bytes=ram_bytes)
