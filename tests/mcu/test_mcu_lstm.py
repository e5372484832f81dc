"""The LSTM of int8: near to what real numbers give, and refused by name where it is another one."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from operator_cases import CASES

from tinyml_helpers import mcu
from tinyml_helpers.mcu.compiler import graph
from tinyml_helpers.mcu.compiler.lowering import UnsupportedError

CONTENT = CASES["UNIDIRECTIONAL_SEQUENCE_LSTM"](1)


def changed(change):
    """The file of two layers after a change to its first, and to its tensors."""
    model = schema.ModelT.InitFromPackedBuf(CONTENT, 0)
    found = model.subgraphs[0]
    op = found.operators[0]
    op.inputs, op.intermediates = list(op.inputs), list(op.intermediates)
    change(op, found.tensors)
    return packed(model)


def packed(model):
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def put(place, source):
    def change(op, tensors):
        op.inputs[place] = op.inputs[source] if source >= 0 else -1

    return change


def scaled(place, scale, zero_point=0):
    def change(op, tensors):
        q = tensors[op.inputs[place]].quantization
        q.scale, q.zeroPoint = [scale], [zero_point]

    return change


def option(name, value):
    return lambda op, tensors: setattr(op.builtinOptions, name, value)


def without_intermediates(op, tensors):
    op.intermediates = []


def remembered_by_nobody(op, tensors):
    tensors[op.inputs[19]].isVariable = False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(10, 13), "peephole weights; supported is what keras.layers.LSTM"),
        (put(16, 5), "a projection; supported is what keras"),
        (put(21, 13), "layer norm; supported is what keras"),
        (put(1, -1), "no input gate; supported is what keras"),
        (put(19, 18), "a cell of int8, supported is int16"),
        (scaled(19, 0.01), r"a cell of scale 0.01, supported are 2\^-15 to 2\^-9"),
        (scaled(19, 2.0**-8), "a cell of scale 0.00391"),
        (scaled(2, 0.01, 3), "several scales, or a zero point"),
        (put(3, 7), "has shape"),
        (option("timeMajor", True), "time before the batch; convert a layer with time_major=False"),
        (option("fusedActivationFunction", 1), "fused activation 1, supported is TANH"),
        (without_intermediates, "no scale for its answers"),
        (remembered_by_nobody, r"before anything writes it|no variable"),
    ],
)
def test_another_lstm_is_refused_by_name(change, message):
    mcu.build(CONTENT)
    with pytest.raises(graph.GraphError, match=message):
        mcu.build(changed(change))


def test_weights_of_int8_between_floats_are_told_the_cure():
    """A hybrid layer: what dynamic range quantization makes of it."""

    def change(op, tensors):
        for place in (op.inputs[0], op.outputs[0]):
            tensors[place].type, tensors[place].quantization = 0, None

    with pytest.raises(UnsupportedError, match=r"dynamic range quantization.*lessons 02 and 06"):
        mcu.build(changed(change))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_real_numbers(g, op, x):
    """What the layer means: the same weights, computed in floating point."""
    weights = [g.tensors[i].real(g.tensors[i].array) for i in op.inputs[1:9]]
    bias = [g.tensors[i].array * g.tensors[i].scale for i in op.inputs[12:16]]
    clip = op.options["cell_clip"]
    outputs = []
    for sequence in x:
        h = c = np.zeros(len(bias[0]))
        for step in sequence:
            into, forget, new, out = (
                step @ weights[i].T + h @ weights[4 + i].T + bias[i] for i in range(4)
            )
            c = sigmoid(forget) * c + sigmoid(into) * np.tanh(new)
            top = 2.0**15 * g.tensors[op.inputs[19]].scale
            c = np.clip(c, -(clip or top), clip or top)
            h = sigmoid(out) * np.tanh(np.clip(c, -top, top))
            outputs.append(h)
    return np.array(outputs).reshape(*x.shape[:2], -1)


def test_it_means_what_real_numbers_mean():
    errors, spans = [], []
    for seed in range(8):
        content = CASES["UNIDIRECTIONAL_SEQUENCE_LSTM"](seed)
        g = graph.read(content)
        op, first = g.operators[0], g.operators[0].outputs[0]
        given = g.tensors[g.inputs[0]]
        raw = np.random.default_rng(seed).integers(-128, 128, given.shape).astype(np.int8)
        wanted = by_real_numbers(g, op, given.real(raw))
        made = g.tensors[first]
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        found = model.subgraphs[0]
        found.outputs, found.operators = [first], found.operators[:1]
        value = mcu.build(packed(model)).run(raw).value
        inside = np.abs(wanted / made.scale + made.zero_point) < 127
        errors.append(np.abs(value - wanted)[inside].max(initial=0) / made.scale)
        spans.append(np.ptp(wanted))
    assert max(spans) > 0.3
    assert np.median(errors) < 3  # steps of the output's scale
