"""Write a firmware as a project for a real board: C, a main, a self-test, CMake and Arduino layouts."""

from __future__ import annotations

import string
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinyml_helpers.devices import Device
from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.mcu.compiler.codegen import Program
from tinyml_helpers.mcu.pipeline import Pipeline, collect_sources
from tinyml_helpers.mcu.run import Run
from tinyml_helpers.mcu.target.cores import CORES
from tinyml_helpers.mcu.target.image import Image


class Exportable(Protocol):
    """What can be exported: the C, for whom it was compiled, what surrounds it, and a way to run it."""

    @property
    def program(self) -> Program:
        """The C of the network."""

    @property
    def image(self) -> Image:
        """What the compiler made of it."""

    @property
    def device(self) -> Device:
        """What it was built for."""

    @property
    def pipeline(self) -> Pipeline | None:
        """What runs before and after the network."""

    def run(self, *inputs: npt.ArrayLike) -> Run:
        """Run it once, from reset."""


_TEMPLATES = Path(__file__).parent / "templates"


def export(firmware: Exportable, folder: Path, run: Run | None = None) -> Path:
    """Write the project.

    Args:
        firmware: the network.
        folder: created if missing; what an earlier export of the same network wrote is replaced.
        run: a run whose figures and output go into the README and the self-test; left out, the
            network is run once on an input of a fixed pattern.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder holds other files of these names, or is a file itself.
        OSError: it cannot be written, and is as it was.
        ValueError: the network takes or gives something else than int8.
    """
    program, name = firmware.program, firmware.program.name
    tensors = [program.graph.tensors[i] for i in (*program.graph.inputs, *program.graph.outputs)]
    if any(t.dtype == "int16" for t in tensors):
        raise ValueError("a network with inputs or outputs of int16: a project takes int8, a page both")
    if any(t.dtype != "int8" for t in tensors):
        raise ValueError(
            "a network with float inputs or outputs: build it without float_io to export it"
        )
    given = _pattern(firmware)
    answer = firmware.run(*given)
    words = _words(firmware, answer, answer if run is None else run)
    files = {
        **collect_sources(program, firmware.pipeline),
        f"{name}_test.h": _vectors(firmware, given, answer),
    }
    sketch = f"arduino/{name}"
    project = {f"{place}/{file}": text for place in ("src", sketch) for file, text in files.items()}
    for template, target in (
        ("main.c", "src/main.c"),
        ("sketch.ino", f"{sketch}/{name}.ino"),
        ("CMakeLists.txt", "CMakeLists.txt"),
        ("README.md", "README.md"),
    ):
        text = (_TEMPLATES / template).read_text("utf-8")
        project[target] = string.Template(text).substitute(words)
    _write(project, folder, f"src/{name}_test.h")
    return folder


def _write(project: Mapping[str, str], folder: Path, sign: str) -> None:
    """Put files into a folder, all or none; `sign` is a file that only an export of it leaves there."""
    folder.mkdir(parents=True, exist_ok=True)
    theirs = [] if (folder / sign).exists() else [file for file in project if (folder / file).exists()]
    if theirs:
        raise FileExistsError(f"{folder} holds {theirs[0]} already: give an empty folder")
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as work:
        for file, text in project.items():
            (Path(work) / file).parent.mkdir(parents=True, exist_ok=True)
            (Path(work) / file).write_text(text, "utf-8")
        for file in project:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (Path(work) / file).replace(folder / file)


def _pattern(firmware: Exportable) -> list[npt.NDArray[Any]]:
    """Inputs that need no file: a ramp over all int8, or samples like it."""
    graph, pipeline = firmware.program.graph, firmware.pipeline
    if pipeline:
        ramp = (np.arange(pipeline.count) * 37) % 256 - 128
        return [(ramp + 128 if pipeline.samples == "uint8_t" else ramp).astype(pipeline.dtype)]
    tensors = [graph.tensors[i] for i in graph.inputs]
    return [((np.arange(t.size) * 37) % 256 - 128).astype(np.int8).reshape(t.shape) for t in tensors]


def _vectors(firmware: Exportable, given: list[npt.NDArray[Any]], answer: Run) -> str:
    pipeline = firmware.pipeline
    lines = [
        "/* What must come out for a fixed input: byte for byte, on any core. */",
        "#include <stdint.h>",
    ]
    if pipeline:
        arrays = {"samples": given[0]}
    else:
        arrays = {f"input{i or ''}": array for i, array in enumerate(given)}
    arrays |= {f"output{i or ''}": array for i, array in enumerate(answer.outputs)}
    for name, array in arrays.items():
        ctype = pipeline.samples if pipeline and name == "samples" else "int8_t"
        lines.append(c_source.array(ctype, f"test_{name}", array.ravel()).rstrip())
    return "\n".join([*lines, ""])


def _statements(firmware: Exportable, answer: Run) -> dict[str, list[str]]:
    """C of one run and its check, as `main` has it."""
    graph, name, pipeline = firmware.program.graph, firmware.program.name, firmware.pipeline
    ports = {
        kind: [f"{kind}{i or ''}" for i in range(len(numbers))]
        for kind, numbers in (("input", graph.inputs), ("output", graph.outputs))
    }
    fill = [f"memcpy({name}_{p}(), test_{p}, sizeof test_{p});" for p in ports["input"]]
    check = [
        f"for (unsigned i = 0; i < sizeof test_{p}; i++) wrong += {name}_{p}()[i] != test_{p}[i];"
        for p in ports["output"]
    ]
    reset = [f"{name}_reset();"] if graph.variables else []
    if pipeline is None:
        return {"fill": reset + fill, "invoke": [f"{name}_invoke();"], "check": check}
    score = ["int32_t score;"] if pipeline.after else []
    check += [f"wrong += score != {answer.score};"] if pipeline.after else []
    return {"fill": score + reset, "invoke": pipeline.calls(name, "test_samples"), "check": check}


def _words(firmware: Exportable, answer: Run, run: Run) -> dict[str, str]:
    program, pipeline, name = firmware.program, firmware.pipeline, firmware.program.name
    files, core = collect_sources(program, pipeline), CORES[firmware.image.core]
    sources = sorted(f"src/{file}" for file in files if file.endswith(".c"))
    use = f"Fill `{name}_input()`, call `{name}_invoke()`, read `{name}_output()`"
    if pipeline:
        last = f"call `{pipeline.after}`" if pipeline.after else f"read `{name}_output()`"
        samples = f"{pipeline.count:,} samples of {pipeline.samples}"
        use = f"Call `{pipeline.before}` with {samples}, call `{name}_invoke()`, {last}"
    if program.graph.variables:
        use = f"Call `{name}_reset()` once: the network remembers what came before. {use}"
    return {
        "name": name,
        "NAME": name.upper(),
        "device": firmware.device.name,
        "core": firmware.device.core,
        "compiler": core.architecture.gcc[0],
        "flags": core.gcc,
        "libraries": core.architecture.gcc[1],
        **{k: "\n    ".join(v) for k, v in _statements(firmware, answer).items()},
        "include": f'#include "{name}_chain.h"\n' if pipeline else "",
        "use": use,
        "files": "\n    ".join([*sources, "src/main.c"]),
        "firmware": repr(firmware),
        "run": repr(run),
        "profile": repr(run.profile),
    }
