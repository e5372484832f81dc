"""Build, run, export, deploy: what a user meets, and what a user gets wrong."""

import numpy as np
import pytest
from tflite_maker import Maker, random_network
from typer.testing import CliRunner

from tinyml_helpers import cli, devices, mcu
from tinyml_helpers.datasets import data_folder, read_verified
from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.quantized_io import quantize_input
from tinyml_helpers.mcu.target import timing, toolchain
from tinyml_helpers.mcu.target.emulator import Machine

MAGIC_WAND = read_verified("models/magic_wand.tflite")


@pytest.fixture(scope="module")
def firmware():
    return mcu.build(MAGIC_WAND)


def test_run_is_the_same_every_time(firmware):
    x = np.random.default_rng(0).integers(-128, 128, 384).astype(np.int8)
    first, again = firmware.run(x), firmware.run(x)
    other = mcu.build(MAGIC_WAND).run(x)
    assert first.instructions == again.instructions == other.instructions
    assert first.output.tobytes() == again.output.tobytes()
    assert first.cycles == again.cycles


def test_layers_add_up(firmware):
    run = firmware.run(np.zeros(384))
    assert sum(layer.macs for layer in run.profile) == firmware.macs == 62_016
    spent = sum(layer.instructions for layer in run.profile)
    assert 0 < run.instructions - spent < 40  # what calls them
    assert [layer.name for layer in run.profile][:2] == [
        "CONV_2D (operator 1)",
        "MAX_POOL_2D (operator 2)",
    ]


def test_bytes_add_up(firmware):
    assert firmware.flash_bytes == firmware.code_bytes + firmware.constant_bytes
    assert firmware.ram_bytes == firmware.program.arena.size_bytes
    run = firmware.run(np.zeros(384))
    assert run.ram_bytes == firmware.ram_bytes + run.stack_bytes
    assert devices.fits(firmware, "nano33ble", code_bytes=0).ok


def test_figures_that_are_estimates_are_bands_with_a_source(firmware):
    run = firmware.run(np.zeros(384))
    low, high = run.latency_ms
    assert high / low == pytest.approx(timing.BOARD_FACTOR, rel=1e-4)
    assert run.cycles.low / run.instructions == pytest.approx(1.4, abs=0.3)
    assert run.energy_uj == (10.0 * low, 10.0 * high)
    assert "nRF52840" in run.energy_source
    text = repr(run)
    assert "executed, exact" in text
    assert text.count("estimate") == 2
    assert f"{firmware.macs:,} MACs" in repr(firmware)
    assert "<table>" in run.profile._repr_html_()


def test_no_power_stated_no_energy():
    run = mcu.build(MAGIC_WAND, "pico").run(np.zeros(384))
    assert run.energy_uj is None
    assert "not stated" in repr(run)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((), "0 inputs given, the network takes 1"),
        ((np.zeros(3),), r"3 values, the network takes 384"),
        ((np.zeros(384, np.int32),), "int32: give int8, or float"),
        ((np.full(384, np.nan),), "no numbers"),
    ],
)
def test_wrong_inputs_name_the_cure(firmware, inputs, message):
    with pytest.raises(ValueError, match=message):
        firmware.run(*inputs)


def test_real_numbers_round_half_away_from_zero_and_saturate():
    tensor = Tensor("", (7,), "int8", (0.5,), (3,))
    x = np.array([0.25, -0.25, 0.2499, 1e30, -1e30, 0.75, -0.0])
    assert quantize_input(x, tensor).tolist() == [4, 2, 3, 127, -128, 5, 3]
    below_half = np.nextafter(np.float32(0.25), np.float32(0))
    assert quantize_input(np.full(7, below_half), tensor).tolist() == [3] * 7


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("nano", "unknown device 'nano'"),
        (
            "rpi5",
            "Raspberry Pi 5.*: 4 x Cortex-A76 is not emulated here, choose one of nucleo_u031r8, pico",
        ),
        ("esp32s3", r"Xtensa LX7 is not emulated here, choose one of .*esp32c3"),
    ],
)
def test_wrong_device(device, message):
    with pytest.raises(ValueError, match=message):
        mcu.build(MAGIC_WAND, device)


def test_too_large_a_network_says_by_how_much_and_where_it_fits():
    content = read_verified("models/visual_wake_words.tflite")
    with pytest.raises(
        mcu.DoesNotFitError,
        match=r"flash 6\d,\d{3} of 65,536 bytes, RAM 5\d,\d{3} of 12,288.*nano33ble",
    ):
        mcu.build(content, "nucleo_u031r8")
    assert mcu.build(content, "nano33ble").run(np.zeros(96 * 96 * 3)).instructions > 6_000_000


