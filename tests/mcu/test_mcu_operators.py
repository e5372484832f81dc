"""Each operator of the engine on random networks of its own: no byte may differ from LiteRT's."""

import os

import numpy as np
import pytest
from mcu_host import Reference, check, programs
from operator_case import Case
from operator_cases import CASES, PLAIN
from tflite_maker import Maker

from tinyml_helpers import mcu
from tinyml_helpers.datasets import read_verified
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite import probe, tflm
from tinyml_helpers.mcu.compiler.lowering import OPERATORS, UnsupportedError
from tinyml_helpers.mcu.target import cores

# More in a long run: TINYML_CASES=60.
COUNT = int(os.environ.get("TINYML_CASES", "6"))


def contents(kinds, first=0, count=COUNT):
    return {
        1000 * n + seed: CASES[kind](seed)
        for n, kind in enumerate(kinds)
        for seed in range(first, first + count)
    }


@pytest.mark.parametrize("dsp", [True, False])
def test_every_operator_equals_the_reference_in_every_byte(dsp):
    given = contents([kind for kind in CASES if kind not in PLAIN])
    compared, wrong = check(given, dsp)
    assert compared > 500 * len(given)
    assert wrong == []


def test_what_the_reference_lacks_equals_the_plain_kernels():
    compared, wrong = check(contents(PLAIN, count=3 * COUNT), dsp=True, plain=True)
    assert compared > 1000
    assert wrong == []


def test_the_reference_answers_sums_below_zero_wrongly():
    """When this fails, LiteRT has mended it, and SUM can follow the reference like all others."""
    _, wrong = check(contents(["SUM"], count=12), dsp=True)
    assert wrong


def test_every_operator_of_the_engine_is_tried_at_random():
    """Here, or among the random chains of tests/tflite_maker.py and the streams."""
    made = programs(contents(CASES, count=2), True).values()
    tried = {op.type for program in made for op in program.graph.operators}
    chains = {
        *("ADD", "MUL", "AVERAGE_POOL_2D", "MAX_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D"),
        *("FULLY_CONNECTED", "MEAN", "SOFTMAX", "CONCATENATION", "RESHAPE", "LEAKY_RELU"),
        *("STRIDED_SLICE", "QUANTIZE", "DEQUANTIZE", "PAD", "PADV2", "RELU", "RELU6"),
        *("RELU_N1_TO_1", "LOGISTIC", "TANH"),
    }
    streams = {"ASSIGN_VARIABLE", "EXPAND_DIMS", "SQUEEZE", "SELECT"}
    assert set(OPERATORS) - tried - chains - streams == set()


@pytest.mark.parametrize("core", cores.CORES)
def test_a_network_of_many_operators_on_each_core(core):
    c = Case(5)
    x = c.given((1, 6, 6, 4), 0.05, 3)
    halves = [c.like((1, 6, 6, 2)) for _ in range(2)]
    c.operator("SPLIT", [c.numbers([3]), x], halves, numSplits=2)
    difference = c.tensor((1, 6, 6, 2), 0.1, -7)
    c.operator("SUB", [halves[1], halves[0]], difference)
    bent = c.operator("HARD_SWISH", [difference], c.tensor((1, 6, 6, 2), 0.09, -100))
    large = c.operator("RESIZE_BILINEAR", [bent, c.numbers([9, 9])], c.like((1, 9, 9, 2), bent))
    order = c.operator("TRANSPOSE", [large, c.numbers([0, 3, 1, 2])], c.like((1, 2, 9, 9), large))
    y = c.operator("REDUCE_MAX", [order, c.numbers([1, 3])], c.like((1, 9), order), keepDims=False)
    content = c.done(y)
    compared, wrong = check({0: content}, dsp=False)
    assert compared
    assert wrong == []
    device = {d.core: d for d in mcu.firmware.devices.catalogue() if cores.core_name(d.core) == core}
    values = np.random.default_rng(1).integers(-128, 128, (1, 6, 6, 4)).astype(np.int8)
    wanted = mcu.build(content, "nano33ble").run(values).output
    for one in list(device.values())[:1]:
        assert mcu.build(content, one).run(values).output.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"])
