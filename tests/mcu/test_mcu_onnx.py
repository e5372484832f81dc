"""ONNX files in QDQ form as C: ONNX Runtime's bytes, and refusals that name the node and the cure."""

import mcu_host
import numpy as np
import onnx
import pytest
import qdq_maker
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper
from onnxruntime import InferenceSession
from typer.testing import CliRunner

from tinyml_helpers import mcu
from tinyml_helpers.cli import app
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.onnx import session, to_tflite
from tinyml_helpers.mcu.compiler import fixed_point, float_rounding

RUNS = 12


def runtime(content, level="all"):
    return InferenceSession(content, session.make_options(level), providers=["CPUExecutionProvider"])


def inputs(shape, seed):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=shape) * rng.choice([0.3, 1, 2])).astype("f4") for _ in range(RUNS)]


def steps(real, scale):
    return np.rint(real.ravel() / np.float32(scale)).astype(int)


@pytest.fixture(scope="module")
def compared():
    """Of each operator: how many steps every output lies from ONNX Runtime's, as C on the host."""
    makers = qdq_maker.EXACT | qdq_maker.WITHIN_A_STEP
    contents = {
        i: qdq_maker.single(make, 2 * i + half)
        for half in (0, 1)
        for i, make in enumerate(makers.values(), half * len(makers))
    }
    made = mcu_host.programs(contents, dsp=True)
    lib = mcu_host.library(made, True, *mcu_host.SANITIZE)
    found = {}
    for i, content in contents.items():
        program, reference = made[f"n{i}"], runtime(content)
        scale = program.graph.tensors[program.graph.operators[-1].inputs[0]].scale
        for x in inputs(reference.get_inputs()[0].shape, i):
            (got,) = mcu_host.run(lib, program, x, 0xA5)
            far = np.abs(steps(got, scale) - steps(reference.run(None, {"x": x})[0], scale))
            found.setdefault(list(makers)[i % len(makers)], []).append(far)
    return {name: np.concatenate(far) for name, far in found.items()}


@pytest.mark.parametrize("name", qdq_maker.EXACT)
def test_an_operator_gives_the_bytes_of_onnx_runtime(compared, name):
    assert compared[name].max() <= 1
    assert (compared[name] > 0).mean() < 1e-3


@pytest.mark.parametrize("name", qdq_maker.WITHIN_A_STEP)
def test_where_roundings_differ_it_is_by_one_step(compared, name):
    assert compared[name].max() <= 1


@pytest.mark.parametrize("device", ["nano33ble", "pico", "esp32c3"])
def test_a_network_gives_the_same_bytes_on_a_core(device):
    content = qdq_maker.network(4)
    firmware, reference = mcu.build(content, device), runtime(content)
    scale = firmware.program.graph.tensors[firmware.program.graph.outputs[0]].scale
    for x in inputs((1, 3, 16, 16), 1)[:3]:
        far = steps(firmware.run(x).values[0], scale) - steps(reference.run(None, {"x": x})[0], scale)
        assert np.abs(far).max() == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_a_sequence_goes_through(seed):
    content = qdq_maker.sequence(seed)
    firmware, reference = mcu.build(content), runtime(content)
    scale = firmware.program.graph.tensors[firmware.program.graph.outputs[0]].scale
    for x in inputs((1, 4, 20), seed):
        want = reference.run(None, {"x": x})[0]
        got = firmware.run(x).values[0]
        assert got.shape == want.shape
        assert np.abs(steps(got, scale) - steps(want, scale)).max() <= 2  # three layers one step off


def test_the_rounding_of_litert_differs_and_can_be_asked_for():
    content = qdq_maker.single(qdq_maker.EXACT["Conv 1x1"], 0)
    reference, far = runtime(content), 0
    firmware = mcu.build(content, rounding="litert")
    scale = firmware.program.graph.tensors[firmware.program.graph.outputs[0]].scale
    x = np.random.default_rng(0).normal(size=(40, *reference.get_inputs()[0].shape)).astype("f4")
    for one in x:
        want = steps(reference.run(None, {"x": one})[0], scale)
        far += np.abs(steps(firmware.run(one).values[0], scale) - want).sum()
    assert far > 0


def test_the_tflite_of_an_onnx_file_runs_in_litert():
    content = qdq_maker.network(3)
    interpreter, reference = Interpreter(model_content=to_tflite.convert(content)), runtime(content)
    interpreter.allocate_tensors()
    for x in inputs((1, 3, 16, 16), 0):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        want = reference.run(None, {"x": x})[0]
        assert got.shape == want.shape
        assert np.abs(got - want).max() < 0.1 * np.abs(want).max()


def test_a_fitted_multiplier_rounds_as_float32_does_for_nearly_every_sum():
    exact, exact_as_litert = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        factor = np.float32(np.exp(rng.uniform(-9, -3)))
        zero, most = int(rng.integers(-128, 128)), int(rng.integers(1000, 200_000))
        sums = np.arange(-most, most + 1)
        want = np.clip(np.rint(sums.astype("f4") * factor) + zero, -128, 127)
        fitted = float_rounding.fit_multiplier(factor, np.array([-most, most]), zero)
        got = np.clip(fixed_point.scale_once(sums, *fitted) + zero, -128, 127)
        assert np.abs(got - want).max() <= 1
        assert (got != want).mean() < 1e-4
        exact += int((got == want).all())
        plain = fixed_point.scale_by(sums, *fixed_point.quantize_multiplier(float(factor)))
        exact_as_litert += int((np.clip(plain + zero, -128, 127) == want).all())
    assert exact >= 16
    assert exact_as_litert < 4


