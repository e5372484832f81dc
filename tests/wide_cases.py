"""Small networks of int16 activations, one operator each, at random."""

import numpy as np
from operator_case import Case


class Wide(Case):
    """A case whose tensors are int16, with zero points of 0."""

    def wide(self, shape, scale):
        return self.tensor(shape, scale, 0, "int16")

    def start(self, shape, scale=None):
        self.x = self.wide(shape, scale or self.scale(-12, -6))
        return self.x

    @property
    def own(self):
        """Shape and scale of the input."""
        t = self.graph.tensors[self.x]
        return tuple(t.shape), t.quantization.scale[0]

    def weights(self, shape, axis, dtype):
        """Weights, a bias or none, and a fitting scale of the output."""
        n = shape[axis]
        scales = np.float32(self.rng.uniform(0.002, 0.02, n if self.rng.random() < 0.7 else 1))
        data = self.rng.integers(-127, 128, shape)
        weights = self.tensor(shape, scales, 0, data=data, axis=axis)
        bias = -1
        if dtype:
            values = self.rng.integers(-(10**7), 10**7, n)
            bias = self.tensor((n,), self.own[1] * scales, 0, dtype, values)
        taps = np.prod(shape) / n
        return weights, bias, float(self.own[1] * 0.7 * taps**0.5 * self.rng.uniform(0.3, 1))


