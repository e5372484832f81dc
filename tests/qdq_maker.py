"""Make small ONNX files in QDQ form by hand or at random, as onnxruntime.quantization writes them."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper, shape_inference


class Qdq:
    """A chain of operators, each between QuantizeLinear and DequantizeLinear."""

    def __init__(self, shape, seed=0, unsigned=False, opset=17, scale=0.02, zero=3):
        self.rng = np.random.default_rng(seed)
        self.dtype, self.opset = (np.uint8 if unsigned else np.int8), opset
        self.nodes, self.constants, self.shapes = [], [], {}
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        self.shapes["x"] = shape
        self.last = self.quantized("x", scale, zero)

    def add(self, kind, inputs, count=1, name="", **options):
        outputs = [f"v{len(self.nodes)}_{i}" for i in range(count)]
        name = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=name, **options))
        return outputs[0]

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def steps(self, scale, zero):
        zero += 128 if self.dtype == np.uint8 else 0
        return [self.constant(np.float32(scale)), self.constant(self.dtype(zero))]

    def quantized(self, name, scale=None, zero=None):
        """A float tensor between Q and DQ."""
        scale = float(np.exp(self.rng.uniform(-4, -2))) if scale is None else scale
        zero = int(self.rng.integers(-128, 128)) if zero is None else zero
        steps = self.steps(scale, zero)
        stored = self.add("QuantizeLinear", [name, *steps])
        self.scale, self.zero = scale, zero
        return self.add("DequantizeLinear", [stored, *steps])

    def stored(self, array, scales, axis=0, dtype=np.int8, zero=0):
        """A constant behind DQ."""
        scales = np.asarray(scales, np.float32)
        steps = [self.constant(scales), self.constant(np.full(scales.shape, zero, dtype))]
        more = {"axis": axis} if scales.ndim else {}
        return self.add("DequantizeLinear", [self.constant(np.asarray(array, dtype)), *steps], **more)

    def weights(self, shape, axis=0, taps=None, per_channel=None):
        """Weights, a bias, and the scale at which the output fills int8."""
        n = shape[axis]
        per_channel = self.rng.random() < 0.7 if per_channel is None else per_channel
        scales = np.exp(self.rng.uniform(-6, -4, n if per_channel else ())).astype(np.float32)
        weight = self.stored(self.rng.integers(-127, 128, shape), scales, axis)
        taps = taps or int(np.prod(shape) // n)
        both = np.float32(self.scale) * scales
        bias = self.stored(self.rng.integers(-2000, 2000, n), both, 0, np.int32)
        return weight, bias, float(np.mean(both) * 70 * np.sqrt(taps) * self.rng.uniform(0.6, 1.5))

    def conv(self, filters, kernel, group=1, **options):
        given = self.shape()
        weight, bias, scale = self.weights((filters, given[1] // group, *kernel))
        made = self.add("Conv", [self.last, weight, bias], kernel_shape=kernel, group=group, **options)
        self.last = self.quantized(made, scale)

    def gemm(self, outputs, **options):
        """A dense layer behind a Flatten."""
        flat = self.add("Flatten", [self.last])
        inputs = int(np.prod(self.shape()[1:]))
        weight, bias, scale = self.weights((outputs, inputs))
        made = self.add("Gemm", [flat, weight, bias], transB=1, **options)
        self.last = self.quantized(made, scale)

    def step(self, kind, *others, scale=None, zero=None, **options):
        self.last = self.quantized(self.add(kind, [self.last, *others], **options), scale, zero)

    def shape(self):
        """Of the last tensor."""
        model = shape_inference.infer_shapes(self.model())
        sizes = model.graph.output[0].type.tensor_type.shape.dim
        return tuple(one.dim_value for one in sizes)

    def model(self):
        output = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "qdq", [self.input], [output], self.constants)
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def content(self):
        return shape_inference.infer_shapes(self.model()).SerializeToString()


def _convolution(**options):
    def make(q):
        q.conv(int(q.rng.integers(1, 9)), (3, 3), **options)

    return make


def _depthwise(q):
    channels, stride = q.shape()[1], int(q.rng.integers(1, 3))
    q.conv(channels * int(q.rng.integers(1, 3)), (3, 3), channels, pads=[1] * 4, strides=[stride] * 2)


def _in_groups(q):
    q.conv(4, (1, 1))
    q.conv(6, (3, 2), 2, pads=[1, 0, 1, 0])


def _clipped(q):
    weight, bias, scale = q.weights((4, q.shape()[1], 3, 3))
    made = q.add("Relu", [q.add("Conv", [q.last, weight, bias])])
    q.last = q.quantized(made, scale, 0)


def _matmul(q):
    weight, _, scale = q.weights((q.shape()[-1], 5), axis=1)
    q.last = q.quantized(q.add("MatMul", [q.last, weight]), scale)


def _pair(kind):
    def make(q):
        first, scale = q.last, q.scale
        if q.rng.random() < 0.5:
            channels = q.shape()[1]
            values = q.rng.integers(-128, 128, (channels, 1, 1))
            other = q.stored(values, np.float32(scale * q.rng.uniform(0.3, 2)))
        else:
            q.step("Identity")
            other = q.last
        wide = 60 * scale * q.scale if kind == "Mul" else max(scale, q.scale)
        q.last = q.quantized(q.add(kind, [first, other]), wide * q.rng.uniform(0.5, 2))

    return make


def _concat(q):
    first = q.last
    q.step("Relu")
    q.last = q.quantized(q.add("Concat", [first, q.last], axis=1))


def _told(kind, *numbers, scale=None, **options):
    """An operator that is told whole numbers as inputs."""

    def make(q):
        given = [q.constant(np.array(values, np.int64)) for values in numbers]
        q.step(kind, *given, scale=scale or q.scale, zero=q.zero, **options)

    return make


def _split(q):
    sizes = q.constant(np.array([4, 5], np.int64))
    first = q.add("Split", [q.last, sizes], count=2, axis=3)
    steps = (q.scale, q.zero)
    parts = [q.quantized(name, *steps) for name in (first, first[:-1] + "1")]
    q.last = q.quantized(q.add("Concat", parts[::-1], axis=3), *steps)


def _padded(value):
    def make(q):
        pads = q.constant(np.array([0, 0, 1, 0, 0, 1, 2, 3], np.int64))
        given = [q.last, pads, q.constant(np.float32(value))]
        q.last = q.quantized(q.add("Pad", given), q.scale, q.zero)

    return make


def _resized(size, mode, sight, **options):
    def make(q):
        given = [q.last, "", "", q.constant(np.array([*q.shape()[:2], *size], np.int64))]
        options["coordinate_transformation_mode"] = sight
        q.last = q.quantized(q.add("Resize", given, mode=mode, **options), q.scale, q.zero)

    return make


def _transposed(kernel, **options):
    def make(q):
        shape = (q.shape()[1], int(q.rng.integers(1, 6)), *kernel)
        weight, bias, scale = q.weights(shape, axis=1)
        made = q.add("ConvTranspose", [q.last, weight, bias], kernel_shape=kernel, **options)
        q.last = q.quantized(made, scale * 0.7)

    return make


def _sloped(count):
    def make(q):
        shape = (q.shape()[1] if count > 1 else 1, 1, 1)
        slope = q.stored(q.rng.integers(-60, 128, shape), np.float32(0.004))
        q.last = q.quantized(q.add("PRelu", [q.last, slope]), q.scale * 0.8)

    return make


def _normalized(dense):
    def make(q):
        if dense:
            q.gemm(7)
        n, scale = q.shape()[1], q.scale
        numbers = [q.rng.uniform(-2, 2, n), q.rng.normal(size=n) * 20 * scale,
                   q.rng.normal(size=n) * 20 * scale, q.rng.uniform(0.3, 3, n)]  # fmt: skip
        given = [q.constant(one.astype(np.float32)) for one in numbers]
        q.last = q.quantized(q.add("BatchNormalization", [q.last, *given]), scale * 1.5)

    return make


def _behind(make):
    """Behind a convolution, whose channels lie last in LiteRT."""

    def made(q):
        q.conv(4, (1, 1))
        make(q)

    return made


def _step(kind, *steps, **options):
    return lambda q: q.step(kind, scale=steps[0] * (1 if len(steps) > 1 else q.scale),
                            zero=steps[1] if len(steps) > 1 else None, **options)  # fmt: skip


EXACT = {
    "Concat": _concat,
    "Conv": _convolution(pads=[1, 1, 1, 1], strides=[2, 1]),
    "Conv 1x1": lambda q: q.conv(8, (1, 1)),
    "Conv and Relu": _clipped,
    "Conv dilated": _convolution(pads=[2, 0, 2, 0], dilations=[2, 1]),
    "Conv in groups": _in_groups,
    "Conv same": _convolution(auto_pad="SAME_UPPER", strides=[2, 2]),
    "Depthwise": _depthwise,
    "Gemm": lambda q: q.gemm(10),
    "GlobalAveragePool": _step("GlobalAveragePool", 0.3),
    "HardSwish": _step("HardSwish", 0.02, -100),
    "LeakyRelu": _step("LeakyRelu", 0.7, alpha=0.1),
    "MatMul": _matmul,
    "MaxPool": _step("MaxPool", 0.02, 3, kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2]),
    "MaxPool ceiling": _step("MaxPool", 0.02, 3, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "Pad": _padded(0),
    "Pad of a value": _padded(-0.5),
    "Pad by reflection": _told("Pad", [0, 0, 1, 2, 0, 0, 3, 0], mode="reflect"),
    "PRelu of one slope": _sloped(1),
    "ReduceMean": _step("ReduceMean", 0.3, axes=[2, 3], keepdims=0),
    "Relu": _step("Relu", 0.6),
    "Resize nearest": _resized((14, 18), "nearest", "asymmetric", nearest_mode="floor"),
    "Resize nearest of half pixels": _resized((14, 27), "nearest", "half_pixel"),
    "Slice": _told("Slice", [1, 7, 0], [99, 1, -1], [2, 3, 1], [2, -2, 1]),
    "Slice to the first": _told("Slice", [-1], [-99], [3], [-1]),
    "Split": _split,
    "Sigmoid": _step("Sigmoid", 1 / 256, -128),
    "Sigmoid of other steps": _step("Sigmoid", 0.0037, -128),
    "Tanh": _step("Tanh", 1 / 128, 0),
    "Transpose": _step("Transpose", 0.02, 3, perm=[0, 2, 3, 1]),
}
MOVES = ("Pad", "Pad of a value", "Pad by reflection", "Slice", "Slice to the first", "Split")
EXACT |= {f"{kind} of channels that lie last": _behind(EXACT[kind]) for kind in MOVES}
"""Operators that give ONNX Runtime's bytes, but for a few in a hundred thousand."""
WITHIN_A_STEP = {
    "Add": _pair("Add"),
    "AveragePool": _step("AveragePool", 0.7, kernel_shape=[2, 2], strides=[2, 2]),
    "AveragePool alike": _step("AveragePool", 0.02, 3, kernel_shape=[2, 2], strides=[2, 2]),
    "AveragePool padded": _step("AveragePool", 0.7, kernel_shape=[3, 3], pads=[1] * 4,
                                count_include_pad=1),
    "BatchNormalization": _normalized(False),
    "BatchNormalization of a dense layer": _normalized(True),
    "ConvTranspose": _transposed((4, 4), strides=[2, 2], pads=[1] * 4),
    "ConvTranspose cut": _transposed((3, 3), strides=[2, 2], pads=[1] * 4, output_padding=[1, 1]),
    "ConvTranspose valid": _transposed((2, 3), strides=[2, 3]),
    "HardSigmoid": _step("HardSigmoid", 1 / 255, -128, alpha=1 / 6, beta=0.5),
    "Mul": _pair("Mul"),
    "PRelu": _sloped(2),
    "Resize linear": _resized((14, 18), "linear", "half_pixel"),
    "Resize linear of corners": _resized((13, 17), "linear", "align_corners"),
    "Softmax": _step("Softmax", 1 / 256, -128, axis=-1),
    "Softmax over channels": _step("Softmax", 0.0033, -128, axis=1),
    "Sub": _pair("Sub"),
}  # fmt: skip


