"""One small network in the making, at random: what the operators of the engine are tested on."""

import numpy as np
from tflite_maker import Maker


class Case(Maker):
    """One network in the making: random scales, one input."""

    def __init__(self, seed):
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def scale(self, low=-6, high=0):
        return float(np.float32(np.exp(self.rng.uniform(low, high))))

    def zero(self):
        return int(self.rng.choice([-128, 0, 127, self.rng.integers(-128, 128)]))

    def shape(self, rank=4, batch=True):
        sizes = [int(n) for n in self.rng.integers(1, 7, rank)]
        if rank == 4 and not (batch and self.rng.random() < 0.3):
            sizes[0] = 1
        return tuple(sizes)

    def given(self, shape, scale=None, zero=None):
        self.x = self.tensor(shape, scale or self.scale(), self.zero() if zero is None else zero)
        return self.x

    def other(self, scale=None, zero=None, shape=None):
        """The input once more, changed, or a constant: the second operand."""
        own = self.graph.tensors[self.x]
        if shape is None and self.rng.random() < 0.5:
            changed = self.tensor(
                own.shape, scale or self.scale(), self.zero() if zero is None else zero
            )
            return self.operator("QUANTIZE", [self.x], changed)
        if shape is None:
            shape = [int(n if self.rng.random() < 0.6 else 1) for n in own.shape]
        data = self.rng.integers(-128, 128, shape)
        zero = self.zero() if zero is None else zero
        return self.tensor(shape, scale or self.scale(), zero, data=data)

    def numbers(self, values):
        return self.tensor(np.shape(values), dtype="int32", data=values)

    def like(self, shape, index=None):
        """A tensor of the input's scale."""
        q = self.graph.tensors[self.x if index is None else index].quantization
        return self.tensor(shape, q.scale[0], q.zeroPoint[0])

    def done(self, *outputs):
        return self.content([self.x], outputs)
