"""Channels that leave the network: no byte differs, and what must stay stays."""

import numpy as np
import pytest
from mcu_host import check, programs
from test_mcu_forms import Layers
from tflite_maker import Maker

from tinyml_helpers import mcu
from tinyml_helpers.datasets import read_verified
from tinyml_helpers.mcu.compiler import graph, lowering


class Dying(Layers):
    """Layers in which channels die in each of the ways that training has."""

    def kill(self, chance=0.4):
        op = self.graph.operators[-1]
        kind = self.graph.tensors[op.inputs[1]]
        weights, bias = (self.model.buffers[self.graph.tensors[i].buffer] for i in op.inputs[1:3])
        array = np.frombuffer(weights.data.tobytes(), np.int8).reshape(kind.shape).copy()
        biases = np.frombuffer(bias.data.tobytes(), np.int32).copy()
        last = type(op.builtinOptions).__name__.startswith("Depthwise")
        rows = np.moveaxis(array, -1, 0) if last else array
        for i in range(len(rows)):
            if self.rng.random() < chance:
                fate = self.rng.integers(3)
                if fate < 2:
                    rows[i] = 0
                if fate > 0:
                    biases[i] = -(10**7) if self.rng.random() < 0.7 else 10**7
        if not last and self.rng.random() < 0.5:
            array[..., self.rng.integers(array.shape[-1])] = 0  # nothing reads this channel
        weights.data = np.frombuffer(array.tobytes(), np.uint8)
        bias.data = np.frombuffer(biases.tobytes(), np.uint8)
        return self

    def dense(self, outputs):
        shape = self.graph.tensors[self.last].shape
        taps = int(np.prod(shape))
        flat = self.tensor((1, taps), 0.05, self.graph.tensors[self.last].quantization.zeroPoint[0])
        self.graph.tensors[flat].quantization.scale = self.graph.tensors[self.last].quantization.scale
        target = self.tensor((2,), dtype="int32", data=[1, taps])
        self.operator("RESHAPE", [self.last, target], flat, newShape=[1, taps])
        data = self.rng.integers(-127, 128, (outputs, taps))
        weights = self.tensor(data.shape, [0.01], 0, data=data)
        scale = np.float32(0.01) * np.float32(self.graph.tensors[flat].quantization.scale[0])
        bias = self.tensor((outputs,), [scale], 0, "int32", self.rng.integers(-2000, 2000, outputs))
        self.last = self.operator(
            "FULLY_CONNECTED",
            [flat, weights, bias],
            self.tensor((1, outputs), 0.05 * np.sqrt(taps), -128),
            fusedActivationFunction=int(self.rng.integers(2)),
        )
        return self

    def mean(self):
        _, _, _, c = self.graph.tensors[self.last].shape
        q = self.graph.tensors[self.last].quantization
        axes = self.tensor((2,), dtype="int32", data=[1, 2])
        out = self.tensor((1, 1, 1, c), q.scale[0] * 0.7, 9)
        self.last = self.operator("MEAN", [self.last, axes], out, keepDims=True)
        return self


def dying_network(seed):
    rng = np.random.default_rng(seed)
    net = Dying((1, *(int(n) for n in rng.integers(3, 9, 2)), int(rng.integers(1, 6))), seed)
    for _ in range(int(rng.integers(2, 6))):
        _, h, w, _ = net.graph.tensors[net.last].shape
        kernel = [int(min(rng.choice([1, 1, 3, 5]), n)) for n in (h, w)]
        stride, padding = int(rng.choice([1, 1, 2])), int(rng.integers(2))
        zero = int(rng.choice([-128, -128, 4]))
        if rng.random() < 0.4:
            net.depthwise(kernel, stride, padding, int(rng.choice([1, 1, 2])), zero=zero).kill()
        else:
            activation = int(rng.integers(2))
            filters = int(rng.integers(1, 12))
            net.conv(filters, kernel, stride, padding, activation=activation, zero=zero).kill()
        if rng.random() < 0.2:
            net.average((1, 1), activation=int(rng.integers(2)))
    if rng.random() < 0.3:
        net.mean()
    if rng.random() < 0.6:
        net.dense(int(rng.integers(1, 7))).kill().dense(3)
    return net.done()


@pytest.mark.parametrize("dsp", [True, False])
def test_dying_networks_equal_the_reference_in_every_byte(dsp):
    contents = {seed: dying_network(seed) for seed in range(80)}
    compared, wrong = check(contents, dsp)
    assert compared > 1000
    assert wrong == []
    gone = [program.trimmed_channels for program in programs(contents, dsp).values()]
    assert sum(gone) > 3 * len(gone)
    assert 0 in gone


