"""C of a learner: compiled, compared, counted, and placed on a scale that is measured here."""

import re

import numpy as np
import pytest

from tinyml_helpers.course import check, firmware_task, scoreboard, syllabus
from tinyml_helpers.course.exercises import build_08, lesson_00
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.mcu.target.emulator import Machine

pytestmark = pytest.mark.usefixtures("results")
SIGNATURE = "int32_t dot(const int8_t *x, const int8_t *w, int32_t n)"
NAIVE, OURS = (build_08.with_offset(text) for text in (build_08.NAIVE, build_08.OURS))

POINTERS = NAIVE.replace("for (int32_t i = 0; i < n; i++)", "while (n--)").replace(
    "(x[i] + 128) * w[i]", "(*x++ + 128) * *w++"
)


def per_mac(text, optimize, task=None):
    task = task or build_08._task()
    sources = {"main.c": task.main, firmware_task._FILE: text}
    machine = Machine(toolchain.compile_c(sources, optimize=optimize))
    return firmware_task._run(machine, task, task.hidden[-1]).instructions / task.macs


def test_the_scale_is_what_was_measured():
    flags = ("-O1", "-O2", "-O3", "-Os", "-Oz")
    found = {
        "ours": per_mac(OURS, "-O2"),
        "the compiler's best": min(per_mac(text, flag) for text in (NAIVE, POINTERS) for flag in flags),
        "a plain loop": per_mac(NAIVE, "-O2"),
    }
    assert {name: round(value, 2) for name, value in found.items()} == {
        name: value for name, value in build_08.SCALE.items() if name != "arithmetic alone"
    }, found


LAYER_POINTERS = lesson_00.NAIVE.replace(
    "for (int i = 0; i < n_in; i++)", "const int8_t *w = weights, *x = in; for (int i = n_in; i; i--)"
).replace("weights[i] * in[i]", "*w++ * *x++")


def test_the_scale_of_the_first_network_is_what_was_measured():
    task, flags = lesson_00._task(), ("-O1", "-O2", "-O3", "-Os", "-Oz")
    texts = (lesson_00.NAIVE, LAYER_POINTERS)
    found = {
        "ours": per_mac(lesson_00.OURS, "-O2", task),
        "the compiler's best": min(per_mac(text, flag, task) for text in texts for flag in flags),
        "the lesson's loop": per_mac(lesson_00.NAIVE, "-O2", task),
    }
    assert {name: round(value, 2) for name, value in found.items()} == {
        name: value for name, value in lesson_00.SCALE.items() if name != "arithmetic alone"
    }, found
    assert task.most * task.macs < 70_000 < per_mac(lesson_00.NAIVE, "-O2", task) * task.macs


def test_the_first_network_by_hand():
    """One pixel, weight and bias at a time: (2 * 3 + 4) * 2**23 / 2**24 = 5, and 5 * 7 + 1 = 36."""
    image, scores, w1, b1, _, w2, b2, _ = (np.zeros_like(part) for part in lesson_00._hidden()[0])
    image[9], w1[784 + 9], b1[1], w2[32 + 1], b2[1] = 2, 3, 4, 7, 1
    made = lesson_00._network(image, scores, w1, b1, 2**23, w2, b2, 2**24)
    assert made.tolist() == [0, 36, *[0] * 8]


LAYER_SLIPS = {
    "half": ((" + (1 << 23)", ""), "half that rounds is missing"),
    "top": (("sum > 127 ? 127 : sum", "sum"), "must stay at 127"),
    "wide product": (("(int64_t)", ""), "does not fit into 32 bits"),
    "bias": (("bias[j]", "0"), "The bias is missing"),
    "lowest": (("sum < lowest ? lowest", "sum < 0 ? 0"), "`lowest` is what the result is at least"),
    "last inputs": (("i < n_in", "i < n_in - 4"), "last four inputs"),
    "sign": (("weights[i] *", "(uint8_t)weights[i] *"), "without their sign"),
    "row": (("j++, weights += n_in", "j++"), "where does the next row begin"),
}


@pytest.mark.parametrize("kind", LAYER_SLIPS)
def test_each_slip_of_the_layer_gets_its_own_hint(kind):
    change, sentence = LAYER_SLIPS[kind]
    said = check.faster_layer(lesson_00.NAIVE.replace(*change)).message
    assert sentence in said, said
    assert "scores becomes [" in said


def test_the_printed_solution_is_nobodys_record():
    path = next(lesson.path for lesson in syllabus.lessons() if lesson.number == 0)
    printed = [
        cell.source for cell in syllabus.read_notebook(path).cells if "faster_layer" in cell.source
    ]
    assert any(lesson_00.PAIRS in source for source in printed)


def test_code_that_became_part_of_main_counts_too():
    found = check.exercises()["faster_layer"].weigh(lesson_00.PAIRS).figures
    assert 300 < found["flash_bytes"] < 2000


def test_what_is_written_behind_an_array_shows():
    beyond = lesson_00.PAIRS.replace("out[j + k] =", "if (n_out == 10) out[10] = 3; out[j + k] =")
    said = check.faster_layer(beyond).message
    assert "0 of 5 cases are right" in said and ",   3]" in said, said


