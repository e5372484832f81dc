"""Reading a .tflite: what is in it, what is refused and where, and damage in every form."""

import dataclasses
import itertools
import re
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tflite_maker import Maker, random_network

from tinyml_helpers import mcu
from tinyml_helpers.datasets import read_verified
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite import reader
from tinyml_helpers.mcu import GraphError, UnsupportedError
from tinyml_helpers.mcu.compiler import codegen, fixed_point, graph, kernel_files, lowering
from tinyml_helpers.mcu.compiler.lowering.constants import Array, Struct

MAGIC_WAND = read_verified("models/magic_wand.tflite")


def conv(**changes):
    """A 1x1 convolution from 4 to 2 channels, with one thing changed."""
    m = Maker()
    o = {
        "image": (1, 3, 3, 4),
        "scale": 0.1,
        "dtype": "int8",
        "weights": (2, 1, 1, 4),
        "axis": 0,
        "zero": 0,
    } | changes
    a = m.tensor(o["image"], o["scale"], 0, o["dtype"])
    scales = np.full(o["weights"][o["axis"]], 0.01)
    w = m.tensor(o["weights"], scales, o["zero"], data=np.ones(o["weights"]), axis=o["axis"])
    b = m.tensor((2,), None, 0, "int32", [1, 2])
    out = m.tensor(o.get("out", (1, 3, 3, 2)), 0.1, 0)
    options = {
        "strideH": 1,
        "strideW": 1,
        "padding": 0,
        "fusedActivationFunction": o.get("activation", 0),
    }
    m.operator("CONV_2D", [a, w, b], out, **options)
    return m.content([a], [out])


def test_a_public_model_as_values():
    g = graph.read(MAGIC_WAND)
    kinds = [op.type for op in g.operators]
    assert kinds[:3] == ["QUANTIZE", "CONV_2D", "MAX_POOL_2D"]
    weights = g.tensors[g.operators[1].inputs[1]]
    assert weights.array.shape == weights.shape == (8, 4, 3, 1)
    assert len(weights.scales) == 8
    assert g.tensors[g.inputs[0]].dtype == "float32"
    assert "CONV_2D" in repr(g)
    assert "128x3x1" in repr(g)


def test_the_engine_runs_the_graph_that_deploy_reads():
    found, network = reader.read(MAGIC_WAND).graphs[0], graph.read(MAGIC_WAND)
    assert isinstance(network, type(found))
    assert network.operators == found.operators
    assert [op.position for op in network.operators] == list(range(len(found.operators)))
    for index, (tensor, raw) in enumerate(zip(network.tensors, found.tensors, strict=True)):
        assert tensor.index == raw.index == index
        assert tensor == dataclasses.replace(raw, shape=tensor.shape, zero_points=tensor.zero_points)
        assert len(tensor.zero_points) == len(raw.scales)


def test_known_answer_by_hand():
    firmware = mcu.build(conv())
    run = firmware.run(np.full((1, 3, 3, 4), 100, np.int8))
    # 4 * 100 * 0.1 * 0.01 = 0.4, bias 1 and 2 steps of 0.001: 0.401 and 0.402, in steps of 0.1
    assert run.output.ravel().tolist() == [4] * 18
    assert run.value.ravel()[0] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": (2, 3, 3, 4)}, r"tensor 3 has shape \(1, 3, 3, 2\), not \(2, 3, 3, 2\)"),
        ({"image": (1, 3, 3, 3)}, r"CONV_2D \(operator 0\).*weights of shape \(2, 1, 1, 4\)"),
        (
            {"dtype": "float32", "scale": None},
            r"its weights are int8, but what flows between its layers is float .*: lessons 02 and 06",
        ),
        ({"zero": 3}, r"weights \(tensor 1\) without scales or with zero points"),
        ({"axis": 3}, r"weight scales along dimension 3, supported is 0"),
        ({"out": (1, 3, 2, 2)}, r"tensor 3 has shape \(1, 3, 2, 2\), not \(1, 3, 3, 2\)"),
        ({"activation": 4}, r"fused activation 4, supported are none, RELU"),
        ({"image": (1, 70_000, 1, 4), "out": (1, 70_000, 1, 2)}, r"beyond 65,535"),
    ],
)
def test_forms_are_refused_by_name_and_position(changes, message, monkeypatch):
    monkeypatch.setattr(mcu.linking, "link", lambda *_: pytest.fail("compiled"))
    with pytest.raises(UnsupportedError, match=message):
        mcu.build(conv(**changes))


