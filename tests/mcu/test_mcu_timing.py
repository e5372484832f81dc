"""Cycles: sequences counted by hand from the manuals, waits for flash against a model in Python."""

import ctypes
from dataclasses import replace

import numpy as np
import pytest
from tflite_maker import random_network

from tinyml_helpers import devices, mcu
from tinyml_helpers.datasets import data_folder, read_verified
from tinyml_helpers.mcu.target import cortex_m, costs, flash, stopwatch, timer, timing, toolchain
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.flash import Cache, Flash

MAGIC_WAND = read_verified("models/magic_wand.tflite")
AT_ONCE = Flash(wait_cycles=0, read_bytes=8)


def program(body, core, before=""):
    lines = "\\n".join(line.strip() for line in body.strip().splitlines())
    source = f'{before}__attribute__((naked)) int main(void) {{ __asm__ volatile("{lines}"); }}'
    return toolchain.compile_c(source, core)


def issue(image):
    """Cycles by the table block by block, and by the stopwatch instruction by instruction."""
    machine = Machine(image)
    machine.run()
    timed = timer.Timer(image, devices.get("rpi5"), machine.blocks(), {})
    ticks = timed._run_again(AT_ONCE)
    assert (ticks.fetch, ticks.data) == (0, 0)
    return timed.by_table().issue, round(ticks.issue / timing.TABLES[image.core].divided_by)


# The numbers are those of the manuals' tables; the last jump goes back to the start-up code.
M4 = {
    "load alone, and behind a load": (
        "ldr r0, [sp]\n ldr r1, [sp]\n adds r0, r1\n bx lr",
        2 + 1 + 1 + 3,
    ),
    "load behind a store": ("str r0, [sp]\n ldr r1, [sp]\n bx lr", 1 + 2 + 3),
    "store behind a load": ("ldr r1, [sp]\n str r1, [sp]\n bx lr", 2 + 1 + 3),
    "load that needs the load before": (
        "push {r4}\n mov r2, sp\n nop\n str r2, [sp]\n ldr r1, [sp]\n ldr r3, [r1]\n pop {r4}\n bx lr",
        2 + 1 + 1 + 1 + 2 + 2 + 2 + 3,
    ),
    "load of two words, and a load behind it": (
        "ldrd r0, r1, [sp]\n ldr r2, [sp]\n strd r0, r1, [sp]\n ldr r2, [sp]\n bx lr",
        3 + 2 + 3 + 2 + 3,
    ),
    "several words": ("push {r4, r5, r6}\n ldm sp, {r0, r1}\n pop {r4, r5, r6}\n bx lr", 4 + 3 + 4 + 3),
    "address that was computed just before": (
        "mov r2, sp\n ldr r0, [r2]\n mov r2, sp\n nop\n ldr r0, [r2]\n bx lr",
        1 + 3 + 1 + 1 + 2 + 3,
    ),
    "offset in a register": (
        "movs r3, #0\n mov r2, sp\n nop\n str r0, [r2, r3]\n ldr r0, [r2, r3]\n str r0, [r2, r3]\nbx lr",
        1 + 1 + 1 + 2 + 2 + 1 + 3,
    ),
    "a branch that is taken three times and passed once": (
        "movs r0, #4\n 1: subs r0, #1\n bne 1b\n bx lr",
        1 + 4 * (1 + 1) + 3 * 2 + 3,
    ),
    "a branch that is never taken": ("movs r0, #1\n cbz r0, 1f\n nop\n 1: bx lr", 1 + 1 + 1 + 3),
    "two products, a long product, a division": (
        "movs r0, #9\n smlad r1, r0, r0, r0\n smull r1, r2, r0, r0\n udiv r1, r0, r0\n bx lr",
        1 + 1 + 1 + 7 + 3,
    ),
    "a return through the stack": ("push {r4, lr}\n pop {r4, pc}", 3 + 3 + 2),
    "a jump through a load": ("push {lr}\n ldr pc, [sp], #4", 2 + 5),
}


@pytest.mark.parametrize("name", M4)
def test_cortex_m4_by_hand(name):
    body, cycles = M4[name]
    assert issue(program(body, "cortex-m4")) == (cycles, cycles)


