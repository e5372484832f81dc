"""The run that a board repeats: what it must find, as C for the board and as JSON for who compares."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.mcu.compiler.codegen import Program
from tinyml_helpers.mcu.pipeline import Pipeline
from tinyml_helpers.mcu.projects import PLAIN
from tinyml_helpers.mcu.run import Run

FILE = "emulated.json"
"""Beside the project: what the emulated run took and found, under `KEYS`, and the toolchain."""
KEYS = (
    "name", "model", "device", "checks", "bytes", "instructions", "cycles_of_the_core", "cycles_low",
    "cycles_high", "stack_bytes",
)  # fmt: skip
_SPARE_STACK_BYTES = 512


def describe(
    program: Program, pipeline: Pipeline | None, files: Mapping[str, str], run: Run
) -> tuple[dict[str, str], dict[str, Any]]:
    """Describe a run that a board repeats.

    Args:
        program: the network.
        pipeline: what stands around it.
        files: all C of the network and its self-test.
        run: of `self_test.first_inputs`; behind a pipeline the second in a row.

    Returns:
        Words for the C of the board, and what `tinyml board check` compares with.

    Raises:
        ValueError: a network that remembers, behind a pipeline: a board cannot repeat its run.
    """
    name, remembers = program.name, bool(program.graph.variables)
    if pipeline and remembers:
        raise ValueError("a network that remembers, behind a pipeline: export it without a toolchain")
    ports = [f"{name}_output{i or ''}" for i in range(len(run.outputs))]
    values = np.concatenate([output.ravel() for output in run.outputs])
    room = (run.stack_bytes + _SPARE_STACK_BYTES + 7) // 8 * 8
    words = {
        "model": _checksum(files[f"{name}_self_test.c"]),
        "outputs": c_source.array("int8_t", "expected", values),
        "compare": "\n    ".join(f"compare({port}(), {port.upper()}_COUNT);" for port in ports),
        "reset": f"{name}_reset();" if remembers else "",
        "again": "if (length) return line; /* the chain remembers: it runs once */" if pipeline else "",
        "stack_room": str(room),
        "task_stack": str(room + 4096),
    }
    header = files[f"{name}_self_test.h"]
    checks = re.search(rf"define {name.upper()}_CHECKS (\d+)", header)
    assert checks is not None  # the template has it
    cycles = run.cycles
    sizes = (int(checks[1]), int(values.size), run.instructions)
    found = (name, words["model"], run.device.key, *sizes, cycles.issue, cycles.low, cycles.high)
    emulated = dict(zip(KEYS, (*found, run.stack_bytes), strict=True))
    return words, emulated


def kit_of(folder: Path) -> str:
    """For which toolchain the export in a folder was written."""
    try:
        return str(json.loads((folder / FILE).read_text("utf-8"))["kit"])
    except FileNotFoundError:
        return PLAIN
    except (ValueError, KeyError, TypeError):
        return ""


def _checksum(self_test: str) -> str:
    """CRC-32 of the sums that constants and layers must have: the same network and kernels, the same."""
    sums = self_test.rpartition("_expected[")[2]
    return f"{zlib.crc32(' '.join(re.findall(r'[0-9]+u', sums)).encode()):08x}"
