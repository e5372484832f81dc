"""Pictures, listings and comparisons of firmwares show what was measured, and nothing else."""

import json
import types
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tinyml_helpers import mcu
from tinyml_helpers.datasets import data_folder, load_fashion
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.tflite import interpreter
from tinyml_helpers.mcu.reports import comparison, disassembly, figures, naive_loop, published, verify
from tinyml_helpers.mcu.target import timing, toolchain

MODELS = data_folder() / "models"
WAND = MODELS / "magic_wand.tflite"
SPINE = [
    "large", "large-slim", "small", "small-pruned", "small-distilled", "small-lean", "tiny",
    "tiny-distilled",
]  # fmt: skip


@pytest.fixture(scope="module")
def wand():
    return comparison.measure(WAND)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def texts(axes):
    return " ".join(text.get_text() for text in axes.texts)


def widths(axes):
    return [patch.get_width() for patch in axes.patches]


def test_chip_is_filled_to_scale(wand):
    axes = figures.chip(wand.firmware, wand.run, plt.subplots()[1])
    shown = texts(axes)
    assert "nRF52840" in shown
    assert f"{wand.firmware.code_bytes:,} B" in shown
    assert f"stack: {wand.run.stack_bytes:,} B" in shown
    whole = [p for p in axes.patches if p.get_facecolor()[:3] == (1, 1, 1)][1]  # after the core's box
    code = next(w for w in widths(axes)[3:] if w < whole.get_width())
    assert code / whole.get_width() == pytest.approx(wand.firmware.code_bytes / 2**20)


def test_layers_add_up_to_the_run_and_to_the_flash(wand):
    left, middle, right = figures.by_layer(wand.firmware, wand.run)
    spent = sum(layer.instructions for layer in wand.run.profile)
    assert sum(widths(left)) == pytest.approx(spent / 1000)
    layers, image = wand.firmware.program.layers, wand.firmware.image
    constants = sum(figures.constant_bytes(layer, image) for layer in layers)
    assert 0.95 * image.constant_bytes < constants <= image.constant_bytes
    assert sum(widths(middle)) == pytest.approx((constants + wand.firmware.code_bytes) / 1000)
    assert max(widths(right)) == pytest.approx(wand.firmware.program.arena.bound_bytes / 1000)
    assert left.get_yticklabels()[-1].get_text() == "code"


