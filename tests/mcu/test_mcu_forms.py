"""Every form of a kernel, at each size where another path begins: the reference's bytes, on any core."""

import numpy as np
import pytest
from mcu_host import check, programs
from tflite_maker import Maker


class Layers(Maker):
    """A chain of layers with random weights, one at a time."""

    def __init__(self, shape, seed=0, zero=-128):
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.input = self.last = self.tensor(shape, 0.05, zero)

    def scale(self):
        return np.float32(self.graph.tensors[self.last].quantization.scale[0])

    def depthwise(self, kernel, stride, padding, multiplier=1, zero=3):
        _, h, w, c = self.graph.tensors[self.last].shape
        n = c * multiplier
        out = [-(-(size - (k - 1) * padding) // stride) for size, k in zip((h, w), kernel, strict=True)]
        scales = self.rng.uniform(0.002, 0.02, n)
        data = self.rng.integers(-128, 128, (1, *kernel, n))
        weights = self.tensor(data.shape, scales, 0, data=data, axis=3)
        bias = self.rng.integers(-2000, 2000, n)
        bias = self.tensor((n,), np.float32(scales) * self.scale(), 0, "int32", bias)
        self.last = self.operator(
            "DEPTHWISE_CONV_2D",
            [self.last, weights, bias],
            self.tensor((1, *out, n), 0.05 * np.sqrt(kernel[0] * kernel[1]), zero),
            padding=padding,
            strideH=stride,
            strideW=stride,
            depthMultiplier=multiplier,
            fusedActivationFunction=0,
        )
        return self

    def conv(self, filters, kernel=(1, 1), stride=1, padding=0, activation=0, zero=-7):
        _, h, w, c = self.graph.tensors[self.last].shape
        out = [-(-(size - (k - 1) * padding) // stride) for size, k in zip((h, w), kernel, strict=True)]
        scales = self.rng.uniform(0.002, 0.02, filters)
        data = self.rng.integers(-127, 128, (filters, *kernel, c))
        weights = self.tensor(data.shape, scales, 0, data=data)
        bias = self.rng.integers(-2000, 2000, filters)
        bias = self.tensor((filters,), np.float32(scales) * self.scale(), 0, "int32", bias)
        taps = kernel[0] * kernel[1] * c
        self.last = self.operator(
            "CONV_2D",
            [self.last, weights, bias],
            self.tensor((1, *out, filters), 0.05 * np.sqrt(taps), zero),
            padding=padding,
            strideH=stride,
            strideW=stride,
            fusedActivationFunction=activation,
        )
        return self

    def average(self, kernel, activation=0):
        _, h, w, c = self.graph.tensors[self.last].shape
        out = (1, h - kernel[0] + 1, w - kernel[1] + 1, c)
        q = self.graph.tensors[self.last].quantization
        self.last = self.operator(
            "AVERAGE_POOL_2D",
            [self.last],
            self.tensor(out, q.scale[0], q.zeroPoint[0]),
            padding=1,
            strideH=1,
            strideW=1,
            filterHeight=kernel[0],
            filterWidth=kernel[1],
            fusedActivationFunction=activation,
        )
        return self

    def done(self):
        return self.content([self.input], [self.last])


def kernels(contents, dsp=True):
    made = programs(contents, dsp).values()
    return {call.kernel for p in made for layer in p.layers for call in layer.calls}


@pytest.mark.parametrize("dsp", [True, False])
@pytest.mark.parametrize("width", [3, 5, 7])
def test_depthwise_filters_of_each_width(width, dsp):
    contents = {}
    for height in (1, 3, 7, 8):
        for stride in (1, 2, 3):
            for size in (8, 9):
                for padding in (0, 1):
                    image = (1, 9, size, 3)
                    layers = Layers(image, len(contents), zero=(-128, 5)[padding])
                    contents[len(contents)] = layers.depthwise((height, width), stride, padding).done()
    compared, wrong = check(contents, dsp)
    assert compared > 100 * len(contents)
    assert wrong == []
    form = "3x3" if width == 3 else str(width)
    suffixes = ("", "_by_2") if dsp else ("",)
    wanted = {"tm_depthwise_conv_2d", *(f"tm_depthwise_conv_2d_{form}{by}" for by in suffixes)}
    assert kernels(contents, dsp) >= wanted


def test_a_depthwise_filter_for_each_of_several_outputs_of_a_channel():
    contents = {
        10 * k + stride: Layers((1, 7, 8, 2)).depthwise((k, k), stride, 0, multiplier=3).done()
        for k in (3, 5, 7)
        for stride in (1, 2)
    }
    compared, wrong = check(contents, dsp=True)
    assert compared
    assert wrong == []


@pytest.mark.parametrize("dsp", [True, False])
def test_pointwise_convolutions_of_any_channels_where_their_input_lies(dsp):
    """The last word of a pixel reaches into the next one, and of the last pixel nowhere."""
    contents = {}
    for channels in (1, 2, 3, 4, 7, 19):
        for filters in (1, 2, channels):
            for size in (1, 2, 5):
                for stride in (1, 2):
                    layers = Layers((1, size, 3, channels), len(contents)).conv(filters, stride=stride)
                    contents[len(contents)] = layers.conv(max(1, filters // 2)).done()
    compared, wrong = check(contents, dsp)
    assert compared > 10 * len(contents)
    assert wrong == []
    made = programs(contents, dsp).values()
    assert any(len(block.tensors) > 2 for p in made for block in p.arena.blocks)


@pytest.mark.parametrize("dsp", [True, False])
def test_means_of_windows_around_what_16_bits_hold(dsp):
    contents = {}
    for kernel in ((1, 1), (3, 2), (16, 16), (16, 17), (20, 20)):
        for channels in (1, 4, 6, 8):
            layers = Layers((1, 20, 21, channels), zero=(-128, 127)[channels % 4 > 0])
            contents[len(contents)] = layers.average(kernel, activation=channels % 2).done()
    compared, wrong = check(contents, dsp)
    assert compared > 10 * len(contents)
    assert wrong == []


SCALES = [(0.05, 0.05), (0.05, 0.02), (0.02, 0.05), (0.9, 1e-3), (1e-3, 0.9), (0.25, 0.5), (1.0, 1e-6)]


def added(a_scale, b_scale, out_scale, activation=0, shape=(1, 3, 5, 4), b_shape=None, seed=0):
    """An ADD of the input and a constant, or a QUANTIZE of the input where the shape is the same."""
    m, rng = Maker(), np.random.default_rng(seed)
    a = m.tensor(shape, a_scale, int(rng.integers(-128, 128)))
    zero = int(rng.integers(-128, 128))
    if b_shape is None:
        b = m.operator("QUANTIZE", [a], m.tensor(shape, b_scale, zero))
    else:
        b = m.tensor(b_shape, b_scale, zero, data=rng.integers(-128, 128, b_shape))
    out = m.tensor(shape, out_scale, int(rng.integers(-100, 100)))
    inputs = [a, b] if seed % 2 else [b, a]
    return m.content([a], [m.operator("ADD", inputs, out, fusedActivationFunction=activation)])


@pytest.mark.parametrize("dsp", [True, False])
def test_sums_of_any_scales_shapes_and_activations(dsp):
    contents = {}
    for a, b in SCALES:
        for factor in (0.01, 1, 2.2, 1e6):
            for activation in (0, 3):
                for b_shape in (None, (1, 1, 1, 4), (1, 3, 1, 1)):
                    out = max(a, b) * factor
                    case = added(a, b, out, activation, b_shape=b_shape, seed=len(contents))
                    contents[len(contents)] = case
    compared, wrong = check(contents, dsp)
    assert compared == len(contents) * 4 * 60
    assert wrong == []
    assert kernels(contents, dsp) >= {"tm_add", "tm_add_general", "tm_clamp"}


def test_a_sum_lies_where_either_of_its_inputs_lay():
    m, shape = Maker(), (1, 4, 4, 8)
    given = m.tensor(shape, 0.05)
    fine, coarse = m.tensor(shape, 0.05), m.tensor(shape, 0.07)
    m.operator("QUANTIZE", [given], coarse)
    m.operator("QUANTIZE", [coarse], fine)
    out = m.operator("ADD", [coarse, fine], m.tensor(shape, 0.1), fusedActivationFunction=0)
    # `coarse` is wanted again, `fine` is not.
    last = m.operator("ADD", [out, coarse], m.tensor(shape, 0.1), fusedActivationFunction=0)
    content = m.content([given], [last])
    (program,) = programs({0: content}, True).values()
    assert program.arena.offset(out) == program.arena.offset(fine)
    compared, wrong = check({0: content}, dsp=True)
    assert compared
    assert wrong == []
