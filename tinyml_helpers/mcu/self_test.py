"""A test that goes with an exported network: what each layer must leave, for inputs made there."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.mcu.compiler.codegen import Program
from tinyml_helpers.mcu.compiler.lowering.constants import Array
from tinyml_helpers.mcu.pipeline import Pipeline, collect_sources
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.image import Image

_TEMPLATES = Path(__file__).parent / "templates"
_SEEDS = 4
_ROOM_BYTES = 1 << 20
_RECORD = """#include "{name}_self_test.h"
uint32_t recorded[{most}], count;
static void record(uint32_t sum) {{ recorded[count++] = sum; }}
int main(void) {{
    {name}_sums(record);
    return 0;
}}
"""


def make_self_test(program: Program, pipeline: Pipeline | None, image: Image) -> dict[str, str]:
    """Write all C of a network with its self-test, whose sums are those of the emulated core.

    Args:
        program: the network.
        pipeline: what stands around it.
        image: the linked program, for the core and memory of its device.

    Returns:
        File name -> text: the sources of the network, and `<name>_self_test.c` and `.h`.

    Raises:
        ToolchainError: it does not compile.
        EmulatorError: it does not run.
    """
    name = program.name
    files = collect_sources(program, pipeline)
    files[f"{name}.c"] += "\n".join(_watched(program))
    words = _words(program, pipeline)
    for kind in ("c", "h"):
        text = (_TEMPLATES / f"self_test.{kind}").read_text("utf-8")
        files[f"{name}_self_test.{kind}"] = string.Template(text).substitute(words)
    most = int(words["checks"])
    tried = toolchain.compile_c(
        {**files, "main.c": _RECORD.format(name=name, most=most)},
        image.core,
        flash_bytes=image.flash_limit_bytes + _ROOM_BYTES,
        ram_bytes=image.ram_limit_bytes + _ROOM_BYTES,
    )
    found = Machine(tried).run({}, {"recorded": np.uint32}, limit=10_000_000_000).outputs["recorded"]
    sums = c_source.array("uint32_t", f"{name}_expected", [f"{value}u" for value in found])
    files[f"{name}_self_test.c"] += "\n" + sums.removeprefix("static ")
    return files


def _watched(program: Program) -> Iterator[str]:
    """The calls again, with a look at what each layer leaves; linkers drop what nobody calls."""
    name, graph, arena = program.name, program.graph, program.arena
    yield f'\n#include "{name}_self_test.h"\n'
    yield f"void {name}_invoke_watched({name}_before before, {name}_after after) {{"
    yield f"    uint8_t *const at = {name}_arena;"
    for number, (layer, calls) in enumerate(zip(program.layers, program.calls, strict=True)):
        yield f"    /* {number}: {layer.operator.type} {layer.operator.position} */"
        for given in dict.fromkeys(layer.inputs):
            tensor = graph.tensors[given]
            if tensor.dtype == "int8" and not tensor.data:
                place, zero = arena.offset(given), tensor.zero_point if tensor.scales else 0
                yield f"    before(at + {place}, {tensor.size_bytes}, {zero});"
        yield from (f"    {call}" for call in calls)
        size_bytes = graph.tensors[layer.output].size_bytes
        yield f"    after(at + {arena.offset(layer.output)}, {size_bytes});"
    yield "}\n"
    yield f"void {name}_look_at_constants({name}_after after) {{"
    yield from (f"    after({array}, sizeof {array});" for array in _constants(program))
    yield "}\n"


def _constants(program: Program) -> list[str]:
    """Names of all arrays in flash. Structs beside them hold addresses, which no two programs share."""
    made = [one for layer in program.layers for one in layer.constants if isinstance(one, Array)]
    read = {i for layer in program.layers for i in layer.inputs}
    shared = [f"tensor_{i}" for i in sorted(read) if program.graph.tensors[i].data]
    return [*shared, *dict.fromkeys(one.name for one in made)]


def _words(program: Program, pipeline: Pipeline | None) -> dict[str, str]:
    name, graph = program.name, program.graph
    inputs = [f"{name}_input{i or ''}" for i in range(len(graph.inputs))]
    outputs = [f"{name}_output{i or ''}" for i in range(len(graph.outputs))]
    looks = [f"look({port}(), {port.upper()}_COUNT);" for port in outputs]
    once = [f"{name}_fill_inputs();", f"report((uint32_t){name}_run());", *looks]
    include, run = "", [f"{name}_invoke();", "return 0;"]
    if pipeline:
        samples = c_source.array(pipeline.samples, "samples", _samples(pipeline))
        include = f'#include "{name}_chain.h"\n\n{samples}'
        before, *calls = pipeline.calls(name, "samples")
        once = [before, f"look({inputs[0]}(), {inputs[0].upper()}_COUNT);", *once[1:]]
        run = [before, *calls, "return 0;"]
        if pipeline.after:
            run[-2:] = [f"return {calls[-1].removeprefix('score = ')}"]
    constants, layers = len(_constants(program)) + 1, len(program.layers)
    checks = constants + _SEEDS * layers + 1 + len(outputs) + (pipeline is not None)
    fill = [f"give({port}(), {port.upper()}_COUNT, 0);" for port in inputs]
    lines = {"fill": fill, "run": run, "once": once, "reset": [f"{name}_reset();"]}
    lines["reset"] = lines["reset"] if graph.variables else []
    return {
        **{key: "\n    ".join(values) for key, values in lines.items()},
        "name": name,
        "NAME": name.upper(),
        "include": include,
        "seeds": str(_SEEDS),
        "layers": str(layers),
        "constants": str(constants),
        "checks": str(checks),
    }


def first_inputs(program: Program, pipeline: Pipeline | None) -> tuple[npt.NDArray[Any], ...]:
    """What `<name>_run()` of a self-test sees: samples, or what `<name>_fill_inputs()` makes."""
    if pipeline:
        return (_samples(pipeline),)
    tensors = [program.graph.tensors[i] for i in program.graph.inputs]
    drawn = np.fromiter(_xorshift(), np.int16, sum(tensor.size for tensor in tensors)) - 128
    ends = np.cumsum([tensor.size for tensor in tensors])[:-1]
    return tuple(part.astype(np.int8) for part in np.split(drawn, ends))


def _xorshift() -> Iterator[int]:
    """The numbers of the template's `draw()`, from its first seed on."""
    state = 2463534242
    while True:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        yield state >> 24


def _samples(pipeline: Pipeline) -> npt.NDArray[Any]:
    """Noise for what runs before the network, the same in every export."""
    rng, dtype = np.random.default_rng(0), pipeline.dtype
    limits = np.iinfo(dtype if dtype.kind in "iu" else np.int8)
    return rng.integers(limits.min, limits.max, pipeline.count, endpoint=True).astype(dtype)
