"""Threads that wait do not spin, however Python is started in the environment of the course."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASK = "import os; print(os.environ.get('OMP_WAIT_POLICY'), os.environ.get('GOMP_SPINCOUNT'))"


@pytest.fixture
def without(monkeypatch):
    """Nobody has set a policy before."""
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def told(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_any_python_of_the_environment_has_the_policy_before_its_first_import(without):
    assert told(sys.executable, "-c", ASK) == ["PASSIVE", "1000"]
    assert told(sys.executable, "-I", "-c", ASK) == ["PASSIVE", "1000"]


def test_whoever_has_set_a_policy_keeps_it(without):
    without.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert told(sys.executable, "-c", ASK) == ["ACTIVE", "None"]


def test_a_kernel_that_jupyter_starts_has_it(without):
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        said = []
        client.execute_interactive(ASK, timeout=60, output_hook=said.append)
        texts = "".join(m["content"].get("text", "") for m in said if m["msg_type"] == "stream")
        assert texts.split() == ["PASSIVE", "1000"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_both_ways_to_install_carry_the_line(kind, tmp_path):
    """A project of one module, built by our backend; pip lists the line, so that it can remove it."""
    (tmp_path / "one.py").write_text("")
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "build_backend"\n'
        'backend-path = ["."]\n[project]\nname = "one"\nversion = "1"\n'
        '[tool.setuptools]\npy-modules = ["one"]\n'
    )
    (tmp_path / "build_backend.py").write_text((ROOT / "build_backend.py").read_text("utf-8"))
    code = f"import build_backend; print(build_backend.build_{kind}('.'))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    with zipfile.ZipFile(tmp_path / run.stdout.split()[-1]) as wheel:
        assert wheel.read("tinyml_threads.pth").startswith(b"import os; ")
        record = wheel.read("one-1.dist-info/RECORD").decode()
        assert "tinyml_threads.pth,," in record.splitlines()
        assert wheel.testzip() is None