def test_float_on_a_cortex_m4_by_hand():
    body = """vldr s0, [sp]\n vldr s1, [sp]\n vmla.f32 s2, s0, s1\n vfma.f32 s2, s0, s1
        vadd.f32 s3, s0, s1\n vmul.f32 s4, s0, s1\n vdiv.f32 s5, s0, s1\n vstr s2, [sp]\n vldr d4, [sp]
        vpush {s0, s1, s2}\n vpop {s0, s1, s2}\n vpush {d0, d1}\n vpop {d0, d1}\n bx lr"""
    cycles = 2 + 2 + 3 + 3 + 1 + 1 + 14 + 2 + 3 + 4 + 4 + 5 + 5 + 3
    assert issue(program(body, "cortex-m4")) == (cycles, cycles)


def test_the_m3_multiplies_slowly_and_does_not_overlap_with_a_base_that_moves():
    body = "movs r0, #9\n mla r1, r0, r0, r0\n smull r1, r2, r0, r0\n muls r0, r0\n bx lr"
    assert issue(program(body, "cortex-m3"))[1] == 1 + 2 + 4 + 1 + 3
    moving = (
        "push {r4, r5}\n mov r2, sp\n nop\n ldr r0, [r2], #4\n ldr r1, [r2], #4\n pop {r4, r5}\n bx lr"
    )
    still = moving.replace("], #4", "]")
    assert issue(program(moving, "cortex-m3"))[1] == 3 + 1 + 1 + 2 + 2 + 3 + 3
    assert issue(program(still, "cortex-m3"))[1] == 3 + 1 + 1 + 2 + 1 + 3 + 3


def test_the_smallest_core_by_hand():
    body = """push {r4, lr}\n ldr r0, [sp]\n str r0, [sp]\n muls r0, r0\n push {r1, r2, r3}
        pop {r1, r2, r3}\n movs r0, #3\n 1: subs r0, #1\n bne 1b\n pop {r4, pc}"""
    cycles = 3 + 2 + 2 + 1 + 4 + 4 + 1 + 3 * (1 + 1) + 2 * 1 + 5
    assert issue(program(body, "cortex-m0plus")) == (cycles, cycles)


@pytest.mark.parametrize(("core", "divisor"), [("cortex-m33", 1.05), ("cortex-m7", 1.55)])
def test_cores_without_a_table_of_their_own_are_faster_by_what_boards_measured(core, divisor):
    body = "\n".join(["ldr r0, [sp]", "adds r0, r0", "bx lr"])
    assert issue(program(body, core))[1] == round((2 + 1 + 3) / divisor)
    assert f"/ {divisor}" in timing.TABLES[core].source


