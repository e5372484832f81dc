"""The emulated core: right results, exact counts, and a clear word when a program goes wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinyml_helpers.mcu.target import cores, emulator, toolchain
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.faults import EmulatorError

DOT = """
#include <stdint.h>
int8_t a[64], b[64];
int32_t sum;
int main(void) {
    for (int i = 0; i < 64; i++) sum += a[i] * b[i];
    return 0;
}
"""
MIXED = """
#include <stdint.h>
uint64_t x = 0x123456789ABCDEF;
float f = 1.5f;
double d = 0.1;
int32_t zeroed[8], n;
uint64_t product;
int main(void) {
    product = x * 1000003u / 7u;
    f = f * 3.25f + (float)n;
    d = d * 3.0;
    for (int i = 0; i < 8; i++) zeroed[i] += i;
    return 0;
}
"""
FAULTS = """
#include <stdint.h>
volatile int32_t kind;
const volatile int32_t constant = 5;
int deep(int k) {
    volatile int32_t frame[16];
    frame[0] = k;
    return deep(k + 1) + frame[0];
}
int jump(uintptr_t to) { return ((int (*)(void))to)(); }
int main(void) {
    switch (kind) {
    case 1: return deep(0);
    case 2: *(volatile int32_t *)&constant = 6; break;
    case 3: return jump(0x30000001);
    case 4: return jump(0x20000001);
    case 5: for (;;) kind = 5;
    case 6: return *(volatile int32_t *)kind;
    case 7: __asm__ volatile("udf #0"); break;
    case 8: __asm__ volatile("svc #0"); break;
    case 9: *(volatile int32_t *)0x40000000 = 1; break;
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def dot() -> Machine:
    return Machine(toolchain.compile_c(DOT))


@pytest.fixture(scope="module")
def faulty() -> Machine:
    return Machine(toolchain.compile_c(FAULTS, ram_bytes=8192))


eight_bits = arrays.arrays(np.int8, 64)


@settings(max_examples=50, deadline=None)
@given(a=eight_bits, b=eight_bits)
def test_dot_product_equals_numpy(dot: Machine, a: np.ndarray, b: np.ndarray) -> None:
    run = dot.run({"a": a, "b": b}, {"sum": "int32"})
    assert run.outputs["sum"].tolist() == [int(a.astype(np.int64) @ b)]


def test_every_run_starts_from_reset(dot: Machine) -> None:
    ones = np.ones(64, np.int8)
    runs = [dot.run({"a": ones, "b": ones}, {"sum": "int32"}) for _ in range(3)]
    assert [run.outputs["sum"][0] for run in runs] == [64, 64, 64]
    assert len({run.instructions for run in runs}) == 1


def test_count_equals_the_hand_count() -> None:
    source = """
    unsigned n;
    __attribute__((naked)) int main(void) {
        __asm__ volatile("ldr r0, =n\\n ldr r0, [r0]\\n 1: subs r0, #1\\n bne.w 1b\\n bx lr");
    }"""
    machine = Machine(toolchain.compile_c(source))
    for n in (1, 2, 1000):
        assert machine.run({"n": np.uint32(n)}).instructions == 2 + 2 * n + 1


@settings(max_examples=20, deadline=None)
@given(first=st.integers(1, 5000), second=st.integers(1, 5000))
def test_count_grows_linearly_with_the_loop(first: int, second: int) -> None:
    source = """
    unsigned n; volatile unsigned x;
    int main(void) { for (unsigned i = 0; i < n; i++) x += i; return 0; }"""
    machine = Machine(toolchain.compile_c(source, optimize="-Os"))
    one, two, a, b = (machine.run({"n": np.uint32(n)}).instructions for n in (1, 2, first, second))
    assert a - b == (two - one) * (first - second)


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_wide_and_float_arithmetic(core: str) -> None:
    outputs = {"product": "uint64", "f": "float32", "d": "float64", "zeroed": "int32"}
    run = emulator.run(toolchain.compile_c(MIXED, core), {"n": np.int32(2)}, outputs)
    assert run.outputs["product"][0] == (0x123456789ABCDEF * 1000003 % 2**64) // 7
    assert run.outputs["f"][0] == np.float32(1.5 * 3.25 + 2)
    assert run.outputs["d"][0] == 0.1 * 3.0
    assert run.outputs["zeroed"].tolist() == list(range(8))


def test_every_core_gives_the_same_bytes() -> None:
    outputs = {"product": "uint8", "f": "uint8", "d": "uint8", "zeroed": "uint8"}
    images = [toolchain.compile_c(MIXED, core) for core in cores.CORES]
    runs = [emulator.run(image, {"n": np.int32(-3)}, outputs) for image in images]
    for run in runs:
        for name in outputs:
            assert run.outputs[name].tobytes() == runs[0].outputs[name].tobytes()
    assert runs[0].instructions > 2 * runs[2].instructions  # an M0+ has no FPU


def test_wider_core_code_does_not_run_on_an_m0plus() -> None:
    image = toolchain.compile_c(DOT, "cortex-m4")
    as_m0 = type(image)(image.elf, "cortex-m0plus", image.flash_limit_bytes, image.ram_limit_bytes)
    with pytest.raises(EmulatorError, match="Invalid instruction"):
        emulator.run(as_m0)


def test_stack_is_measured_to_the_word() -> None:
    source = """
    volatile unsigned char sink;
    int main(void) {
        volatile unsigned char room[%d];
        for (unsigned i = 0; i < sizeof room; i++) room[i] = (unsigned char)i;
        sink = room[7];
        return 0;
    }"""
    small, large = (emulator.run(toolchain.compile_c(source % size)).stack_bytes for size in (256, 2048))
    assert large - small == 2048 - 256
    assert 256 < small < 256 + 64


def test_run_shows_a_table(dot: Machine) -> None:
    run = dot.run()
    assert f"{run.instructions:,}" in repr(run)
    assert f"{run.stack_bytes} B" in repr(run)
    assert run.ram_bytes == 64 + 64 + 8
    assert run.flash_bytes == toolchain.compile_c(DOT).flash_bytes


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (1, r"stack overflow in deep\(\): variables leave 8,184 B"),
        (2, r"write to flash at 0x080\w+ in main\(\)"),
        (3, r"wild jump in main\(\) to 0x30000000"),
        (4, r"wild jump in main\(\) to 0x20000000"),
        (5, r"not finished after 100,000 instructions, in main\(\).*raise `limit`"),
        (6, r"read from 0x00000006 in main\(\): there is no memory"),
        (7, r"stopped in main\(\): Invalid instruction"),
        (8, r"stopped in main\(\): Unhandled CPU exception"),
        (9, r"write to 0x40000000 in main\(\): there is no memory"),
    ],
)
def test_faults_say_what_and_where(faulty: Machine, kind: int, message: str) -> None:
    with pytest.raises(EmulatorError, match=message):
        faulty.run({"kind": np.int32(kind)}, limit=100_000)
    assert faulty.run({"kind": np.int32(0)}).instructions < 100  # the next run is sound


