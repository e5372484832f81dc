"""Set-up says in one sentence what is wrong, and does nothing where nothing changed."""

import ast
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bootstrap(tmp_path):
    """The set-up script's names, working on an empty checkout."""
    (tmp_path / "requirements.lock").write_text("a==1\n")
    (tmp_path / "pyproject.toml").write_text("")
    script = tmp_path / "bootstrap.py"
    script.write_text((ROOT / "bootstrap.py").read_text("utf-8"))
    return SimpleNamespace(**runpy.run_path(str(script)), folder=tmp_path)


def test_a_wrong_python_is_told(bootstrap, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    with pytest.raises(
        SystemExit, match=r"needs Python 3\.11, 3\.12 or 3\.13, and this is 3\.9: install"
    ):
        bootstrap.check_machine()


def test_an_older_python_gets_as_far_as_the_check():
    text = (ROOT / "bootstrap.py").read_text("utf-8")
    tree = ast.parse(text, feature_version=(3, 7))
    first = next(node for node in tree.body if isinstance(node, ast.ImportFrom))
    assert first.module == "__future__"


def test_a_full_disk_is_told(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(SystemExit, match=r"need 7 GB of disk, and 1\.0 GB are free"):
        bootstrap.check_machine()


def test_a_python_without_venv_is_told(bootstrap, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit, match="python3-venv"):
        bootstrap.check_machine()


def test_it_is_ready_only_for_the_same_packages(bootstrap):
    assert not bootstrap.is_ready()
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.touch()
    (bootstrap.VENV / ".ready").write_text(bootstrap.fingerprint())
    assert bootstrap.is_ready()
    (bootstrap.folder / "requirements.lock").write_text("a==2\n")
    assert not bootstrap.is_ready()


def test_a_failing_installation_names_the_reason_and_the_log(bootstrap):
    bootstrap.LOG.parent.mkdir()
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.symlink_to(sys.executable)
    with pytest.raises(SystemExit, match=r"could not install.*no-such-file.*build.setup\.log"):
        bootstrap.pip("-r", "no-such-file.txt")


def test_make_help_lists_the_commands():
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    for command in ("course", "test", "lab", "lint", "outputs"):
        assert f"make {command} " in text
