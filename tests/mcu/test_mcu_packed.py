"""Weights in fewer bits: what is stored, and that no byte of an output changes."""

import shutil
import subprocess

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import qtyping
from ai_edge_quantizer.quantizer import Quantizer
from mcu_host import Reference, check, programs
from tflite_maker import Maker, narrow_network
from typer.testing import CliRunner

from tinyml_helpers import cli, mcu
from tinyml_helpers.datasets import data_folder
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite import reader
from tinyml_helpers.mcu import UnsupportedError
from tinyml_helpers.mcu.compiler.kernel_files import KERNELS, files_of, read_kernels
from tinyml_helpers.mcu.compiler.lowering import forms
from tinyml_helpers.mcu.compiler.lowering.packing import pack, pack_blocks
from tinyml_helpers.mcu.target import toolchain


@pytest.fixture
def free_code(monkeypatch):
    """As if kernels took no flash: the smallest layer takes the smallest form of its weights."""
    monkeypatch.setattr(forms, "CODE_BYTES", {True: {}, False: {}})


def dense(values, dtype="int8", scale=0.01, zero=0, given="int8", raw=None):
    """A dense layer of such weights, outputs x inputs."""
    m = Maker()
    values = np.asarray(values)
    x = m.tensor((1, values.shape[1]), 0.1 if given == "int8" else None, 3, given)
    w = m.tensor(values.shape, scale, zero, dtype, values)
    if raw is not None:
        m.model.buffers[m.graph.tensors[w].buffer].data = np.frombuffer(raw, np.uint8)
    out = m.tensor((1, len(values)), 0.5 if given == "int8" else None, -4, given)
    m.operator("FULLY_CONNECTED", [x, w, -1], out)
    return m.content([x], [out])


def test_two_bits_and_a_palette_by_hand():
    rows = np.array([[-127, 0, 127, 0, -127], [127, 127, 0, 0, 0]])
    packed = pack(rows, 99)
    assert packed.bits == 2
    assert packed.palettes.tolist() == [[1, 128, 255, 1]]  # plus 128; the fourth is nobody's
    # Indices 0 1 2 1 | 0 and 2 2 1 1 | 1, the first in the lowest bits.
    assert packed.stored.tolist() == [[0b01_10_01_00, 0], [0b01_01_10_10, 1]]
    assert (packed.size_bytes, packed.int8_bytes, packed.apart) == (8, 99, 0)


def test_one_bit_takes_half_a_byte_for_each_four_weights():
    packed = pack(np.array([[5, 5, 7, 5, 7]]), 8)
    assert packed.bits == 1
    assert packed.stored.tolist() == [[0b0001_0100]]
    assert pack(np.array([[5, 5, 7, 5, 7, 7, 7, 5, 7]]), 16).stored.tolist() == [[0b0111_0100, 1]]


def test_blocks_of_zeros_are_left_out_by_hand():
    rows = np.zeros((2, 37), int)
    rows[0, :4], rows[0, 36], rows[1, 5] = [1, -2, 3, 4], -1, -100
    plain, dsp = (pack_blocks(rows, 80, dsp=dsp) for dsp in (False, True))
    assert (plain.bits, plain.form, plain.size_bytes) == (8, "blocks of four", 12 + 7)
    # Two blocks, the first at once, the other nine further on; one block, one further on.
    assert plain.steps.tolist() == dsp.steps.tolist() == [2, 0, 0, 9, 1, 0, 1]
    assert plain.stored.tolist() == [1, 254, 3, 4, 255, 0, 0, 0, 0, 156, 0, 0]
    # 256 * -2 + 1, 256 * 4 + 3; 256 * 0 - 1; 256 * -100 + 0
    pairs = dsp.stored.view("<i2").tolist()
    assert pairs == [-511, 1027, -1, 0, -25600, 0]
    assert pack_blocks(np.arange(1, 41)[None], 40, dsp=True) is None  # nothing to leave out
    assert pack_blocks(np.zeros((1, 40), int), 40, dsp=True) is None  # nothing is left


def test_steps_between_blocks_fit_a_byte():
    rows = np.zeros((1, 4 * 600), int)
    rows[0, -1] = 7
    packed = pack_blocks(rows, 2400, dsp=True)
    assert packed.steps.tolist() == [3, 0, 255, 255, 89]
    assert packed.stored.tolist() == [*bytes(11), 7]


