"""Write a firmware as a project for a real board: C, a main, a self-test, CMake and Arduino layouts."""

from __future__ import annotations

import string
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyml_helpers.mcu.report import Run

if TYPE_CHECKING:
    from tinyml_helpers.mcu.firmware import Firmware

_TEMPLATES = Path(__file__).parent / "templates"
_FLAGS = {
    "cortex-m0plus": "-mcpu=cortex-m0plus -mthumb",
    "cortex-m3": "-mcpu=cortex-m3 -mthumb",
    "cortex-m4": "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard",
    "cortex-m7": "-mcpu=cortex-m7 -mthumb -mfpu=fpv5-d16 -mfloat-abi=hard",
    "cortex-m33": "-mcpu=cortex-m33 -mthumb -mfpu=fpv5-sp-d16 -mfloat-abi=hard",
}


def export(firmware: Firmware, folder: Path, run: Run | None = None) -> Path:
    """Write the project.

    Args:
        firmware: the network.
        folder: created if missing; files of the same names are replaced.
        run: a run whose figures and output go into the README and the self-test; left out, the
            network is run once on an input of a fixed pattern.

    Returns:
        The folder.

    Raises:
        FileExistsError: there is a file of that name.
        ValueError: the network takes or gives something else than int8.
    """
    program, name = firmware.program, firmware.program.name
    tensors = [program.graph.tensors[i] for i in (*program.graph.inputs, *program.graph.outputs)]
    if any(t.dtype != "int8" for t in tensors):
        raise ValueError(
            "a network with float inputs or outputs: build it without float_io to export it"
        )
    given = _pattern(firmware)
    measured = firmware.run(*given) if run is None else run
    expected = firmware.run(*given).outputs
    words = _words(firmware, measured)
    source, sketch = folder / "src", folder / "arduino" / name
    for place in (source, sketch):
        place.mkdir(parents=True, exist_ok=True)
        for file, text in {**program.files, f"{name}_test.h": _vectors(given, expected)}.items():
            (place / file).write_text(text, "utf-8")
    for template, target in (
        ("main.c", source / "main.c"),
        ("sketch.ino", sketch / f"{name}.ino"),
        ("CMakeLists.txt", folder / "CMakeLists.txt"),
        ("README.md", folder / "README.md"),
    ):
        text = (_TEMPLATES / template).read_text("utf-8")
        target.write_text(string.Template(text).substitute(words), "utf-8")
    return folder


def _pattern(firmware: Firmware) -> list[np.ndarray]:
    """Inputs that need no file: a ramp over all int8."""
    graph = firmware.program.graph
    tensors = [graph.tensors[i] for i in graph.inputs]
    return [((np.arange(t.size) * 37) % 256 - 128).astype(np.int8).reshape(t.shape) for t in tensors]


def _vectors(given: list[np.ndarray], expected: tuple[np.ndarray, ...]) -> str:
    lines = ["/* What the network must answer to a fixed input: byte for byte, on any core. */"]
    for kind, arrays in (("input", given), ("output", expected)):
        for i, array in enumerate(arrays):
            values = ", ".join(map(str, array.ravel().tolist()))
            lines.append(
                f"static const int8_t test_{kind}{i or ''}[{array.size}] = {{\n    {values},\n}};"
            )
    return "\n".join([*lines, ""])


def _words(firmware: Firmware, run: Run) -> dict[str, str]:
    program, graph = firmware.program, firmware.program.graph
    name = program.name
    ports = {
        kind: [f"{kind}{i or ''}" for i in range(len(numbers))]
        for kind, numbers in (("input", graph.inputs), ("output", graph.outputs))
    }
    fill = [f"memcpy({name}_{p}(), test_{p}, sizeof test_{p});" for p in ports["input"]]
    check = [
        f"for (unsigned i = 0; i < sizeof test_{p}; i++) wrong += {name}_{p}()[i] != test_{p}[i];"
        for p in ports["output"]
    ]
    files = sorted(f"src/{file}" for file in program.files if file.endswith(".c"))
    return {
        "name": name,
        "NAME": name.upper(),
        "device": firmware.device.name,
        "core": firmware.device.core,
        "flags": _FLAGS[firmware.image.core],
        "fill": "\n    ".join(fill),
        "check": "\n    ".join(check),
        "files": "\n    ".join([*files, "src/main.c"]),
        "firmware": repr(firmware),
        "run": repr(run),
        "profile": repr(run.profile),
    }
