"""The loop that anyone would write first, compiled and counted: what good kernels are held against."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml_helpers import devices
from tinyml_helpers.mcu.target import timing, toolchain
from tinyml_helpers.mcu.target.emulator import Machine

LENGTH = 8192
SOURCE = """TYPE x[8192], w[8192];
TOTAL result;
int main(void) {
    TOTAL sum = 0;
    for (int i = 0; i < 8192; i++) sum += x[i] * w[i];
    result = sum;
}
"""
"""A sum of products; TYPE and TOTAL are those of `KINDS`."""

KINDS = {
    "float": ("float", "float"),
    "int8": ("signed char", "int"),
    "int16": ("short", "int"),
}
"""Name -> C types of a number and of the sum."""


@dataclass(frozen=True)
class PerMac:
    """What a loop takes for each multiply-accumulate: instructions, and cycles at the least."""

    instructions: float
    cycles: float


def per_mac(device: str, kind: str) -> PerMac:
    """What the plain loop takes for each multiply-accumulate.

    Args:
        device: the key of a device with a Cortex-M or RISC-V core: "nano33ble".
        kind: a key of `KINDS`.

    Returns:
        Instructions as executed, cycles with memory that answers at once.

    Raises:
        ValueError: unknown device or kind.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: choose one of {', '.join(KINDS)}")
    chosen, (number, total) = devices.get(device), KINDS[kind]
    source = SOURCE.replace("TYPE", number).replace("TOTAL", total)
    image = toolchain.compile_c(source, chosen.core)
    machine = Machine(image)
    run = machine.run()
    cycles = timing.by_table(image, machine.blocks())
    return PerMac(run.instructions / LENGTH, cycles.issue / LENGTH)
