"""Make small int8 .tflite files with the schema API, by hand or at random."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder

TYPES = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9, "int4": 17}


class Maker:
    def __init__(self):
        self.model = schema.ModelT()
        self.model.version, self.model.description = 3, "test"
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(self, shape, scale=None, zero_point=0, dtype="int8", data=None, axis=0):
        t = schema.TensorT()
        t.shape, t.type, t.buffer = list(shape), TYPES[dtype], 0
        t.name = f"t{len(self.graph.tensors)}"
        if scale is not None:
            q = t.quantization = schema.QuantizationParametersT()
            q.scale = np.atleast_1d(np.asarray(scale, np.float32)).tolist()
            q.zeroPoint = [int(zero_point)] * len(q.scale)
            q.quantizedDimension = axis
        if data is not None:
            buffer = schema.BufferT()
            raw = nibbles(data) if dtype == "int4" else np.asarray(data, dtype).tobytes()
            buffer.data = np.frombuffer(raw, np.uint8)
            t.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def operator(self, kind, inputs, output, **options):
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), VERSIONS.get(kind, 1)
        op = schema.OperatorT()
        op.opcodeIndex = len(self.model.operatorCodes)
        op.inputs, op.outputs = list(inputs), np.atleast_1d(output).tolist()
        name = OPTIONS.get(kind)
        if name:
            op.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            op.builtinOptions = getattr(schema, name + "T")()
            for key, value in options.items():
                assert hasattr(op.builtinOptions, key), key
                setattr(op.builtinOptions, key, value)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(op)
        return output

    def content(self, inputs, outputs):
        self.graph.inputs, self.graph.outputs = list(inputs), list(outputs)
        builder = Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def nibbles(values):
    """Two values to a byte, the first in the lower half."""
    flat = [int(value) % 16 for value in np.ravel(values)]
    flat += [0] * (len(flat) % 2)
    return bytes(a + 16 * b for a, b in zip(flat[::2], flat[1::2], strict=True))


VERSIONS = {  # the first for int8
    "BATCH_MATMUL": 2,
    "BROADCAST_TO": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "TRANSPOSE_CONV": 3,
}
OPTIONS = {
    "ADD": "AddOptions",
    "MUL": "MulOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MEAN": "ReducerOptions",
    "SOFTMAX": "SoftmaxOptions",
    "CONCATENATION": "ConcatenationOptions",
    "RESHAPE": "ReshapeOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "QUANTIZE": "QuantizeOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "ARG_MAX": "ArgMaxOptions",
    "ARG_MIN": "ArgMinOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CAST": "CastOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "DIV": "DivOptions",
    "GATHER": "GatherOptions",
    "GELU": "GeluOptions",
    "MIRROR_PAD": "MirrorPadOptions",
    "PACK": "PackOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "SVDF": "SVDFOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "UNPACK": "UnpackOptions",
}


class Network(Maker):
    """A random chain with branches: each call of `step` adds one operator to the last image."""

    def __init__(self, rng):
        super().__init__()
        self.rng = rng
        shape = (
            1,
            *(int(n) for n in rng.integers(1, 10, 2)),
            int(rng.choice([1, 2, 3, 4, 5, 8, 12, 16])),
        )
        self.last = self.input = self.image(shape)
        self.images = [self.last]
        self.framed = False

    def image(self, shape, scale=None, zero_point=None):
        scale = float(np.exp(self.rng.uniform(-6, 1))) if scale is None else scale
        zero_point = (
            int(self.rng.choice([-128, 0, 127, self.rng.integers(-128, 128)]))
            if zero_point is None
            else zero_point
        )
        return self.tensor(shape, scale, zero_point)

    def of(self, index):
        t = self.graph.tensors[index]
        return tuple(t.shape), float(np.float32(t.quantization.scale[0])), t.quantization.zeroPoint[0]

    def step(self, kind):
        self.last = getattr(self, kind)()
        self.images.append(self.last)

    def window(self, multiple=True):
        shape = self.of(self.last)[0]
        padding = int(self.rng.random() < 0.9 if self.framed else self.rng.integers(2))
        dilation = [1, 1]
        kernel = [int(self.rng.choice([1, 2, 3, 3, 5])) for _ in range(2)]
        stride = [int(self.rng.choice([1, 1, 2, 3])) for _ in range(2)]
        if self.rng.random() < 0.5:
            kernel, stride = [kernel[0]] * 2, [stride[0]] * 2
        if multiple and self.rng.random() < 0.15:
            dilation, stride = [int(self.rng.integers(1, 4)) for _ in range(2)], [1, 1]
        if padding:
            kernel = [
                min(k, max(1, 1 + (n - 1) // d))
                for k, n, d in zip(kernel, shape[1:3], dilation, strict=True)
            ]
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        sizes = [
            -(-(n - (r - 1) * padding) // s) for n, r, s in zip(shape[1:3], reach, stride, strict=True)
        ]
        options = {"padding": padding, "strideH": stride[0], "strideW": stride[1]}
        if multiple:
            options |= {"dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
        return kernel, sizes, options

    def weights(self, shape, axis, taps):
        n = shape[axis]
        per_channel = self.rng.random() < 0.7
        spread = self.rng.choice([0.0, 1.0, 3.0])
        scales = np.exp(
            self.rng.uniform(-7, -3) + spread * self.rng.normal(size=n if per_channel else 1) / 2
        )
        data, dtype = self.values(shape, axis)
        tensor = self.tensor(shape, scales, 0, dtype, data.astype(np.int8), axis)
        scale = self.of(self.last)[1]
        bias = (
            self.tensor(
                (n,), scale * scales, 0, "int32", self.rng.integers(-3000, 3000, n) * np.sqrt(taps)
            )
            if self.rng.random() < 0.85 or (axis == 0 and len(shape) == 4)
            else None
        )
        out = float(scale * scales.mean() * np.sqrt(taps) * np.exp(self.rng.uniform(2, 6)))
        inputs = [self.last, tensor] + ([] if bias is None else [bias])
        return inputs, out

    def values(self, shape, axis):
        """Weights, and their type."""
        kind = self.rng.random()
        data = (
            self.rng.integers(-127, 128, shape)
            if kind < 0.7
            else np.clip(self.rng.normal(size=shape) * 25, -127, 127)
        )
        if kind > 0.95:
            data = np.full(shape, self.rng.choice([-128, 127]))
        return data, "int8"

    def conv(self):
        kernel, sizes, options = self.window()
        channels = self.of(self.last)[0][3]
        divisors = [d for d in range(1, channels + 1) if channels % d == 0]
        groups = int(self.rng.choice(divisors)) if self.rng.random() < 0.1 else 1
        filters = groups * int(self.rng.choice([1, 2, 3, 4, 7, 8]))
        inputs, scale = self.weights(
            (filters, *kernel, channels // groups), 0, kernel[0] * kernel[1] * channels
        )
        return self.operator(
            "CONV_2D",
            inputs,
            self.image((1, *sizes, filters), scale),
            fusedActivationFunction=self.activation(),
            **options,
        )

    def depthwise(self):
        kernel, sizes, options = self.window()
        channels = self.of(self.last)[0][3]
        multiplier = int(self.rng.choice([1, 1, 1, 2, 3]))
        inputs, scale = self.weights((1, *kernel, channels * multiplier), 3, kernel[0] * kernel[1])
        out = self.image((1, *sizes, channels * multiplier), scale)
        return self.operator(
            "DEPTHWISE_CONV_2D",
            inputs,
            out,
            depthMultiplier=multiplier,
            fusedActivationFunction=self.activation(),
            **options,
        )

    def activation(self):
        return int(self.rng.choice([0, 0, 1, 1, 2, 3]))

    def dense(self):
        shape = self.of(self.last)[0]
        flat = int(np.prod(shape))
        rows = shape[1] if self.rng.random() < 0.3 and flat % shape[1] == 0 else 1
        view = self.tensor((rows, flat // rows), self.of(self.last)[1], self.of(self.last)[2])
        target = self.tensor((2,), dtype="int32", data=[rows, flat // rows])
        self.last = self.operator("RESHAPE", [self.last, target], view, newShape=[rows, flat // rows])
        n = int(self.rng.choice([1, 2, 4, 5, 9]))
        inputs, scale = self.weights((n, flat // rows), 0, flat // rows)
        inputs += [-1] * (3 - len(inputs))
        out = self.tensor((rows, n), scale, int(self.rng.integers(-128, 128)))
        self.operator("FULLY_CONNECTED", inputs, out, fusedActivationFunction=self.activation())
        image = self.tensor((1, rows, 1, n), self.of(out)[1], self.of(out)[2])
        target = self.tensor((4,), dtype="int32", data=[1, rows, 1, n])
        return self.operator("RESHAPE", [out, target], image, newShape=[1, rows, 1, n])

    def pool(self):
        kernel, sizes, options = self.window(multiple=False)
        shape, scale, zero = self.of(self.last)
        kind = str(self.rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
        out = self.image((1, *sizes, shape[3]), scale, zero)
        return self.operator(
            kind,
            [self.last],
            out,
            filterHeight=kernel[0],
            filterWidth=kernel[1],
            fusedActivationFunction=self.activation(),
            **options,
        )

    def pairs(self):
        shape, scale, _ = self.of(self.last)
        same = [i for i in self.images if self.of(i)[0] == shape]
        other, inputs = int(self.rng.choice(same)), None
        if self.rng.random() < 0.4:
            part = [int(n if self.rng.random() < 0.5 else 1) for n in shape]
            data = self.rng.integers(-128, 128, part)
            other = self.tensor(
                part,
                float(np.exp(self.rng.uniform(-5, 0))),
                int(self.rng.integers(-128, 128)),
                data=data,
            )
            inputs = [other, self.last] if self.rng.random() < 0.3 else None
        kind, scale2 = str(self.rng.choice(["ADD", "MUL"])), self.of(other)[1]
        out = max(scale, scale2) * 1.3 if kind == "ADD" else scale * scale2 * 90
        out = self.image(shape, float(out * np.exp(self.rng.uniform(-1, 1))))
        return self.operator(
            kind, inputs or [self.last, other], out, fusedActivationFunction=self.activation()
        )

    def mean(self):
        shape, scale, _ = self.of(self.last)
        axes = [[1, 2], [1], [2], [3], [2, 3]][int(self.rng.integers(5))]
        axis = self.tensor((len(axes),), dtype="int32", data=axes)
        out = [1 if i in axes else n for i, n in enumerate(shape)]
        return self.operator(
            "MEAN",
            [self.last, axis],
            self.image(out, scale * float(np.exp(self.rng.uniform(-1, 0.5)))),
            keepDims=True,
        )

    def pad(self):
        margins = self.rng.integers(0, 3, (4, 2))
        margins[0] = 0
        return self.around(margins)

    def frame(self):
        """A PAD as exporters write it: around an image, mostly of zero points."""
        margins = self.rng.choice([0, 1, 1, 2], (4, 2))
        margins[[0, 3]] = 0
        if self.rng.random() < 0.1:
            margins[3] = self.rng.integers(0, 2, 2)
        value = None
        if self.rng.random() < 0.4:
            zero = self.of(self.last)[2]
            value = zero if self.rng.random() < 0.7 else int(self.rng.integers(-128, 128))
        self.framed = True
        return self.around(margins, value)

    def around(self, margins, value=None):
        """A PAD, or a PADV2 where a value is given."""
        shape, scale, zero = self.of(self.last)
        inputs = [self.last, self.tensor((4, 2), dtype="int32", data=margins)]
        if value is not None:
            inputs.append(self.tensor((1,), scale, zero, data=[value]))
        out = [int(n + m.sum()) for n, m in zip(shape, margins, strict=True)]
        kind = "PAD" if value is None else "PADV2"
        return self.operator(kind, inputs, self.image(out, scale, zero))

    def concatenation(self):
        shape, scale, zero = self.of(self.last)
        axis = int(self.rng.integers(1, 4))
        parts = [self.last]
        for _ in range(int(self.rng.integers(1, 3))):
            part = list(shape)
            part[axis] = int(self.rng.integers(1, 4))
            data = self.rng.integers(-128, 128, part)
            constant = self.rng.random() < 0.5
            parts.append(self.tensor(part, scale, zero, data=data) if constant else self.last)
        order = self.rng.permutation(len(parts))
        parts = [parts[i] for i in order]
        out = list(shape)
        out[axis] = sum(self.of(i)[0][axis] for i in parts)
        return self.operator(
            "CONCATENATION",
            parts,
            self.image(out, scale, zero),
            axis=axis - 4 * int(self.rng.integers(2)),
            fusedActivationFunction=0,
        )

    def slice(self):
        shape, scale, zero = self.of(self.last)
        stride = [int(self.rng.choice([1, 1, 2, -1])) for _ in shape]
        stride[0] = 1
        begin = [
            int(self.rng.integers(0, max(1, n // 2))) if s > 0 else n - 1
            for n, s in zip(shape, stride, strict=True)
        ]
        end = [n if s > 0 else -n - 1 for n, s in zip(shape, stride, strict=True)]
        sizes = [
            len(range(*slice(b, e, s).indices(n)))
            for b, e, s, n in zip(begin, end, stride, shape, strict=True)
        ]
        bounds = [self.tensor((4,), dtype="int32", data=v) for v in (begin, end, stride)]
        mask = sum(1 << i for i, s in enumerate(stride) if s < 0)
        return self.operator(
            "STRIDED_SLICE",
            [self.last, *bounds],
            self.image(sizes, scale, zero),
            beginMask=0,
            endMask=mask,
            ellipsisMask=0,
            newAxisMask=0,
            shrinkAxisMask=0,
        )

    def softmax(self):
        shape = self.of(self.last)[0]
        return self.operator(
            "SOFTMAX",
            [self.last],
            self.image(shape, 1 / 256, -128),
            beta=float(self.rng.choice([1.0, 1.0, 0.3, 2.5])),
        )

    def lookup(self):
        shape, scale, _ = self.of(self.last)
        kind = str(
            self.rng.choice(
                ["RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "LOGISTIC", "TANH", "QUANTIZE"]
            )
        )
        fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(
            kind, (scale * float(np.exp(self.rng.uniform(-1, 1))), None)
        )
        options = {"alpha": float(self.rng.uniform(0, 0.5))} if kind == "LEAKY_RELU" else {}
        return self.operator(kind, [self.last], self.image(shape, *fixed), **options)

    def rescale(self):
        shape = self.of(self.last)[0]
        real = self.tensor(shape, dtype="float32")
        self.operator("DEQUANTIZE", [self.last], real)
        return self.operator("QUANTIZE", [real], self.image(shape))


def pruned(weights, rng):
    """Zeros in most blocks of four weights of a filter."""
    rows = weights.reshape(len(weights), -1)
    kept = rng.random((len(rows), -(-rows.shape[1] // 4))) < rng.choice([0, 0.1, 0.3, 0.6])
    return (rows * np.repeat(kept, 4, axis=1)[:, : rows.shape[1]]).reshape(weights.shape)


class NarrowNetwork(Network):
    """The same chains with weights of few values, in int8 or in type INT4, or with blocks of zeros."""

    def values(self, shape, axis):
        kind = self.rng.random()
        if kind < 0.3:
            return self.rng.integers(-8, 8, shape), "int4"
        if kind > 0.8:
            return pruned(self.rng.integers(-128, 128, shape), self.rng), "int8"
        n = shape[axis] if kind < 0.6 else 1
        count = int(self.rng.choice([1, 2, 3, 4, 5, 9, 16, 17], p=[0.05] + [0.15] * 6 + [0.05]))
        palettes = self.rng.integers(-128, 128, (n, count))
        palettes[:, 0] = self.rng.choice([-128, 127, 0, 5], n)
        chosen = self.rng.integers(
            0, count, (*(m for i, m in enumerate(shape) if i != axis), shape[axis])
        )
        data = palettes[np.arange(shape[axis]) % n, chosen]
        return np.moveaxis(data, -1, axis), "int8"


STEPS = [
    "conv",
    "conv",
    "depthwise",
    "depthwise",
    "dense",
    "pool",
    "pairs",
    "mean",
    "pad",
    "concatenation",
    "slice",
    "softmax",
    "lookup",
    "rescale",
]


def random_network(seed):
    """A network of one to six random operators, as bytes."""
    rng = np.random.default_rng(seed)
    net = Network(rng)
    for _ in range(int(rng.integers(1, 7))):
        net.step(str(rng.choice(STEPS)))
    extra = [int(i) for i in net.images[1:-1] if rng.random() < 0.15]
    return net.content([net.input], [net.last, *extra])


def framed_network(seed):
    """A PAD and one or two operators that read it, mostly convolutions, as bytes."""
    rng = np.random.default_rng(seed)
    net, outputs = Network(rng), []
    if rng.random() < 0.5:
        net.step(str(rng.choice(["conv", "lookup"])))
    net.step("frame")
    padded = net.last
    for _ in range(int(rng.choice([1, 1, 1, 2]))):
        net.last = padded
        net.step(str(rng.choice(["conv", "conv", "depthwise", "depthwise", "pool"])))
        outputs.append(net.last)
    if rng.random() < 0.05:
        outputs.append(padded)
    return net.content([net.input], outputs)


def narrow_network(seed):
    """A network of one to four operators, mostly with weights of few values, as bytes."""
    rng = np.random.default_rng(seed)
    net = NarrowNetwork(rng)
    for _ in range(int(rng.integers(1, 5))):
        net.step(str(rng.choice(["conv", "conv", "dense", "dense", "depthwise", "pool", "lookup"])))
    return net.content([net.input], [net.last])
