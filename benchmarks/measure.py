"""Build a network with some engine's kernels, run it and hold every output byte against LiteRT's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from mcu_host import Reference

from tinyml_helpers import devices
from tinyml_helpers.mcu.compiler import codegen, graph
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.image import Image
from tinyml_helpers.mcu.target.timer import Timer

NETWORKS = {
    "DS-CNN": "keyword_spotting",
    "ResNet-8": "image_classification",
    "visual wake words": "visual_wake_words",
    "autoencoder": "anomaly_detection",
}
BOARDS = {
    "cortex-m4": "nucleo_l4r5zi",
    "cortex-m7": "nucleo_h7a3zi",
    "cortex-m0plus": "nucleo_g0b1re",
}
"""Core -> the board whose flash is waited for: each was held against public runs."""

MAIN = '#include "model.h"\nint main(void) { model_invoke(); return 0; }'


@dataclass(frozen=True)
class Result:
    """One build of one network on one core.

    Args:
        optimize: the compiler's flag.
        instructions: of a run, counted.
        cycles: by the table of the core alone.
        board_cycles: estimated on the board of `BOARDS`, with its waits.
        fetch_waits: those for instructions.
        constant_waits: those for weights, scales and tables.
        macs: multiplications with a weight.
        flash_bytes: code and constants.
        ram_bytes: arena and stack.
        wrong: output bytes of three runs that differ from LiteRT's reference.
    """

    optimize: str
    instructions: int
    cycles: int
    board_cycles: int
    fetch_waits: int
    constant_waits: int
    macs: int
    flash_bytes: int
    ram_bytes: int
    wrong: int


def measure(
    content: bytes,
    program: codegen.Program,
    core: str,
    build: Callable[..., Image] = toolchain.compile_c,
    optimize: str = "-O2",
) -> Result:
    """Build and run on three inputs; the last run is timed."""
    files = {**program.files, "main.c": MAIN}
    image = build(files, core, optimize=optimize, flash_bytes=4 << 20, ram_bytes=2 << 20)
    machine, reference, g = Machine(image), Reference(content), program.graph
    (first,), (last,) = g.inputs, g.outputs
    spans = [(program.arena.offset(i), g.tensors[i].size_bytes) for i in (first, last)]
    given, out = (f"model_arena[{start}:{start + size}]" for start, size in spans)
    source = graph.read(content)
    tensor, rng, wrong = source.tensors[source.inputs[0]], np.random.default_rng(0), 0
    for _ in range(3):
        x = rng.integers(-128, 128, tensor.shape).astype(np.int8)
        if tensor.dtype == "float32":
            x = (rng.normal(size=tensor.shape) * 60 * g.tensors[first].scale).astype(np.float32)
        quantized, want = reference.run([x], (first, last))
        run = machine.run({given: quantized}, {out: "int8"})
        wrong += int((run.outputs[out] != want.ravel()).sum())
    timer = Timer(image, devices.get(BOARDS[core]), machine.blocks(), {given: quantized})
    plain, board = timer.by_table(), timer.cycles()
    return Result(
        optimize, run.instructions, plain.issue, board.total, board.fetch, board.constants, program.macs,
        image.flash_bytes, program.arena.size_bytes + run.stack_bytes, wrong,
    )  # fmt: skip


def measure_best(
    content: bytes,
    program: codegen.Program,
    core: str,
    flags: Iterable[str],
    build: Callable[..., Image] = toolchain.compile_c,
) -> Result:
    """Build with each flag, and keep what should take the least time on the board."""
    results = [measure(content, program, core, build, flag) for flag in flags]
    return min(results, key=lambda one: one.board_cycles)
