"""Real files of TensorFlow's converter: an LSTM in int8, a network of int16 activations."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mcu_host import Reference, inputs, library, programs, run
from wasm_node import in_node, needs_node

from tinyml_helpers import devices, mcu
from tinyml_helpers.deploy import litert
from tinyml_helpers.mcu.target import cores

SCRIPT = Path(__file__).with_name("keras_files.py")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Each converted in a process of its own: the converter may end the one that it runs in."""
    folder, made = tmp_path_factory.mktemp("keras"), {}
    for kind in ("lstm", "cnn16"):
        target = folder / f"{kind}.tflite"
        done = subprocess.run([sys.executable, SCRIPT, kind, target], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        made[kind] = target.read_bytes()
    return made


@pytest.mark.parametrize(
    ("kind", "operator", "macs"),
    [("lstm", "UNIDIRECTIONAL_SEQUENCE_LSTM", 10 * 4 * 8 * (6 + 8) + 8 * 4), ("cnn16", "SOFTMAX", None)],
)
def test_the_converter_makes_the_operators_that_are_meant(files, kind, operator, macs):
    report = litert.inspect(files[kind])
    assert report.operators[operator] == 1
    assert "DEQUANTIZE" not in report.operators
    assert macs in (None, report.macs)


@pytest.mark.parametrize("kind", ["lstm", "cnn16"])
def test_it_gives_the_same_bytes_on_the_chip_and_on_the_host(files, kind):
    firmware, steps, expected = answered(files[kind])
    made = programs({0: files[kind]}, True)
    host = library(made, True)
    for x, want in zip(steps, expected, strict=True):
        assert firmware.run(x).output.tobytes() == want.tobytes()
        assert run(host, made["n0"], x, 0xA5)[0].tobytes() == want.tobytes()
    assert len({want.tobytes() for want in expected}) > 1


@pytest.mark.parametrize("core", cores.CORES)
def test_it_gives_the_same_bytes_on_each_core(files, core):
    device = next(d for d in devices.catalogue() if cores.core_name(d.core) == core)
    for content in files.values():
        _, steps, expected = answered(content)
        found = mcu.build(content, device).run(steps[0]).output
        assert found.tobytes() == expected[0].tobytes()


@needs_node
@pytest.mark.parametrize("kind", ["lstm", "cnn16"])
def test_it_gives_the_same_bytes_in_a_page(files, kind, tmp_path):
    firmware, steps, expected = answered(files[kind])
    pages = [in_node(firmware.wasm(), [[x]], tmp_path)["runs"][0]["outputs"][0] for x in steps]
    assert pages == [want.ravel().tolist() for want in expected]


def answered(content):
    """A firmware, inputs at random and from the ends of the range, and LiteRT's answers from reset."""
    firmware, reference = mcu.build(content, "nano33ble"), Reference(content)
    g = firmware.program.graph
    steps = [x for seed in range(3) for x in inputs(g.tensors[g.inputs[0]], seed)]
    return firmware, steps, [reference.run([x], g.outputs)[0] for x in steps]


def test_an_lstm_goes_on_where_the_last_run_ended(files):
    firmware, reference = mcu.build(files["lstm"]), Reference(files["lstm"])
    g, rng = firmware.program.graph, np.random.default_rng(3)
    steps = list(rng.integers(-128, 128, (5, *g.tensors[g.inputs[0]].shape)).astype(np.int8))
    steps += steps[:1]
    found = [one.output for one in firmware.stream(steps)]
    for x, output in zip(steps, found, strict=True):
        assert output.tobytes() == reference.step([x], g.outputs)[0].tobytes()


def test_real_numbers_are_quantized_to_16_bits_and_back(files):
    firmware = mcu.build(files["cnn16"])
    real = np.random.default_rng(0).normal(size=(1, 12, 12, 2)).astype(np.float32)
    tensor = firmware.program.graph.tensors[firmware.program.graph.inputs[0]]
    answer = firmware.run(real)
    assert answer.output.dtype == np.int16
    assert abs(answer.value.sum() - 1) < 1e-3
    assert answer.output.tobytes() == firmware.run(tensor.quantized(real)).output.tobytes()
