"""Write a firmware as a project for a real board: C, self-test, stream, CMake and Arduino layouts."""

from __future__ import annotations

import json
import re
import string
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tinyml_helpers.devices import Device
from tinyml_helpers.mcu import board_line, projects, sensors
from tinyml_helpers.mcu.compiler.codegen import Program
from tinyml_helpers.mcu.pipeline import Pipeline
from tinyml_helpers.mcu.run import Run
from tinyml_helpers.mcu.self_test import first_inputs, make_self_test
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

    def stream(self, steps: Iterable[npt.ArrayLike | Sequence[npt.ArrayLike]]) -> Iterator[Run]:
        """Run it once for each step."""


_TEMPLATES = Path(__file__).parent / "templates"


def export(
    firmware: Exportable,
    folder: Path,
    run: Run | None = None,
    toolchain: str = projects.PLAIN,
    sensor: str = "",
) -> Path:
    """Write the project.

    Args:
        firmware: the network.
        folder: created if missing; what an earlier export of the same network wrote is replaced.
        run: a run whose figures go into a plain README; left out, the network is run once on zeros.
        toolchain: whose project it is: "arduino", "zephyr" or another of `projects.kits`.
        sensor: what an example reads, one of `sensors.sensors`, or what it senses: "microphone",
            "motion" or "vibration", which the board decides; left out, there is no such example.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder holds other files, or is a file itself.
        OSError: it cannot be written, and is as it was.
        ValueError: the network takes or gives something else than int8, or the toolchain does not
            serve the device.
    """
    program, name = firmware.program, firmware.program.name
    check_folder(folder, name, toolchain)
    projects.check_kit(toolchain, firmware.device)
    sensor = sensors.choose_sensor(sensor, toolchain, firmware.device)
    tensors = [program.graph.tensors[i] for i in (*program.graph.inputs, *program.graph.outputs)]
    if any(t.dtype == "int16" for t in tensors):
        raise ValueError("a network with inputs or outputs of int16: a project takes int8, a page both")
    if any(t.dtype != "int8" for t in tensors):
        raise ValueError(
            "a network with float inputs or outputs: build it without float_io to export it"
        )
    if toolchain == projects.PLAIN:
        project = _plain_project(firmware, firmware.run(*_zeros(firmware)) if run is None else run)
    else:
        project = _project_for(toolchain, firmware, sensor)
    _write(project, folder)
    return folder


def _plain_project(firmware: Exportable, run: Run) -> dict[str, bytes]:
    name = firmware.program.name
    files = network_files(firmware)
    programs = {"self_test": "run_self_test.c", **({"stream": "stream.c"} if _streams(firmware) else {})}
    words = _words(firmware, run)
    words["files"] = "\n    ".join(sorted(f"src/{file}" for file in files if file.endswith(".c")))
    words["programs"] = " ".join(programs)
    sketch = f"arduino/{name}"
    texts = {f"{place}/{file}": text for place in ("src", sketch) for file, text in files.items()}
    for target, template in (
        *((f"examples/{target}.c", template) for target, template in programs.items()),
        (f"{sketch}/{name}.ino", "sketch.ino"),
        ("CMakeLists.txt", "CMakeLists.txt"),
        ("README.md", "README.md"),
    ):
        text = (_TEMPLATES / template).read_text("utf-8")
        texts[target] = string.Template(text).substitute(words)
    return {place: text.encode() for place, text in texts.items()}


def _project_for(toolchain: str, firmware: Exportable, sensor: str) -> dict[str, bytes]:
    """The project of a toolchain, with the run that its board repeats beside it."""
    program, pipeline = firmware.program, firmware.pipeline
    steps = [first_inputs(program, pipeline)] * (2 if pipeline else 1)  # a self-test ran the chain once
    run = list(firmware.stream(steps))[-1]
    projects.check_kit(toolchain, firmware.device, run.ram_bytes)
    files = network_files(firmware)
    words, emulated = board_line.describe(program, pipeline, files, run)
    words = {**_words(firmware, run), **words, "listens": sensors.tell(sensor)}
    room_bytes = firmware.device.ram_bytes - run.ram_bytes
    more = {sensors.EXAMPLE: sensors.make_sketch(sensor, words, room_bytes)} if sensor else {}
    project = projects.make_project(toolchain, firmware.device, files, words, more)
    emulated["kit"] = toolchain
    return {**project, board_line.FILE: json.dumps(emulated, indent=1).encode()}


