"""Projects for the toolchains of boards: built with SDKs of stubs, and run where QEMU has the core."""

import configparser
import io
import json
import os
import re
import subprocess
import zipfile

import board_compilers as boards
import numpy as np
import pytest

from tinyml_helpers import devices, mcu
from tinyml_helpers.datasets import data_folder
from tinyml_helpers.mcu import projects, self_test

WAND = data_folder() / "models" / "magic_wand.tflite"
WORDS = ["name", "NAME", "device", "core", "flags", "use", "firmware", "run", "model", "outputs"]
WORDS += ["compare", "reset", "stack_room"]
gcc = pytest.mark.skipif(
    not (boards.GCC and boards.CMAKE), reason="GCC for Arm and CMake are not both installed"
)
qemu = pytest.mark.skipif(
    not (boards.QEMU and boards.GCC and boards.CMAKE),
    reason="QEMU, GCC for Arm and CMake are not all installed",
)


@pytest.fixture(scope="module")
def wand():
    made = {}

    def build(device):
        return made.setdefault(device, mcu.build(WAND, device, name="wand"))

    return build


def cmake(folder, *options, **environment):
    """Configure and build; return what was said, and whether both went well."""
    said, env = "", {**os.environ, **environment}
    for command in (
        ["-S", folder, "-B", folder / "build", *options],
        ["--build", folder / "build"],
    ):
        done = subprocess.run(["cmake", *command], capture_output=True, text=True, env=env)
        said += done.stdout + done.stderr
        if done.returncode:
            return said, False
    return said, True


def syntax(source, *include, language=boards.CPLUSPLUS, core="m4", defines=()):
    flags = [*boards.WARNINGS, *(f"-I{folder}" for folder in include), *defines]
    command = ["arm-none-eabi-g++" if "c++" in language else "arm-none-eabi-gcc", "-mthumb"]
    command += [*boards.CORES[core], *language, *flags, "-O2", "-fsyntax-only", source]
    return subprocess.run(command, capture_output=True, text=True).stderr


# ----- what each brings


@pytest.mark.parametrize("kit", projects.kits())
def test_every_device_of_a_toolchain_gets_its_words_into_all_files(kit):
    layout, words = projects.kits()[kit], dict.fromkeys(WORDS, "net")
    words |= {"stack_bytes": "1", "task_stack": "1"}
    for key in layout["devices"]:
        project = projects.make_project(kit, devices.get(key), {"net.c": "int x;\n"}, words)
        assert {"README.md", *(p.replace("${name}", "net") for p in layout["files"])} <= set(project)
        readme = project["README.md"].decode()
        assert len(re.findall(r"^\d\. ", readme, re.MULTILINE)) == 5
        assert layout["sdk"] in readme and layout["tried"] in readme
        assert "${name}" not in readme


