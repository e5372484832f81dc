"""Projects for the toolchains of boards: built with SDKs of stubs, and run where QEMU has the core."""

import configparser
import io
import json
import os
import re
import string
import subprocess
import zipfile

import board_compilers as boards
import numpy as np
import pytest
from typer.testing import CliRunner

from tinyml_helpers import cli, devices, mcu
from tinyml_helpers.datasets import data_folder
from tinyml_helpers.deploy import litert
from tinyml_helpers.mcu import projects, self_test
from tinyml_helpers.usecases.gestures import firmware as gestures

WAND = data_folder() / "models" / "magic_wand.tflite"
WORDS = ["name", "NAME", "device", "core", "flags", "use", "firmware", "run", "model", "outputs"]
WORDS += ["compare", "reset", "stack_room", "again", "listens"]
KEYWORDS = data_folder() / "models" / "kws.tflite"
GESTURES = data_folder() / "models" / "gestures.tflite"
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
    words["task_stack"] = "1"
    for key in layout["devices"]:
        project = projects.make_project(kit, devices.get(key), {"net.c": "int x;\n"}, words, {})
        assert {"README.md", *(p.replace("${name}", "net") for p in layout["files"])} <= set(project)
        readme = project["README.md"].decode()
        assert len(re.findall(r"^\d\. ", readme, re.MULTILINE)) == 5
        assert layout["sdk"] in readme and layout["tried"] in readme
        assert "${name}" not in readme


@qemu
@pytest.mark.parametrize("chain", [False, True], ids=["a network", "a chain that remembers"])
def test_a_bare_project_builds_and_its_line_is_right_on_qemu(tmp_path, wand, chain):
    firmware = wand("nucleo_l4r5zi")
    if chain:
        around = gestures.pipeline(litert.load(GESTURES))
        firmware = mcu.build(GESTURES, "nucleo_l4r5zi", name="wand", pipeline=around)
    project = firmware.export(tmp_path / "p", toolchain="cmsis")
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


M0, M4 = (["--target=arm-none-eabi", f"-mcpu=cortex-{core}"] for core in ("m0plus", "m4"))
COUNTERS = {
    "DWT": M4,
    "microseconds": [*M0, "-DPICO_RP2040=1"],
    "mcycle": [*boards.RISCV["rv32imac"], "-DPICO_RP2350=1"],
    "esp_cpu": [*boards.RISCV["rv32imc"], "-DESP_PLATFORM=1"],
    "k_cycle": [*M0, "-D__ZEPHYR__=1"],
    "none": boards.RISCV["rv32imc"],
}


@pytest.mark.skipif(boards.CLANG is None, reason="clang is not installed")
@pytest.mark.parametrize("counter", COUNTERS)
def test_each_chip_counts_cycles_by_its_own_counter(tmp_path, counter):
    sdk = stubs(tmp_path / "sdk", {**PICO_SDK, **ZEPHYR, **IDF}) / "include"
    header = string.Template(projects.read_kit_file("cycles.h")).substitute(NAME="NET")
    use = "const char counter[] = CYCLE_COUNTER;\nunsigned now(void);\n"
    use += "unsigned now(void) { start_cycles(); return cycles_now(); }\n"
    (tmp_path / "a.c").write_text(header + use)
    flags = ["-ffreestanding", *boards.WARNINGS, "-O2", "-c", "-isystem", sdk]
    command = ["clang", *COUNTERS[counter], *flags, tmp_path / "a.c", "-o", tmp_path / "a.o"]
    assert subprocess.run(command, capture_output=True, text=True).stderr == ""
    assert f"{counter}\0".encode() in (tmp_path / "a.o").read_bytes()


# ----- what is refused


