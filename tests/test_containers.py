"""Docker, Codespaces and Binder: what their files name is there, and fits what reads them."""

import fnmatch
import json
import os
import re
import shlex
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text("utf-8")
BINDER_MIB = 2048
# What devContainer.base.schema.json of github.com/devcontainers/spec says of the properties used here.
SIZE = {"type": "string", "pattern": r"^\d+([tgmk]b)?$"}
DEVCONTAINER = {
    "type": "object",
    "required": ["image"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "image": {"type": "string"},
        "hostRequirements": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "cpus": {"type": "integer", "minimum": 1},
                "memory": SIZE,
                "storage": SIZE,
            },
        },
        "postCreateCommand": {"type": "string"},
        "forwardPorts": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 65535},
        },
        "portsAttributes": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "label": {"type": "string"},
                    "onAutoForward": {
                        "enum": [
                            "notify",
                            "openBrowser",
                            "openBrowserOnce",
                            "openPreview",
                            "silent",
                            "ignore",
                        ]
                    },
                },
            },
        },
        "customizations": {"type": "object"},
    },
}


def instructions():
    """Each instruction of the Dockerfile, as (name, rest), its lines joined."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def of(name):
    return [rest for one, rest in instructions() if one == name]


def options_of_bootstrap():
    return set(re.findall(r'"(--[a-z]+)"', (ROOT / "bootstrap.py").read_text("utf-8")))


def test_the_image_is_built_on_a_named_python_that_the_course_runs_with():
    (image,) = of("FROM")
    assert re.fullmatch(r"python:3\.(11|12|13)(\.\d+)?-slim(-\w+)?", image)


def test_the_container_runs_as_an_ordinary_user_and_asks_for_a_token():
    names = [name for name, _ in instructions()]
    (user,) = of("USER")
    assert user != "root" and f"--uid 1000 {user}" in of("RUN")[0]
    # All that downloads and runs comes after it.
    assert names.index("USER") < names.index("COPY") < names.index("CMD")
    command = json.loads(of("CMD")[0])
    assert command[:2] == [".venv/bin/jupyter", "lab"]
    assert "--no-browser" in command and "--ip=0.0.0.0" in command
    assert not [one for one in command if "token" in one or "password" in one]
    assert f"--port={of('EXPOSE')[0]}" in command
    assert (ROOT / command[-1]).is_file()


def test_its_steps_call_what_is_there():
    (given,) = of("ARG")
    steps = [step for run in of("RUN")[1:] for step in run.split("&&")]
    assert steps
    for step in steps:
        program, script, *_ = shlex.split(step)
        assert (program, script) == ("python", "bootstrap.py")
        assert (ROOT / script).is_file()
    assert given.removeprefix("SET=") in options_of_bootstrap()


def test_no_instruction_is_one_that_linters_refuse():
    names = {name for name, _ in instructions()}
    assert names <= {"FROM", "RUN", "USER", "WORKDIR", "ENV", "COPY", "ARG", "EXPOSE", "CMD"}
    assert all(place.startswith("/") for place in of("WORKDIR"))
    assert not re.search(r"\bsudo\b|\bcurl\b|:latest", "\n".join(of("RUN") + of("FROM")))


def test_the_image_leaves_out_what_is_made_anew_and_keeps_what_set_up_reads():
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert {".git", ".venv", "build"} <= set(ignored)

    def is_left_out(path):
        parts = [path, *map(str, Path(path).parents)]
        names = {pattern.removeprefix("**/") for pattern in ignored if pattern.startswith("**/")}
        return any(fnmatch.fnmatch(one, pattern) for one in parts for pattern in ignored) or any(
            fnmatch.fnmatch(part, name) for part in Path(path).parts for name in names
        )

    assert is_left_out("tinyml_helpers/mcu/__pycache__/x.pyc") and is_left_out(".git/config")
    names = r'"((?:requirements|pyproject|build_backend)[\w.-]*)"'
    read = re.findall(names, (ROOT / "bootstrap.py").read_text("utf-8"))
    assert len(set(read)) == 6
    extension = "tinyml_helpers/course/jupyter/labextensions/tinyml-helpers/package.json"
    lesson = "notebooks/00_start_here.ipynb"
    for name in [*read, "bootstrap.py", "README.md", "data/manifest.json", lesson, extension]:
        assert (ROOT / name).is_file() and not is_left_out(name), name


def devcontainer():
    return json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))


def test_the_dev_container_says_what_its_schema_knows():
    jsonschema.validate(devcontainer(), DEVCONTAINER)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(devcontainer() | {"forwardPorts": ["JupyterLab"]}, DEVCONTAINER)


def test_the_dev_container_runs_and_opens_what_is_there():
    told = devcontainer()
    command, target = told["postCreateCommand"].split()
    assert command == "make"
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert re.search(r":3\.1[123]\b", told["image"])
    assert set(told["portsAttributes"]) == set(map(str, told["forwardPorts"]))
    for name in told["customizations"]["codespaces"]["openFiles"]:
        assert (ROOT / name).is_file()


def test_binder_finds_its_files_at_the_top_and_gets_the_small_set():
    assert yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    # Each of these would be read in their place.
    assert not [name for name in ("Dockerfile", "binder", ".binder") if (ROOT / name).exists()]
    build = ROOT / "postBuild"
    assert os.access(build, os.X_OK) or sys.platform == "win32"
    text = build.read_text("utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert text.splitlines()[-1] == "python bootstrap.py --here --start"


def test_the_first_lesson_fits_the_memory_of_a_binder_with_its_server():
    measured = json.loads((ROOT / "data" / "reference" / "memory.json").read_text("utf-8"))
    first = measured["lessons"][0]
    assert first["lesson"] == 0
    assert measured["server_mib"] + first["peak_mib"] < BINDER_MIB / 2