def test_unknown_operator_is_named_and_where_the_known_ones_are_listed():
    m = Maker()
    a, b = (m.tensor((4,), 0.1) for _ in range(2))
    m.operator("COS", [a], b)
    with pytest.raises(UnsupportedError, match=r"COS \(operator 0\).*`tinyml deploy --operators`"):
        mcu.build(m.content([a], [b]))


def test_each_other_refusal():
    def pair(kind, first, second, out, **options):
        m = Maker()
        tensors = [m.tensor(*t) for t in (first, second) if t is not None]
        o = m.tensor(*out)
        m.operator(kind, tensors, o, **options)
        return m.content(tensors, [o])

    one = ((1, 2, 2, 2), 0.1, 0)
    cases = {
        "input and output of different scale": pair(
            "MAX_POOL_2D",
            one,
            None,
            ((1, 2, 2, 2), 0.2, 0),
            filterHeight=1,
            filterWidth=1,
            strideH=1,
            strideW=1,
        ),
        "have different scales": pair(
            "CONCATENATION", one, ((1, 2, 2, 2), 0.2, 0), ((1, 2, 2, 4), 0.1, 0), axis=3
        ),
        "it is 1/256, -128": pair("SOFTMAX", one, None, one, beta=1.0),
        "it is 0.00390625, -128": pair("LOGISTIC", one, None, one),
        r"shapes \(1, 2, 2, 2\) and \(1, 2, 2, 3\)": pair("ADD", one, ((1, 2, 2, 3), 0.1, 0), one),
        "supported is constant|supported is a constant": pair(
            "MEAN", one, ((2,), None, 0, "int32"), one
        ),
    }
    for message, content in cases.items():
        with pytest.raises(UnsupportedError, match=message):
            mcu.build(content)


def mean(axes, shape=(1, 2, 1, 2), out=(1, 1, 1, 1)):
    """A MEAN over some axes, into a tensor of a shape that the file claims."""
    m = Maker()
    a, axis, b = (
        m.tensor(shape, 0.1),
        m.tensor((len(axes),), dtype="int32", data=axes),
        m.tensor(out, 0.1),
    )
    m.operator("MEAN", [a, axis], b, keepDims=True)
    return m.content([a], [b])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (mean([7]), r"axes \[\] of shape \(1, 2, 1, 2\)"),  # there is no seventh
        # Eight means do not fit into seven bytes, and would be written behind the array.
        (mean([1], (1, 3, 2, 4), (1, 1, 1, 7)), r"to shape \(1, 1, 1, 7\)"),
        (mean([1], (1, 3, 2, 4), (1, 3, 2, 4)), r"to shape \(1, 3, 2, 4\)"),
    ],
)
def test_a_mean_that_the_kernel_cannot_take_is_refused(content, message):
    with pytest.raises(UnsupportedError, match=rf"MEAN \(operator 0\).*{message}"):
        mcu.build(content)