@pytest.mark.parametrize(
    ("kit", "device", "said"),
    [
        ("keil", "nano33ble", "choose one of c, cmsis, arduino"),
        ("cmsis", "nano33ble", "--for arduino or platformio"),
        ("esp-idf", "pico", "among esp32c3"),
        ("esp-idf", "esp32s3", "esp32c6; for an ESP32-S3 take esp32c3"),
        ("esp-idf", "esp32s3", "set-target esp32s3"),
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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--for", "arduino"], "give a folder by --export"),
        (["--for", "arduino", "--export", "/dev/null/p"], "null/p cannot be written"),
        (["--for", "arduino", "--name", "string", "--export", "p"], "call it my_string"),
        (["--for", "keil", "--export", "p"], "choose one of c, cmsis"),
        (["--for", "pico-sdk", "--export", "p"], "choose a device among pico"),
        (
            ["--for", "cmsis", "--sensor", "pdm", "--device", "nucleo_l4r5zi", "--export", "p"],
            "--for arduino",
        ),
        (
            ["--for", "arduino", "--sensor", "pdm", "--export", "p"],
            "what makes its input of samples",
        ),
    ],
)
def test_the_command_refuses_in_a_sentence_and_writes_nothing(tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, ["deploy", str(KEYWORDS), *options])
    assert (done.exit_code, said in done.output) == (1, True), done.output
    assert list(tmp_path.iterdir()) == []


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


# ----- SDKs of stubs