def test_what_is_remembered_goes_from_run_to_run(kind, seed):
    content = CASES[kind](seed)
    firmware, reference = mcu.build(content), Reference(content)
    g, rng = firmware.program.graph, np.random.default_rng(seed)
    steps = list(rng.integers(-128, 128, (9, *g.tensors[g.inputs[0]].shape)).astype(np.int8))
    seen = set()
    for x, run in zip(steps, firmware.stream(steps), strict=True):
        assert run.output.tobytes() == reference.step([x], g.outputs)[0].tobytes()
        seen.add(run.output.tobytes())
    assert len(seen) > 1


@pytest.mark.skipif(not tflm.is_available(), reason=tflm.MISSING)
def test_fully_connected_layers_round_as_tflm_where_asked():
    """MLPerf's autoencoder is ten layers of them: the interpreters differ in 46 of 1,920 bytes."""
    content = read_verified("models/anomaly_detection.tflite")
    firmware = {r: mcu.build(content, rounding=r) for r in ("litert", "tflm")}
    g = firmware["litert"].program.graph
    raw = np.random.default_rng(0).integers(-128, 128, (3, 5, 128, 1)).astype(np.int8)
    given = g.tensors[g.inputs[0]].real(raw)
    wanted = probe.run_tflm(content, given)[0]
    differing = {
        r: sum((one.run(x[None]).value != y).sum() for x, y in zip(given, wanted, strict=True))
        for r, one in firmware.items()
    }
    assert differing["tflm"] == 0
    assert 20 < differing["litert"] < 100


def test_an_unknown_rounding_is_refused():
    with pytest.raises(ValueError, match="choose one of litert, tflm"):
        mcu.build(CASES["TRANSPOSE"](0), rounding="up")


def test_a_network_of_uint8_takes_bytes_of_either_sign():
    m = Maker()
    x, inside = m.tensor((1, 4), 0.1, 128, "uint8"), m.tensor((1, 4), 0.1, 0)
    m.operator("QUANTIZE", [x], inside)
    y = m.operator("RELU", [inside], m.tensor((1, 4), 0.1, 0))
    firmware = mcu.build(m.content([x], [y]))
    bytes_ = np.array([[0, 128, 130, 255]], np.uint8)
    signed = (bytes_.astype(int) - 128).astype(np.int8)
    assert firmware.run(bytes_).output.tolist() == [[0, 0, 2, 127]]
    assert firmware.run(signed).output.tolist() == [[0, 0, 2, 127]]
    assert firmware.run((bytes_ - 128.0) / 10).output.tolist() == [[0, 0, 2, 127]]


def test_a_network_of_views_only_runs():
    m = Maker()
    x, y = m.tensor((2, 3), 0.1), m.tensor((3, 2), 0.1)
    m.operator("RESHAPE", [x, m.tensor((2,), dtype="int32", data=[3, 2])], y, newShape=[3, 2])
    run = mcu.build(m.content([x], [y])).run(np.arange(6).astype(np.int8))
    assert run.output.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_bias_may_name_any_dimension():
    """TFLM's person detector says dimension 3 of its 14 biases, which have one."""
    m = Maker()
    x = m.tensor((1, 2), 0.1)
    weights = m.tensor((2, 2), [0.1, 0.2], data=[[1, 2], [3, 4]])
    bias = m.tensor((2,), [0.01, 0.02], 0, "int32", [5, 6])
    m.graph.tensors[bias].quantization.quantizedDimension = 3
    y = m.operator("FULLY_CONNECTED", [x, weights, bias], m.tensor((1, 2), 0.1))
    # 0.1 * 10 * (0.1, 0.2) * (3, 7), and 0.05 and 0.12
    run = mcu.build(m.content([x], [y])).run(np.array([10, 10], np.int8))
    assert run.output.ravel().tolist() == [4, 15]