def convolution(kind):
    def make(seed):
        c = Wide(seed)
        batch, h, w, ch = c.shape()
        c.start((batch, h, w, ch))
        kernel, stride, apart = (c.rng.integers(1, 4, 2).tolist() for _ in range(3))
        stride = stride if max(apart) == 1 else [1, 1]
        sizes = [-(-n // s) for n, s in zip((h, w), stride, strict=True)]
        options = {"padding": 0, "strideH": stride[0], "strideW": stride[1]}
        options |= {"dilationHFactor": apart[0], "dilationWFactor": apart[1]}
        options["fusedActivationFunction"] = int(c.rng.choice([0, 1, 3]))
        if kind == "CONV_2D":
            n, dtype = int(c.rng.integers(1, 7)), ("int64", "int32")[seed % 2]
            parts = c.weights((n, *kernel, ch), 0, dtype)
            options["quantizedBiasType"] = (4, 2)[seed % 2]
        else:
            n = ch * int(c.rng.integers(1, 3))
            parts = c.weights((1, *kernel, n), 3, "int64")
            options["depthMultiplier"] = n // ch
        y = c.wide((batch, *sizes, n), parts[2])
        return c.done(c.operator(kind, [c.x, *parts[:2]], y, **options))

    return make


def dense(seed):
    c = Wide(seed)
    rows, inputs, outputs = (int(n) for n in c.rng.integers(1, 20, 3))
    c.start((rows, inputs))
    dtype = ("int64", "int32", None)[seed % 3]
    weights, bias, scale = c.weights((outputs, inputs), 0, dtype)
    y = c.wide((rows, outputs), scale)
    kind = 2 if dtype == "int32" else 4
    c.operator("FULLY_CONNECTED", [c.x, weights, bias], y, fusedActivationFunction=seed % 2,
               quantizedBiasType=kind)  # fmt: skip
    return c.done(y)


def pair(kind):
    def make(seed):
        c = Wide(seed)
        c.start(c.shape())
        shape, scale = c.own
        other = [int(n if c.rng.random() < 0.6 else 1) for n in shape]
        factor = c.scale(-2, 2)
        b = c.tensor(other, scale * factor, 0, "int16", c.rng.integers(-32768, 32768, other))
        made = scale * 4 * max(1, factor)
        if kind == "MUL":
            made = scale * scale * factor * c.rng.uniform(3000, 30_000)
        options = {"potScaleInt16": False} if kind != "MUL" else {}
        inputs = [c.x, b] if c.rng.random() < 0.7 else [b, c.x]
        activation = int(c.rng.choice([0, 1, 3]))
        return c.done(
            c.operator(kind, inputs, c.wide(shape, made), fusedActivationFunction=activation, **options)
        )

    return make


def pool(kind):
    def make(seed):
        c = Wide(seed)
        batch, h, w, ch = c.shape()
        c.start((batch, h, w, ch))
        side, stride = c.rng.integers(1, 4, 2).tolist(), c.rng.integers(1, 3, 2).tolist()
        sizes = [-(-n // s) for n, s in zip((h, w), stride, strict=True)]
        y = c.wide((batch, *sizes, ch), c.own[1])
        return c.done(
            c.operator(kind, [c.x], y, filterHeight=side[0], filterWidth=side[1], padding=0,
                       strideH=stride[0], strideW=stride[1], fusedActivationFunction=seed % 2)
        )  # fmt: skip

    return make


def single(kind):
    """A function of one number, over all of int16."""

    def make(seed):
        c = Wide(seed)
        powers = (2.0**-12, 2.0**-11, None)
        c.start((64, 64), powers[seed % 3] if kind in ("LOGISTIC", "TANH") else None)
        scale = 2.0**-15 if kind in ("LOGISTIC", "TANH") else c.own[1] * c.scale(-1, 1)
        options = {"alpha": float(c.rng.uniform(0, 1.5))} if kind == "LEAKY_RELU" else {}
        return c.done(c.operator(kind, [c.x], c.wide((64, 64), scale), **options))

    return make


def softmax(seed):
    c = Wide(seed)
    shape = (int(c.rng.integers(1, 6)), int(c.rng.integers(1, 30)))
    c.start(shape, c.scale(-12, -5))
    return c.done(
        c.operator("SOFTMAX", [c.x], c.wide(shape, 2.0**-15), beta=float(c.rng.choice([1, 0.5])))
    )


def mean(seed):
    c = Wide(seed)
    c.start(c.shape())
    shape, scale = c.own
    axes = [[1, 2], [3], [1, 2, 3], [2]][seed % 4]
    out = [n for i, n in enumerate(shape) if i not in axes]
    y = c.wide(out, scale * c.scale(-1, 1))
    return c.done(c.operator("MEAN", [c.x, c.numbers(axes)], y, keepDims=False))


def rescaled(seed):
    """QUANTIZE to int8 and back, and to another scale of int16."""
    c = Wide(seed)
    c.start(c.shape())
    shape, scale = c.own
    narrow = c.operator("QUANTIZE", [c.x], c.tensor(shape, scale * c.scale(4, 6), c.zero()))
    back = c.operator("QUANTIZE", [narrow], c.wide(shape, scale * c.scale(-1, 1)))
    return c.done(narrow, c.operator("QUANTIZE", [back], c.wide(shape, scale * c.scale(-1, 1))))


def padded(seed):
    """A PAD, which the convolution behind it takes in, or a PADV2 of a number of two equal bytes."""
    c = Wide(seed)
    c.start((1, 5, 6, 3))
    (above, below), (left, right) = sides = c.rng.integers(0, 3, (2, 2)).tolist()
    large = c.wide((1, 5 + above + below, 6 + left + right, 3), c.own[1])
    margins = c.numbers([[0, 0], *sides, [0, 0]])
    if seed % 2:
        value = c.tensor((1,), c.own[1], 0, "int16", [int(c.rng.choice([-1, 0x0101, 0x7F7F, -258]))])
        c.operator("PADV2", [c.x, margins, value], large)
    else:
        c.operator("PAD", [c.x, margins], large)
    weights, bias, scale = c.weights((4, 3, 3, 3), 0, "int64")
    y = c.wide((1, 3 + above + below, 4 + left + right, 4), scale)
    c.operator("CONV_2D", [large, weights, bias], y, padding=1, strideH=1, strideW=1)
    return c.done(y, *([large] if seed % 2 else []))


def moved(seed):
    """Moves, which look at no value."""
    c = Wide(seed)
    c.start(c.shape())
    shape, scale = c.own
    order = c.rng.permutation(4)
    turned = c.wide([shape[i] for i in order], scale)
    c.operator("TRANSPOSE", [c.x, c.numbers(order)], turned)
    whole = c.wide((*c.graph.tensors[turned].shape[:3], 2 * shape[order[3]]), scale)
    return c.done(c.operator("CONCATENATION", [turned, turned], whole, axis=3))


WIDE = {
    f"{kind} of int16": make
    for kind, make in {
        **{kind: convolution(kind) for kind in ("CONV_2D", "DEPTHWISE_CONV_2D")},
        **{kind: pair(kind) for kind in ("ADD", "SUB", "MUL")},
        **{kind: pool(kind) for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D")},
        **{kind: single(kind) for kind in ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU")},
        "FULLY_CONNECTED": dense,
        "SOFTMAX": softmax,
        "MEAN": mean,
        "QUANTIZE": rescaled,
        "PAD": padded,
        "moves": moved,
    }.items()
}