class Model:
    """The caches and the flash once more, as plain as can be."""

    def __init__(self, made):
        self.flash, self.code, self.data = made, {}, {}
        self.clock = 0

    def misses(self, cache, lines, address):
        self.clock += 1
        if cache is None:
            return True
        sets = cache.lines // cache.ways
        line, part = divmod(address, cache.line_bytes)
        part //= self.flash.read_bytes
        here = lines.setdefault(line % sets, {})
        if line not in here and len(here) == cache.ways:
            del here[min(here, key=lambda one: here[one][0])]
        _, parts = here.get(line, (0, set()))
        missed = part not in parts
        here[line] = (self.clock, parts | {part})
        return missed

    def read(self, address, size):
        waited, width = 0, self.flash.read_bytes
        cache, lines = (
            (self.flash.code, self.code) if self.flash.shared else (self.flash.data, self.data)
        )
        for part in range(address // width, (address + size - 1) // width + 1):
            waited += self.flash.wait_cycles * self.misses(cache, lines, part * width)
        return waited


GEOMETRIES = {
    "nothing": Flash(5, 8),
    "one line": Flash(3, 8, data=Cache(1, 8, 1)),
    "eight lines of four reads": Flash(5, 8, code=Cache(32, 32, 32), data=Cache(8, 32, 8)),
    "two ways": Flash(56, 8, code=Cache(64, 8, 2), shared=True),
    "one way": Flash(7, 16, code=Cache(16, 32, 1), data=Cache(16, 32, 1)),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_reads_of_constants_wait_as_a_plain_model_says(name):
    made, rng = GEOMETRIES[name], np.random.default_rng(0)
    machine = Machine(toolchain.compile_c("int main(void) { return 0; }"), made)
    watch, base = machine.stopwatch, machine.stopwatch.flash_base
    watch.start(0)
    watch.status = 0  # there is no emulator behind these calls
    model, waited = Model(made), 0
    near = np.cumsum(rng.integers(0, 3, 3000)) * 4  # as weights are read
    far = rng.integers(0, 300, 3000) * 4
    for address, size in zip(
        np.where(rng.random(3000) < 0.8, near, far), rng.choice([1, 2, 4, 8], 3000), strict=True
    ):
        stopwatch._library().on_read(
            None,
            0,
            ctypes.c_uint64(base + int(address)),
            int(size),
            ctypes.c_int64(0),
            ctypes.byref(watch),
        )
        waited += model.read(base + int(address), int(size))
    assert watch.read().data == waited > 0


STRAIGHT = "\n".join(["nop"] * 31 + ["bx lr"])  # 64 bytes


def ticks(image, made):
    machine = Machine(image)
    machine.run()
    return timer.Timer(image, devices.get("rpi5"), machine.blocks(), {})._run_again(made)


def test_straight_code_waits_for_each_read_of_flash():
    image = program(STRAIGHT, "cortex-m4")
    start = image.symbols["main"].address
    reads = (start + 63) // 8 - start // 8 + 1
    assert ticks(image, Flash(5, 8)).fetch == 5 * reads
    assert ticks(image, Flash(5, 16)).fetch == 5 * ((start + 63) // 16 - start // 16 + 1)
    # Four instructions take four of the five cycles that the next read needs.
    first = 4 - (start % 8) // 2
    ahead = ticks(image, Flash(5, 8, prefetch=True)).fetch
    assert ahead == 5 + (5 - first) + (reads - 2) * 1


def test_a_loop_waits_once_where_it_fits_the_cache_and_always_where_it_does_not():
    body = "movs r0, #10\n 1:" + "\n nop" * 60 + "\n subs r0, #1\n bne 1b\n bx lr"
    image = program(body, "cortex-m4")
    start, size = image.symbols["main"].address, 2 * 64
    reads = (start + size - 1) // 8 - start // 8 + 1
    assert ticks(image, Flash(5, 8, code=Cache(32, 32, 32))).fetch == 5 * reads
    assert ticks(image, Flash(5, 8, code=Cache(1, 8, 1))).fetch > 5 * 10 * (reads - 2)


def test_constants_wait_apart_from_instructions():
    source = """
        const int weights[64] = {1}; int sum;
        int main(void) { for (int i = 0; i < 64; i++) sum += ((volatile const int *)weights)[i]; }"""
    image = toolchain.compile_c(source, "cortex-m4")
    found = ticks(image, Flash(5, 8))
    # Without a cache each load waits, and so do those of addresses that lie beside the code.
    assert 64 <= found.data // 5 <= 64 + 4
    by_two = ticks(image, Flash(5, 8, data=Cache(1, 8, 1)))  # the second word of a read is there
    assert 32 <= by_two.data // 5 <= 33 + 4
    assert by_two.fetch == found.fetch


def test_loads_from_ram_that_overlap_with_no_other_are_counted_once_each():
    body = "ldr r0, [sp]\n nop\n ldr r0, [sp]\n ldr r1, [sp]\n ldm sp, {r0, r1}\n str r0, [sp]\n bx lr"
    image = program(body, "cortex-m4")
    assert ticks(image, AT_ONCE).ram_loads == 3


def test_a_load_under_a_condition_changes_nothing_behind_it():
    """Reads of flash are hooked, and a hook in an IT block left the emulator with its conditions."""
    source = """
        const short table[64] = {1, 2, 3, 4}; int sum, n = 40;
        __attribute__((noinline)) int next(int i) {
            int x = 0;
            __asm__ volatile("cmp %1, #7\\n it hi\\n ldrshhi %0, [%2]"
                             : "+r"(x) : "r"(i), "r"(table + 1) : "cc");
            return x;
        }
        int main(void) { for (int i = 0; i < n; i++) sum += i % 3 ? next(i) : 7; }"""
    image = toolchain.compile_c(source, "cortex-m4")
    plain, timed = Machine(image), Machine(image, AT_ONCE)
    first, again = (m.run(outputs={"sum": "int32"}) for m in (plain, timed))
    assert again.outputs["sum"] == first.outputs["sum"] > 0
    assert again.instructions == first.instructions


def test_a_cache_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="7 lines in sets of 2"):
        Cache(7, 8, 2)
    with pytest.raises(ValueError, match="at most 2048"):
        Cache(4096, 8, 2)
    memory = {"wait_cycles": (1, "x"), "read_bytes": (8, "x"), "cache": ([3, 8, 2], "x")}
    odd = replace(devices.get("pico"), memory=memory)
    with pytest.raises(ValueError, match="3 lines"):
        flash.flash_of(odd)


def test_every_flash_of_the_catalogue_is_whole_and_sourced():
    held = {}
    for device in devices.catalogue():
        made = flash.flash_of(device)
        assert (made is None) == (not device.memory)
        assert all(len(source) > 10 for _, source in device.memory.values()), device.key
        held[device.key] = made and made.error_percent
    validated = {key for key, error in held.items() if error is not None}
    assert validated == {
        "nucleo_l4r5zi", "nucleo_g0b1re", "nucleo_u575zi", "nucleo_h7a3zi", "disco_f746ng"
    }  # fmt: skip
    assert flash.flash_of(devices.get("nucleo_l4r5zi")) == Flash(
        5, 8, Cache(32, 32, 32), Cache(8, 32, 8), prefetch=True, ram_load_cycles=0.574, error_percent=8
    )


def test_a_device_that_was_held_against_boards_gets_a_figure_with_its_error():
    run = mcu.build(MAGIC_WAND, "nucleo_l4r5zi").run(np.zeros(384))
    cycles = run.cycles
    assert cycles.total == cycles.issue + cycles.fetch + cycles.constants + cycles.ram
    assert (cycles.low, cycles.high) == (round(0.92 * cycles.total), round(1.08 * cycles.total))
    assert min(cycles.fetch, cycles.constants, cycles.ram) > 0
    assert "(±8 %)" in repr(cycles) and "waiting for constants from flash" in repr(cycles)
    text = repr(run)
    assert text.count("(±8 %)") == 3 and f"{cycles.constants:,}" in text
    assert sum(run.latency_ms) / 2 == pytest.approx(1e3 * cycles.total / 120e6, rel=1e-4)


def test_a_device_of_which_only_the_manual_is_known_gets_a_band():
    run = mcu.build(MAGIC_WAND, "pico2").run(np.zeros(384))
    cycles = run.cycles
    assert cycles.error_percent is None
    assert cycles.low == round(0.88 * cycles.issue)  # of the M33's table
    waits = cycles.fetch + cycles.constants
    assert cycles.high == round(1.12 * (cycles.issue + 2 * waits)) and waits > 0
    assert f"{cycles.low:,} to {cycles.high:,}" in repr(run)
    assert "held against no board" in repr(run)


def test_a_device_whose_flash_is_unknown_gets_the_table_and_the_wide_band():
    run = mcu.build(MAGIC_WAND, "nano33ble").run(np.zeros(384))
    cycles = run.cycles
    assert cycles == run.timer.by_table()
    assert cycles.high == round(timing.BOARD_FACTOR * cycles.low) and not cycles.waits
    assert "to 1.7x for slow flash" in repr(run)


def test_weights_that_stream_from_external_flash_cost_several_times_the_core():
    model = data_folder() / "models" / "anomaly_detection.tflite"
    run = mcu.build(model, "pico2").run(np.zeros(640))
    assert 4 < run.cycles.total / run.cycles.issue < 8  # 264 KB through lines of 8 bytes


@pytest.mark.parametrize("error", [toolchain.ToolchainError("no compiler here"), OSError("disk full")])
def test_where_the_second_run_cannot_be_made_a_sentence_says_so(monkeypatch, error):
    def fail(*_):
        raise error

    run = mcu.build(MAGIC_WAND, "nucleo_l4r5zi").run(np.zeros(384))
    plain = run.timer.by_table()
    monkeypatch.setattr(timer, "_machine", fail)
    assert (run.cycles.low, run.cycles.high) == (plain.low, plain.high)
    assert f"its waits were not counted, for {error}" in repr(run)


def test_cycles_of_a_step_are_the_same_whenever_they_are_asked_for():
    firmware = mcu.build(random_network(4), "nucleo_l4r5zi")
    shape = firmware.program.graph.tensors[firmware.program.graph.inputs[0]].shape
    draw = np.random.default_rng(0)
    steps = [draw.integers(-128, 128, shape).astype(np.int8) for _ in range(3)]
    fresh = [firmware.run(step) for step in steps]
    late = list(firmware.stream(steps))
    for run, alone, after in zip(firmware.stream(steps), fresh, late, strict=True):
        assert run.cycles == alone.cycles == after.cycles  # asked for in the middle of a stream
        assert run.output.tobytes() == alone.output.tobytes()


def test_another_architecture_brings_its_own_table():
    table = costs.CoreTiming(lambda *_: costs.Cost(3), cortex_m.decode_thumb, 2.0, "a table of threes")
    image = program("nop\n nop\n bx lr", "cortex-m4")
    machine = Machine(image, AT_ONCE)
    machine.run()
    machine.stopwatch.learn([block[:2] for block in machine.blocks()], table)
    machine.run()
    assert machine.stopwatch.read().issue == 9