def float_network(weights="float32", flow="float32"):
    m = Maker()
    scale = 0.1 if flow == "uint8" else None
    x = m.tensor((1, 2), scale, 128 if flow == "uint8" else 0, flow)
    w = m.tensor((2, 2), 0.1 if weights in ("int8", "uint8") else None, 0, weights, [[1, 2], [3, 4]])
    y = m.tensor((1, 2), scale, 0, flow)
    m.operator("FULLY_CONNECTED", [x, w, -1], y)
    return m.content([x], [y])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (float_network(), "it is a float network; convert it"),
        (float_network("int8"), "dynamic range"),
        (float_network("uint8", "uint8"), "uint8 throughout"),
    ],
)
def test_what_is_not_int8_is_told_what_it_is_and_the_cure(content, message):
    with pytest.raises(UnsupportedError, match=f"not int8 throughout: .*{message}.*lessons 02 and 06"):
        mcu.build(content)


@pytest.mark.parametrize(
    ("kind", "inputs", "message"),
    [
        ("SPLIT", 0, "names tensors that are not there"),
        ("SPLIT", 1, "along dimension 9 of shape"),
        ("SPLIT", 2, "a dimension that is computed"),
    ],
)
def test_a_split_that_says_nonsense_is_refused(kind, inputs, message):
    m = Maker()
    x = m.tensor((1, 4), 0.1)
    axis = m.tensor((1,), dtype="int32", data=None if inputs == 2 else [9])
    y = m.tensor((1, 2), 0.1)
    m.operator(kind, [axis, x] if inputs else [axis], [y], numSplits=1)
    with pytest.raises(ModelError, match=message):
        mcu.build(m.content([x], [y]))


def one_operator(kind, shape, out, *constants, **options):
    m = Maker()
    x, y = m.tensor(shape, 0.1), m.tensor(out, 0.1)
    given = [m.tensor(np.shape(values), dtype="int32", data=values) for values in constants]
    m.operator(kind, [x, *given], y, **options)
    return m.content([x], [y])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (one_operator("TILE", (2, 3) * 4, (40, 60) * 4, [20] * 8), "no microcontroller holds that"),
        (one_operator("TILE", (2,) * 6, (40,) * 4 + (2, 2), [20] * 4 + [1, 1]), "dimensions to walk"),
        (
            one_operator("MAX_POOL_2D", (9000, 2, 2, 1), (9000, 1, 1, 1), padding=1, strideH=2,
                         strideW=2, filterHeight=2, filterWidth=2),
            "9,000 images: at most 256",
        ),
        (
            one_operator("SPACE_TO_BATCH_ND", (1, 20, 20, 1), (400, 1, 1, 1), [20, 20], [[0, 0]] * 2),
            r"blocks of \[20, 20\]",
        ),
        (one_operator("GATHER", (600,), (600,), [i * 7 % 600 for i in range(600)]), "256 runs"),
    ],
)  # fmt: skip
def test_what_takes_more_calls_than_a_program_should_have_is_refused_at_once(content, message):
    with pytest.raises(ModelError, match=message):
        mcu.build(content)


@pytest.mark.parametrize("indices", [[0, 3], [-1, 2], [1, 2, 7], [3]])
def test_a_table_is_not_read_beyond_its_rows(indices):
    """One index outside is enough: the program would hand out what lies behind the table."""
    content = one_operator("GATHER", (3, 2), (len(indices), 2), indices)
    with pytest.raises(UnsupportedError, match=rf"indices {min(indices)} to {max(indices)} of 3"):
        mcu.build(content)


def times(factor):
    """A MUL by one: a step of the input is `factor` steps of the output."""
    m = Maker()
    x, one = m.tensor((3,), factor * 2.0**-14), m.tensor((3,), 1.0, data=[1, 1, 1])
    return m.content(
        [x], [m.operator("MUL", [x, one], m.tensor((3,), 2.0**-14), fusedActivationFunction=0)]
    )


def test_a_step_may_be_as_many_as_32_bits_can_shift():
    largest = mcu.build(times(1.5 * 2.0**29))
    assert largest.run(np.array([-1, 0, 1], np.int8)).output.tolist() == [-128, 0, 127]
    with pytest.raises(UnsupportedError, match=r"need a factor of 1\.07e\+09"):
        mcu.build(times(2.0**30))