def test_large_array_on_the_stack_is_an_overflow_too() -> None:
    source = """
    volatile unsigned at;
    int main(void) { volatile char big[100000]; big[at] = 1; return big[at + 1]; }"""
    with pytest.raises(EmulatorError, match="stack overflow"):
        emulator.run(toolchain.compile_c(source, ram_bytes=65536))


def test_ram_that_is_no_whole_number_of_pages() -> None:
    source = "int at; int main(void) { at = 3; return 0; }"
    run = emulator.run(toolchain.compile_c(source, ram_bytes=10_000), {}, {"at": "int32"})
    assert run.outputs["at"][0] == 3


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({"c": 1}, {}, r"no variable 'c'.*choose one of .*a, b, sum"),
        ({"main": 1}, {}, "no variable 'main'"),
        ({"a": np.ones(64)}, {}, "'a' takes 64 bytes, the array has 512: 64 of float64"),
        ({}, {"total": "int32"}, "no variable 'total'"),
        ({}, {"sum": "complex64"}, "'sum' has 4 bytes: no whole number of complex64"),
    ],
)
def test_wrong_variables_name_the_cure(
    dot: Machine, inputs: dict[str, object], outputs: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        dot.run(inputs, outputs)  # type: ignore[arg-type]


def test_constant_is_read_but_not_filled() -> None:
    source = "const int k[2] = {4, 5}; volatile int i; int main(void) { i = k[i]; return 0; }"
    machine = Machine(toolchain.compile_c(source))
    assert machine.run({}, {"k": "int32"}).outputs["k"].tolist() == [4, 5]
    with pytest.raises(ValueError, match="drop its `const`"):
        machine.run({"k": np.zeros(2, np.int32)})


def test_part_of_a_variable_is_filled_and_read(dot: Machine) -> None:
    ones = np.ones(64, np.int8)
    run = dot.run({"a[0:4]": ones[:4], "b": ones}, {"sum": "int32", "b[60:64]": "int8"})
    assert run.outputs["sum"].tolist() == [4]
    assert run.outputs["b[60:64]"].tolist() == [1] * 4
    with pytest.raises(ValueError, match=r"'a\[60:65\]': a has 64 bytes"):
        dot.run({"a[60:65]": ones[:5]})


def test_calls_of_a_function_are_noted_with_where_they_begin_and_end() -> None:
    source = """
    volatile int n;
    __attribute__((noinline)) void one(void) { for (int i = 0; i < 10; i++) n++; }
    __attribute__((noinline)) void two(void) { for (int i = 0; i < 1000; i++) n++; }
    __attribute__((noinline)) void both(void) { one(); two(); n++; }
    int main(void) { both(); return n; }"""
    machine = Machine(toolchain.compile_c(source, optimize="-O1"))
    run = machine.run(watch=["main", "both"])
    assert [(span.caller, span.function) for span in run.spans] == [
        ("main", "both"),
        ("both", "one"),
        ("both", "two"),
        ("both", "main"),
        ("main", ""),
    ]
    assert [span.entry for span in run.spans[1:]] == [span.exit for span in run.spans[:-1]]
    assert (run.spans[0].entry, run.spans[-1].exit) == (0, run.instructions)
    to_both, one, two, back, end = (span.instructions for span in run.spans)
    assert 0 < to_both < 10
    assert 10 < one < 200 < 1000 < two
    assert 0 < back < 20
    assert 0 < end < 20
    again = machine.run(watch=["both"]).spans
    assert [(span.caller, span.function) for span in again[:2]] == [("both", "one"), ("both", "two")]
    assert [span.instructions for span in again[:2]] == [one, two]
    assert machine.run().spans == ()


def test_a_call_in_place_of_a_return_is_one_that_ends_in_the_caller() -> None:
    source = """
    volatile int n;
    __attribute__((noinline)) void last(void) { for (int i = 0; i < 100; i++) n++; }
    __attribute__((noinline)) void both(void) { n++; last(); }
    int main(void) { both(); return n; }"""
    run = Machine(toolchain.compile_c(source)).run(watch=["main", "both"])
    assert [(span.caller, span.function) for span in run.spans] == [
        ("main", "both"),
        ("both", "last"),
        ("main", ""),
    ]
    assert run.spans[1].instructions > 100


def test_without_a_reset_variables_are_as_main_left_them() -> None:
    machine = Machine(toolchain.compile_c("int n = 40; int main(void) { return ++n; }"))
    seen = [machine.run({}, {"n": "int32"}, fresh=fresh).outputs["n"][0] for fresh in (False, False)]
    assert seen == [41, 42]
    assert machine.run({}, {"n": "int32"}).outputs["n"][0] == 41


def test_blocks_account_for_every_instruction() -> None:
    source = """
    __attribute__((naked)) int main(void) {
        __asm__ volatile("movs r0, #77\\n 1: subs r0, #1\\n bne.w 1b\\n bx lr");
    }"""
    machine = Machine(toolchain.compile_c(source))
    run = machine.run()
    # 2 + 2 + 4 bytes once, 2 + 4 bytes for the other 76 turns, 2 bytes once
    found = sorted((size, entries, passed) for _, size, entries, passed in machine.blocks())
    assert found == [(2, 1, 0), (6, 76, 1), (8, 1, 0)]
    assert run.instructions == 3 + 2 * 76 + 1


def test_cycle_counter_counts_instructions() -> None:
    source = """
    #define CYCCNT (*(volatile unsigned *)0xE0001004)
    unsigned first, second;
    int main(void) {
        *(volatile unsigned *)0xE0001000 |= 1;
        first = CYCCNT;
        for (volatile int i = 0; i < 100; i++) {}
        second = CYCCNT;
        return 0;
    }"""
    run = emulator.run(toolchain.compile_c(source), {}, {"first": "uint32", "second": "uint32"})
    first, second = run.outputs["first"][0], run.outputs["second"][0]
    assert 300 < second - first < run.instructions
