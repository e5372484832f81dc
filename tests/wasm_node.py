"""Run WebAssembly modules as a page does, in node."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from tinyml_helpers.mcu import wasm

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no node on this machine")
PAGE = """
const { readFileSync } = require("fs");
const [script, bytes, given] = process.argv.slice(1);
require("vm").runInThisContext(readFileSync(script, "utf8"));
loadNetwork(readFileSync(bytes)).then((network) => {
    const runs = JSON.parse(readFileSync(given)).map((inputs) => {
        inputs.forEach((values, i) => network.inputs[i].set(values));
        const answer = network.run();
        const outputs = network.outputs.map((values) => Array.from(values));
        return { answer, outputs, real: outputs.map((_, i) => Array.from(network.real(i))) };
    });
    console.log(JSON.stringify({ description: network.description, runs }));
});
"""
MANY = """
const { readFileSync } = require("fs");
const [bytes, given] = process.argv.slice(1);
const module = new WebAssembly.Module(readFileSync(bytes));
const { memory, input, output, run } = new WebAssembly.Instance(module).exports;
const runs = JSON.parse(readFileSync(given)).map(({ network, given, sizes }) => {
    new Int8Array(memory.buffer, input(network), given.length).set(given);
    run(network);
    return sizes.map((size, i) => Buffer.from(memory.buffer, output(network, i), size).toString("hex"));
});
console.log(JSON.stringify(runs));
"""


def in_node(module, steps, folder):
    """What an instance gives for each step, a list of arrays: answer, outputs, and those as reals."""
    script = wasm.write_module(module, folder / "network.wasm")
    given = folder / "given.json"
    given.write_text(json.dumps([[np.ravel(x).tolist() for x in step] for step in steps]))
    return _run(PAGE, script, folder / "network.wasm", given)


def many_in_node(module, steps, folder):
    """What networks of one module give: the outputs of each step as hex digits.

    A step has the number of its `network`, the int8 values `given` and the outputs' `sizes` in bytes.
    """
    folder.joinpath("many.wasm").write_bytes(module)
    folder.joinpath("given.json").write_text(json.dumps(steps))
    return _run(MANY, folder / "many.wasm", folder / "given.json")


def _run(script, *given):
    done = subprocess.run([NODE, "-e", script, *given], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
