"""Small networks of one operator each, at random: what every operator of the engine is tested on."""

import numpy as np
from operator_case import Case
from wide_cases import WIDE


def unary(kind):
    def make(seed):
        c = Case(seed)
        s = c.scale(-6, 1)
        zero = -128 if kind in ("SQRT", "RSQRT") else 0 if kind == "NEG" else None
        x = c.given((16, 16), s, zero)
        alike = kind == "NEG" or (kind == "ABS" and seed % 2)
        made = s if alike else c.scale(-6, 1)
        if kind == "HARD_SWISH":
            made = max(made, s / 100)  # the reference shifts to the left for finer steps
        y = c.tensor((16, 16), made, 0 if kind == "NEG" else c.zero())
        options = {"approximate": bool(seed % 2)} if kind == "GELU" else {}
        return c.done(c.operator(kind, [x], y, **options))

    return make


def pair(kind):
    def make(seed):
        c = Case(seed)
        x = c.given(c.shape())
        own = c.graph.tensors[x]
        scale, zero = own.quantization.scale[0], own.quantization.zeroPoint[0]
        alike = kind in ("MAXIMUM", "MINIMUM")
        b = c.other(scale if alike else None, zero if alike else None)
        inputs = [x, b]
        if kind == "DIV":
            t = c.graph.tensors[b]
            t.quantization.zeroPoint = [-128]
            t.quantization.scale = [c.scale(-4, -1)]
            data = c.rng.integers(-127, 128, t.shape)
            inputs[1] = c.tensor(
                t.shape, t.quantization.scale[0], c.rng.choice([-128, 0]), data=data | 1
            )
            # Quotients so fine that the reference never shifts by more than 31 bits.
            fine = scale / t.quantization.scale[0] / float(c.rng.uniform(130, 500))
        elif kind != "PRELU" and c.rng.random() < 0.3:
            inputs = inputs[::-1]
        if kind == "PRELU":
            inputs[1] = c.other(shape=(1, 1, own.shape[3]))
        wanted = scale if alike else fine if kind == "DIV" else c.scale(-5, 1)
        y = c.tensor(own.shape, wanted, zero if alike else c.zero())
        options = (
            {"fusedActivationFunction": int(c.rng.choice([0, 1, 3]))} if kind in ("SUB", "DIV") else {}
        )
        return c.done(c.operator(kind, inputs, y, **options))

    return make


def comparison(kind):
    """A comparison, and a choice by it."""

    def make(seed):
        c = Case(seed)
        x = c.given(c.shape())
        own = c.graph.tensors[x]
        b = c.other()
        flags = c.tensor(own.shape, dtype="bool")
        c.operator(kind, [x, b], flags)
        third = c.tensor(own.shape, own.quantization.scale[0], own.quantization.zeroPoint[0],
                         data=c.rng.integers(-128, 128, own.shape))  # fmt: skip
        chosen = c.operator("SELECT_V2", [flags, x, third], c.like(own.shape))
        whole = c.operator(
            "CAST", [flags], c.tensor(own.shape, dtype="int32"), inDataType=6, outDataType=2
        )
        return c.done(chosen, flags, whole)

    return make


def transpose(seed):
    c = Case(seed)
    x = c.given(c.shape(int(c.rng.integers(1, 6))))
    shape = c.graph.tensors[x].shape
    order = c.rng.permutation(len(shape))
    return c.done(c.operator("TRANSPOSE", [x, c.numbers(order)], c.like([shape[i] for i in order])))


def split(seed):
    c = Case(seed)
    axis, parts, size = int(c.rng.integers(1, 4)), int(c.rng.integers(1, 4)), int(c.rng.integers(1, 4))
    shape = list(c.shape())
    shape[axis] = parts * size
    x = c.given(shape)
    out = [n if i != axis else size for i, n in enumerate(shape)]
    outputs = [c.like(out) for _ in range(parts)]
    c.operator("SPLIT", [c.numbers([axis - 4 * (seed % 2)]), x], outputs, numSplits=parts)
    return c.done(*outputs)