def two_layers(weights, bias, kernel=(1, 1), padding=1, zero=0, activation=0, again=None):
    """A 1x1 convolution of one channel, and one of weights 1 that reads what it makes, to scale 1."""
    m, n = Maker(), len(bias)
    image, middle = m.tensor((1, 4, 4, 1), 1.0, 0), m.tensor((1, 4, 4, n), 1.0, zero)
    first = m.tensor((n, 1, 1, 1), [1.0] * n, 0, data=np.reshape(weights, (n, 1, 1, 1)))
    inputs = [image, first, m.tensor((n,), [1.0] * n, 0, "int32", bias)]
    options = {"strideH": 1, "strideW": 1}
    m.operator("CONV_2D", inputs, middle, padding=0, fusedActivationFunction=activation, **options)
    size = [4 - k + 1 if padding else 4 for k in kernel]
    out = m.tensor((1, *size, 1), 1.0, 0)
    ones = m.tensor((1, *kernel, n), [1.0], 0, data=np.ones((1, *kernel, n)))
    inputs = [middle, ones, m.tensor((1,), [1.0], 0, "int32", [0])]
    m.operator("CONV_2D", inputs, out, padding=padding, **options)
    outputs = [out]
    if again == "output":
        outputs.append(middle)
    elif again:
        two = [middle] * (1 + (again == "ADD"))
        options = {"fusedActivationFunction": 0} if again == "ADD" else {}
        outputs.append(m.operator(again, two, m.tensor((1, 4, 4, n), 1.0, zero), **options))
    return m.content([image], outputs)


def test_known_answer_by_hand():
    """Filter 1 answers 5 to everything: its weights go, and its 5 goes into the bias."""
    content = two_layers([1, 0], [0, 5])
    firmware, whole = mcu.build(content), mcu.build(content, trimmed=False)
    x = np.arange(16, dtype=np.int8)
    assert firmware.run(x).output.ravel().tolist() == [n + 5 for n in range(16)]
    assert whole.run(x).output.ravel().tolist() == [n + 5 for n in range(16)]
    assert (firmware.program.trimmed_channels, whole.program.trimmed_channels) == (1, 0)
    assert (firmware.macs, whole.macs) == (16 + 16, 32 + 32)
    assert "1 channels that are constant or unread are left out" in repr(firmware)
    assert "left out" not in repr(whole)
    assert firmware.run(x).instructions < whole.run(x).instructions


@pytest.mark.parametrize(
    ("content", "gone"),
    [
        (two_layers([1, 0, 0], [0, 5, 6]), 2),
        (two_layers([0, 0, 0], [4, 5, 6]), 2),  # one must stay
        (two_layers([1, 1], [0, 9_999_999]), 1),  # saturated
        (two_layers([1, 1], [0, -9_999_999], activation=1, zero=-128), 1),
        (two_layers([1, 1], [0, -127], activation=1), 1),  # at most 0, with what ReLU leaves of it
        (two_layers([1, 1], [0, -126], activation=1), 0),
        (two_layers([1, 0], [0, 5], kernel=(3, 3)), 1),
        (two_layers([1, 0], [0, 5], kernel=(3, 3), padding=0), 0),  # 5 within, 0 outside
        (two_layers([1, 0], [0, 0], kernel=(3, 3), padding=0), 1),
        (two_layers([1, 0], [0, 5], again="output"), 0),
        (two_layers([1, 0], [0, 5], again="ADD"), 0),
        (two_layers([1, 0], [0, 5], again="RELU"), 0),
    ],
)
def test_what_goes_and_what_stays(content, gone):
    (program,) = programs({0: content}, True).values()
    assert program.trimmed_channels == gone
    assert lowering.count_channels(program.graph) == lowering.count_channels(graph.read(content)) - gone


def test_the_bytes_of_those_cases_are_the_references():
    cases = [two_layers([1, 0, 3], [0, 5, 9_999_999], kernel=k, padding=p, zero=z)
             for k in ((1, 1), (3, 3), (2, 4)) for p in (0, 1) for z in (0, -128, 5)]  # fmt: skip
    compared, wrong = check(dict(enumerate(cases)), dsp=True)
    assert compared
    assert wrong == []


def test_most_of_the_person_detector_is_constant():
    content = read_verified("models/visual_wake_words.tflite")
    firmware, whole = mcu.build(content), mcu.build(content, trimmed=False)
    rng, seen = np.random.default_rng(3), set()
    for _ in range(4):
        image = rng.normal(rng.uniform(-60, 60), rng.uniform(5, 90), (1, 96, 96, 3))
        image = np.clip(image, -128, 127).astype(np.int8)
        one, other = firmware.run(image), whole.run(image)
        assert one.output.tobytes() == other.output.tobytes()
        seen.add(one.output.tobytes())
    assert len(seen) > 1
    assert firmware.program.trimmed_channels > 1400
    assert firmware.flash_bytes < 80_000 < 240_000 < whole.flash_bytes
    assert one.instructions < 0.75 * other.instructions
    assert firmware.ram_bytes <= whole.ram_bytes


def test_a_layer_whose_weights_are_computed_is_left_whole():
    """Attention multiplies by what it has computed: nothing is known of that before the run."""
    m = Maker()
    x = m.tensor((1, 2, 2, 1), 1.0)
    square, row = m.tensor((2, 2), 1.0), m.tensor((1, 2), 1.0)
    m.operator("RESHAPE", [x, m.tensor((2,), dtype="int32", data=[2, 2])], square, newShape=[2, 2])
    ends = [m.tensor((2,), dtype="int32", data=v) for v in ([0, 0], [1, 2], [1, 1])]
    masks = ("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask")
    m.operator("STRIDED_SLICE", [square, *ends], row, **dict.fromkeys(masks, 0))
    out = m.operator("FULLY_CONNECTED", [row, square, -1], m.tensor((1, 2), 1.0))
    firmware = mcu.build(m.content([x], [out]))
    run = firmware.run(np.array([1, 2, 3, 4], np.int8))
    assert run.output.ravel().tolist() == [1 * 1 + 2 * 2, 1 * 3 + 2 * 4]
    assert firmware.program.trimmed_channels == 0
