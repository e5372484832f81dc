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
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite import reader
from tinyml_helpers.mcu import UnsupportedError
from tinyml_helpers.mcu.compiler.kernel_files import read_kernels
from tinyml_helpers.mcu.compiler.lowering.packing import pack


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
    rows[0, :20], rows[0, 36], rows[1, 5] = np.arange(1, 21), -1, -100
    packed = pack(rows, 80)
    assert (packed.bits, packed.form, packed.palettes.size) == (8, "blocks of four", 0)
    first = [0b0001_1111, 0b10, *range(1, 21), 255, 0, 0, 0]  # ten blocks: bits of 0 to 4, and of 9
    assert packed.stored.tolist() == [*first, 0b10, 0, 0, 156, 0, 0]
    assert pack(np.arange(1, 41)[None], 40) is None  # nothing to leave out


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
def test_random_networks_of_few_values_equal_the_reference_in_every_byte(dsp, packed):
    contents = {seed: narrow_network(seed) for seed in range(120)}
    compared, wrong = check(contents, dsp, packed=packed)
    assert compared > 80 * len(contents)
    assert wrong == []
    layers = [layer for p in programs(contents, dsp, packed=packed).values() for layer in p.layers]
    found = {(one.operator.type, one.packed.bits, one.packed.apart > 0) for one in layers if one.packed}
    assert {("CONV_2D", 4, False), ("FULLY_CONNECTED", 4, False)} <= found  # INT4 always
    kinds = ("CONV_2D", "FULLY_CONNECTED")
    if packed:
        palettes = {(k, bits, own) for k in kinds for bits in (1, 2, 4) for own in (True, False)}
        assert found == palettes | {(kind, 8, False) for kind in kinds}


@pytest.mark.parametrize("device", ["nano33ble", "pico", "esp32c3", "nucleo_h743zi"])
@pytest.mark.parametrize("count", [2, 3, 16])
def test_odd_lengths_on_the_devices(device, count):
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


def test_a_firmware_says_what_each_layer_uses():
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


def test_a_file_of_the_quantizer_with_int4_weights():
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


def test_deploy_packed_from_the_shell(tmp_path):
    path = tmp_path / "ternary.tflite"
    path.write_bytes(dense(np.random.default_rng(0).choice([-127, 0, 127], (8, 64))))
    out = tmp_path / "out"
    done = CliRunner().invoke(cli.app, ["deploy", str(path), "--packed", "--export", str(out)])
    assert done.exit_code == 0, done.output
    assert "palettes" in done.output
    assert (out / "src" / "unpack.h").exists()
    assert "tm_fully_connected_packed" in (out / "src" / "model.c").read_text()


@pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="GCC for Arm is not installed")
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4", "cortex-m33"])
@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3", "-Os"])
def test_gcc_compiles_the_packed_kernels(tmp_path, core, level):
    files = read_kernels(["tm_conv_2d_packed", "tm_fully_connected_packed"])
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    sources = [name for name in files if name.endswith(".c")]
    flags = [f"-mcpu={core}", "-mthumb", "-std=c17", "-ffreestanding", level, "-c"]
    done = subprocess.run(
        ["arm-none-eabi-gcc", *flags, *sources], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[:1000]
