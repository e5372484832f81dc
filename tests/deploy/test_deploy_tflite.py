"""Reading .tflite files: models built by hand, bytes that add up, and damaged files."""

import random

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_maker import Maker

from tinyml_helpers import datasets, models
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite import probe, reader, sizes, tflm

KINDS = {np.dtype("int8"): 9, np.dtype("int32"): 2, np.dtype("float32"): 0}
needs_tflm = pytest.mark.skipif(not tflm.is_available(), reason=tflm.MISSING)


def tensor(name, shape, dtype, buffer=0, scales=(), zero_points=(), axis=0):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, list(shape), KINDS[np.dtype(dtype)], buffer
    if scales:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = list(scales), list(zero_points)
        made.quantization.quantizedDimension = axis
    return made


def pack(tensors, values, code, options, options_type, inputs, outputs):
    """A .tflite file of one operator: tensor i+1 holds values[i], tensor 0 is the input."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description = 3, "by hand"
    model.buffers = [schema.BufferT() for _ in range(len(values) + 1)]
    for buffer, value in zip(model.buffers[1:], values, strict=True):
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    kind = schema.OperatorCodeT()
    kind.builtinCode, kind.deprecatedBuiltinCode, kind.version = code, code, 4
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = inputs, outputs
    operator.builtinOptionsType, operator.builtinOptions = options_type, options
    graph.tensors, graph.operators = tensors, [operator]
    graph.inputs, graph.outputs = [0], outputs
    model.operatorCodes, model.subgraphs = [kind], [graph]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def dense(weights, bias, scales=(0.5, 0.25, 1.0)):
    """FULLY_CONNECTED with a fused ReLU: int8 [1, K] -> int8 [1, N]; scales of in, weights, out."""
    outputs, inputs = weights.shape
    tensors = [
        tensor("in", [1, inputs], "int8", 0, [scales[0]], [0]),
        tensor("w", weights.shape, "int8", 1, [scales[1]], [0]),
        tensor("b", bias.shape, "int32", 2, [scales[0] * scales[1]], [0]),
        tensor("out", [1, outputs], "int8", 0, [scales[2]], [-128]),
    ]
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = 1
    kind = schema.BuiltinOptions.FullyConnectedOptions
    return pack(tensors, [weights, bias], 9, options, kind, [0, 1, 2], [3])


WEIGHTS = np.array([[1, 2, 3], [-4, 5, -6]], np.int8)
BIAS = np.array([8, -8], np.int32)
DENSE = dense(WEIGHTS, BIAS)


def conv(weight, options, shape=(1, 4, 4, 2), inputs=(0, 1, 2)):
    """CONV_2D, float: [1, 4, 4, 2] -> [1, 4, 4, 3]."""
    tensors = [
        tensor("in", shape, "float32"),
        tensor("w", weight.shape, "float32", 1),
        tensor("b", [3], "float32", 2),
        tensor("out", [1, 4, 4, 3], "float32"),
    ]
    kind = schema.BuiltinOptions.Conv2DOptions
    return pack(tensors, [weight, np.zeros(3, np.float32)], 3, options, kind, list(inputs), [3])


def same(stride=1):
    options = schema.Conv2DOptionsT()
    options.padding, options.strideW, options.strideH, options.fusedActivationFunction = 0, stride, 1, 3
    return options


def test_a_model_built_by_hand_is_read_as_it_was_built():
    graph = reader.read(DENSE).graphs[0]
    assert [t.name for t in graph.tensors] == ["in", "w", "b", "out"]
    assert [t.dtype for t in graph.tensors] == ["int8", "int8", "int32", "int8"]
    np.testing.assert_array_equal(graph.tensors[1].array, WEIGHTS)
    np.testing.assert_array_equal(graph.tensors[2].array, BIAS)
    assert graph.tensors[3].scales == (1.0,)
    assert graph.tensors[3].zero_points == (-128,)
    operator = graph.operators[0]
    assert (operator.type, operator.activation) == ("FULLY_CONNECTED", "RELU")
    assert (operator.inputs, operator.outputs) == ((0, 1, 2), (3,))
    assert str(operator) == "FULLY_CONNECTED + RELU"
    assert repr(graph) == "4 tensors, 1 FULLY_CONNECTED"


def test_options_of_a_convolution():
    graph = reader.read(conv(np.zeros((3, 3, 3, 2), np.float32), same(stride=2))).graphs[0]
    assert graph.operators[0].options == {
        "padding": 0, "stride_w": 2, "stride_h": 1, "activation": 3, "dilation_w": 1, "dilation_h": 1,
        "bias_type": 0,
    }  # fmt: skip
    assert graph.operators[0].activation == "RELU6"


def test_bytes_by_part_are_those_put_in_and_add_up_to_the_file():
    parts = sizes.bytes_by_part(reader.read(DENSE))
    assert parts["weights"] == 6
    assert parts["biases"] == 8
    assert parts["scales"] == 4 * 4
    assert parts["zero points"] == 4 * 8
    assert parts["names"] == len("inwbout")
    assert parts["other constants"] == 0
    assert sum(parts.values()) == len(DENSE)
    assert parts["structure"] > 0


def test_macs_by_hand():
    assert sizes.macs(reader.read(DENSE)) == 2 * 3
    assert sizes.macs(reader.read(conv(np.zeros((3, 3, 3, 2), np.float32), same()))) == 48 * 18


def test_a_report_says_all_of_it():
    report = litert.inspect(DENSE)
    assert report.file_bytes == len(DENSE)
    assert report.operators == {"FULLY_CONNECTED": 1}
    assert report.macs == 6
    assert "6 MACs" in repr(report)
    assert "<table>" in report._repr_html_()
    if tflm.is_available():
        assert report.arena_bytes == tflm.measure_arena(DENSE).total_bytes
    else:
        assert report.arena_bytes is None
        assert tflm.MISSING in repr(report)


# By hand: reals = integers * 0.5, weights * 0.25, so a sum counts eighths; ReLU, then steps of 1.
ONE = np.array([[11, -20, 30]], np.int8)
SUMS = [1 * 11 + 2 * -20 + 3 * 30 + 8, -4 * 11 + 5 * -20 - 6 * 30 - 8]
assert SUMS == [69, -332]


@pytest.mark.parametrize("kernels", litert.available_kernels())
def test_every_interpreter_computes_what_the_formula_says(kernels):
    model = litert.load(DENSE, kernels)
    raw = model.run(ONE)
    assert raw.dtype == np.int8
    # 69 / 8 = 8.625 rounds to 9, and what is below zero ReLU cuts.
    np.testing.assert_array_equal(raw[0].astype(int) + 128, [9, 0])
    np.testing.assert_allclose(model.predict(ONE * 0.5)[0], raw[0].astype(float) + 128)


def two_heads(batch=1):
    """int8 [batch, 4], steps of 0.5 -> its sum twice, and one and a half of it three times."""
    net = Maker()
    given, heads = net.tensor((batch, 4), 0.5), []
    for rows in (2, 3):
        weights = net.tensor((rows, 4), 0.5, data=np.full((rows, 4), rows))
        heads.append(
            net.operator("FULLY_CONNECTED", [given, weights, -1], net.tensor((batch, rows), 1.0))
        )
    return net.content([given], heads)


@pytest.mark.parametrize("kernels", litert.available_kernels())
@pytest.mark.parametrize("batch", [1, 5])
def test_several_outputs_come_in_their_order(kernels, batch):
    model = litert.load(two_heads(batch), kernels)
    assert [output.shape for output in model.outputs] == [(batch, 2), (batch, 3)]
    assert repr(model).count("\n  out: int8") == 2
    values = 2.0 * np.random.default_rng(0).integers(0, 3, (7, 4))
    for count in (1, 7):
        sums = values[:count].sum(1, keepdims=True)
        once, half_more = model.predict_all(values[:count])
        np.testing.assert_array_equal(once, np.tile(sums, 2))
        np.testing.assert_array_equal(half_more, np.tile(1.5 * sums, 3))


def test_a_model_of_several_outputs_says_how_to_read_them():
    model = litert.load(two_heads())
    for call in (lambda: model.output, lambda: model.run(ONE), lambda: model.predict(np.zeros((1, 4)))):
        with pytest.raises(ModelError, match="the model has 2 outputs: `predict_all` returns them"):
            call()
    assert model.latency_ms(0.01) > 0
    (only,) = litert.load(DENSE).predict_all(ONE * 0.5)
    np.testing.assert_array_equal(only, litert.load(DENSE).predict(ONE * 0.5))


def test_a_model_of_several_inputs_is_refused():
    net = Maker()
    ends = [net.tensor((1, 4), 0.5) for _ in range(3)]
    net.operator("ADD", ends[:2], ends[2])
    with pytest.raises(ModelError, match="2 inputs and 1 outputs: one input is fed here"):
        litert.load(net.content(ends[:2], ends[2:]))


@needs_tflm
def test_tflm_rounds_a_full_connection_twice_and_litert_once():
    """83.4994 becomes 83.5 as a multiple of 1/512, and that becomes 84."""
    scale, total = 1 / 1024, 85503
    assert round(total * scale, 4) == 83.499
    file = dense(np.ones((1, 3), np.int8), np.array([total], np.int32), (scale, 1.0, 1.0))
    zeros = np.zeros((1, 3), np.int8)
    assert litert.load(file, "reference").run(zeros).item() + 128 == 83
    assert litert.load(file, "tflm").run(zeros).item() + 128 == 84


@needs_tflm
def test_the_arena_of_a_model_built_by_hand():
    arena = tflm.measure_arena(DENSE)
    # Input and output are alive together; each is rounded up to 16 bytes.
    assert arena.activation_bytes == 16 + 16
    assert sum(arena.bytes_by_purpose.values()) == arena.total_bytes
    assert "total" in repr(arena)
    assert "<table>" in arena._repr_html_()


def test_only_its_own_interpreters_are_accepted():
    with pytest.raises(ValueError, match="unknown kernels 'fast': choose one of default"):
        litert.load(DENSE, "fast")


def test_without_tflm_one_sentence_says_so(monkeypatch):
    monkeypatch.setattr(tflm, "is_available", lambda: False)
    with pytest.raises(ModelError, match="only there for Linux"):
        litert.load(DENSE, "tflm")
    with pytest.raises(ModelError, match="only there for Linux"):
        tflm.measure_arena(DENSE)
    assert litert.available_kernels() == ("default", "reference")
    report = litert.inspect(DENSE)
    assert report.arena_bytes is None
    assert "only there for Linux" in repr(report)


@pytest.mark.parametrize("content", [b"x", b"<html>Not found</html>", b"\x08\x07pytorch" * 9])
def test_another_kind_of_file_is_named(content):
    with pytest.raises(ModelError, match=r"not a \.tflite file"):
        litert.load(content)


def test_missing_and_empty_files_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read .*nothing.tflite: No such file"):
        litert.load(tmp_path / "nothing.tflite")
    (tmp_path / "empty.tflite").write_bytes(b"")
    with pytest.raises(ModelError, match=r"empty.tflite is empty"):
        litert.inspect(tmp_path / "empty.tflite")


def test_a_file_is_read_from_its_path(tmp_path):
    (tmp_path / "model.tflite").write_bytes(DENSE)
    assert litert.inspect(str(tmp_path / "model.tflite")).file_bytes == len(DENSE)


@given(st.integers(0, len(DENSE) - 1))
def test_a_truncated_file_gets_an_error_of_ours(length):
    with pytest.raises(ModelError):
        reader.read(DENSE[:length])


FLIPS = st.lists(st.tuples(st.integers(0, len(DENSE) - 1), st.integers(0, 255)), min_size=1, max_size=8)


def flip(content, flips):
    damaged = bytearray(content)
    for place, value in flips:
        damaged[place] = value
    return bytes(damaged)


@settings(max_examples=500, deadline=None)
@given(FLIPS)
def test_changed_bytes_give_a_report_that_adds_up_or_an_error_of_ours(flips):
    damaged = flip(DENSE, flips)
    try:
        file = reader.read(damaged)
        parts = sizes.bytes_by_part(file)
        sizes.macs(file)
        repr(file)
    except ModelError as error:
        assert str(error)
    else:
        assert sum(parts.values()) == len(damaged)
        assert min(parts.values()) >= 0


@pytest.mark.parametrize("kernels", litert.available_kernels())
def test_changed_bytes_never_take_this_process_with_them(kernels):
    draw = random.Random(6)
    outcomes = set()
    for _ in range(12):
        damaged = flip(DENSE, [(draw.randrange(len(DENSE)), draw.randrange(256)) for _ in range(2)])
        try:
            model = litert.load(damaged, kernels)
            model.run(np.zeros((3, *model.input.shape[1:]), model.input.dtype))
            outcomes.add("ran")
        except ModelError:
            outcomes.add("refused")
    assert outcomes == {"ran", "refused"}


def test_a_file_that_crashes_the_interpreter_crashes_another_process():
    """A convolution without weights: XNNPACK reads from nowhere, and what lies there decides."""
    file = conv(np.zeros((3, 3, 3, 2), np.float32), same(), inputs=(0, -1, 2))
    with pytest.raises(ModelError, match=r"crashes the default interpreter|default interpreter refuses"):
        litert.load(file)


@needs_tflm
def test_so_does_one_that_crashes_tflm():
    """An input without channels: TFLM divides by their number."""
    file = conv(np.zeros((3, 3, 3, 2), np.float32), same(), shape=(1, 4, 4, 0))
    with pytest.raises(ModelError, match=r"the model crashes the tflm interpreter \(SIGFPE\)"):
        litert.load(file, "tflm")
    assert "crashes the tflm" in repr(litert.inspect(file))


def test_more_axes_than_there_are_never_reach_the_interpreter():
    """LiteRT's kernels write beyond the list of axes, and end the process at some later moment."""
    made = Maker()
    image = made.tensor((1, 6, 7, 1), 1.0, -128)
    axes = made.tensor((5,), dtype="int32", data=np.arange(5) % 4)
    file = made.content([image], [made.operator("MEAN", [image, axes], made.tensor((1,), 1.0, -128))])
    for kernels in litert.available_kernels():
        with pytest.raises(ModelError, match=r"MEAN \(operator 0\) is given 5 axes of 4: .* damaged"):
            probe.interpreter(file, kernels)
    with pytest.raises(ModelError, match="is given 5 axes of 4"):
        litert.load(file)


