"""The same network in a page: not one byte may differ from the reference kernels."""

import os

import numpy as np
import pytest
from mcu_host import Reference, inputs, programs, sources
from test_mcu_pipeline import MAGIC_WAND, pipeline
from tflite_maker import Maker, random_network
from typer.testing import CliRunner
from wasm_node import in_node, many_in_node, needs_node

from tinyml_helpers import cli, mcu
from tinyml_helpers.datasets import data_folder, load_keywords, read_verified
from tinyml_helpers.mcu import wasm
from tinyml_helpers.mcu.compiler import codegen, graph, lowering
from tinyml_helpers.mcu.compiler.lowering.context import UnsupportedError
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.usecases.keywords import features

SHIPPED = {path.stem for path in (data_folder() / "models").glob("*.tflite")}
FLOAT = {"face_accurate", "face_detector", "face_small", "ssd_mobilenet_v2"}  # of a phone, not a chip
WAKE = {"wake_alexa", "wake_hey_jarvis"}
# More in a long run: TINYML_NETWORKS=5000.
COUNT = int(os.environ.get("TINYML_NETWORKS", "200"))


@needs_node
@pytest.mark.parametrize("name", sorted(SHIPPED - FLOAT - WAKE))
def test_shipped_models_equal_the_reference_on_twenty_inputs(name, tmp_path):
    content = read_verified(f"models/{name}.tflite")
    source, reference = graph.read(content), Reference(content)
    program = codegen.generate(lowering.strip_float_ends(source), "model")
    g = program.graph
    given, first = source.tensors[source.inputs[0]], g.tensors[g.inputs[0]]
    rng, steps, expected = np.random.default_rng(1), [], []
    for _ in range(20):
        level, contrast = rng.uniform(-120, 120), rng.choice([2, 10, 60])
        x = rng.normal(level, contrast, given.shape).round().clip(-128, 127).astype(np.int8)
        real = first.real(x) if given.dtype == "float32" else x
        quantized, want = reference.run([real], (first.index, g.outputs[0]))
        steps.append([quantized])
        expected.append(want.ravel().tolist())
    found = in_node(wasm.compile_module(program, None), steps, tmp_path)
    assert [run["outputs"][0] for run in found["runs"]] == expected
    assert len({tuple(out) for out in expected}) > 1


@pytest.mark.parametrize("name", sorted(FLOAT))
def test_shipped_models_that_compute_in_float_are_refused(name):
    with pytest.raises(UnsupportedError, match="not int8 throughout"):
        codegen.generate(graph.read(read_verified(f"models/{name}.tflite")), "model")


@needs_node
@pytest.mark.parametrize("name", sorted(WAKE))
def test_wake_words_equal_the_reference_while_they_are_said(name, tmp_path):
    """They remember, and answer to a phrase only: noise would leave their one output where it is."""
    content = read_verified(f"models/{name}.tflite")
    source, reference = graph.read(content), Reference(content)
    spoken = load_keywords(vocabulary="wake words").part("engine")
    clip = spoken.clips[spoken.words == name.removeprefix("wake_").replace("_", " ")][0]
    port = source.tensors[source.inputs[0]]
    steps = [
        np.asarray(x).reshape(port.shape).astype(port.dtype)
        for x in features.wake_word_steps(np.pad(clip, 8_000))
    ]
    expected = [reference.step([x], source.outputs)[0].ravel().tolist() for x in steps]
    module = wasm.compile_module(codegen.generate(source, "model"), None)
    found = in_node(module, [[x] for x in steps], tmp_path)
    assert [run["outputs"][0] for run in found["runs"]] == expected
    assert len({tuple(out) for out in expected}) > 10


@needs_node
@pytest.mark.parametrize("seed", range(3))
def test_random_networks_equal_the_reference(seed, tmp_path):
    content = random_network(seed)
    firmware, reference = mcu.build(content), Reference(content)
    g = firmware.program.graph
    steps = [[x] for x in inputs(g.tensors[g.inputs[0]], seed)]
    expected = [[y.ravel().tolist() for y in reference.run(x, g.outputs)] for x in steps]
    found = in_node(firmware.wasm(), steps, tmp_path)
    assert [run["outputs"] for run in found["runs"]] == expected