def test_name_becomes_the_prefix_and_must_be_c():
    built = mcu.build(MAGIC_WAND, name="wand")
    assert "void wand_invoke(void);" in built.program.files["wand.h"]
    assert built.run(np.zeros(384)).output.shape == (1, 4)
    with pytest.raises(ValueError, match="'my net' is no C identifier"):
        mcu.build(MAGIC_WAND, name="my net")
    for taken in ("softmax", "Tile", "main", "string", "clean"):
        with pytest.raises(ValueError, match=f"my_{taken}"):
            mcu.build(MAGIC_WAND, name=taken)


def test_several_inputs_and_outputs():
    m = Maker()
    a, b, total, product = (m.tensor((1, 4), 1.0) for _ in range(4))
    m.operator("ADD", [a, b], total)
    m.operator("MUL", [a, b], product)
    built = mcu.build(m.content([a, b], [total, product]))
    x, y = np.array([1, 2, 3, 100], np.int8), np.array([5, -6, 7, 50], np.int8)
    run = built.run(x, y)
    assert [o.ravel().tolist() for o in run.outputs] == [[6, -4, 10, 127], [5, -12, 21, 127]]
    header = built.program.files["model.h"]
    assert "model_input1(void)" in header
    assert "#define MODEL_INPUT1_SCALE 1.0f\n" in header  # 1f is no number of C


def test_generated_c_reads_like_c(firmware):
    text = firmware.program.files["model.c"]
    calls = text[text.index("void model_invoke") :]
    assert "tm_conv_2d_tiled(&conv_2d_1," in calls
    assert "/* CONV_2D 1: 128x3x1 -> 128x3x8, 36,864 MACs */" in text
    assert "malloc" not in "".join(firmware.program.files.values())


STUBS = {
    "stdio.h": "int printf(const char *, ...);",
    "string.h": "#include <stddef.h>\n#define memcpy __builtin_memcpy",
    "stubs.c": "int printf(const char *format, ...) { return 0; }",
}


def exported_sources(folder):
    """The C of an exported project, with stubs for the C library that the emulator has not."""
    paths = [*(folder / "src").iterdir(), folder / "examples" / "self_test.c"]
    texts = {path.name: path.read_text("utf-8") for path in paths}
    quoted = (("<stdio.h>", '"stdio.h"'), ("<string.h>", '"string.h"'))
    for angle, plain in quoted:
        texts = {name: text.replace(angle, plain) for name, text in texts.items()}
    return texts


@pytest.mark.parametrize("device", ["nano33ble", "pico", "esp32c3"])
def test_exported_project_compiles_and_passes_its_own_test(tmp_path, device):
    folder = mcu.build(MAGIC_WAND, device, name="wand").export(tmp_path / "project")
    files = exported_sources(folder)
    machine = Machine(toolchain.compile_c(files | STUBS, devices.get(device).core))
    run = machine.run({}, {"wrong_checks": "uint32", "run_cycles": "uint32"})
    assert run.outputs["wrong_checks"][0] == 0
    assert (run.outputs["run_cycles"][0] > 100_000) == (device == "nano33ble")
    assert (folder / "arduino" / "wand" / "wand.ino").exists()
    assert set(files) - {"self_test.c"} <= {p.name for p in (folder / "arduino" / "wand").iterdir()}
    cmake = (folder / "CMakeLists.txt").read_text("utf-8")
    assert all(f"src/{name}" in cmake for name in files if name.endswith(".c") and name != "self_test.c")
    assert "$" not in (folder / "README.md").read_text("utf-8")


def test_exported_test_counts_what_is_wrong(tmp_path):
    folder = mcu.build(MAGIC_WAND).export(tmp_path)
    files = exported_sources(folder)
    head, sums = files["model_self_test.c"].split("] = {")
    files["model_self_test.c"] = f"{head}] = {{ 1 ^ {sums}"
    run = Machine(toolchain.compile_c(files | STUBS)).run({}, {"wrong_checks": "uint32"})
    assert run.outputs["wrong_checks"][0] == 1


def test_deploy_and_devices_from_the_shell(tmp_path):
    runner, model = CliRunner(), data_folder() / "models" / "magic_wand.tflite"
    done = runner.invoke(
        cli.app, ["deploy", str(model), "--device", "pico", "--export", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    assert "62,016 MACs" in done.output
    assert "CONV_2D (operator 1)" in done.output
    assert (tmp_path / "out" / "README.md").exists()
    assert "nano33ble" in runner.invoke(cli.app, ["devices"]).output


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.tflite", None, "No such file"),
        ("text.tflite", b"hello, world", "not a .tflite"),
        ("net.tflite", random_network(3)[:700], "damaged"),
    ],
)
def test_deploy_of_what_is_no_network(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = CliRunner().invoke(cli.app, ["deploy", str(path)])
    assert done.exit_code == 1
    assert message in done.output