def split_v(seed):
    c = Case(seed)
    axis, sizes = int(c.rng.integers(1, 4)), c.rng.integers(1, 4, 3).tolist()
    shape = list(c.shape())
    shape[axis] = sum(sizes)
    x = c.given(shape)
    outputs = [c.like([n if i != axis else size for i, n in enumerate(shape)]) for size in sizes]
    c.operator("SPLIT_V", [x, c.numbers(sizes), c.numbers([axis])], outputs, numSplits=3)
    return c.done(*outputs)


def unpack(seed):
    c = Case(seed)
    axis = int(c.rng.integers(0, 4))
    x = c.given(c.shape())
    shape = c.graph.tensors[x].shape
    outputs = [c.like([n for i, n in enumerate(shape) if i != axis]) for _ in range(shape[axis])]
    c.operator("UNPACK", [x], outputs, num=shape[axis], axis=axis)
    packed = [n for i, n in enumerate(shape) if i != axis]
    to = int(c.rng.integers(0, 4))
    packed.insert(to, len(outputs))
    y = c.operator("PACK", outputs[::-1], c.like(packed), valuesCount=len(outputs), axis=to)
    return c.done(y, *outputs[:1])


def slice_(seed):
    c = Case(seed)
    x = c.given(c.shape())
    shape = c.graph.tensors[x].shape
    begin = [int(c.rng.integers(0, n)) for n in shape]
    size = [int(c.rng.integers(1, n - b + 1)) for n, b in zip(shape, begin, strict=True)]
    said = [-1 if b + s == n and seed % 2 else s for n, b, s in zip(shape, begin, size, strict=True)]
    return c.done(c.operator("SLICE", [x, c.numbers(begin), c.numbers(said)], c.like(size)))


def tile(seed):
    c = Case(seed)
    x = c.given(c.shape(int(c.rng.integers(2, 5))))
    shape = c.graph.tensors[x].shape
    times = c.rng.integers(1, 4, len(shape)).tolist()
    y = c.like([n * t for n, t in zip(shape, times, strict=True)])
    return c.done(c.operator("TILE", [x, c.numbers(times)], y))


def broadcast(seed):
    c = Case(seed)
    full = c.shape()
    x = c.given([n if c.rng.random() < 0.5 else 1 for n in full])
    return c.done(c.operator("BROADCAST_TO", [x, c.numbers(full)], c.like(full)))


def reverse(seed):
    c = Case(seed)
    x = c.given(c.shape())
    axes = [int(c.rng.integers(0, 4))]
    shape = c.graph.tensors[x].shape
    return c.done(c.operator("REVERSE_V2", [x, c.numbers(axes)], c.like(shape)))


def depth(kind):
    def make(seed):
        c = Case(seed)
        b, h, w, ch = c.shape()
        side = int(c.rng.integers(1, 4))
        deep, wide = (b, h, w, ch * side**2), (b, h * side, w * side, ch)
        given, made = (deep, wide) if kind == "DEPTH_TO_SPACE" else (wide, deep)
        return c.done(c.operator(kind, [c.given(given)], c.like(made), blockSize=side))

    return make


