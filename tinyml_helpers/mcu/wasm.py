"""A firmware as a WebAssembly module: the same C in a page, with the same bytes.

A module needs nothing of its page, and describes itself. It exports:

- `memory`;
- `description()`: address of a JSON text, up to the first 0: name, inputs and outputs, each with `type`,
  `shape` and, where its numbers stand for real ones, `scale` and `zero_point`;
- `input(i)`, `output(i)`: address of an input or output; with a pipeline, input 0 are its samples;
- `run()`: one run, and the pipeline's answer, or 0 where there is none.

A new instance remembers nothing. `templates/network.js` makes it one call in JavaScript.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler import codegen
from tinyml_helpers.mcu.compiler.codegen import Program
from tinyml_helpers.mcu.pipeline import Pipeline, collect_sources, run_once
from tinyml_helpers.mcu.target import toolchain

_JAVASCRIPT = Path(__file__).parent / "templates" / "network.js"
_EXPORT = "#define EXPORT(name) __attribute__((export_name(#name)))"
_SAMPLES = "page_samples"


def compile_module(program: Program, pipeline: Pipeline | None) -> bytes:
    """Compile a network for a page, without the DSP instructions that a core may have.

    Args:
        program: the network as C, for any core.
        pipeline: what runs before and after it.

    Returns:
        The module.

    Raises:
        ToolchainError: the pipeline's C does not compile or lacks a function.
    """
    portable = codegen.generate(program.graph, program.name, dsp=False, folded=False)
    page = "\n".join(_interface(portable, pipeline))
    return toolchain.compile_wasm({**collect_sources(portable, pipeline), "_page.c": page})


def write_module(module: bytes, path: Path) -> Path:
    """Write a module, and beside it the JavaScript that a page calls it by.

    Args:
        module: what `compile_module` gave.
        path: of the module; the script has its name and ends in .js.

    Returns:
        The script.

    Raises:
        OSError: a file cannot be written.
    """
    path.write_bytes(module)
    beside = path.with_suffix(".js")
    beside.write_text(script(), "utf-8")
    return beside


def script() -> str:
    """The JavaScript that a page calls a module by."""
    return _JAVASCRIPT.read_text("utf-8")


def _interface(program: Program, pipeline: Pipeline | None) -> list[str]:
    """The C that a page calls."""
    name, graph = program.name, program.graph
    ports = {
        kind: [f"{name}_{kind}{i or ''}()" for i in range(len(numbers))]
        for kind, numbers in (("input", graph.inputs), ("output", graph.outputs))
    }
    lines = [f'#include "{name}.h"', _EXPORT]
    if pipeline:
        lines += [
            f'#include "{name}_chain.h"',
            f"static {pipeline.samples} page_samples[{pipeline.count}];",
        ]
        ports["input"] = [_SAMPLES]
    text = json.dumps(json.dumps(_description(program, pipeline)))
    body = ["int32_t score = 0;", *run_once(program, pipeline, _SAMPLES), "return score;"]
    return [
        *lines,
        f"EXPORT(description) const char *page_description(void) {{ return {text}; }}",
        *(_ports(kind, addresses) for kind, addresses in ports.items()),
        "EXPORT(run) int32_t page_run(void) {",
        *(f"    {statement}" for statement in body),
        "}\n",
    ]


def _ports(kind: str, addresses: Sequence[str]) -> str:
    chosen = " : ".join([*(f"i == {i} ? (void *){at}" for i, at in enumerate(addresses)), "0"])
    return f"EXPORT({kind}) void *page_{kind}(int i) {{ return {chosen}; }}"


def _description(program: Program, pipeline: Pipeline | None) -> dict[str, Any]:
    graph = program.graph
    inputs = [_port(graph.tensors[i]) for i in graph.inputs]
    if pipeline:
        inputs = [{"type": pipeline.dtype.name, "shape": [pipeline.count]}]
    outputs = [_port(graph.tensors[i]) for i in graph.outputs]
    return {"name": program.name, "inputs": inputs, "outputs": outputs}


def _port(tensor: Tensor) -> dict[str, Any]:
    scaled = {"scale": tensor.scale, "zero_point": tensor.zero_point} if tensor.scales else {}
    return {"type": tensor.dtype, "shape": list(tensor.shape), **scaled}
