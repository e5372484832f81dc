"""Exported projects by the compilers that boards use, as C and C++, and on QEMU's boards.

Each compiler meets each core and each level once; all pairs of both in C and in C++, and every network
that is shipped on every core, in a long run: TINYML_COMPILERS=all, which `make whole` sets.
"""

import ctypes
import dataclasses
import os
import string
import subprocess

import board_compilers as boards
import numpy as np
import pytest
from mcu_host import programs, sources
from operator_cases import CASES
from tflite_maker import framed_network, narrow_network, random_network

from tinyml_helpers import devices, mcu
from tinyml_helpers.datasets import data_folder
from tinyml_helpers.mcu.compiler.kernel_files import KERNELS, read_kernels
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.image import Image

MODELS = data_folder() / "models"
ALL = os.environ.get("TINYML_COMPILERS") == "all"
PAIRS = [
    (c, o) for i, c in enumerate(boards.CORES) for j, o in enumerate(boards.LEVELS) if ALL or i == j
]
TURNED = [*boards.LEVELS[2:], *boards.LEVELS[:2]]  # clang meets other pairs than GCC
DEVICES = {
    "m0plus": "pico",
    "m3": "nucleo_l152re",
    "m4": "nano33ble",
    "m7": "nucleo_h743zi",
    "m33": "nucleo_u575zi",
}
gcc = pytest.mark.skipif(boards.GCC is None, reason="GCC for Arm is not installed")
clang = pytest.mark.skipif(boards.CLANG is None, reason="clang is not installed")
qemu = pytest.mark.skipif(
    not (boards.QEMU and boards.GCC and boards.CMAKE),
    reason="QEMU, GCC for Arm and CMake are not all installed",
)
RISCV = [("rv32imc", "-O2"), ("rv32imac", "-Os")]
COMPILED = [
    *(pytest.param("arm-none-eabi-gcc", core, level, marks=gcc) for core, level in PAIRS),
    *(
        pytest.param("clang", core, TURNED[boards.LEVELS.index(level)], marks=clang)
        for core, level in PAIRS
    ),
    *(pytest.param("clang", core, level, marks=clang) for core, level in RISCV),
]
LANGUAGES = {"C": boards.C, "C++": boards.CPLUSPLUS} if ALL else {"C": boards.C}
SPOKEN = [
    pytest.param("arm-none-eabi-gcc", boards.C, marks=gcc),
    pytest.param("arm-none-eabi-g++", boards.CPLUSPLUS, marks=gcc),
    pytest.param("clang", boards.C, marks=clang),
    pytest.param("clang", boards.CPLUSPLUS, marks=clang),
]


def written(files, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return sorted(name for name in files if name.endswith(".c"))


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernels")
    return folder, written(read_kernels(name for names in KERNELS.values() for name in names), folder)


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """The generated C of every operator, of chains and of packed weights: for M4, and for M0+."""
    made = {}
    for core, dsp in (("m4", True), ("m0plus", False)):
        plain = {i: make(1) for i, make in enumerate(CASES.values())}
        plain |= {100 + seed: random_network(seed) for seed in range(6)} | {200: framed_network(1)}
        packed = {300 + seed: narrow_network(seed) for seed in range(3)}
        files = sources(programs(plain, dsp)) | sources(programs(packed, dsp, packed=True))
        folder = tmp_path_factory.mktemp(core)
        made[core] = folder, written(files, folder)
    return made


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("compiler", "core", "level"), COMPILED)
def test_every_kernel_compiles_without_a_warning(kernels, compiler, core, level, language):
    folder, files = kernels
    flags = [*LANGUAGES[language], *boards.WARNINGS, level, "-c"]
    assert boards.compile_all(compiler, files, core, *flags, folder=folder) == ""


@gcc
@pytest.mark.parametrize("core", ["m0plus", "m4"])
def test_every_kernel_is_taken_as_c_plus_plus(kernels, core):
    folder, files = kernels
    flags = [*boards.CPLUSPLUS, *boards.WARNINGS, "-fsyntax-only"]
    assert boards.compile_all("arm-none-eabi-g++", files, core, *flags, folder=folder) == ""


@pytest.mark.parametrize("core", boards.CORES if ALL else ["m0plus", "m4"])
@pytest.mark.parametrize(("compiler", "language"), SPOKEN)
@pytest.mark.parametrize("work", [[o, "-c"] for o in boards.LEVELS] if ALL else [["-fsyntax-only"]])
def test_what_is_generated_is_taken_as_c_and_as_c_plus_plus(networks, compiler, language, core, work):
    folder, files = networks["m0plus" if core in ("m0plus", "m3") else "m4"]
    flags = [*language, *boards.WARNINGS, *work]
    assert boards.compile_all(compiler, files, core, *flags, folder=folder) == ""