def dilated(seed):
    """SPACE_TO_BATCH_ND, a convolution of a batch, and back, as old converters write dilation."""
    c = Case(seed)
    rate, kernel = int(c.rng.integers(1, 4)), int(c.rng.integers(1, 4))
    _, h, w, ch = c.shape()
    reach = (kernel - 1) * rate
    x = c.given((1, h, w, ch))
    before = [reach // 2, reach // 2]
    after = [reach - b + (-(n + reach)) % rate for b, n in zip(before, (h, w), strict=True)]
    sizes = [(n + b + a) // rate for n, b, a in zip((h, w), before, after, strict=True)]
    block = c.numbers([rate, rate])
    batch = c.like((rate * rate, *sizes, ch))
    pads = c.numbers(list(zip(before, after, strict=True)))
    c.operator("SPACE_TO_BATCH_ND", [x, block, pads], batch)
    filters = int(c.rng.integers(1, 5))
    data = c.rng.integers(-127, 128, (filters, kernel, kernel, ch))
    scale = c.graph.tensors[x].quantization.scale[0]
    weights = c.tensor(data.shape, [0.01] * filters, 0, data=data)
    bias = c.tensor((filters,), scale * 0.01, 0, "int32", c.rng.integers(-999, 999, filters))
    out = [n - kernel + 1 for n in sizes]
    made = c.tensor((rate * rate, *out, filters), scale * 0.6 * kernel, c.zero())
    c.operator("CONV_2D", [batch, weights, bias], made, padding=1, strideH=1, strideW=1,
               fusedActivationFunction=int(c.rng.choice([0, 1])))  # fmt: skip
    crops = [(0, n * rate - s) for n, s in zip(out, (h, w), strict=True)]
    back = c.like((1, h, w, filters), made)
    c.operator("BATCH_TO_SPACE_ND", [made, block, c.numbers(crops)], back)
    return c.done(back)


def batch(kind):
    """A window over several images."""

    def make(seed):
        c = Case(seed)
        n, (h, w, ch) = int(c.rng.integers(2, 4)), [int(i) for i in c.rng.integers(2, 7, 3)]
        x = c.given((n, h, w, ch))
        scale = c.graph.tensors[x].quantization.scale[0]
        options = {"padding": 0, "strideH": 1, "strideW": 2, "fusedActivationFunction": seed % 2}
        out = (n, h, -(-w // 2), ch)
        if "POOL" in kind:
            y = c.like(out)
            return c.done(c.operator(kind, [x], y, filterHeight=2, filterWidth=2, **options))
        taps = (1, 3, 3, ch) if kind == "DEPTHWISE_CONV_2D" else (ch, 3, 3, ch)
        axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
        weights = c.tensor(taps, [0.01] * ch, 0, data=c.rng.integers(-127, 128, taps), axis=axis)
        bias = c.tensor((ch,), scale * 0.01, 0, "int32", c.rng.integers(-999, 999, ch))
        if kind == "DEPTHWISE_CONV_2D":
            options["depthMultiplier"] = 1
        y = c.tensor(out, scale * 2, c.zero())
        return c.done(c.operator(kind, [x, weights, bias], y, **options))

    return make


def reduction(kind):
    def make(seed):
        c = Case(seed)
        x = c.given(c.shape())
        shape = c.graph.tensors[x].shape
        axes = c.rng.permutation(4)[: c.rng.integers(1, 4)].tolist()
        keep = bool(seed % 2)
        out = [1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes]
        scale = c.graph.tensors[x].quantization.scale[0]
        if kind in ("MEAN", "SUM"):
            more = 1 if kind == "MEAN" else np.prod([shape[i] for i in axes]) ** 0.5
            y = c.tensor(out, scale * more * c.scale(-1, 1), c.zero())
        else:
            y = c.like(out)
        return c.done(c.operator(kind, [x, c.numbers(axes)], y, keepDims=keep))

    return make


def arg(kind):
    def make(seed):
        c = Case(seed)
        x = c.given(c.shape())
        shape = c.graph.tensors[x].shape
        axis = int(c.rng.integers(0, 4))
        dtype = ("int32", "int64")[seed % 2]
        y = c.tensor([n for i, n in enumerate(shape) if i != axis], dtype=dtype)
        return c.done(c.operator(kind, [x, c.numbers([axis])], y, outputType=(2, 4)[seed % 2]))

    return make


def gather(seed):
    c = Case(seed)
    x = c.given(c.shape())
    shape = c.graph.tensors[x].shape
    axis = int(c.rng.integers(0, 4))
    if seed % 2:
        chosen = c.numbers(c.rng.integers(0, shape[axis], int(c.rng.integers(1, 6))))
        count = c.graph.tensors[chosen].shape
    else:  # where the largest values stand
        flat = c.tensor([n for i, n in enumerate(shape) if i != axis], dtype="int32")
        c.operator("ARG_MAX", [x, c.numbers([axis])], flat, outputType=2)
        count = c.graph.tensors[flat].shape
        chosen = flat
    out = [*shape[:axis], *count, *shape[axis + 1 :]]
    return c.done(c.operator("GATHER", [x, chosen], c.like(out), axis=axis, batchDims=0))


def resize(kind):
    def make(seed):
        c = Case(seed)
        x = c.given(c.shape())
        b, _, _, ch = c.graph.tensors[x].shape
        size = c.rng.integers(1, 12, 2).tolist()
        align, centre = [(False, False), (True, False), (False, True)][seed % 3]
        y = c.like((b, *size, ch))
        return c.done(
            c.operator(kind, [x, c.numbers(size)], y, alignCorners=align, halfPixelCenters=centre)
        )

    return make


def transpose_conv(seed):
    c = Case(seed)
    _, h, w, ch = c.shape()
    n = int(c.rng.integers(1, 3))
    x = c.given((n, h, w, ch))
    kernel, stride = c.rng.integers(1, 5, 2).tolist(), c.rng.integers(1, 4, 2).tolist()
    padding, filters = int(c.rng.integers(2)), int(c.rng.integers(1, 6))
    sizes = [
        i * s if padding == 0 else (i - 1) * s + max(k, s)
        for i, k, s in zip((h, w), kernel, stride, strict=True)
    ]
    scale = c.graph.tensors[x].quantization.scale[0]
    data = c.rng.integers(-127, 128, (filters, *kernel, ch))
    scales = np.float32(c.rng.uniform(0.005, 0.02, filters))
    inputs = [c.numbers([n, *sizes, filters]), c.tensor(data.shape, scales, 0, data=data), x]
    if seed % 3:
        bias = c.rng.integers(-2000, 2000, filters)
        inputs.append(c.tensor((filters,), scale * scales, 0, "int32", bias))
    y = c.tensor((n, *sizes, filters), scale * 2, c.zero())
    return c.done(
        c.operator("TRANSPOSE_CONV", inputs, y, padding=padding, strideH=stride[0], strideW=stride[1])
    )


def batch_matmul(seed):
    c = Case(seed)
    rows, inner, columns, many = (int(n) for n in c.rng.integers(1, 9, 4))
    adj_x, adj_y = bool(seed & 1), bool(seed & 2)
    x = c.given((1, many, inner, rows) if adj_x else (1, many, rows, inner))
    full = (1, 1 if seed & 4 else many, *((columns, inner) if adj_y else (inner, columns)))
    scale = c.graph.tensors[x].quantization.scale[0]
    other = c.tensor(full, 0.02, c.zero(), data=c.rng.integers(-128, 128, full))
    if seed & 8:
        other = c.operator("QUANTIZE", [other], c.tensor(full, 0.021, 3))
    y = c.tensor((1, many, rows, columns), scale * 0.02 * 90 * inner**0.5, c.zero())
    return c.done(c.operator("BATCH_MATMUL", [x, other], y, adjX=adj_x, adjY=adj_y))


def computed_dense(seed):
    c = Case(seed)
    rows, inner = (int(n) for n in c.rng.integers(1, 9, 2))
    x = c.given((rows, inner))
    weights = c.operator("QUANTIZE", [x], c.tensor((rows, inner), 0.03, 0 if seed % 2 else c.zero()))
    scale = c.graph.tensors[x].quantization.scale[0]
    y = c.tensor((rows, rows), scale * 0.03 * 60 * inner**0.5, c.zero())
    return c.done(c.operator("FULLY_CONNECTED", [x, weights, -1], y, fusedActivationFunction=seed % 2))


def log_softmax(seed):
    c = Case(seed)
    shape = (int(c.rng.integers(1, 5)), int(c.rng.integers(1, 30)))
    x = c.given(shape, c.scale(-6, 1))
    return c.done(c.operator("LOG_SOFTMAX", [x], c.tensor(shape, 1 / 16, 127)))


def svdf(seed):
    """Two layers that remember; their states begin at zero."""
    c = Case(seed)
    inputs, last = int(c.rng.integers(1, 12)), None
    x = c.given((1, inputs))
    given = x
    for _ in range(2):
        rank, units, memory = (int(n) for n in c.rng.integers(1, 5, 3))
        filters = rank * units
        scale = c.graph.tensors[given].quantization.scale[0]
        features = c.tensor(
            (filters, inputs), 0.02, 0, data=c.rng.integers(-127, 128, (filters, inputs))
        )
        times = c.rng.integers(-30_000, 30_000, (filters, memory))
        times = c.tensor((filters, memory), 1 / 32768, 0, "int16", times)
        state_scale = scale * 0.02 * inputs**0.5 / 4
        bias = c.rng.integers(-(10**6), 10**6, units)
        bias = c.tensor((units,), state_scale / 32768, 0, "int32", bias) if seed % 3 else -1
        state = c.tensor((1, filters * memory), state_scale, 0, "int16")
        c.graph.tensors[state].isVariable = True
        last = c.tensor((1, units), state_scale * filters**0.5 / 30, -128)
        c.operator(
            "SVDF", [given, features, times, bias, state], last, rank=rank, fusedActivationFunction=1
        )
        given, inputs = last, units
    return c.done(last)


def lstm(seed):
    """Two layers, one above the other, over a batch of sequences; their states begin at zero."""
    c = Case(seed)
    batch, times = int(c.rng.integers(1, 3)), int(c.rng.integers(1, 6))
    given = c.given((batch, times, int(c.rng.integers(1, 9))), c.scale(-5, -1))
    for _ in range(2):
        given = lstm_layer(c, given, int(c.rng.integers(1, 9)))
    return c.done(given)


def lstm_layer(c, given, units):
    batch, times, inputs = c.graph.tensors[given].shape
    scale = c.graph.tensors[given].quantization.scale[0]
    made, zero = c.scale(-6, -4), c.zero()
    tensors = [given]
    for count in [inputs] * 4 + [units] * 4:
        data = c.rng.integers(-127, 128, (units, count))
        tensors.append(c.tensor(data.shape, c.scale(-6, -2), 0, data=data))
    tensors += [-1] * 3
    for place in (1, 2, 3, 4):
        step = scale * c.graph.tensors[tensors[place]].quantization.scale[0]
        data = c.rng.normal(0, 1 / step, units)
        tensors.append(c.tensor((units,), step, 0, "int32", data.astype(np.int64)))
    tensors += [-1] * 2
    tensors.append(c.tensor((batch, units), made, zero))
    tensors.append(c.tensor((batch, units), 2.0 ** c.rng.integers(-15, -8), 0, "int16"))
    for state in tensors[-2:]:
        c.graph.tensors[state].isVariable = True
    inner = [c.tensor((0,), dtype="float32") for _ in range(4)]
    y = c.tensor((batch, times, units), made, zero)
    c.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", tensors + [-1] * 4, y, fusedActivationFunction=4,
               cellClip=float(c.rng.choice([0, 0.4, 10])), timeMajor=False)  # fmt: skip
    c.graph.operators[-1].intermediates = [*inner, c.tensor((0,), made, zero)]
    return y


def mirror(seed):
    c = Case(seed)
    x = c.given(c.shape())
    shape, mode = c.graph.tensors[x].shape, seed % 2
    margins = [[int(c.rng.integers(0, n + mode)) for _ in range(2)] for n in shape]
    y = c.like([n + sum(m) for n, m in zip(shape, margins, strict=True)])
    return c.done(c.operator("MIRROR_PAD", [x, c.numbers(margins)], y, mode=mode))


def moved_floats(seed):
    """DEQUANTIZE, moves of float32, QUANTIZE."""
    c = Case(seed)
    x = c.given(c.shape())
    shape = c.graph.tensors[x].shape
    real = c.operator("DEQUANTIZE", [x], c.tensor(shape, dtype="float32"))
    order = c.rng.permutation(4)
    turned = [shape[i] for i in order]
    c.operator("TRANSPOSE", [real, c.numbers(order)], moved := c.tensor(turned, dtype="float32"))
    return c.done(c.operator("QUANTIZE", [moved], c.like(turned)))


def island(seed):
    """DEQUANTIZE, functions of one number in float32, QUANTIZE."""
    c = Case(seed)
    shape = c.shape()
    x = c.given(shape, c.scale(-6, -3))
    real = last = c.operator("DEQUANTIZE", [x], c.tensor(shape, dtype="float32"))
    for _ in range(int(c.rng.integers(1, 5))):
        pairs = ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"]
        kind = str(c.rng.choice([*pairs, *pairs, "ABS", "EXP", "NEG", "RELU", "TANH"]))
        if kind == "EXP":  # of 30 at most, for what is infinite has no table
            most = c.tensor((), dtype="float32", data=np.float32(30))
            last = c.operator("MINIMUM", [last, most], c.tensor(shape, dtype="float32"))
        inputs, options = [last], {}
        if kind in pairs:
            number = c.tensor((), dtype="float32", data=np.float32(c.rng.normal()))
            inputs = [last, [real, number][int(c.rng.random() < 0.7)]][:: int(c.rng.choice([1, -1]))]
            options = {"fusedActivationFunction": int(c.rng.choice([0, 0, 1, 2, 3]))}
            options = options if kind in pairs[:3] else {}
        last = c.operator(kind, inputs, c.tensor(shape, dtype="float32"), **options)
    return c.done(c.operator("QUANTIZE", [last], c.tensor(shape, c.scale(-5, -2), c.zero())))


def unsigned(seed):
    """QUANTIZE to uint8 of another scale, and back."""
    c = Case(seed)
    x = c.given(c.shape())
    shape = c.graph.tensors[x].shape
    scale = c.graph.tensors[x].quantization.scale[0]
    made = c.tensor(shape, scale * c.scale(-1, 1), int(c.rng.integers(0, 256)), "uint8")
    c.operator("QUANTIZE", [x], made)
    back = c.tensor(shape, scale * c.scale(-1, 1), c.zero())
    return c.done(c.operator("QUANTIZE", [made], back))


CASES = {
    **{kind: unary(kind) for kind in (
        "ABS", "ELU", "EXP", "GELU", "HARD_SWISH", "LOG", "NEG", "RELU_0_TO_1", "RSQRT", "SQRT")},
    **{kind: pair(kind) for kind in (
        "SUB", "DIV", "SQUARED_DIFFERENCE", "MAXIMUM", "MINIMUM", "PRELU")},
    **{kind: comparison(kind) for kind in (
        "EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")},
    **{kind: depth(kind) for kind in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")},
    **{kind: reduction(kind) for kind in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")},
    **{kind: arg(kind) for kind in ("ARG_MAX", "ARG_MIN")},
    **{kind: resize(kind) for kind in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")},
    **{f"{kind} of a batch": batch(kind) for kind in (
        "CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D")},
    "TRANSPOSE": transpose,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "UNPACK": unpack,
    "SLICE": slice_,
    "TILE": tile,
    "BROADCAST_TO": broadcast,
    "REVERSE_V2": reverse,
    "SPACE_TO_BATCH_ND": dilated,
    "GATHER": gather,
    "TRANSPOSE_CONV": transpose_conv,
    "BATCH_MATMUL": batch_matmul,
    "FULLY_CONNECTED of computed weights": computed_dense,
    "LOG_SOFTMAX": log_softmax,
    "MIRROR_PAD": mirror,
    "SVDF": svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
    "float32": moved_floats,
    "float32 islands": island,
    "uint8": unsigned,
    **WIDE,
}  # fmt: skip
"""What is tested -> a function that makes a network of it from a seed."""
PLAIN = ("ELU", "SUM")
"""What LiteRT's reference lacks, or answers wrongly: its plain kernels are the judge."""