def test_neighbours_that_do_not_fit_sixteen_bits_are_not_left_in_blocks():
    rows = np.zeros((1, 400), int)
    rows[0, :2] = [-1, -128]
    assert pack_blocks(rows, 400, dsp=True) is None
    assert pack_blocks(rows, 400, dsp=False).stored.tolist() == [255, 128, 0, 0]


def test_two_of_four_by_hand():
    rows = np.array([[0, 0, 50, -60, 0, 0, 0, 70, -80], [10, 0, 20, 0, 0, 0, 0, 0, 0]] * 5)
    rows += 8 * np.arange(10)[:, None] * (rows != 0)  # many values
    packed = pack(rows, 120)
    assert (packed.bits, packed.form, packed.size_bytes) == (8, "two of four", 80)
    first, second = packed.stored.reshape(10, 8)[:2].tolist()
    # Places 2 and 3; 0 and 3; 0 and 1. Then weights.
    assert first == [0b1100_1110, 0b0100, 50, 196, 0, 70, 176, 0]
    assert second == [0b0100_1000, 0b0100, 18, 28, 0, 0, 0, 0]
    rows[3, :3] = 1
    assert pack(rows, 120) is None


def test_outputs_have_palettes_of_their_own_where_that_is_smaller():
    long = np.stack([np.arange(64) % 2 + 10 * row for row in range(8)])
    packed = pack(long, 512)  # sixteen values in all, two in each row
    assert (packed.bits, packed.palettes.shape, packed.apart) == (1, (8, 2), 2)
    few = np.tile([3, 4], (8, 32))  # the same two in each row
    packed = pack(few, 512)
    assert (packed.bits, packed.palettes.shape, packed.apart) == (1, (1, 2), 0)


def test_seventeen_values_are_not_packed():
    assert pack(np.arange(136)[None] % 17, 136) is None
    assert pack(np.arange(136)[None] % 16, 136).bits == 4


