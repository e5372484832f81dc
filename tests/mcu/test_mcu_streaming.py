"""Networks that remember: variables become places in the arena, byte for byte as LiteRT has them."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from mcu_host import Reference
from test_mcu_firmware import STUBS, exported_sources
from tflite_maker import Maker

from tinyml_helpers import mcu
from tinyml_helpers.datasets import read_verified
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite import reader
from tinyml_helpers.mcu.compiler import graph, lowering
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.mcu.target.emulator import Machine

WAKE_WORDS = ["wake_hey_jarvis", "wake_alexa"]


def wake(name):
    return read_verified(f"models/{name}.tflite")


class Streaming(Maker):
    """A .tflite with one variable, `shape` at scale 0.5, which starts as `first`."""

    def __init__(self, shape=(1, 4), first=7, values=None):
        super().__init__()
        self.shape = shape
        self.handle = self.resource(self.graph)
        self.extra("VAR_HANDLE", self.graph, [], [self.handle], name="v")
        start = schema.SubGraphT()
        start.tensors, start.operators, start.inputs, start.outputs = [], [], [], []
        whole, self.graph = self.graph, start
        values = np.full(shape, first) if values is None else values
        data = self.tensor(shape, 0.5, 0, data=values)
        handle = self.resource(start)
        self.extra("VAR_HANDLE", start, [], [handle], name="v")
        self.extra("ASSIGN_VARIABLE", start, [handle, data], [])
        self.graph = whole
        self.model.subgraphs.append(start)
        self.extra("CALL_ONCE", whole, [], [], first=True)

    def resource(self, where):
        t = schema.TensorT()
        t.shape, t.type, t.buffer, t.name = [], schema.TensorType.RESOURCE, 0, "handle"
        where.tensors.append(t)
        return len(where.tensors) - 1

    def extra(self, kind, where, inputs, outputs, name=None, first=False):
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = getattr(schema.BuiltinOperator, kind), 1
        code.deprecatedBuiltinCode = 127
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = len(self.model.operatorCodes), inputs, outputs
        if name:
            op.builtinOptionsType = schema.BuiltinOptions.VarHandleOptions
            op.builtinOptions = schema.VarHandleOptionsT()
            op.builtinOptions.sharedName, op.builtinOptions.container = name, ""
        if first:
            op.builtinOptionsType = schema.BuiltinOptions.CallOnceOptions
            op.builtinOptions = schema.CallOnceOptionsT()
            op.builtinOptions.initSubgraphIndex = 1
        self.model.operatorCodes.append(code)
        where.operators.append(op)

    def value(self):
        out = self.tensor(self.shape, 0.5)
        self.extra("READ_VARIABLE", self.graph, [self.handle], [out])
        return out

    def assign(self, tensor):
        self.extra("ASSIGN_VARIABLE", self.graph, [self.handle, tensor], [])

    def add(self, a, b):
        return self.operator("ADD", [a, b], self.tensor(self.shape, 0.5))


def counter():
    """Each step adds its input to the sum so far."""
    m = Streaming()
    x = m.tensor(m.shape, 0.5)
    total = m.add(m.value(), x)
    m.assign(total)
    return m.content([x], [total])


def test_a_sum_by_hand():
    firmware = mcu.build(counter())
    steps = [np.array([1, 2, 3, 100], np.int8)] * 3
    sums = [run.output.ravel().tolist() for run in firmware.stream(steps)]
    assert sums == [[8, 9, 10, 107], [9, 11, 13, 127], [10, 13, 16, 127]]
    assert firmware.run(steps[0]).output.ravel().tolist() == sums[0]  # from reset
    assert [r.output.ravel().tolist() for r in firmware.stream(steps[:1])] == sums[:1]


@pytest.mark.parametrize("made", [[], [0, 1]])
def test_a_handle_has_one_place(made):
    m = Streaming()
    x = m.tensor(m.shape, 0.5)
    m.assign(m.add(m.value(), x))
    (handle,) = (op for op in m.graph.operators if not op.inputs and op.outputs)
    handle.outputs = made
    with pytest.raises(ModelError, match=f"VAR_HANDLE with {len(made)} outputs"):
        graph.read(m.content([x], [x]))


def with_logit(content):
    """The network with the number before its last LOGISTIC as output: all else saturates."""
    model = schema.ModelT.InitFromPackedBuf(content)
    logistic = model.subgraphs[0].operators[-2]
    model.subgraphs[0].outputs = [int(logistic.inputs[0])]
    model.signatureDefs = []
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("name", WAKE_WORDS)
@pytest.mark.parametrize("device", ["nano33ble", "pico"])
def test_wake_words_hear_as_the_reference_does(name, device):
    content, rng = with_logit(wake(name)), np.random.default_rng(0)
    steps = [rng.integers(-128, 128, (1, 3, 40)).astype(np.int8) for _ in range(25)]
    steps += [np.full((1, 3, 40), value, np.int8) for value in (-128, 0, 127) for _ in range(4)]
    reference = Reference(content)
    (out,) = reader.read(content).graphs[0].outputs
    expected = [reference.run([x], [out])[0].tobytes() for x in steps]
    assert [run.output.tobytes() for run in mcu.build(content, device).stream(steps)] == expected
    assert len(set(expected)) > 10


def test_a_wake_word_is_small_and_light():
    firmware = mcu.build(wake("wake_hey_jarvis"))
    run = firmware.run(np.zeros((1, 3, 40), np.int8))
    assert run.instructions < 80_000
    assert run.ram_bytes < 8_192
    assert sum(layer.macs for layer in run.profile) == firmware.macs > 20_000


def test_a_slice_goes_into_its_variable_at_once():
    found = graph.read(wake("wake_hey_jarvis"))
    assert len(found.variables) == 6
    assert set(found.variables.values()) == {128}  # the byte of -128
    assert "ASSIGN_VARIABLE" not in {op.type for op in found.operators}
    slices = [op for op in found.operators if op.type == "STRIDED_SLICE"]
    assert {op.outputs[0] for op in slices} == set(found.variables)


def test_the_header_has_a_reset_and_an_exported_project_uses_it(tmp_path):
    firmware = mcu.build(counter())
    assert "void model_reset(void);" in firmware.program.files["model.h"]
    assert "reset" not in mcu.build(read_verified("models/magic_wand.tflite")).program.files["model.h"]
    folder = firmware.export(tmp_path)
    files = exported_sources(folder)
    run = Machine(toolchain.compile_c(files | STUBS)).run({}, {"wrong_checks": "uint32"})
    assert run.outputs["wrong_checks"][0] == 0
    assert "model_reset()" in (folder / "README.md").read_text("utf-8")


def test_a_pipeline_streams_too():
    code = """#include <stdint.h>
    static int8_t last;
    void shift(const int8_t *samples, int8_t *input) {
        for (int i = 0; i < 4; i++) input[i] = samples[i] + last;
        last = samples[0];
    }"""
    pipeline = mcu.Pipeline({"shift.c": code}, "shift", "int8_t", 4)
    firmware = mcu.build(counter(), pipeline=pipeline)
    runs = list(firmware.stream([np.ones(4, np.int8)] * 2))
    assert [run.output.ravel().tolist() for run in runs] == [[8] * 4, [10] * 4]
    assert [len(run.profile) for run in runs] == [3, 3]
    spent = [sum(part.instructions for part in run.profile) for run in runs]
    assert all(0 < run.instructions - s < 120 for run, s in zip(runs, spent, strict=True))


def test_a_value_from_before_an_assignment_is_not_read_after_it():
    m = Streaming()
    x = m.tensor(m.shape, 0.5)
    before = m.value()
    m.assign(x)
    with pytest.raises(ModelError, match="of a variable assigned before it"):
        graph.read(m.content([x], [m.add(before, x)]))
    m = Streaming()
    x = m.tensor(m.shape, 0.5)
    before = m.value()
    flat = m.operator("RESHAPE", [before], m.tensor((4, 1), 0.5))
    m.assign(x)
    with pytest.raises(ModelError, match="of a variable assigned before it"):
        graph.read(m.content([x], [m.operator("RELU", [flat], m.tensor((4, 1), 0.5))]))
    m = Streaming()
    x = m.tensor(m.shape, 0.5)
    before = m.value()
    m.assign(x)
    with pytest.raises(ModelError, match=r"output .* is a variable's value"):
        graph.read(m.content([x], [before]))


def test_a_value_read_after_an_assignment_is_the_new_one():
    m = Streaming()
    x = m.tensor(m.shape, 0.5)
    m.assign(m.add(m.value(), x))
    content = m.content([x], [m.add(m.value(), x)])
    steps = [np.array([1, 2, 3, 4], np.int8)] * 3
    reference = Reference(content)
    (out,) = reader.read(content).graphs[0].outputs
    expected = [reference.run([x[None]], [out])[0].ravel().tolist() for x in steps]
    assert [run.output.ravel().tolist() for run in mcu.build(content).stream(steps)] == expected


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda: Streaming(values=np.arange(4)), "one first value throughout"),
        (lambda: Streaming(values=np.zeros((1, 3))), "needs 4 bytes and has 3"),
    ],
)
def test_first_values_that_cannot_be_made(broken, message):
    m = broken()
    x = m.tensor(m.shape, 0.5)
    with pytest.raises(ModelError, match=message):
        graph.read(m.content([x], [m.add(m.value(), x)]))


def test_a_variable_of_another_scale_is_refused_by_name():
    m = Streaming()
    x = m.tensor(m.shape, 0.25)
    total = m.add(m.value(), x)
    m.assign(x)
    with pytest.raises(mcu.UnsupportedError, match=r"ASSIGN_VARIABLE \(operator \d\).*another scale"):
        mcu.build(m.content([x], [total]))


def test_two_graphs_without_first_values_are_refused():
    m = Streaming()
    m.graph.operators = [op for op in m.graph.operators if op.inputs]
    x = m.tensor(m.shape, 0.5)
    with pytest.raises(ModelError, match="2 subgraphs"):
        graph.read(m.content([x], [m.add(x, x)]))


@pytest.mark.parametrize("seed", range(40))
def test_damaged_wake_words_never_crash(seed):
    content, rng = bytearray(wake("wake_alexa")), np.random.default_rng(seed)
    for at in rng.integers(8, len(content), 6):
        content[at] = rng.integers(256)
    try:
        lowering.lower(lowering.strip_float_ends(graph.read(bytes(content))), dsp=True)
    except ModelError as error:
        assert str(error)


def test_what_a_view_shows_is_not_overwritten_while_it_is_wanted():
    m = Maker()
    x = m.tensor((1, 4), 0.5)
    kept = m.operator("ADD", [x, x], m.tensor((1, 4), 0.5))
    view = m.operator("RESHAPE", [kept], m.tensor((4, 1), 0.5))
    relu = m.operator("RELU", [view], m.tensor((4, 1), 0.5))
    back = m.operator("RESHAPE", [relu], m.tensor((1, 4), 0.5))
    total = m.operator("ADD", [kept, back], m.tensor((1, 4), 0.5))
    run = mcu.build(m.content([x], [total])).run(np.array([-3, 2, -1, 4], np.int8))
    assert run.output.ravel().tolist() == [-6, 8, -2, 16]
