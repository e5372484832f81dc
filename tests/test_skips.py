"""What is skipped says why, and fails in CI unless it is listed; a browser gets a second chance."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import skips

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
LISTED = """
import pytest

def test_a_page():
    pytest.skip("no Chromium or Chrome on this machine: install one")

@pytest.mark.xfail
def test_known():
    assert False

def test_fine():
    pass
"""
UNLISTED = """
import pytest

@pytest.mark.skipif(True, reason="this system forbids namespaces")
def test_a_layer():
    pass

def test_fine():
    pass
"""
MODULE = "import pytest\npytest.importorskip('no_such_package')\n\ndef test_it():\n    pass\n"


def run(folder, *options, ci=""):
    """Run pytest on a folder with the watch, and with nothing else of this project."""
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(Path(skips.__file__).parent)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ("-q", "-rs", "-p", "skips", "-p", "xdist", *options, f"--rootdir={folder}")
    command = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout


def write(folder, **contents):
    (folder / "tests" / "browser").mkdir(parents=True)
    for name, content in contents.items():
        (folder / "tests" / "browser" / f"test_{name}.py").write_text(content, "utf-8")
    return folder


def test_what_is_listed_prints_its_reason_and_passes(tmp_path):
    code, said = run(write(tmp_path, page=LISTED), ci="1")
    assert code == 0, said
    assert "no Chromium or Chrome on this machine: install one" in said
    assert "not listed" not in said


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_what_is_not_listed_fails_in_ci_and_is_named(tmp_path, options):
    code, said = run(write(tmp_path, page=LISTED, layer=UNLISTED, module=MODULE), *options, ci="true")
    assert code == 1, said
    told = said.partition("not listed in skips.toml, so this run fails")[2]
    assert "test_layer.py::test_a_layer: this system forbids namespaces" in told
    assert "test_module.py: could not import 'no_such_package'" in told
    assert "Chromium" not in told.partition("short test summary")[0]


def test_what_is_not_listed_passes_with_a_word_elsewhere(tmp_path):
    code, said = run(write(tmp_path, layer=UNLISTED), ci="0")
    assert code == 0
    assert "not listed in skips.toml, which fails where the variable CI is set" in said


def test_a_skip_of_one_kind_of_machine_is_accepted_on_no_other():
    one = skips.Listed("tests/*", "* there", "-", "-", ("win32",))
    assert one.covers("tests/test_a.py::test_b", "locks are others there", {"win32"})
    assert not one.covers("tests/test_a.py::test_b", "locks are others there", {"linux", "root"})
    assert not one.covers("tests/test_a.py::test_b", "locks are others", {"win32"})


@pytest.mark.parametrize("one", skips.load(), ids=lambda one: f"{one.tests} {one.reason}")
def test_every_entry_says_why_and_where_else_and_names_tests_that_are_there(one):
    assert len(one.accepted) > 20
    assert len(one.instead) > 20
    assert set(one.on) <= {"win32", "darwin", "root"}
    file, _, name = one.tests.partition("::")
    files = list(ROOT.glob(f"{file}/*.py" if file.endswith("*") and not file.endswith("**") else file))
    found = files or list(ROOT.glob(file))
    assert found
    if name.strip("*"):
        assert any(f"def {name}(" in path.read_text("utf-8") for path in found)


FLAKY = """
from pathlib import Path

def test_steady():
    Path("steady").open("a").write("x")

def test_late_once():
    before = Path("late").exists()
    Path("late").open("a").write("x")
    assert before
"""


def test_only_what_failed_in_a_browser_is_tried_again(tmp_path):
    """With the options of pyproject.toml and of `make browser-test`, which .ci/run repeats so."""
    recipe = re.search(r"^browser-test:.*\n\t.* -m pytest (.*) tests/browser", MAKEFILE, re.MULTILINE)
    options = recipe[1].split()
    assert "--last-failed" in (ROOT / ".ci" / "run").read_text("utf-8")
    write(tmp_path, late=FLAKY)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    options += ["-c", "pyproject.toml", "tests/browser"]
    codes = [run(tmp_path, *options, *more)[0] for more in ((), ("--last-failed",))]
    assert codes == [1, 0]
    assert (tmp_path / "build" / "pytest").is_dir()
    assert ((tmp_path / "steady").read_text(), (tmp_path / "late").read_text()) == ("x", "xx")
