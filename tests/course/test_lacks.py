"""The doctor on other systems: each place of the package that is Linux's alone has its sentence."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tinyml_helpers.course import doctor, lacks

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tinyml_helpers"
SYSTEMS = {
    ("win32", "AMD64"): {
        "make", "exercises", "files", "litert-torch", "tflite-micro", "network", "compiler", "grading",
        "JupyterHub", "espeak-ng", "git",
    },
    ("darwin", "arm64"): {
        "exercises", "files", "tflite-micro", "network", "compiler", "grading", "espeak-ng", "git",
    },
    ("linux", "aarch64"): {
        "litert-torch", "tflite-micro", "network", "compiler", "espeak-ng", "git",
    },
    ("linux", "x86_64"): {"network", "compiler", "espeak-ng", "git"},
}  # fmt: skip
OF_TOOLS = {"make", "compiler", "espeak-ng", "git"}


@pytest.mark.parametrize(("system", "machine"), SYSTEMS)
def test_what_a_system_lacks(system, machine):
    bare = lacks.find_lacks(system, machine, lambda name: None)
    assert {lack.subject for lack in bare} == SYSTEMS[system, machine]
    with_tools = lacks.find_lacks(system, machine, lambda name: f"/usr/bin/{name}")
    without = OF_TOOLS | ({"network"} if system == "linux" else set())
    assert {lack.subject for lack in with_tools} == SYSTEMS[system, machine] - without
    assert all(lack.missing and lack.instead for lack in bare)


@pytest.mark.parametrize(("system", "machine"), SYSTEMS)
@pytest.mark.parametrize("package", ["litert-torch", "tflite-micro"])
def test_a_package_is_lacking_where_the_lessons_do_not_ask_for_it(system, machine, package):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lessons = map(Requirement, project["optional-dependencies"]["lessons"])
    (wanted,) = (one for one in lessons if one.name == package)
    there = wanted.marker.evaluate({"sys_platform": system, "platform_machine": machine})
    found = {lack.subject for lack in lacks.find_lacks(system, machine, lambda name: name)}
    assert (package in found) != there


def test_the_doctor_tells_it_and_is_ready_all_the_same(monkeypatch):
    here = {finding.subject for finding in doctor.examine().findings if finding.lacking}
    monkeypatch.setattr(doctor.sys, "platform", "win32")
    monkeypatch.setattr(doctor.platform, "machine", lambda: "AMD64")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor, "_packages", lambda: doctor.Finding("packages", "all", True))
    report = doctor.examine()
    assert {finding.subject for finding in report.findings if finding.lacking} == SYSTEMS[
        "win32", "AMD64"
    ]
    assert report.ready
    (grading,) = (line for line in repr(report).splitlines() if "grading" in line)
    assert grading.startswith("– ") and "-> run it in WSL" in grading
    assert "grading" not in here or sys.platform != "linux"


# What tells a system from another, or asks it for a program of its own.
SIGNS = re.compile(
    r"sys\.platform|os\.name\b|hasattr\(os,|shutil\.which|os\.fork\b|import (?:fcntl|resource)$"
    r"|os\.killpg|setrlimit|/proc/|prctl|\bunshare\b|tflite_micro|\blitert_torch\b|\"git\"",
    re.MULTILINE,
)
# Module -> the doctor's sentence about it, or why there is none.
PLACES = {
    "course/boxed.py": "exercises",
    "course/lacks.py": "says it",
    "course/doctor.py": "counts cores where the system says how many are this process's",
    "classroom/grade/channel.py": "grading",
    "classroom/grade/landlock.py": "grading",
    "classroom/grade/lockdown.py": "grading",
    "classroom/grade/namespaces.py": "grading",
    "classroom/grade/sandbox.py": "grading",
    "classroom/grade/seccomp.py": "grading",
    "classroom/grade/self_test.py": "grading",
    "classroom/workshop/files/jupyterhub_config.py": "JupyterHub",
    "classroom/workshop/hub.py": "git",
    "deploy/benchmark.py": "compiler",
    "deploy/litert.py": "litert-torch",
    "deploy/tflite/probe.py": "tflite-micro",
    "deploy/tflite/pt2e.py": "litert-torch",
    "deploy/tflite/tflm.py": "tflite-micro",
    "mcu/target/toolchain.py": "names a library .dll or .so, and builds both",
    "system/compat.py": "litert-torch",
    "system/folders.py": "Windows gives each user temporary files of his own",
    "system/untrusted.py": "files",
    "usecases/keywords/voices.py": "espeak-ng",
    "usecases/privacy/isolation.py": "network",
}


def test_each_place_that_is_one_systems_own_has_its_sentence():
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if SIGNS.search(path.read_text("utf-8"))
    }
    assert found == set(PLACES)
    subjects = set().union(*SYSTEMS.values())
    assert subjects - {"make"} <= set(PLACES.values())
    assert all(said in subjects or " " in said for said in PLACES.values())