def single(make, seed):
    """A network of one operator."""
    rng = np.random.default_rng(seed)
    q = Qdq((1, int(rng.integers(2, 6)), 7, 9), seed, unsigned=bool(seed % 2))
    make(q)
    return q.content()


def sequence(seed):
    """A chain over a sequence: one dimension beside batch and channels."""
    q = Qdq((1, 4, 20), seed, unsigned=bool(seed % 2))
    q.conv(6, (3,), pads=[1, 1])
    pads = q.constant(np.array([0, 0, 2, 0, 0, 1], np.int64))
    q.last = q.quantized(q.add("Pad", [q.last, pads]), q.scale, q.zero)
    _transposed((4,), strides=[2], pads=[1, 1])(q)
    _normalized(False)(q)
    q.step(
        "Slice", *(q.constant(np.array([n], np.int64)) for n in (1, 9, 2)), scale=q.scale, zero=q.zero
    )
    return q.content()


def network(seed):
    """Convolutions, a residual sum, pools and dense layers, one behind the other."""
    q = Qdq((1, 3, 16, 16), seed, unsigned=bool(seed % 2))
    q.conv(8, (3, 3), pads=[1] * 4, strides=[2, 2])
    first = q.last
    q.conv(8, (3, 3), 8, pads=[1] * 4)
    q.conv(8, (1, 1))
    q.last = q.quantized(q.add("Add", [first, q.last]))
    q.step("MaxPool", scale=q.scale, zero=q.zero, kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    q.gemm(20)
    q.gemm(10)
    return q.content()
