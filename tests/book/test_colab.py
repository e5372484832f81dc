"""The cell that brings the course to Google Colab, on a machine that looks like one, and on ours."""

import json
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from book import addresses
from tinyml_helpers import datasets
from tinyml_helpers.course import syllabus

ROOT = Path(__file__).parents[2]
HOME = "https://github.com/Ada/tinyml-course"
# A kernel where nothing of the course is installed; `git` and `pip` are told, and a clone appears.
KERNEL = """
import json, pathlib, sys, types
cell, folder, checkout, packages, colab = json.loads(sys.argv[1])
sys.path.append(packages)
if colab:
    sys.modules["google.colab"] = types.ModuleType("google.colab")
told, there = [], pathlib.Path(folder)
class Shell:
    def system(self, command):
        told.append(command)
        if command.startswith("git clone") and not there.exists():
            there.mkdir()
            for name in ("tinyml_helpers", "data", "pyproject.toml"):
                (there / name).symlink_to(pathlib.Path(checkout, name))
for _ in range(2):  # a person runs a cell again
    exec(cell, {"get_ipython": Shell})
found = "nothing"
try:
    from tinyml_helpers import datasets
    found = [str(datasets.data_folder()), len(datasets.read_verified("models/tiny.tflite"))]
except ModuleNotFoundError:
    pass
print(json.dumps([told, found]))
"""


def cell_of(path):
    return next(
        cell.source
        for cell in syllabus.read_notebook(path).cells
        if "colab" in cell.metadata.get("tags", ())
    )


@pytest.fixture
def published(tmp_path):
    """The cell of a lesson after `make publish`."""
    for name in ("pyproject.toml", "README.md", "CITATION.cff", ".zenodo.json"):
        shutil.copy(ROOT / name, tmp_path)
    forms = Path(".github", "ISSUE_TEMPLATE", "config.yml")
    lesson = Path("notebooks", "14_privacy_on_the_device.ipynb")
    for name in (forms, lesson):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    addresses.publish(HOME, tmp_path)
    return cell_of(tmp_path / lesson)


@pytest.fixture
def kernel(tmp_path):
    """A function that runs a cell twice: the commands that it gave, and the data that are found then."""
    folder = tmp_path / "course"

    def run(cell, colab=True):
        packages = sysconfig.get_path("purelib")
        told = json.dumps(
            [cell.replace("/content/course", str(folder)), str(folder), str(ROOT), packages, colab]
        )
        # -S: what is installed as editable is not found.
        command = [sys.executable, "-I", "-S", "-c", KERNEL, told]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert not done.stderr
        *printed, answer = done.stdout.splitlines()
        assert printed == []
        told, found = json.loads(answer)
        return [one.replace(str(folder), "/content/course") for one in told], found

    return run


def test_it_is_the_same_in_every_lesson():
    (cell,) = {cell_of(lesson.path) for lesson in syllabus.lessons()}
    assert f'course = "{addresses.stored().get("Repository", "")}"' in cell


def test_publishing_changes_that_address_alone(published):
    stored = addresses.stored().get("Repository", "")
    assert published.replace(HOME, stored) == cell_of(syllabus.lessons()[0].path)


def test_on_colab_it_brings_the_packages_of_the_lessons_and_the_data(kernel, published, tmp_path):
    clone = f"git clone --depth 1 {HOME} /content/course"
    told, found = kernel(published)
    assert told == [clone, "pip install --editable '/content/course[lessons]'"]  # once
    tiny = len(datasets.read_verified("models/tiny.tflite"))
    assert found == [str(tmp_path / "course" / "data"), tiny]
    # The kernel was restarted: git says that the clone stands, pip that all is there.
    assert kernel(published) == (told, found)


def test_the_extra_that_it_names_is_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "lessons" in project["optional-dependencies"]


def test_anywhere_else_it_does_nothing(kernel, published):
    assert kernel(published, colab=False) == ([], "nothing")