@needs_node
@pytest.mark.parametrize("first", range(0, COUNT, 50))
def test_random_networks_of_one_module_equal_the_reference_in_every_byte(first, tmp_path):
    contents = {seed: random_network(seed) for seed in range(first, min(first + 50, COUNT))}
    made = programs(contents, dsp=False, folded=False)
    steps, expected = [], []
    for number, (seed, content) in enumerate(contents.items()):
        g, reference = made[f"n{seed}"].graph, Reference(content)
        sizes = [g.tensors[i].size_bytes for i in g.outputs]
        for x in inputs(g.tensors[g.inputs[0]], seed):
            steps.append({"network": number, "given": x.ravel().tolist(), "sizes": sizes})
            expected.append([y.tobytes().hex() for y in reference.run([x], g.outputs)])
    found = many_in_node(toolchain.compile_wasm(with_interface(made)), steps, tmp_path)
    wrong = [
        (step["network"] + first, want, got)
        for step, want, got in zip(steps, expected, found, strict=True)
        if want != got
    ]
    assert wrong == []
    assert len({tuple(out) for out in expected}) > len(contents)  # the networks answer variously


def with_interface(made):
    """The files of several programs, and what a page needs to call each by its number."""

    def chosen(what):
        return "".join(f"case {i}: {what(program)}; " for i, program in enumerate(made.values()))

    def outputs(program):
        return [f"{program.name}_output{i or ''}()" for i in range(len(program.graph.outputs))]

    def output(program):
        return "return " + " : ".join(
            [*(f"i == {i} ? (void *){o}" for i, o in enumerate(outputs(program))), "0"]
        )

    page = f"""
    #define EXPORT(name) __attribute__((export_name(#name)))
    {"".join(f'#include "{name}.h"{chr(10)}' for name in made)}
    EXPORT(input) void *page_input(int n) {{
        switch (n) {{ {chosen(lambda p: f"return {p.name}_input()")} }}
        return 0;
    }}
    EXPORT(output) void *page_output(int n, int i) {{ switch (n) {{ {chosen(output)} }} return 0; }}
    EXPORT(run) void page_run(int n) {{
        switch (n) {{ {chosen(lambda p: f"{p.name}_invoke(); break")} }}
    }}
    """
    return sources(made) | {"page.c": "\n".join(line.strip() for line in page.splitlines())}


@needs_node
def test_a_streaming_network_remembers_and_a_new_instance_does_not(tmp_path):
    firmware = mcu.build(read_verified("models/wake_alexa.tflite"))
    g, rng = firmware.program.graph, np.random.default_rng(0)
    shape = g.tensors[g.inputs[0]].shape
    steps = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(12)]
    expected = [run.output.ravel().tolist() for run in firmware.stream(steps)]
    for _ in range(2):
        found = in_node(firmware.wasm(), [[x] for x in steps], tmp_path)
        assert [run["outputs"][0] for run in found["runs"]] == expected


@needs_node
def test_a_pipeline_goes_from_samples_to_an_answer(tmp_path):
    firmware, rng = mcu.build(MAGIC_WAND, pipeline=pipeline()), np.random.default_rng(0)
    steps = list(rng.integers(-(2**15), 2**15, (5, 384)).astype(np.int16))
    runs = list(firmware.stream(steps))
    found = in_node(firmware.wasm(), [[x] for x in steps], tmp_path)
    assert found["description"]["inputs"] == [{"type": "int16", "shape": [384]}]
    assert [run["answer"] for run in found["runs"]] == [run.score for run in runs]
    assert found["runs"][4]["answer"] > 5000  # what its C counts goes on from run to run
    outputs = [run["outputs"][0] for run in found["runs"]]
    assert outputs == [run.output.ravel().tolist() for run in runs]


