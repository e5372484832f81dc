"""The wheel with the packages that it names: the microcontroller works, the rest says what to do."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tinyml_helpers.system.folders import cache_folder

ROOT = Path(__file__).parents[1]
BUILD = "import sys, build_backend; print(build_backend.build_wheel(sys.argv[1]))"


def closure(requirements):
    """The installed distributions that these need, and those that they need."""
    todo, found = [Requirement(line) for line in requirements], {}
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if name not in found and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            found[name] = metadata.distribution(name)
            todo += map(Requirement, found[name].requires or [])
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A function that runs `tinyml` where nothing is installed but the wheel and what it names."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "build_backend.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tinyml_helpers", folder / "tinyml_helpers", ignore=ignored)
    built = subprocess.run(
        [sys.executable, "-c", BUILD, "."], cwd=folder, capture_output=True, text=True, check=True
    )
    venv.create(folder / "venv", symlinks=os.name != "nt")
    site = next(folder.glob("venv/**/site-packages"))
    with zipfile.ZipFile(folder / built.stdout.split()[-1]) as wheel:
        wheel.extractall(site)
    needs = metadata.Distribution.at(next(site.glob("*.dist-info"))).requires
    for distribution in closure(line for line in needs if "extra ==" not in line).values():
        tops = {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}
        for top in tops:
            if not (site / top).exists():
                (site / top).symlink_to(distribution.locate_file(top))
    python = next(folder.glob("venv/[bS]*/python*"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TINYML")}
    environment = kept | {
        "PYTHONPATH": str(ROOT / "tests" / "guard"),
        "TINYML_CACHE": str(cache_folder()),
        "COLUMNS": "200",
    }

    def run(*arguments, module="tinyml_helpers.cli"):
        return subprocess.run(
            [python, "-m", module, *map(str, arguments)],
            cwd=folder / "venv", env=environment, capture_output=True, text=True, encoding="utf-8",
        )  # fmt: skip

    return run


def test_what_is_not_named_is_not_there(alone):
    assert "No module named torch" in alone(module="torch").stderr
    assert "No module named pandas" in alone(module="pandas").stderr


def test_a_network_is_compiled_run_and_looked_into(alone):
    model = ROOT / "data" / "models" / "tiny.tflite"
    deployed = alone("deploy", model)
    assert deployed.returncode == 0, deployed.stderr
    assert "CONV_2D" in deployed.stdout and "flash" in deployed.stdout
    inspected = alone("inspect", model)
    assert inspected.returncode == 0, inspected.stderr
    assert "CONV_2D" in inspected.stdout
    assert "nano33ble" in alone("devices").stdout


def test_doctor_needs_no_lock(alone):
    assert "no lock here" in alone("doctor").stdout


def test_what_needs_more_says_how_to_get_it(alone):
    onnx = ROOT / "data" / "models" / "kws.safetensors"
    found = alone("inspect", onnx)
    assert found.returncode == 1
    assert "pip install 'tinyml-helpers[lessons]'" in found.stderr
    assert "Traceback" not in found.stderr