def test_the_prototype_tells_names_and_harness():
    task = build_08._task()
    assert (task.function, task.arguments) == ("dot", ("x", "w", "n"))
    assert " int8_t arg_x[1028];" in task.main
    assert "answer = dot(arg_x, arg_w, arg_n);" in task.main


def test_a_right_answer_gets_its_place_and_figures():
    found = check.exercises()["dot_product"].weigh(OURS)
    assert found.status == "right"
    assert "arithmetic alone 1.50" in found.message
    assert re.search(r"YOURS \d\.\d\d", found.message)
    assert list(found.figures) == list(firmware_task.FIGURES)
    assert 1.5 < found.figures["instructions_per_mac"] <= build_08.MOST_PER_MAC
    assert 50 < found.figures["flash_bytes"] < 1000
    assert 0 <= found.figures["stack_bytes"] < 200


def test_right_bytes_at_a_high_price_are_placed_and_not_right():
    found = check.dot_product(NAIVE)
    assert (found.status, "Every byte is right" in found.message) == ("hint", True)
    assert f"At most {build_08.MOST_PER_MAC:.2f} are wanted" in found.message


SENTENCES = {
    "no semicolon": (
        NAIVE.replace("sum;", "sum"), "The compiler stops at line 6, `return sum`: expected ';'",
    ),
    "unknown name": (build_08.NAIVE, "line 5"),
    "another signature": (NAIVE.replace("int32_t dot", "int8_t dot"), "conflicting types for 'dot'"),
    "no function": ("int32_t dott;", "The program was not built"),
    "nothing of it": ("int x;", "must define `int32_t dot("),
    "no text": (NAIVE.encode(), "Give its C as text"),
    "too long": (NAIVE + "//" + "x" * 60_000, "must define"),
    "missing header": ('#include "dot.h"\n' + NAIVE, "line 1"),
    "a main of its own": (NAIVE + "int main(void) { return 0; }", "main"),
    "too large": (
        NAIVE.replace("int32_t sum = 0;", "static volatile char a[1 << 28]; int32_t sum = a[n] = 0;"),
        "was not built",
    ),
    "wild pointer": (SIGNATURE + " { return *(volatile int32_t *)0x40000000; }", "wrong pointer"),
    "wild write": (SIGNATURE + " { *(volatile int32_t *)0x40000000 = n; return n; }", "wrong pointer"),
    "write to flash": (SIGNATURE + " { *(volatile int32_t *)0x08000000 = n; return n; }", "flash"),
    "endless loop": (SIGNATURE + ' { for (;;) __asm__ volatile(""); }', "endless loop?"),
    "stack overflow": (
        SIGNATURE + " { volatile int32_t a[99]; a[0] = n; return dot(x, w, n + 1) + a[0]; }",
        "stack overflow",
    ),
    "wild jump": (SIGNATURE + " { return ((int32_t (*)(void))0x30000001)(); }", "wild jump"),
    "constant": (SIGNATURE + " { return 0; }", "1 of 14 cases are right"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SENTENCES)
def test_what_goes_wrong_is_a_sentence(kind):
    text, sentence = SENTENCES[kind]
    found = check.dot_product(text)
    assert found.status == "hint"
    assert sentence in found.message, found.message


SLIPS = {
    "offset": ((" + 128", ""), "The offset is missing"),
    "sign of the offset": ((" + 128", " - 128"), "added, not taken away"),
    "left over": (("i < n", "i < n / 4 * 4"), "no multiple of four is missing"),
    "odd": (("i < n", "i < n / 2 * 2"), "n is odd is missing"),
    "too far": (("i < n", "i < (n + 3) / 4 * 4"), "past the end"),
    "narrow sum": (("int32_t sum", "int16_t sum"), "needs 32 bits"),
    "without sign": (
        ("(x[i] + 128) * w[i]", "((uint8_t)x[i] + 128) * (uint8_t)w[i]"), "without their sign",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SLIPS)
def test_each_slip_gets_its_own_hint(kind):
    change, sentence = SLIPS[kind]
    said = check.dot_product(NAIVE.replace(*change)).message
    assert sentence in said, said
    assert "The smallest case that fails: with x = [" in said


def test_the_smallest_case_shows_input_expected_and_got():
    said = check.dot_product(NAIVE.replace("i < n", "i < n && i < 3")).message
    assert re.search(r"n = 4 it returns -?[\d,]+, and -?[\d,]+ is wanted", said), said


def test_only_a_learners_own_answer_goes_to_the_scoreboard():
    check.dot_product(OURS)
    assert scoreboard.collect().records == ()
    check.dot_product(build_08.with_offset(build_08.APART) + "\n")
    names = [record.name for record in scoreboard.collect().records]
    assert names == [f"built.dot_product.{figure}" for figure in firmware_task.FIGURES]
    assert scoreboard.collect().records[1].unit == "bytes"
    assert "built by you: dot product: flash bytes" in scoreboard.collect()._repr_html_()
