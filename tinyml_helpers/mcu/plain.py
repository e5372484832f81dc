"""The loop that anyone would write first, compiled and counted: what good kernels are held against."""

from __future__ import annotations

from tinyml_helpers.mcu import emulator, toolchain

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


def instructions_per_mac(core: str, kind: str) -> float:
    """Instructions that the plain loop takes for each multiply-accumulate.

    Args:
        core: as for `toolchain.compile`: "Cortex-M4F".
        kind: a key of `KINDS`.

    Raises:
        ValueError: unknown core or kind.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: choose one of {', '.join(KINDS)}")
    number, total = KINDS[kind]
    source = SOURCE.replace("TYPE", number).replace("TOTAL", total)
    return emulator.run(toolchain.compile(source, core)).instructions / LENGTH