def stubs(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


ARM = ["-DCMAKE_SYSTEM_NAME=Generic", "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY"]
ARM += ["-DCMAKE_C_COMPILER=arm-none-eabi-gcc", "-DCMAKE_CXX_COMPILER=arm-none-eabi-g++"]
PICO_SDK = {
    "external/pico_sdk_import.cmake": """function(pico_sdk_init)
    if(NOT PICO_PLATFORM MATCHES "^rp2(040|350-arm-s|350-riscv)$")
        message(FATAL_ERROR "platform ${PICO_PLATFORM}")
    endif()
    file(WRITE ${CMAKE_BINARY_DIR}/none.c "")
    add_library(pico_stdlib INTERFACE)
    target_include_directories(pico_stdlib INTERFACE $ENV{PICO_SDK_PATH}/include)
    if(PICO_PLATFORM STREQUAL rp2040)
        target_compile_definitions(pico_stdlib INTERFACE PICO_RP2040=1)
    else()
        target_compile_definitions(pico_stdlib INTERFACE PICO_RP2350=1)
    endif()
    target_link_options(pico_stdlib INTERFACE --specs=nosys.specs)
endfunction()
function(pico_enable_stdio_usb target on)
endfunction()
function(pico_enable_stdio_uart target on)
endfunction()
function(pico_add_extra_outputs target)
    add_custom_command(TARGET ${target} POST_BUILD COMMAND ${CMAKE_COMMAND} -E touch ${target}.uf2)
endfunction()
""",
    "include/pico/stdlib.h": "#include <stdint.h>\nstatic inline void stdio_init_all(void) {}\n"
    "static inline void sleep_ms(uint32_t ms) { (void)ms; }\n",
    "include/pico/time.h": "#include <stdint.h>\n"
    "static inline uint32_t time_us_32(void) { return 0; }\n",
    "include/hardware/clocks.h": "#include <stdint.h>\nenum { clk_sys };\n"
    "static inline uint32_t clock_get_hz(int clock) { return 125000000u + (uint32_t)clock; }\n",
}
ZEPHYR = {
    "cmake/ZephyrConfig.cmake": """
file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/prj.conf options REGEX "^CONFIG_[A-Z0-9_]+=")
foreach(option ${options})
    string(REGEX MATCH "^(CONFIG_[A-Z0-9_]+)=(.*)" all ${option})
    set(${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
endforeach()
enable_language(C)
file(WRITE ${CMAKE_BINARY_DIR}/none.c "int unused_value;")
add_executable(app ${CMAKE_BINARY_DIR}/none.c)
include_directories(${ZEPHYR_BASE}/include)
target_link_options(app PRIVATE --specs=nosys.specs)
macro(zephyr_library_named name)
    set(ZEPHYR_CURRENT ${name})
    add_library(${name} STATIC)
    target_link_libraries(app PRIVATE ${name})
endmacro()
macro(zephyr_library_sources)
    target_sources(${ZEPHYR_CURRENT} PRIVATE ${ARGN})
endmacro()
macro(zephyr_library_compile_options)
    target_compile_options(${ZEPHYR_CURRENT} PRIVATE ${ARGN})
endmacro()
macro(zephyr_include_directories)
    target_include_directories(app PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${ARGN})
endmacro()
foreach(module ${ZEPHYR_EXTRA_MODULES})
    if(NOT EXISTS ${module}/zephyr/module.yml OR NOT EXISTS ${module}/Kconfig)
        message(FATAL_ERROR "${module} is no module")
    endif()
    add_subdirectory(${module} ${CMAKE_BINARY_DIR}/module)
endforeach()
""",
    "include/zephyr/kernel.h": "#include <stdint.h>\nstatic inline void k_msleep(int ms) { (void)ms; }\n"
    "static inline uint32_t k_cycle_get_32(void) { return 0; }\n",
    "include/zephyr/sys/printk.h": "#include <stdio.h>\n#define printk printf\n",
}
IDF = {
    "tools/cmake/project.cmake": """enable_language(C)
add_library(idf_stub INTERFACE)
target_include_directories(idf_stub INTERFACE $ENV{IDF_PATH}/include)
target_compile_definitions(idf_stub INTERFACE ESP_PLATFORM=1)
function(idf_component_register)
    cmake_parse_arguments(TOLD "" "" "SRCS;INCLUDE_DIRS;REQUIRES" ${ARGN})
    get_filename_component(name ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    add_library(${name} STATIC ${TOLD_SRCS})
    foreach(folder ${TOLD_INCLUDE_DIRS})
        target_include_directories(${name} PUBLIC ${folder})
    endforeach()
    target_link_libraries(${name} PUBLIC idf_stub ${TOLD_REQUIRES})
    set(COMPONENT_LIB ${name} PARENT_SCOPE)
endfunction()
macro(project name)
    _project(${name} C)
    file(GLOB components ${CMAKE_CURRENT_SOURCE_DIR}/components/*)
    foreach(component ${components} ${CMAKE_CURRENT_SOURCE_DIR}/main)
        add_subdirectory(${component})
    endforeach()
endmacro()
""",
    "include/esp_cpu.h": "#include <stdint.h>\n"
    "static inline uint32_t esp_cpu_get_cycle_count(void) { return 0; }\n",
    "include/freertos/FreeRTOS.h": "#define pdMS_TO_TICKS(ms) (ms)\n",
    "include/freertos/task.h": "static inline void vTaskDelay(int ticks) { (void)ticks; }\n",
}


@gcc
@pytest.mark.parametrize(
    ("kit", "device", "variable", "files", "place", "made"),
    [
        ("pico-sdk", "pico", "PICO_SDK_PATH", PICO_SDK, ".", "wand_board.uf2"),
        ("pico-sdk", "pico2", "PICO_SDK_PATH", PICO_SDK, ".", "wand_board.uf2"),
        ("zephyr", "nano33ble", "ZEPHYR_BASE", ZEPHYR, "sample", "app"),
        ("esp-idf", "esp32c3", "IDF_PATH", IDF, ".", "main/libmain.a"),
    ],
)
def test_a_project_builds_with_an_sdk_of_stubs(
    tmp_path, wand, kit, device, variable, files, place, made
):
    project = wand(device).export(tmp_path / "p", toolchain=kit) / place
    said, fine = cmake(project, *ARM, **{variable: str(tmp_path / "none")})
    assert not fine and "is not installed: " in " ".join(said.split())
    sdk = stubs(tmp_path / "sdk", files)
    found = [f"-DZephyr_DIR={sdk / 'cmake'}", f"-DZEPHYR_BASE={sdk}"] if kit == "zephyr" else []
    cores = {"nano33ble": "m4", "pico2": "m33"}
    flags = boards.CORES[cores.get(device, "m0plus")]
    flags = [f"-DCMAKE_C_FLAGS=-mthumb {' '.join(flags)}"]
    said, fine = cmake(project, "--fresh", *ARM, *flags, *found, **{variable: str(sdk)})
    assert fine and "warning:" not in said, said[-3000:]
    assert (project / "build" / made).exists()