def test_halves_that_no_multiplier_meets_are_a_step_apart():
    sums = np.arange(-100, 101)
    fitted = float_rounding.fit_multiplier(np.float32(0.25), np.array([-100, 100]), 0)
    far = fixed_point.scale_once(sums, *fitted) - np.rint(sums * 0.25)
    assert set(np.abs(far)) == {0, 1}
    assert (sums[far != 0] % 4 == 2).all()


def test_integers_at_the_ends_are_taken_as_they_are():
    q = qdq_maker.Qdq((1, 2, 5, 5), 1)
    q.conv(3, (3, 3))
    model = onnx.load_model_from_string(q.content())
    first, last = model.graph.node[0], model.graph.node[-1]
    del model.graph.input[:], model.graph.output[:]
    model.graph.input.append(
        helper.make_tensor_value_info(first.output[0], TensorProto.INT8, (1, 2, 5, 5))
    )
    model.graph.output.append(helper.make_tensor_value_info(last.input[0], TensorProto.INT8, None))
    model.graph.node.remove(first)
    model.graph.node.remove(last)
    content = onnx.shape_inference.infer_shapes(model).SerializeToString()
    x = np.random.default_rng(0).integers(-128, 128, (1, 2, 5, 5)).astype(np.int8)
    want = runtime(content).run(None, {first.output[0]: x})[0]
    np.testing.assert_array_equal(mcu.build(content).run(x).outputs[0], want)


def float_conv(opset=17):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 4, 4))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 1, 2, 2))
    w = onnx.numpy_helper.from_array(np.ones((1, 1, 3, 3), "f4"), "w")
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "f", [x], [y], [w])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def unsigned_weights():
    q = qdq_maker.Qdq((1, 2, 5, 5))
    weight = q.stored([[[[0]], [[255]]]], np.float32(0.01), dtype=np.uint8, zero=100)
    q.last = q.quantized(q.add("Conv", [q.last, weight], name="first"))
    return q.content()


def unknown():
    q = qdq_maker.Qdq((1, 2, 5, 5))
    q.last = q.quantized(q.add("Erf", [q.last], name="the_erf"))
    return q.content()


def unquantized():
    q = qdq_maker.Qdq((1, 2, 5, 5))
    weight, bias, _ = q.weights((3, 2, 1, 1))
    q.last = q.add("Conv", [q.last, weight, bias], name="the_last")
    return q.content()


def dynamic():
    model = float_conv()
    model.graph.node.insert(0, helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]))
    return model.SerializeToString()


def old():
    q = qdq_maker.Qdq((1, 2, 5, 5), opset=9)
    return q.model().SerializeToString()


def one(kind, *inputs, **options):
    def make():
        q = qdq_maker.Qdq((1, 2, 5, 5))
        given = [q.last, *("" if values is None else q.constant(values) for values in inputs)]
        q.last = q.quantized(q.add(kind, given, name="the_one", **options))
        return q.content()

    return make


def grouped():
    q = qdq_maker.Qdq((1, 2, 5, 5))
    weight, bias, _ = q.weights((2, 1, 2, 2), axis=1)
    q.last = q.quantized(q.add("ConvTranspose", [q.last, weight, bias], name="the_one", group=2))
    return q.content()


SIZES = np.array([1, 2, 8, 8])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (grouped, "ConvTranspose 'the_one': in groups"),
        (one("Pad", np.array([0, 0, -1, 0] * 2)), "Pad 'the_one': pads .* 0 or more"),
        (one("Pad", np.array([0, 0, 1, 1] * 2), mode="edge"), "Pad 'the_one': pads .* of mode edge"),
        (one("Resize", None, None, SIZES, mode="cubic"), r"Resize 'the_one': .* to .* by cubic"),
        (
            one("Resize", None, None, SIZES, coordinate_transformation_mode="asymmetric"),
            "by nearest, asymmetric, round_prefer_floor: LiteRT has no such",
        ),
        (lambda: float_conv().SerializeToString(), "a float network: quantize it .*quantize_static"),
        (lambda: float_conv(7).SerializeToString(), "opset 7: .*opset_version=17"),
        (old, "opset 9: .*opset_version=17"),
        (dynamic, "quantized dynamically.*quantize_static"),
        (unknown, "Erf 'the_erf': supported are Add, "),
        (unquantized, "Conv 'the_last': what comes out stays float"),
        (unsigned_weights, "Conv 'first': weights with a zero point; .*QuantType.QInt8"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_cure(make, said):
    with pytest.raises(ModelError, match=said):
        mcu.build(make())


def test_a_damaged_file_raises_a_model_error_or_gives_a_network():
    content = qdq_maker.network(0)
    rng, refused = np.random.default_rng(0), 0
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(1, len(content), 3):
            damaged[place] = rng.integers(256)
        cut = int(rng.integers(8, len(content))) if rng.random() < 0.3 else len(content)
        try:
            to_tflite.convert(bytes(damaged[:cut]))
        except ModelError:
            refused += 1
    assert 0 < refused < 150


def test_the_command_takes_an_onnx_file(tmp_path):
    (tmp_path / "net.onnx").write_bytes(qdq_maker.network(0))
    (tmp_path / "float.onnx").write_bytes(float_conv().SerializeToString())
    told = CliRunner().invoke(app, ["deploy", str(tmp_path / "net.onnx")])
    assert told.exit_code == 0, told.output
    assert "MACs on " in told.output
    refused = CliRunner().invoke(app, ["deploy", str(tmp_path / "float.onnx")])
    assert refused.exit_code == 1
    assert "float.onnx: a float network" in refused.output