@qemu
def test_a_bare_project_builds_and_its_line_is_right_on_qemu(tmp_path, wand):
    project = wand("nucleo_l4r5zi").export(tmp_path / "p", toolchain="cmsis")
    script = (project / "board.ld").read_text()
    assert "LENGTH = 655360" in script
    # QEMU has a chip whose flash and RAM begin there, with less of both.
    (project / "board.ld").write_text(script.replace("LENGTH = 655360", "LENGTH = 131072"))
    said, fine = cmake(project, "-DCMAKE_TOOLCHAIN_FILE=toolchain.cmake")
    assert fine and "warning" not in said, said[-2000:]
    command = [boards.QEMU, "-machine", "netduinoplus2", "-display", "none", "-monitor", "none"]
    command += ["-serial", "none", "-semihosting-config", "enable=on,target=native", "-no-reboot"]
    done = subprocess.run(
        [*command, "-kernel", project / "build" / "wand_board.elf"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    told = json.loads(done.stdout + done.stderr)  # QEMU prints what a debugger would on either
    emulated = json.loads((project / "emulated.json").read_text())
    assert (told["wrong_checks"], told["wrong_bytes"]) == (0, 0)
    for key in ("model", "device", "kit", "name", "checks", "bytes"):
        assert told[key] == emulated[key]
    assert abs(told["stack_bytes"] - emulated["stack_bytes"]) < 64
    for command in ("flash_openocd", "flash_pyocd", "flash_cube", "monitor"):
        assert f"add_custom_target({command} " in (project / "CMakeLists.txt").read_text()


@pytest.mark.parametrize("device", projects.kits()["cmsis"]["devices"])
def test_a_bare_program_has_the_memory_of_its_board(device):
    words = projects.kits()["cmsis"]["devices"][device]
    whole = devices.get(device).ram_bytes
    assert 0.4 * whole < 1024 * words["ram_kib"] <= whole


ARDUINO = """#pragma once
#include <stdint.h>
struct Printer { void begin(long); void println(const char *); void println(long); operator bool(); };
extern Printer Serial;
void delay(unsigned long);
"""


@gcc
def test_an_arduino_library_compiles_with_a_stub_and_its_zip_holds_the_same(tmp_path, wand):
    project = wand("nano33ble").export(tmp_path / "p", toolchain="arduino")
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "Arduino.h").write_text(ARDUINO)
    places = (tmp_path / "stub", project / "src")
    assert syntax(project / "examples" / "board" / "board.ino", *places) == ""
    for source in (project / "src").glob("*.c"):
        assert syntax(source, language=boards.C) == "", source.name
    packed = zipfile.ZipFile(io.BytesIO((project / "wand.zip").read_bytes()))
    files = {p.relative_to(project).as_posix(): p for p in project.rglob("*") if p.is_file()}
    told = {f"wand/{name}" for name in files} - {"wand/wand.zip", "wand/emulated.json"}
    assert set(packed.namelist()) == told
    for name, path in files.items():
        if f"wand/{name}" in told:
            assert packed.read(f"wand/{name}") == path.read_bytes()
    properties = (project / "library.properties").read_text().splitlines()
    asked = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url"}
    assert asked <= {line.partition("=")[0] for line in properties}


@gcc
def test_a_platformio_project_names_its_board_and_compiles_with_a_stub(tmp_path, wand):
    project = wand("nano33ble").export(tmp_path / "p", toolchain="platformio")
    told = configparser.ConfigParser()
    told.read(project / "platformio.ini")
    section = told["env:nano33ble"]
    assert (section["board"], section["framework"]) == ("nano33ble", "arduino")
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "Arduino.h").write_text(ARDUINO)
    places = (tmp_path / "stub", project / "lib" / "wand" / "src")
    assert syntax(project / "src" / "main.cpp", *places) == ""


# ----- what is refused


@pytest.mark.parametrize(
    ("kit", "device", "said"),
    [
        ("keil", "nano33ble", "choose one of c, cmsis, arduino"),
        ("cmsis", "nano33ble", "--for arduino or platformio"),
        ("esp-idf", "pico", "esp32c3"),
    ],
)
def test_a_toolchain_that_does_not_serve_the_board_is_refused_with_what_does(kit, device, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        projects.check_kit(kit, devices.get(device))


def test_more_ram_than_a_bare_program_has_in_a_row_is_refused():
    h743 = devices.get("nucleo_h743zi")
    projects.check_kit("cmsis", h743, 512 * 1024)
    with pytest.raises(ValueError, match="524,289 bytes of RAM"):
        projects.check_kit("cmsis", h743, 512 * 1024 + 1)


def test_another_projects_folder_is_left_alone_and_an_own_one_is_renewed(tmp_path, wand):
    firmware = wand("nano33ble")
    project = firmware.export(tmp_path / "p", toolchain="zephyr")
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    for other in ("arduino", "c"):
        with pytest.raises(FileExistsError, match="give an empty folder"):
            firmware.export(project, toolchain=other)
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before
    (project / "README.md").write_text("old")
    firmware.export(project, toolchain="zephyr")
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_the_inputs_are_those_of_the_c(wand):
    """The first numbers of Marsaglia's xorshift from that seed, worked out by hand from its paper."""
    program = wand("nano33ble").program
    (x,) = self_test.first_inputs(program, None)
    state, made = 2463534242, []
    for _ in range(3):
        state ^= (state << 13) % 2**32
        state ^= state >> 17
        state ^= (state << 5) % 2**32
        made.append((state >> 24) - 128)
    assert x.ravel()[:3].tolist() == made
    assert x.dtype == np.int8