@gcc
def test_a_warning_is_seen(tmp_path):
    files = written({"a.c": "int half(long x);\nint half(long x) { return (char)x * 1.5; }\n"}, tmp_path)
    flags = [*boards.C, *boards.WARNINGS, "-c"]
    said = boards.compile_all("arm-none-eabi-gcc", files, "m4", *flags, folder=tmp_path)
    assert "-Werror=" in said


# ----- a compiler that does not know the DSP instructions by name


STDINT = """#pragma once
typedef __INT8_TYPE__ int8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;
#define INT32_MAX 2147483647
#define INT32_MIN (-2147483647 - 1)
"""


@gcc
@pytest.mark.parametrize("age", [["-nostdinc"], ["-nostdinc", "-U__GNUC__", "-D__GNUC__=7"]])
def test_gcc_without_the_header_of_dsp_instructions(kernels, tmp_path, age):
    folder, files = kernels
    written({"stdint.h": STDINT}, tmp_path)
    flags = [*boards.C, *boards.WARNINGS, *age, "-isystem", str(tmp_path), "-O2", "-c"]
    assert boards.compile_all("arm-none-eabi-gcc", files, "m4", *flags, folder=folder) == ""


@pytest.mark.parametrize("model", ["magic_wand", "keyword_spotting"])
def test_the_instructions_in_assembly_give_the_same_bytes(model):
    firmware = mcu.build(MODELS / f"{model}.tflite")
    files = dict(firmware.program.files)
    header = files["arithmetic.h"]
    files["arithmetic.h"] = header.replace("__has_include(<arm_acle.h>)", "0")
    assert files["arithmetic.h"] != header
    files["main.c"] = '#include "model.h"\nint main(void) { model_invoke(); }\n'
    graph, arena = firmware.program.graph, firmware.program.arena
    (taken,), (given,) = graph.inputs, graph.outputs
    place = {
        i: f"model_arena[{arena.offset(i)}:{arena.offset(i) + graph.tensors[i].size_bytes}]"
        for i in (taken, given)
    }
    machine = Machine(toolchain.compile_c(files))
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-128, 128, graph.tensors[taken].shape).astype(np.int8)
        run = machine.run({place[taken]: x}, {place[given]: np.int8})
        assert np.array_equal(run.outputs[place[given]], firmware.run(x).output.ravel())


# ----- two networks and C++ in one program


def test_two_networks_live_in_a_program_of_c_plus_plus(tmp_path):
    """Of the same kernels, which round differently: each keeps its own."""
    wand = MODELS / "magic_wand.tflite"
    mcu.build(wand, "pico", name="wand").export(tmp_path / "wand")
    mcu.build(wand, "pico", name="other", rounding="tflm").export(tmp_path / "other")
    both = "".join(f'#include "{name}.h"\n#include "{name}_self_test.h"\n' for name in ("wand", "other"))
    both += """extern "C" uint32_t wrong(void) {
    uint32_t first;
    return wand_self_test(&first) + other_self_test(&first);
}
extern "C" int8_t from_real(float x) { return wand_input_from_real(x); }
extern "C" float to_real(int8_t x) { return wand_output_to_real(x); }
"""
    (tmp_path / "both.cpp").write_text(both)
    files = [str(path) for name in ("wand", "other") for path in (tmp_path / name / "src").glob("*.c")]
    folders = [f"-I{tmp_path / name / 'src'}" for name in ("wand", "other")]
    library = boards.load_on_host(tmp_path, "-nostdlib", *folders, *files, "both.cpp")
    assert library.wrong() == 0
    graph = mcu.build(wand, "pico").program.graph
    taken, given = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    library.from_real.argtypes, library.from_real.restype = [ctypes.c_float], ctypes.c_int8
    library.to_real.argtypes, library.to_real.restype = [ctypes.c_int8], ctypes.c_float
    steps = np.arange(-300, 300, 0.25, dtype=np.float32) * np.float32(taken.scale)
    steps = np.concatenate([steps, np.float32([1e30, -1e30])])
    assert [library.from_real(x) for x in steps] == taken.quantized(steps).tolist()
    assert library.from_real(float("nan")) == -128
    values = np.arange(-128, 128).astype(np.int8)
    assert [library.to_real(int(x)) for x in values] == given.real(values).tolist()


# ----- on QEMU


@qemu
@pytest.mark.parametrize("core", DEVICES)
def test_a_project_built_by_gcc_passes_its_test_on_qemu(tmp_path, core):
    project = mcu.build(MODELS / "magic_wand.tflite", DEVICES[core], name="wand").export(tmp_path / "p")
    programs_in = boards.build(project, core, tmp_path)
    code, said = boards.run(programs_in / "wand_self_test", core)
    assert (code, "self-test: 0 wrong of" in said) == (0, True), said
    lines = boards.run(programs_in / "wand_stream", core)[1].splitlines()
    assert len(lines) > 10  # a quarter of four windows each
    assert all(len(line.split()) == 4 for line in lines)