def every_second(shape):
    """A STRIDED_SLICE that takes every second value along each dimension."""
    m, rank = Maker(), len(shape)
    a, out = m.tensor(shape, 0.1), m.tensor([-(-n // 2) for n in shape], 0.1)
    bounds = [m.tensor((rank,), dtype="int32", data=v) for v in ([0] * rank, shape, [2] * rank)]
    masks = ("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask")
    m.operator("STRIDED_SLICE", [a, *bounds], out, **dict.fromkeys(masks, 0))
    return m.content([a], [out])


@pytest.mark.parametrize("shape", [(3, 4, 4, 4, 4), (4, 4, 4, 4, 2), (2, 3, 4, 2, 4, 4)])
def test_what_walks_along_more_than_four_dimensions_takes_several_calls(shape):
    x = np.arange(np.prod(shape)).astype(np.int8).reshape(shape)
    taken = x[tuple(slice(None, None, 2) for _ in shape)]
    firmware = mcu.build(every_second(shape))
    assert firmware.run(x).output.tobytes() == taken.tobytes()
    assert len(firmware.program.layers[0].calls) == (2 if sum(n > 2 for n in shape) > 4 else 1)


def test_more_calls_than_a_program_should_have_are_refused():
    with pytest.raises(UnsupportedError, match="more than four dimensions to walk"):
        mcu.build(every_second((600, 4, 4, 4, 4)))


@pytest.mark.parametrize(
    "content", [b"", b"TFL3", b"\0" * 100, b"PK\x03\x04" + b"\0" * 50, MAGIC_WAND[4:]]
)
def test_no_tflite_at_all(content):
    with pytest.raises(ModelError, match=r"not a \.tflite"):
        graph.read(content)


def translate(content):
    """All that happens before the compiler runs; what is taken has a place for every byte."""
    try:
        program = codegen.generate(lowering.strip_float_ends(graph.read(content)))
    except ModelError as error:
        assert len(str(error)) > 20
        return False
    assert_has_room(program)
    return True


def assert_has_room(program):
    """Every array that a layer reads or writes lies whole in the arena, on no other that it meets."""
    g, plan = program.graph, program.arena

    def place(number):
        start = plan.offset(number)
        end = start + g.tensors[number].size_bytes
        assert 0 <= start < end <= plan.size_bytes
        return start, end

    for number in (*g.inputs, *g.outputs):
        place(number)
    for layer in program.layers:
        first, last = place(layer.output)
        for number in {i for i in layer.inputs if not g.tensors[i].data} - {layer.output}:
            start, end = place(number)
            # In place, from the first byte on, or apart.
            assert start == first or end <= first or last <= start


def test_most_damage_to_a_small_network_is_refused_and_some_is_harmless():
    """Else the tests below would try one side of the door only."""
    random = np.random.default_rng(0)
    taken = []
    for seed in range(60):
        content = bytearray(random_network(seed % 20))
        content[random.integers(8, len(content))] = random.integers(256)
        taken.append(translate(bytes(content)))
    assert 5 < sum(taken) < 55


@settings(max_examples=150, deadline=2000)
@given(at=st.integers(8, len(MAGIC_WAND) - 1))
def test_truncated_files_are_refused(at):
    assert not translate(MAGIC_WAND[:at])


@settings(max_examples=400, deadline=2000)
@given(
    st.lists(st.tuples(st.integers(8, len(MAGIC_WAND) - 1), st.integers(0, 255)), min_size=1, max_size=6)
)
def test_changed_bytes_never_crash_or_hang(changes):
    content = bytearray(MAGIC_WAND)
    for at, value in changes:
        content[at] = value
    translate(bytes(content))


@settings(max_examples=200, deadline=2000)
@given(
    seed=st.integers(0, 50),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
)
def test_changed_bytes_of_small_networks_never_crash_or_hang(seed, changes):
    content = bytearray(random_network(seed))
    for part, value in changes:
        content[min(8 + int(part * len(content)), len(content) - 1)] = value
    translate(bytes(content))


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [([0], [1, 99]), ([0], [1, -1]), ([0, 99], [1]), ([0, -2], [1]), ([0], []), ([], [1])],
)
def test_each_number_of_an_operator_must_name_a_tensor(inputs, outputs):
    m = Maker()
    a, b = m.tensor((4,), 0.1), m.tensor((4,), 0.1)
    m.operator("RELU", [a], b)
    m.graph.operators[0].inputs, m.graph.operators[0].outputs = inputs, outputs
    with pytest.raises(
        ModelError, match=r"(names|of) tensors? that are not there|damaged|before any|do not fit"
    ):
        mcu.build(m.content([a], [b]))


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("RELU", lambda x: np.maximum(x, 0)),
        ("RELU6", lambda x: np.clip(x, 0, 6)),
        ("RELU_N1_TO_1", lambda x: np.clip(x, -1, 1)),
        ("LEAKY_RELU", lambda x: np.where(x > 0, x, x / 4)),
    ],
)
def test_activations_of_all_256_values_by_hand(kind, function):
    m = Maker()
    a, b = m.tensor((1, 256), 1 / 16, -10), m.tensor((1, 256), 1 / 16, -10)
    m.operator(kind, [a], b, **({"alpha": 0.25} if kind == "LEAKY_RELU" else {}))
    x = np.arange(-128, 128).astype(np.int8)
    found = mcu.build(m.content([a], [b])).run(x).output.ravel()
    exact = function((x + 10.0) / 16) * 16 - 10
    assert (np.abs(found - exact) <= 0.5).all()


def one_activation(shape):
    m = Maker()
    a, b = m.tensor(shape, 0.1), m.tensor(shape, 0.1)
    m.operator("RELU", [a], b)
    return m.content([a], [b])


@pytest.mark.parametrize("shape", [(1 << 14, 1 << 13), (1,) * 8])
def test_a_shape_at_the_limit_is_read(shape):
    assert graph.read(one_activation(shape)).tensors[0].shape == shape


@pytest.mark.parametrize("shape", [(1 << 14, (1 << 13) + 1), (1,) * 9])
def test_a_shape_beyond_one_limit_is_refused(shape):
    with pytest.raises(GraphError, match=r"tensor 0 has shape .*: no microcontroller holds that"):
        graph.read(one_activation(shape))


def test_constants_are_told_apart_by_what_they_are_and_not_by_what_they_hold():
    first, second = (Array("table", np.zeros(3, np.int8)) for _ in range(2))
    assert first != second
    assert len({first, second}) == 2


