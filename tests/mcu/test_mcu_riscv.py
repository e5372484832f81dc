"""RISC-V beside Cortex-M: counted, timed, listed and told apart as exactly."""

import numpy as np
import pytest
from mcu_host import Reference
from test_mcu_emulator import FAULTS
from test_mcu_networks import PUBLIC

from tinyml_helpers import devices, mcu
from tinyml_helpers.datasets import read_verified
from tinyml_helpers.mcu.reports import disassembly, verify
from tinyml_helpers.mcu.target import cores, timing, toolchain
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.faults import EmulatorError

DEVICES = {
    "esp32c3": "espressif-rv32imc",
    "esp32c6": "espressif-rv32imac",
    "pico2_riscv": "hazard3-rv32imac",
}
MAGIC_WAND = read_verified("models/magic_wand.tflite")


def naked(body, core="espressif-rv32imc"):
    source = f'unsigned n; __attribute__((naked)) int main(void) {{ __asm__ volatile("{body}"); }}'
    return Machine(toolchain.compile_c(source, core))


def test_the_devices_have_these_cores():
    assert {key: cores.core_name(devices.get(key).core) for key in DEVICES} == DEVICES
    assert {key for key in cores.CORES if cores.CORES[key].architecture is cores.RISCV} == set(
        DEVICES.values()
    )


@pytest.mark.parametrize("core", DEVICES.values())
def test_count_equals_the_hand_count(core):
    machine = naked("la a0, n\\n lw a0, 0(a0)\\n 1: addi a0, a0, -1\\n bnez a0, 1b\\n ret", core)
    for n in (1, 2, 1000):
        assert machine.run({"n": np.uint32(n)}).instructions == 2 + 1 + 2 * n + 1


def test_long_and_short_instructions_count_one_each():
    body = (
        "li a0, 77\\n 1: addi a0, a0, -1\\n .option push\\n .option norvc\\n"
        "nop\\n bnez a0, 1b\\n .option pop\\n ret"
    )
    machine = naked(body)
    run = machine.run()
    # 4 + 2 + 4 + 4 bytes once, 2 + 4 + 4 for the other 76 turns, 2 once
    assert sorted(block[1:] for block in machine.blocks()) == [(2, 1, 0), (10, 76, 1), (14, 1, 0)]
    assert run.instructions == 1 + 3 * 77 + 1


MIXED = (
    "addi sp, sp, -16\\n lw a0, 0(sp)\\n lw a1, 4(sp)\\n add a0, a0, a1\\n mul a0, a0, a1\\n"
    "mulh a2, a0, a1\\n divu a3, a0, a1\\n sw a3, 0(sp)\\n addi sp, sp, 16\\n ret"
)
LOOP = "li a0, 10\\n 1: addi a0, a0, -1\\n bnez a0, 1b\\n ret"


@pytest.mark.parametrize(
    ("device", "body", "least", "most"),
    [
        # The second load is used at once; of the last line ret jumps.
        ("esp32c3", MIXED, 4 + 1 + 2 + 1 + 2 + 10 + 2, 4 + 2 + 3 + 1 + 2 + 10 + 2),
        ("esp32c6", MIXED, 4 + 1 + 2 + 1 + 2 + 10 + 1, 4 + 2 + 3 + 1 + 2 + 10 + 3),
        ("pico2_riscv", MIXED, 4 + 1 + 2 + 1 + 1 + 18 + 2, 4 + 1 + 2 + 1 + 1 + 19 + 3),
        # One li, ten addi and a ret; of ten branches backwards the last is not taken.
        ("esp32c3", LOOP, 1 + 10 + (9 * 3 + 1) + 2, 1 + 10 + (9 * 3 + 1) + 2),
        ("esp32c6", LOOP, 1 + 10 + (9 * 1 + 3) + 1, 1 + 10 + (9 * 2 + 4) + 3),
        ("pico2_riscv", LOOP, 1 + 10 + (9 * 1 + 1) + 2, 1 + 10 + (9 * 3 + 2) + 3),
    ],
)
def test_cycles_counted_by_hand(device, body, least, most):
    machine = naked(body, DEVICES[device])
    machine.run()
    found = timing.by_table(machine._image, machine.blocks())
    assert found.low == least
    assert found.high == round(most * timing.BOARD_FACTOR)
    assert "timing" in found.basis