@qemu
def test_a_fault_is_seen_on_qemu(tmp_path):
    project = mcu.build(MODELS / "magic_wand.tflite", name="wand").export(tmp_path / "p")
    for kernel in (project / "src").iterdir():
        kernel.write_text(kernel.read_text().replace('"smmlar ', '"smmla '))
    code, said = boards.run(boards.build(project, "m4", tmp_path) / "wand_self_test", "m4")
    assert code == 1
    assert "self-test: 0 wrong" not in said


FLOATS = ["face_accurate", "face_detector", "face_small", "ssd_mobilenet_v2"]
SHIPPED = sorted({path.stem for path in MODELS.glob("*.tflite")} - {*FLOATS})


def roomy(core):
    """The device of a core with the memory of QEMU's board, which takes every network."""
    return dataclasses.replace(devices.get(DEVICES[core]), flash_bytes=2 << 20, ram_bytes=2 << 20)


@qemu
@pytest.mark.parametrize("core", DEVICES if ALL else ["m33"])
@pytest.mark.parametrize("model", SHIPPED if ALL else ["wake_alexa"])
def test_every_network_that_is_shipped_passes_on_qemu(tmp_path, model, core):
    firmware = mcu.build(MODELS / f"{model}.tflite", roomy(core), name="net")
    built = boards.build(firmware.export(tmp_path / "p"), core, tmp_path)
    code, said = boards.run(built / "net_self_test", core)
    assert (code, "self-test: 0 wrong of" in said) == (0, True), said


@pytest.mark.parametrize("model", FLOATS)
def test_the_networks_that_are_left_out_are_of_floats(model):
    with pytest.raises(mcu.UnsupportedError, match=r"not int8 throughout: .* float"):
        mcu.build(MODELS / f"{model}.tflite")


COUNTING = """#include <stdint.h>
#include "net.h"
#define SYSTICK ((volatile uint32_t *)0xE000E010)
volatile uint32_t ticks;
int main(void) {
    SYSTICK[1] = 0xFFFFFF;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5;
    net_invoke();
    ticks = 0xFFFFFF - SYSTICK[2];
#ifdef ON_QEMU
    char text[12] = {0}, *to = text + 11;
    uint32_t left = ticks;
    do *--to = (char)('0' + left % 10); while (left /= 10);
    register int operation __asm__("r0") = 4; /* semihosting: write, then exit */
    register const void *what __asm__("r1") = to;
    __asm__ volatile("bkpt 0xab" : "+r"(operation) : "r"(what) : "memory");
    operation = 0x18, what = (const void *)0x20026;
    __asm__ volatile("bkpt 0xab" : "+r"(operation) : "r"(what) : "memory");
#endif
    return 0;
}
"""


@qemu
@pytest.mark.parametrize("core", DEVICES)
def test_instructions_of_the_same_program_agree_with_qemu(tmp_path, core):
    """SysTick of 25 MHz (mps2-an505: 20) ticks each 40 (50) instructions of a nanosecond."""
    files = dict(mcu.build(MODELS / "magic_wand.tflite", DEVICES[core], name="net").program.files)
    files |= {"main.c": COUNTING, "_startup.c": toolchain._asset("startup.c")}
    sizes = {
        "flash_bytes": 1 << 20,
        "ram_origin": "0x20000000",
        "ram_bytes": 1 << 18,
        "least_stack_bytes": 512,
    }
    link = string.Template(toolchain._asset("link.ld")).substitute(sizes)
    names = written(files, tmp_path)
    (tmp_path / "here.ld").write_text(link)
    _, flash, ram, _ = boards.BOARDS[core]
    there = link.replace("0x08000000", hex(flash)).replace("0x20000000", hex(ram))
    (tmp_path / "qemu.ld").write_text(there)
    flags = [*boards.CORES[core], "-mthumb", "-O2", "-g", "-ffreestanding", "-nostartfiles"]
    for place, more in (("here", []), ("qemu", ["-DON_QEMU"])):
        command = [boards.GCC, *flags, *more, *names, "-T", f"{place}.ld", "-o", f"{place}.elf"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:2000]
    elf = (tmp_path / "here.elf").read_bytes()
    image = Image(elf, f"cortex-{core}", sizes["flash_bytes"], sizes["ram_bytes"])
    spans = Machine(image).run({}, {}, watch=("main",)).spans
    (ours,) = (span.instructions for span in spans if span.function == "net_invoke")
    code, said = boards.run(tmp_path / "qemu.elf", core, "-icount", "shift=0")
    assert code == 0
    assert abs((50 if core == "m33" else 40) * int(said) - ours) < 200
