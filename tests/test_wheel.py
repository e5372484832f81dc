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
    for name in ("tinyml_helpers", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
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


def test_a_page_to_draw_on_needs_no_lessons_and_no_checkout(alone, tmp_path):
    made = alone("live", "drawing", "--no-show", "--out", tmp_path / "page.html")
    assert made.returncode == 0, made.stderr
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "Draw a garment" in page
    assert "nano33ble" in page or "Arduino Nano 33 BLE" in page


def test_a_page_whose_data_the_wheel_lacks_says_where_they_are(alone, tmp_path):
    made = alone("live", "keywords", "--no-show", "--out", tmp_path / "page.html")
    assert made.returncode == 1
    assert "work in a checkout of the course, or set TINYML_DATA" in made.stderr
    assert "Traceback" not in made.stderr
    assert not (tmp_path / "page.html").exists()


def test_doctor_needs_no_lock_and_finds_the_data_of_the_wheel(alone):
    said = alone("doctor").stdout
    assert "no lock here" in said
    assert "3 files, 4.5 MB, all verified" in said


def test_what_needs_more_says_how_to_get_it(alone):
    onnx = ROOT / "data" / "models" / "kws.safetensors"
    found = alone("inspect", onnx)
    assert found.returncode == 1
    assert "pip install 'tinyml-helpers[lessons]'" in found.stderr
    assert "Traceback" not in found.stderr