def check_folder(folder: Path, name: str, toolchain: str = projects.PLAIN) -> None:
    """Refuse a place where something else lies than an earlier export of the same network.

    Raises:
        FileExistsError: it is a file, or holds other files; the message names one.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file: give the name of a folder")
    theirs = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    ours = folder / projects.source_folder(toolchain, name) / f"{name}_self_test.h"
    if theirs and not (ours.exists() and board_line.kit_of(folder) == toolchain):
        raise FileExistsError(f"{folder} holds {theirs[0]} already: give an empty folder")


def network_files(firmware: Exportable) -> dict[str, str]:
    """All C of a network and its self-test, under names that no other network has.

    Returns:
        File name -> text: `<name>.h`, `<name>_self_test.h` and what they need, without a `main`.
    """
    program = firmware.program
    files = make_self_test(program, firmware.pipeline, firmware.image)
    own = rf"{program.name}_tm_"
    return {file: re.sub(r"\btm_", own, text) for file, text in files.items()}


def _write(project: Mapping[str, bytes], folder: Path) -> None:
    """Put files into a folder, all or none."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as work:
        for file, content in project.items():
            (Path(work) / file).parent.mkdir(parents=True, exist_ok=True)
            (Path(work) / file).write_bytes(content)
        for file in project:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (Path(work) / file).replace(folder / file)


def _zeros(firmware: Exportable) -> list[npt.NDArray[np.int8]]:
    graph, pipeline = firmware.program.graph, firmware.pipeline
    shapes = [(pipeline.count,)] if pipeline else [graph.tensors[i].shape for i in graph.inputs]
    return [np.zeros(shape, np.int8) for shape in shapes]


def _streams(firmware: Exportable) -> bool:
    return len(firmware.program.graph.inputs) == 1


def _stream(firmware: Exportable) -> dict[str, str]:
    """The words of the stream: a window that moves on, or, where C remembers, new values only."""
    graph, pipeline, name = firmware.program.graph, firmware.pipeline, firmware.program.name
    taken = graph.tensors[graph.inputs[0]]
    window = hop = pipeline.count if pipeline else taken.size
    if not pipeline and not graph.variables and len(taken.shape) > 2:
        hop = max(1, taken.shape[1] // 4) * (window // taken.shape[1])
    calls = [f"memcpy({name}_input(), window, sizeof window);", f"{name}_invoke();"]
    show = f'for (int i = 0; i < {name.upper()}_OUTPUT_COUNT; i++) printf("%d ", {name}_output()[i]);'
    shown = [show, 'printf("\\n");']
    if pipeline:
        calls, hop = pipeline.calls(name, "window"), pipeline.hop or hop
    if pipeline and pipeline.after:
        calls[2] = f"const int32_t {calls[2]}"
        shown = ['printf("%ld\\n", (long)score);']
    real = not pipeline and bool(taken.scales)
    return {
        "window": str(window),
        "hop": str(hop),
        "kept": pipeline.samples if pipeline else "int8_t",
        "sample": "float" if real else pipeline.samples if pipeline else "int8_t",
        "convert": f"{name}_input_from_real(value)" if real else "value",
        "reset": f"{name}_reset();" if graph.variables else "",
        "invoke": "\n        ".join([*calls, *shown]),
        "calls": "\n    ".join(calls),
        "scored": "yes" if pipeline and pipeline.after else "",
    }


def _words(firmware: Exportable, run: Run) -> dict[str, str]:
    program, pipeline, name = firmware.program, firmware.pipeline, firmware.program.name
    core = CORES[firmware.image.core]
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
        "include": f'#include "{name}_chain.h"\n' if pipeline else "",
        "use": use,
        "firmware": repr(firmware),
        "run": repr(run),
        "profile": repr(run.profile),
        **(_stream(firmware) if _streams(firmware) else {}),
    }