@needs_node
def test_several_inputs_and_outputs_describe_themselves(tmp_path):
    m = Maker()
    a, b = m.tensor((1, 4), 0.5, 3), m.tensor((1, 4), 1.0)
    total, product = m.tensor((1, 4), 0.25, -7), m.tensor((2, 2), 1.0)
    m.operator("ADD", [a, b], total)
    m.operator("RESHAPE", [b, m.tensor((2,), dtype="int32", data=[2, 2])], product, newShape=[2, 2])
    firmware = mcu.build(m.content([a, b], [total, product]), name="two")
    steps = [np.array([3, 5, 1, 127], np.int8), np.array([1, -2, 3, 4], np.int8)]
    run, found = firmware.run(*steps), in_node(firmware.wasm(), [steps], tmp_path)
    assert found["description"] == {
        "name": "two",
        "inputs": [
            {"type": "int8", "shape": [1, 4], "scale": 0.5, "zero_point": 3},
            {"type": "int8", "shape": [1, 4], "scale": 1.0, "zero_point": 0},
        ],
        "outputs": [
            {"type": "int8", "shape": [1, 4], "scale": 0.25, "zero_point": -7},
            {"type": "int8", "shape": [2, 2], "scale": 1.0, "zero_point": 0},
        ],
    }
    (one,) = found["runs"]
    assert one["answer"] == 0
    assert (
        one["outputs"] == [y.ravel().tolist() for y in run.outputs] == [[-3, -11, 1, 127], [1, -2, 3, 4]]
    )
    assert one["real"] == [y.ravel().tolist() for y in run.values]


@needs_node
def test_a_network_with_float_ends_takes_and_gives_them(tmp_path):
    firmware = mcu.build(MAGIC_WAND, float_io=True)
    x = np.random.default_rng(1).normal(size=(1, 128, 3, 1)).astype(np.float32) * 1000
    found = in_node(firmware.wasm(), [[x]], tmp_path)
    assert found["description"]["inputs"] == [{"type": "float32", "shape": [1, 128, 3, 1]}]
    (one,) = found["runs"]
    assert one["outputs"][0] == one["real"][0] == firmware.run(x).output.ravel().tolist()


@needs_node
def test_the_rounding_that_was_asked_for_is_kept(tmp_path):
    content = read_verified("models/anomaly_detection.tflite")
    x = np.random.default_rng(0).integers(-128, 128, (1, 5, 128, 1)).astype(np.int8)
    seen = []
    for rounding in ("litert", "tflm"):
        firmware = mcu.build(content, rounding=rounding)
        found = in_node(firmware.wasm(), [[x]], tmp_path)
        seen.append(found["runs"][0]["outputs"][0])
        assert seen[-1] == firmware.run(x).output.ravel().tolist()
    assert seen[0] != seen[1]


def test_a_module_is_the_same_whatever_the_device_and_needs_nothing_of_its_page():
    modules = [mcu.build(MAGIC_WAND, device).wasm() for device in ("nano33ble", "pico", "esp32c3")]
    assert modules[0] == modules[1] == modules[2]
    assert modules[0].startswith(b"\0asm\1\0\0\0")
    sections, at = [], 8
    while at < len(modules[0]):
        sections.append(modules[0][at])
        size = shift = 0
        at += 1
        while True:  # LEB128
            byte = modules[0][at]
            size |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                break
        at += size
    assert {1, 3, 7, 10} <= set(sections)  # types, functions, exports, code
    assert 2 not in sections  # imports
    assert len(modules[0]) < 20_000


def test_deploy_writes_the_module_and_its_script(tmp_path):
    model, module = data_folder() / "models" / "magic_wand.tflite", tmp_path / "wand.wasm"
    done = CliRunner().invoke(cli.app, ["deploy", str(model), "--wasm", str(module)])
    assert done.exit_code == 0, done.output
    assert "wand.js" in done.output
    assert module.read_bytes() == mcu.build(MAGIC_WAND).wasm()
    assert "loadNetwork" in (tmp_path / "wand.js").read_text("utf-8")


def test_a_module_of_another_name_is_refused_before_anything_is_compiled(tmp_path):
    done = CliRunner().invoke(cli.app, ["deploy", "missing.tflite", "--wasm", str(tmp_path / "wand.js")])
    assert done.exit_code == 2
    assert "does not end in .wasm" in done.output
    assert list(tmp_path.iterdir()) == []