def test_a_branch_forwards_is_not_one_backwards():
    """On the C6 a branch backwards is quick when taken, one forwards when not."""
    for body, least, most in (
        ("li a0, 1\\n beqz a0, 1f\\n li a1, 2\\n 1: ret", 1 + 1 + 1 + 1, 1 + 2 + 1 + 3),
        ("li a0, 0\\n beqz a0, 1f\\n li a1, 2\\n 1: ret", 1 + 3 + 1, 1 + 4 + 3),
    ):
        machine = naked(body, "espressif-rv32imac")
        machine.run()
        found = timing.by_table(machine._image, machine.blocks())
        assert (found.low, found.high) == (least, round(most * timing.BOARD_FACTOR)), body


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (1, r"stack overflow in deep\(\): variables leave 8,184 B"),
        (2, r"write to flash at 0x080\w+ in main\(\)"),
        (3, r"wild jump in main\(\) to 0x30000000"),
        (4, r"wild jump in main\(\) to 0x20000000"),
        (5, r"not finished after 100,000 instructions, in main\(\).*raise `limit`"),
        (6, r"read from 0x00000006 in main\(\): there is no memory"),
        (7, r"stopped in main\(\): Unhandled CPU exception"),
        (8, r"stopped in main\(\): Unhandled CPU exception"),
        (9, r"write to 0x40000000 in main\(\): there is no memory"),
    ],
)
def test_faults_say_what_and_where(kind, message):
    source = FAULTS.replace("udf #0", "unimp").replace("svc #0", "ecall")
    faulty = Machine(toolchain.compile_c(source, "espressif-rv32imc", ram_bytes=8192))
    with pytest.raises(EmulatorError, match=message):
        faulty.run({"kind": np.int32(kind)}, limit=100_000)
    assert faulty.run({"kind": np.int32(0)}).instructions < 100  # the next run is sound


def test_a_program_that_sleeps_for_ever_is_an_error():
    with pytest.raises(EmulatorError, match="it waits for an interrupt"):
        naked("wfi\\n ret").run()


def test_stack_is_measured_to_the_word():
    source = """
    volatile unsigned char sink;
    int main(void) {
        volatile unsigned char room[%d];
        for (unsigned i = 0; i < sizeof room; i++) room[i] = (unsigned char)i;
        sink = room[7];
        return 0;
    }"""
    images = [toolchain.compile_c(source % size, "hazard3-rv32imac") for size in (256, 2048)]
    small, large = (Machine(image).run().stack_bytes for image in images)
    assert large - small == 2048 - 256
    assert 256 < small < 256 + 64


def test_the_program_starts_by_itself():
    """As on a board: at the first byte of flash, with no stack yet."""
    image = toolchain.compile_c("int n = 40; int main(void) { return ++n; }", "espressif-rv32imc")
    assert image.symbols["Reset_Handler"].address == 0x0800_0000
    decode = cores.RISCV.decode
    names = [name for _, name, _ in decode(image.read_code(0x0800_0000, 12), 0x0800_0000)]
    assert names[-1] in ("j", "jal")
    with pytest.raises(ValueError, match="no code at 0x20000000"):
        image.read_code(0x2000_0000, 4)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_models_equal_the_reference(name):
    content = read_verified(f"models/{name}.tflite")
    firmware, reference = mcu.build(content, "esp32c3"), Reference(content)
    g, source = firmware.program.graph, firmware.source
    given, first = source.tensors[source.inputs[0]], g.tensors[g.inputs[0]]
    rng = np.random.default_rng(2)
    for _ in range(2):
        x = rng.integers(-128, 128, given.shape).astype(np.int8)
        real = first.real(x) if given.dtype == "float32" else x
        (want,) = reference.run([real], g.outputs)
        assert firmware.run(real).output.tobytes() == want.tobytes()


@pytest.mark.parametrize("device", DEVICES)
def test_every_tensor_of_a_network_equals_the_reference(device, tmp_path):
    path = tmp_path / "wand.tflite"
    path.write_bytes(MAGIC_WAND)
    assert verify.verify_tensors(path, device).wrong == 0


def test_a_run_tells_what_it_took():
    firmware = mcu.build(MAGIC_WAND, "esp32c3")
    x = np.random.default_rng(0).integers(-128, 128, 384).astype(np.int8)
    run = firmware.run(x)
    spent = sum(layer.instructions for layer in run.profile)
    assert 0 < run.instructions - spent < 40
    assert sum(layer.macs for layer in run.profile) == firmware.macs
    assert firmware.ram_bytes == firmware.program.arena.size_bytes
    assert 1.0 < run.cycles.low / run.instructions < run.cycles.high / run.instructions < 4.0
    assert run.energy_uj == (75.9 * run.latency_ms[0], 75.9 * run.latency_ms[1])
    assert "ESP32-C3 timing measured by" in repr(run)
    assert "(Espressif RV32IMC)" in repr(firmware)


def test_the_hottest_loop_is_listed_with_its_products():
    loop = disassembly.find_hot_loop(mcu.build(MAGIC_WAND, "esp32c3").image)
    assert loop.macs == sum(i.name == "mul" for i in loop.instructions) > 0
    assert loop.share > 0.1
    assert "multiply" in repr(loop)
    assert not any(i.name.startswith("c.") for i in loop.instructions)


def test_a_project_for_risc_v_names_its_compiler_and_flags(tmp_path):
    folder = mcu.build(MAGIC_WAND, "esp32c6").export(tmp_path)
    cmake = (folder / "CMakeLists.txt").read_text("utf-8")
    assert "riscv64-unknown-elf-gcc" in cmake
    assert cmake.count("-march=rv32imac -mabi=ilp32") == 2
    assert "cortex" not in cmake
    assert "Espressif RV32IMAC" in (folder / "README.md").read_text("utf-8")


def test_too_large_a_network_names_these_devices_too():
    content = read_verified("models/visual_wake_words.tflite")
    with pytest.raises(mcu.DoesNotFitError, match=r"it fits .*pico2_riscv.*esp32c3, esp32c6"):
        mcu.build(content, "nucleo_u031r8")