def test_a_model_that_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr(probe, "SECONDS", 0.01)
    probe.probe.cache_clear()
    with pytest.raises(ModelError, match="did not finish one inference"):
        litert.load(DENSE)
    probe.probe.cache_clear()


def test_other_weights_go_where_the_old_ones_lay_and_nothing_else_changes():
    seen = []

    def negate(weights):
        seen.append(weights)
        return -weights

    content = reader.read(DENSE).with_weights(negate)
    before, after = (reader.read(one).graphs[0].tensors for one in (DENSE, content))
    np.testing.assert_array_equal(seen[0], before[1].array)
    np.testing.assert_array_equal(after[1].array, -before[1].array)
    where = before[1].where
    assert content[: where.start] + content[where.end :] == DENSE[: where.start] + DENSE[where.end :]


def test_weights_of_a_convolution_are_handed_out_as_pytorch_orders_them():
    path = datasets.data_folder() / "models" / "tiny.tflite"
    content, shapes = path.read_bytes(), []
    file = reader.read(content)
    assert file.with_weights(lambda weights: shapes.append(weights.shape) or weights) == content
    network = models.load_trained("tiny")
    pointwise = [tuple(one.weight.shape) for one in network.modules() if getattr(one, "groups", 0) == 1]
    assert shapes == [*pointwise, tuple(network.head.weight.shape)]


@pytest.mark.parametrize("change", [lambda w: w[:1], lambda w: w.astype(float)])
def test_weights_of_another_shape_or_type_are_refused(change):
    with pytest.raises(ValueError, match=r"FULLY_CONNECTED \(operator 0\): \(2, 3\) became"):
        reader.read(DENSE).with_weights(change)