def test_constants_as_c_by_hand():
    assert Array("row", np.arange(4, dtype=np.uint8).reshape(2, 2)).source() == (
        "static const _Alignas(4) uint8_t row[4] = {\n    0, 1, 2, 3,\n};\n"
    )
    assert Array("two", np.array([[1, -2, 3], [4, 5, 6]]), "tm_channel").source() == (
        "static const tm_channel two[2] = {\n    {1, -2, 3}, {4, 5, 6},\n};\n"
    )
    window = ({"height": 3, "width": 1}, {"stride": 2})
    struct = Struct("one", "tm_one", ({"window": window}, {"shape": [1, 2], "weights": "one_weights"}))
    assert struct.source() == (
        "static const tm_one one = {\n    .window = {.height = 3, .width = 1,\n"
        "               .stride = 2},\n    .shape = {1, 2}, .weights = one_weights,\n};\n"
    )


def test_each_kernel_that_a_layer_may_name_is_in_its_file():
    folder = resources.files("tinyml_helpers.mcu") / "kernels"
    declared = re.findall(r"void (tm_[a-z]\w+)\(", (folder / "kernels.h").read_text("utf-8"))
    written = {file: kernels for file, kernels in kernel_files.KERNELS.items() if file != "casts.c"}
    assert sorted(itertools.chain(*written.values())) == sorted(declared)  # casts by a macro
    for file, kernels in written.items():
        for kernel in kernels:
            begins = rf"^(void |KERNEL\w*\(){kernel}[(,]"  # some by a macro
            assert re.search(begins, (folder / file).read_text("utf-8"), re.MULTILINE)
    program = codegen.generate(graph.read(one_activation((1, 8))))
    assert [call.kernel for layer in program.layers for call in layer.calls] == ["tm_lookup"]
    assert set(program.files) == {"model.c", "model.h", "kernels.h", "arithmetic.h", "moves.c"}


@given(st.floats(1e-4, 30))
def test_the_table_of_a_softmax_holds_the_powers_of_e(scale):
    table = lowering.pool.tabulate_exponentials(scale)
    assert 1 <= len(table) <= 256
    np.testing.assert_allclose(table / 2.0**31, np.exp(-scale * np.arange(len(table))), atol=1e-6)
    # What lies behind its end is less than a step of 23 bits.
    assert len(table) == 256 or np.exp(-scale * len(table)) < 2e-7


@given(arrays(np.int64, (2, 3), elements=st.integers(-128, 127)), st.integers(-128, 127))
def test_the_ends_of_a_sum_are_those_of_all_inputs(weights, zero_point):
    bias, ones = np.array([7, -900]), np.ones(2, np.int64)
    found = lowering.weights.Filters(weights, bias, ones, ones, zero_point)
    inputs = np.array(list(itertools.product((-128, 0, 127), repeat=3)))
    sums = (inputs - zero_point) @ weights.T + bias
    assert found.ends.tolist() == [sums.min(0).tolist(), sums.max(0).tolist()]
    assert (inputs @ weights.T + found.folded == sums).all()


def test_reading_order_is_checked():
    m = Maker()
    a, b, c = (m.tensor((4,), 0.1) for _ in range(3))
    m.operator("RELU", [b], c)
    with pytest.raises(
        GraphError, match=r"RELU \(operator 0\) reads tensor 1 before anything writes it"
    ):
        mcu.build(m.content([a], [c]))


@pytest.mark.parametrize(
    ("real", "multiplier", "exponent"),
    [
        (0.5, 1 << 30, 0),
        (1.0, 1 << 30, 1),
        (0.75, 3 << 29, 0),
        (1 - 2**-40, 1 << 30, 1),
        (0.0, 0, 0),
        (2**-40, 0, 0),
    ],
)
def test_factor_as_multiplier_and_exponent(real, multiplier, exponent):
    assert fixed_point.quantize_multiplier(real) == (multiplier, exponent)


@given(st.integers(-(2**30), 2**30), st.floats(1e-6, 0.9))
def test_scaling_is_within_a_step_of_the_real_product(value, real):
    scaled = int(fixed_point.scale_by(value, *fixed_point.quantize_multiplier(real)))
    assert abs(scaled - value * real) <= 1.5


def test_halves_round_away_from_zero():
    assert fixed_point.rounding_shift([-3, -1, 1, 3, 2], 1).tolist() == [-2, -1, 1, 2, 1]


@given(st.integers(-(2**31), 0))
def test_exponential_of_negatives(raw):
    assert int(fixed_point.exp_of_negative(raw, 5)) / 2**31 == pytest.approx(
        np.exp(raw / 2**26), abs=3e-7
    )