@pytest.mark.parametrize("dsp", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_random_networks_of_few_values_equal_the_reference_in_every_byte(dsp, packed, free_code):
    contents = {seed: narrow_network(seed) for seed in range(120)}
    compared, wrong = check(contents, dsp, packed=packed)
    assert compared > 80 * len(contents)
    assert wrong == []
    layers = [layer for p in programs(contents, dsp, packed=packed).values() for layer in p.layers]
    found = {(one.operator.type, one.packed.form, one.packed.apart > 0) for one in layers if one.packed}
    kinds = ("CONV_2D", "FULLY_CONNECTED")
    assert {(kind, "4 bits", False) for kind in (*kinds, "DEPTHWISE_CONV_2D")} <= found  # INT4 always
    if packed:
        palettes = {
            (k, f"{bits} bits", own) for k in kinds for bits in (1, 2, 4) for own in (True, False)
        }
        zeros = {(k, "blocks of four", False) for k in kinds} | {(kinds[1], "two of four", False)}
        alone = {("DEPTHWISE_CONV_2D", f"{bits} bits", False) for bits in (1, 2, 4)}
        assert palettes | zeros | alone <= found


@pytest.mark.parametrize("device", ["nano33ble", "pico", "esp32c3", "nucleo_h743zi"])
@pytest.mark.parametrize("count", [2, 3, 16])
def test_odd_lengths_on_the_devices(device, count, free_code):
    """37 inputs leave three bytes of a word, five outputs leave three of four filters."""
    rng = np.random.default_rng(count)
    palette = np.append([-128, 127], rng.integers(-127, 127, 14))[:count]
    content = dense(rng.choice(palette, (5, 37)))
    firmware, reference = mcu.build(content, device, packed=True), Reference(content)
    assert firmware.program.packed_layers.layers
    for x in (rng.integers(-128, 128, (1, 37)), rng.choice([-128, 127], (1, 37))):
        run = firmware.run(x.astype(np.int8))
        (want,) = reference.run([x.astype(np.int8)], firmware.program.graph.outputs)
        assert run.output.tobytes() == want.tobytes()


def layers_of_zeros(rng):
    """Convolutions of few blocks that are not zero, or of two weights in four; depthwise ones, INT4."""
    m = Maker()

    def sparse(shape):
        rows = rng.integers(-127, 128, (shape[0], np.prod(shape[1:]) // 4, 4))
        if shape[0] == 8:
            rows[..., 1:3] = 0
        else:
            rows[rng.random(rows.shape[:2]) < 0.85] = 0
        rows[0] = 0  # a filter of which nothing is left
        return rows.reshape(shape)

    x = m.tensor((1, 9, 7, 8), 0.1, 3)
    steps = [
        ("CONV_2D", (11, 3, 3, 8), "int8", (1, 5, 4, 11), 0, {"strideH": 2, "strideW": 2}),
        ("DEPTHWISE_CONV_2D", (1, 3, 3, 11), "int4", (1, 5, 4, 11), 3, {"depthMultiplier": 1}),
        ("DEPTHWISE_CONV_2D", (1, 2, 4, 11), "int4", (1, 4, 1, 11), 3, {"padding": 1}),
        ("CONV_2D", (40, 1, 1, 11), "int4", (1, 4, 1, 40), 0, {"fusedActivationFunction": 1}),
        ("CONV_2D", (8, 1, 1, 40), "int8", (1, 4, 1, 8), 0, {}),
    ]
    given = x
    for kind, shape, dtype, made, axis, options in steps:
        values = rng.integers(-8, 8, shape) if dtype == "int4" else sparse(shape)
        w = m.tensor(shape, np.full(shape[axis], 0.02), 0, dtype, values, axis)
        b = m.tensor((shape[axis],), 0.002, 0, "int32", rng.integers(-900, 900, shape[axis]))
        out = m.tensor(made, 1.0, int(rng.integers(-9, 9)))
        m.operator(kind, [given, w, b], out, **{"strideH": 1, "strideW": 1} | options)
        given = out
    return m.content([x], [given])


@pytest.mark.parametrize("device", ["nano33ble", "pico", "esp32c3", "nucleo_h743zi"])
def test_zeros_are_skipped_on_the_devices(device, free_code):
    rng = np.random.default_rng(5)
    gaps = np.zeros((6, 1300), int)
    gaps[1, -3:], gaps[2, ::400] = [5, -6, 127], 9  # far between
    for content, forms_of in (
        (layers_of_zeros(rng), ["blocks of four", "4 bits", "4 bits", "4 bits", "two of four"]),
        (dense(gaps + np.eye(6, 1300, 640, int) * np.arange(6)[:, None] * 20), ["blocks of four"]),
    ):
        firmware = mcu.build(content, device, trimmed=False, packed=True)  # trimmed, fours shift
        reference = Reference(content)
        found = firmware.program.packed_layers.layers.values()
        assert [weights.form for weights in found] == forms_of
        shape = firmware.program.graph.tensors[firmware.program.graph.inputs[0]].shape
        for x in (rng.integers(-128, 128, shape), rng.choice([-128, 127], shape)):
            (want,) = reference.run([x.astype(np.int8)], firmware.program.graph.outputs)
            assert firmware.run(x.astype(np.int8)).output.tobytes() == want.tobytes()


def test_zeros_save_flash_and_instructions():
    rng = np.random.default_rng(6)
    rows = rng.integers(-127, 128, (128, 160, 4))
    rows[rng.random((128, 160)) < 0.75] = 0
    content = dense(rows.reshape(128, 640))
    plain, packed = mcu.build(content), mcu.build(content, packed=True)
    assert packed.flash_bytes < 0.4 * plain.flash_bytes
    x = rng.integers(-128, 128, (1, 640)).astype(np.int8)
    before, after = plain.run(x), packed.run(x)
    assert after.output.tobytes() == before.output.tobytes()
    assert after.instructions < 0.7 * before.instructions


@pytest.mark.parametrize("device", ["nano33ble", "pico"])
@pytest.mark.parametrize("name", ["tiny", "small", "gestures", "tiny-ternary", "small-pruned"])
def test_no_network_of_the_course_grows(name, device):
    """Some layers of the first three could be packed; the code would take more than that saves."""
    file = data_folder() / "models" / f"{name}.tflite"
    plain, packed = mcu.build(file, device), mcu.build(file, device, packed=True)
    if "-" in name:
        assert packed.flash_bytes < plain.flash_bytes
    else:
        assert packed.program.files == plain.program.files


def test_code_is_weighed_for_the_whole_program():
    """One layer saves less than the kernel for it takes; six larger layers share that kernel."""
    rng = np.random.default_rng(8)
    one = dense(rng.choice([-127, 0, 127], (4, 96)))
    assert not mcu.build(one, packed=True).program.packed_layers.layers
    m = Maker()
    x = first = m.tensor((1, 96), 0.1, 3)
    for _ in range(6):
        w = m.tensor((96, 96), 0.01, 0, "int8", rng.choice([-127, 0, 127], (96, 96)))
        y = m.tensor((1, 96), 5.0, 1)
        m.operator("FULLY_CONNECTED", [x, w, -1], y)
        x = y
    packed = mcu.build(m.content([first], [x]), packed=True)
    assert len(packed.program.packed_layers.layers) == 6


def code_bytes(kernels, core):
    """Code of a program that calls kernels, or of one that does nothing."""
    names = ", ".join(f"(void (*)(void)){name}" for name in kernels) or "0"
    head = '#include "kernels.h"\n' if kernels else ""
    main = f"{head}void (*const used[])(void) = {{{names}}};\nvolatile int at;\n"
    main += "int main(void) { if (used[at]) used[at](); }\n"
    files = read_kernels(kernels) if kernels else {}
    return toolchain.compile_c({**files, "main.c": main}, core).code_bytes


@pytest.mark.parametrize(("core", "dsp"), [("cortex-m4", True), ("cortex-m0plus", False)])
def test_the_code_that_a_form_takes_is_what_the_choice_weighs(core, dsp):
    """To 32 bytes, of which the call in `main` is some; a convolution counts in its usual form."""
    table, nothing = forms.CODE_BYTES[dsp], code_bytes((), core)
    for file in set(table) - {"unpack.c"}:
        usual = ("tm_conv_2d_tiled",) if dsp else ("tm_conv_2d",)
        kernels = usual if file == "conv_2d.c" else KERNELS[file]
        taken = sum(table[one] for one in files_of(kernels))
        assert abs(code_bytes(kernels, core) - nothing - taken) <= 32, file


def test_a_firmware_says_what_each_layer_uses(free_code):
    rng = np.random.default_rng(0)
    content = dense(rng.choice([-127, 0, 127], (8, 512)))
    plain, packed = mcu.build(content), mcu.build(content, packed=True)
    (weights,) = packed.program.packed_layers.layers.values()
    assert (weights.bits, weights.int8_bytes) == (2, 8 * 512)
    assert weights.size_bytes == 8 * 512 // 4 + 4
    assert "FULLY_CONNECTED (operator 0)     2 bits         1    4,096  1,028" in repr(packed)
    assert "weights in 2 bits" in packed.program.files["model.c"]
    assert plain.constant_bytes - packed.constant_bytes == 4096 - 1028 - 8
    assert "palettes" not in repr(plain)
    x = rng.integers(-128, 128, (1, 512)).astype(np.int8)
    assert plain.run(x).output.tobytes() == packed.run(x).output.tobytes()


def test_weights_of_many_values_stay_as_they_are():
    content = dense(np.arange(-64, 64).reshape(4, 32))
    plain, packed = mcu.build(content), mcu.build(content, packed=True)
    assert plain.program.files == packed.program.files


def test_int4_is_read_as_it_is_packed():
    content = dense([[-8, 7, 1], [0, -1, 5]], "int4")
    weights = reader.read(content).graphs[0].tensors[1]
    assert weights.data == bytes([0x78, 0x01, 0x5F])
    assert weights.array.tolist() == [[-8, 7, 1], [0, -1, 5]]
    assert weights.with_values(weights.array[:, :1]).data == bytes([0x08])
    assert weights.size_bytes == 3
    report = litert.inspect(content)
    assert ("int4", 3) in {(tensor.dtype, tensor.stored_bytes) for tensor in report.tensors}


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (dense(np.zeros((3, 3)), "int4", raw=bytes(4)), ModelError, "needs 5 bytes and has 4"),
        (dense(np.ones((2, 4)), "int4", zero=1), UnsupportedError, "with zero points"),
        (dense(np.ones((2, 4)), "int4", given="float32"), UnsupportedError, "weights are int4, but"),
    ],
)
def test_int4_that_cannot_be_run_is_refused(content, error, message):
    with pytest.raises(error, match=message):
        mcu.build(content)


def floats():
    """A float convolution and a dense layer, with the signature that the quantizer asks for."""
    m, rng = Maker(), np.random.default_rng(1)
    x = m.tensor((1, 6, 6, 3), dtype="float32")
    w = m.tensor((5, 3, 3, 3), dtype="float32", data=rng.normal(size=(5, 3, 3, 3)))
    b = m.tensor((5,), dtype="float32", data=rng.normal(size=5))
    y = m.tensor((1, 6, 6, 5), dtype="float32")
    m.operator("CONV_2D", [x, w, b], y, strideH=1, strideW=1, fusedActivationFunction=1)
    flat = m.tensor((1, 180), dtype="float32")
    target = m.tensor((2,), dtype="int32", data=[1, 180])
    m.operator("RESHAPE", [y, target], flat, newShape=[1, 180])
    w = m.tensor((7, 180), dtype="float32", data=rng.normal(size=(7, 180)))
    out = m.tensor((1, 7), dtype="float32")
    m.operator("FULLY_CONNECTED", [flat, w, -1], out)
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.inputs, signature.outputs = "serving_default", [], []
    for ends, name, number in ((signature.inputs, "x", x), (signature.outputs, "y", out)):
        end = schema.TensorMapT()
        end.name, end.tensorIndex = name, number
        ends.append(end)
    m.model.signatureDefs = [signature]
    return m.content([x], [out])


def test_a_file_of_the_quantizer_with_int4_weights(free_code):
    rng = np.random.default_rng(2)
    images = [{"x": rng.normal(size=(1, 6, 6, 3)).astype(np.float32)} for _ in range(8)]
    tensor, names = qtyping.TensorQuantizationConfig, qtyping.TFLOperationName
    weights = tensor(num_bits=4, granularity=qtyping.QuantGranularity.CHANNELWISE)
    maker = Quantizer(bytearray(floats()))
    for name in (names.CONV_2D, names.RESHAPE, names.FULLY_CONNECTED):
        config = qtyping.OpQuantizationConfig(
            activation_tensor_config=tensor(num_bits=8, symmetric=False),
            weight_tensor_config=None if name == names.RESHAPE else weights,
            compute_precision=qtyping.ComputePrecision.INTEGER,
        )
        maker.update_quantization_recipe(".*", name, config)
    made = maker.quantize(maker.calibrate({"serving_default": images})).quantized_model
    content = bytes(made)
    firmware, reference = mcu.build(content), Reference(content)
    assert [w.bits for w in firmware.program.packed_layers.layers.values()] == [4, 4]
    for image in images:
        (want,) = reference.run([image["x"]], firmware.program.graph.outputs)
        assert firmware.run(image["x"]).output.tobytes() == want.tobytes()


def test_deploy_packed_from_the_shell(tmp_path, free_code):
    path = tmp_path / "ternary.tflite"
    path.write_bytes(dense(np.random.default_rng(0).choice([-127, 0, 127], (8, 64))))
    out = tmp_path / "out"
    done = CliRunner().invoke(cli.app, ["deploy", str(path), "--packed", "--export", str(out)])
    assert done.exit_code == 0, done.output
    assert "palettes" in done.output
    assert (out / "src" / "unpack.c").exists()
    assert "tm_fully_connected_packed" in (out / "src" / "model.c").read_text()


@pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="GCC for Arm is not installed")
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4", "cortex-m33"])
@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3", "-Os"])
def test_gcc_compiles_the_packed_kernels(tmp_path, core, level):
    layers = [
        f"tm_{kind}_{form}" for kind in ("conv_2d", "fully_connected") for form in ("packed", "blocks")
    ]
    files = read_kernels([*layers, "tm_depthwise_unpack"])
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    sources = [name for name in files if name.endswith(".c")]
    flags = [f"-mcpu={core}", "-mthumb", "-std=c17", "-ffreestanding", level, "-c"]
    done = subprocess.run(
        ["arm-none-eabi-gcc", *flags, *sources], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[:1000]
