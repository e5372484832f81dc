"""The same C on a Cortex-M55, where the compiler makes Helium's vectors of it: run by QEMU."""

import shutil
import string
import subprocess
import sys

import numpy as np
import pytest
from mcu_host import Reference, inputs, programs, sources
from tflite_maker import random_network

from tinyml_helpers.datasets import read_verified
from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.mcu.target import toolchain

QEMU = shutil.which("qemu-system-arm")
_M55 = "-mcpu=cortex_m55+mve_fp+fp_armv8d16"  # zig's name leaves Helium and the FPU out
FLAGS = ["-target", "thumb-freestanding-eabihf", _M55, "-O3", *toolchain._C_FLAGS]
HEAD = """#include <stdint.h>
#ifndef __ARM_FEATURE_MVE
#error "no Helium"
#endif
static int check(uint8_t *input, const void *given, unsigned count, void (*invoke)(void),
                 const uint8_t *output, const uint8_t *wanted, unsigned outputs) {
    __builtin_memcpy(input, given, count);
    invoke();
    int wrong = 0;
    for (unsigned i = 0; i < outputs; i++) wrong += output[i] != wanted[i];
    return wrong;
}
"""
# Semihosting: SYS_EXIT, and an exit that was asked for gives 0, any other 1.
LEAVE = """    register int operation __asm__("r0") = 0x18;
    register int reason __asm__("r1") = wrong ? 0x20023 : 0x20026;
    __asm__ volatile("bkpt 0xab" : "+r"(operation) : "r"(reason) : "memory");
    return 0;
}
"""


def program(contents, damage=0):
    """All C of a program that compares networks with the reference; it leaves with 1 if one differs."""
    made, heads, data, calls = programs(contents, True), [], [], []
    for name, content in zip(made, contents.values(), strict=True):
        g, arena, reference = made[name].graph, made[name].arena, Reference(content)
        (first, *_), (last, *_) = g.inputs, g.outputs
        heads.append(f'#include "{name}.h"')
        for number, x in enumerate(inputs(g.tensors[first], 1)):
            given = x.astype(np.float32) / 9 if g.tensors[first].dtype == "float32" else x
            wanted = reference.run([given], [last])[0].view(np.uint8).ravel()
            given = given.view(np.uint8).ravel()
            wanted[-1] ^= damage
            data.append(c_source.array("uint8_t", f"{name}_given{number}", given))
            data.append(c_source.array("uint8_t", f"{name}_wanted{number}", wanted))
            start, end = arena.offset(first), arena.offset(last)
            calls.append(
                f"wrong += check({name}_arena + {start}, {name}_given{number}, {given.size}, "
                f"{name}_invoke, {name}_arena + {end}, {name}_wanted{number}, {wanted.size});"
            )
    body = "".join(f"    {call}\n" for call in calls)
    main = "\n".join([*heads, HEAD, *data, "int main(void) {\n    int wrong = 0;", body + LEAVE])
    # No vectors before the start-up has switched them on.
    startup = "#pragma clang optimize off\n" + toolchain._asset("startup.c")
    return {**sources(made), "main.c": main, "_startup.c": startup}


def clang(folder, *arguments):
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]


def compile_for_m55(files, folder):
    """As `compile_c` does; flash and RAM lie where the secure state of the board mps3-an547 has them."""
    link = string.Template(toolchain._asset("link.ld")).substitute(
        flash_bytes=512 << 10, ram_origin="0x30000000", ram_bytes=512 << 10, least_stack_bytes=2048
    )
    link = link.replace("0x08000000", "0x10000000")
    for name, text in {**files, "link.ld": link}.items():
        (folder / name).write_text(text, "utf-8")
    clang(folder, *(name for name in files if name.endswith(".c")), "-o", "built")


def leaves(folder):
    """The number that the program leaves with in QEMU."""
    machine = ["-machine", "mps3-an547", "-display", "none", "-monitor", "none", "-serial", "none"]
    halt = ["-semihosting-config", "enable=on,target=native", "-no-reboot"]
    return subprocess.run([QEMU, *machine, *halt, "-kernel", folder / "built"], timeout=120).returncode


@pytest.fixture(scope="module")
def keywords():
    return {0: read_verified("models/keyword_spotting.tflite")}


def test_the_compiler_makes_loops_of_helium(keywords, tmp_path):
    """Of what copies and clamps; sums are written in SMLAD, and stay so."""
    compile_for_m55(program(keywords), tmp_path)
    clang(tmp_path, "-S", "moves.c", "-o", "moves.s")
    assembly = (tmp_path / "moves.s").read_text("utf-8")
    assert "dlstp" in assembly  # a loop over vectors whose last is not full
    assert "vmax.s" in assembly


@pytest.mark.skipif(QEMU is None, reason="no qemu-system-arm on this machine")
def test_networks_equal_the_reference_on_a_cortex_m55(keywords, tmp_path):
    contents = keywords | {seed: random_network(seed) for seed in range(20, 44)}
    compile_for_m55(program(contents), tmp_path)
    assert leaves(tmp_path) == 0


@pytest.mark.skipif(QEMU is None, reason="no qemu-system-arm on this machine")
def test_a_wrong_byte_is_seen(keywords, tmp_path):
    compile_for_m55(program(keywords, damage=1), tmp_path)
    assert leaves(tmp_path) == 1