def test_arena_has_a_box_for_each_block_and_no_two_overlap():
    firmware = mcu.build(MODELS / "small.tflite")
    axes = figures.arena(firmware.program, plt.subplots()[1])
    boxes = [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in axes.patches]
    assert len(boxes) == len(firmware.program.arena.blocks)
    for (x, y, w, h), (x2, y2, w2, h2) in combinations(boxes, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 + 1e-9 or y2 + h2 <= y + 1e-9
    assert max(y + h for _, y, _, h in boxes) == pytest.approx(firmware.program.arena.size_bytes / 1000)


def test_smlad_adds_both_products():
    assert "100 + 15 + 8 = 123" in texts(figures.smlad((3, 2), (5, 4), 100, plt.subplots()[1]))


def test_bands_and_marks_lie_at_their_names():
    measured = {"a": (1.0, 2.0), "b": (3.0, 4.0)}
    axes = figures.bands(measured, {"guess": {"b": 3.5, "unknown": 9.0}}, plt.subplots()[1])
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
    assert drawn == [([1.0, 2.0], [0, 0]), ([3.0, 4.0], [1, 1]), ([3.5], [1])]


LOOP = (
    "movs r1, #10\\n"
    "1: smlad r0, r2, r3, r0\\n smlad r0, r2, r3, r0\\n nop\\n"
    "smlad r0, r2, r3, r0\\n smlad r0, r2, r3, r0\\n nop\\n"
    "subs r1, #1\\n bne 1b\\n bx lr"
)


def test_the_hottest_loop_is_found_counted_and_folded():
    source = f'__attribute__((naked)) int main(void) {{ __asm__ volatile("{LOOP}"); }}'
    loop = disassembly.find_hot_loop(toolchain.compile_c(source, "cortex-m4"))
    assert (loop.function, loop.macs, len(loop.instructions)) == ("main", 8, 8)
    assert loop.turns == 9  # the first turn belongs to the block that main begins with
    assert loop.share == pytest.approx(72 / 82)
    assert "these 3 instructions 2 times in a row" in repr(loop)
    assert repr(loop).count("two products") == 2


PRODUCT = (
    "movs r5, #10\\n"
    "1: ldrsb r0, [sp, #-8]\\n ldrsb r1, [sp, #-4]\\n ldrsb r2, [sp, #-3]\\n"
    "ldrsb r7, [sp, #-1]\\n"
    "add r0, r3\\n smlabb r7, r2, r1, r0\\n subs r5, #1\\n bne 1b\\n bx lr"
)


def test_a_product_is_shown_with_the_loads_that_feed_it():
    source = f'__attribute__((naked)) int main(void) {{ __asm__ volatile("{PRODUCT}"); }}'
    image = toolchain.compile_c(source, "cortex-m4")
    loop = disassembly.find_hot_loop(image)
    # r0 was loaded, but added to after that; r7 is written, and not read.
    assert [one.operands for one in loop.last_product] == [
        "r1, [sp, #-0x4]", "r2, [sp, #-0x3]", "r7, r2, r1, r0"
    ]  # fmt: skip
    assert [one.meaning for one in loop.last_product][::2] == [
        "load a byte, with sign", "a product, added to a sum"
    ]  # fmt: skip
    assert loop.macs == 1
    main = image.symbols["main"]
    code = b"".join(one.code for one in loop.instructions)
    assert code in image.read_code(main.address, main.size_bytes)
    assert [len(one.code) for one in loop.instructions] == [4, 4, 4, 4, 2, 4, 2, 2]


def test_a_loop_without_products_says_so():
    idle = "movs r5, #10\\n1: nop\\n subs r5, #1\\n bne 1b\\n bx lr"
    source = f'__attribute__((naked)) int main(void) {{ __asm__ volatile("{idle}"); }}'
    loop = disassembly.find_hot_loop(toolchain.compile_c(source, "cortex-m4"))
    with pytest.raises(ValueError, match=r"no instruction of the loop in main\(\) multiplies"):
        _ = loop.last_product


def test_firmware_spends_most_in_smlad_where_there_is_one():
    assert disassembly.find_hot_loop(mcu.build(MODELS / "small.tflite").image).macs == 96
    names = {i.name for i in disassembly.find_hot_loop(mcu.build(WAND, "pico").image).instructions}
    assert "smlad" not in names


def test_plain_loops_say_what_each_core_lacks():
    assert naive_loop.per_mac("pico", "float").instructions > 50
    integer, real = (naive_loop.per_mac("nano33ble", kind) for kind in ("int8", "float"))
    assert integer.instructions < real.instructions < 5
    # The FPU's loads take two cycles each, so in time int8 gains more than in instructions.
    assert real.cycles / integer.cycles > real.instructions / integer.instructions
    with pytest.raises(ValueError, match="unknown kind 'int4': choose one of float, int8"):
        naive_loop.per_mac("nano33ble", "int4")


def test_comparison_prints_what_was_measured(wand):
    table = comparison.Comparison(
        {"wand": wand, "pico": comparison.measure(WAND, "pico")}, {"correct %": {"wand": "91.00"}}
    )
    assert list(table) == ["wand", "pico"]
    assert f"{table['wand'].run.instructions / 1e6:.2f}" in repr(table)
    assert "91.00" in repr(table)
    assert "not stated" in table._repr_html_()  # the catalogue has no power for the Pico
    assert table["wand"].instructions_per_mac * wand.firmware.macs == wand.run.instructions
    with pytest.raises(KeyError):
        table["magic"]


@pytest.mark.parametrize(
    ("macs", "latency_ms", "energy_uj", "row"),
    [
        (2_000_000, (9.94, 16.9), (1500, 2550), ("2.00", "2.50", "9.9 to 16.9", "1.5 to 2.5")),
        (0, (10, 17), None, ("0.00", "", "10 to 17", "not stated")),
    ],
)
def test_a_row_of_a_comparison_by_hand(macs, latency_ms, energy_uj, row):
    firmware = types.SimpleNamespace(flash_bytes=12_340, macs=macs)
    run = types.SimpleNamespace(
        ram_bytes=5_670, instructions=5_000_000, latency_ms=latency_ms, energy_uj=energy_uj,
        cycles=timing.Cycles(1, 0, 0, 0, 1, 2, None, ""),
    )  # fmt: skip
    macs_text, per_mac, ms, mj = row
    found = comparison.Measurement(firmware, run).row()
    assert found == ("12.3", "5.7", macs_text, "5.00", per_mac, ms, mj)


def test_verify_counts_bytes_and_can_fail(monkeypatch):
    found = verify.verify(WAND, inputs=5)
    assert (found.name, found.wrong, found.compared) == ("magic_wand", 0, 20)
    assert "0 of 20 bytes differ from LiteRT's reference kernels (5 inputs)" in repr(found)
    right = litert.load(WAND, "reference")

    class Off:
        def predict(self, x):
            return right.predict(x) + np.float32([[0, 1, 0, 0]])

    monkeypatch.setattr(litert, "load", lambda *_: Off())
    assert verify.verify(WAND, inputs=5).wrong == 5


@pytest.mark.parametrize("name", ["magic_wand", "small", "large-slim"])
def test_every_tensor_inside_is_as_litert_has_it(name):
    found = verify.verify_tensors(MODELS / f"{name}.tflite", inputs=1)
    outputs = verify.verify(MODELS / f"{name}.tflite", inputs=1).compared
    assert found.wrong == 0
    assert found.compared > 10 * outputs
    assert f"bytes in {found.tensors} tensors differ" in repr(found)


def test_one_byte_off_inside_is_counted(monkeypatch):
    look = interpreter.Model.look_inside

    def off_by_one(self, raw):
        seen = look(self, raw)
        middle = sorted(seen)[len(seen) // 2]
        seen[middle].flat[0] ^= 1
        return seen

    monkeypatch.setattr(interpreter.Model, "look_inside", off_by_one)
    assert verify.verify_tensors(WAND, inputs=2).wrong == 1


@pytest.mark.parametrize("name", SPINE)
def test_shipped_networks_recognise_clothes_and_run(name):
    test = load_fashion().test
    photos = test.images[:500, ..., None] / np.float32(255)
    photos = photos[:, ::-1, ::-1] if name.endswith("lean") else photos
    path = MODELS / f"{name}.tflite"
    answers = litert.load(path).predict(photos).argmax(1)
    assert (answers == test.labels[:500]).mean() > 0.87
    assert mcu.build(path).run(photos[0]).output.argmax() == answers[0]


def test_zeros_among_weights_change_no_count():
    builds = [mcu.build(MODELS / f"{n}.tflite", trimmed=False) for n in ("small", "small-pruned")]
    whole, pruned = (one.run(np.zeros((1, 28, 28, 1))).instructions for one in builds)
    assert whole == pruned
    smaller = mcu.build(MODELS / "small-pruned.tflite")
    assert smaller.program.trimmed_channels > 0  # all of whose weights are zero
    assert smaller.run(np.zeros((1, 28, 28, 1))).instructions < pruned


def kernels():
    return json.loads((data_folder() / "reference" / "kernels.json").read_text("utf-8"))


def test_the_rival_is_named_with_version_and_compiler():
    stored = kernels()
    assert "4.0.0" in stored["versions"]["CMSIS-NN"] and "bakenn" in stored["versions"]["CMSIS-NN"]
    assert "-O2" in stored["versions"]["compiler"]
    assert "arm-none-eabi-gcc" in stored["gcc"]["compiler"]


def board_cells():
    return json.loads((data_folder() / "reference" / "board_cells.json").read_text("utf-8"))


def test_public_cells_are_38_and_within_the_error_that_the_catalogue_states():
    stored = board_cells()
    assert len(stored["cells"]) + sum(group["cells"] for group in stored["ranges"]) == 38
    l4r5 = [cell for cell in stored["cells"] if cell["device"] == "nucleo_l4r5zi"]
    worst = max(abs(cell["error_percent"]) for cell in l4r5)
    assert len(l4r5) == 13 and worst == 3.7  # the catalogue states twice that
    tvm = {c["network"]: c["board_mega_cycles"] for c in l4r5 if c["engine"].startswith("TVM")}
    for network, mega in tvm.items():
        assert published.cmsis_nn_cycles(network) == pytest.approx(1e6 * mega, rel=1e-3)


def test_what_was_repeated_here_is_near_the_boards():
    """The programs differ, too: by GCC, as the board's, less than by clang."""
    for compiler, repeated in board_cells()["repeated"].items():
        assert "CMSIS-NN" in repeated["CMSIS-NN"] and "-O2" in repeated["compiler"]
        for network, row in repeated["networks"].items():
            board = published.cmsis_nn_cycles(network) / 1e6
            error = 100 * (row["estimated_mega_cycles"] / board - 1)
            assert row["error_percent"] == pytest.approx(error, abs=0.2)
            assert abs(error) < {"gcc": 13, "zig": 15}[compiler]


def test_public_results_are_counted_in_the_same_macs():
    rows = list(published.keywords())
    assert [row.per_second for row in rows] == sorted(row.per_second for row in rows)
    assert mcu.build(MODELS / "keyword_spotting.tflite").macs == published.KEYWORD_MACS
    slowest, fastest = rows[0], rows[-1]
    assert (round(slowest.latency_ms, 1), round(slowest.cycles_per_mac, 2)) == (181.9, 8.22)
    assert (fastest.submitter, round(fastest.cycles_per_mac, 2)) == ("ST", 1.95)
    table = repr(published.keywords())
    assert all(row.engine in table and f"{row.round}, {row.year}" in table for row in rows)
    assert "cycles per MAC" in published.keywords()._repr_html_()


def test_a_picture_shows_each_run_and_each_range():
    stored = {
        "cells": [
            {"device": "a", "error_percent": 3.0},
            {"device": "b", "error_percent": 17.0},
            {"device": "a", "error_percent": -1.0},
        ],
        "ranges": [{"device": "c, d", "error_percent": {"x": [-2.0, 2.5], "y": [9.0, 9.0]}}],
        "repeated": {"zig": {"networks": {"n": {"error_percent": -4.0}}}},
    }
    axes = figures.against_boards(stored, plt.subplots()[1])
    drawn = [(*line.get_xdata(), line.get_ydata()[0]) for line in axes.lines]
    assert drawn[:-1] == [(3, 3, 0), (-1, -1, 0), (17, 17, 1), (-2, 2.5, 2), (9, 9, 2), (-4, -4, 3)]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["a", "b", "c,\nd", "CMSIS-NN by zig,\nrepeated here"]


def test_our_row_stands_behind_the_public_ones_of_its_board(wand):
    table = published.on_boards({"nucleo_l4r5zi": {"DS-CNN": wand.run}})
    lines = repr(table).splitlines()
    ours = next(i for i, line in enumerate(lines) if "this course" in line)
    assert (
        "estimate" in lines[ours] and "X-CUBE-AI 10.2" in lines[ours - 1] and "U575" in lines[ours + 1]
    )
    assert "4.73 to 5.84" in repr(table) and "mcunet-vww1" in table._repr_html_()
    with pytest.raises(ValueError, match="no public result for 'pico': choose one of nucleo_l4r5zi"):
        published.on_boards({"pico": {}})


def test_stored_benchmark_is_of_these_kernels():
    stored = kernels()
    for core, device in (("cortex-m4", "nucleo_l4r5zi"), ("cortex-m0plus", "pico")):
        ours = stored["cores"][core]["DS-CNN"]["ours"]
        now = comparison.measure(MODELS / "keyword_spotting.tflite", device)
        live = verify.verify(MODELS / "keyword_spotting.tflite", device, inputs=3)
        assert (live.wrong, live.compared) == (ours["wrong"], 3 * 12)
        # Softmax depends a little on its input. Anything else: run `make bench` again.
        assert now.run.instructions == pytest.approx(ours["instructions"], rel=1e-3)
        assert now.firmware.flash_bytes == pytest.approx(ours["flash_bytes"], abs=64)
