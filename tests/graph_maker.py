"""Random graphs over all operators: small networks of one step each, and each reads an earlier one."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from operator_case import Case
from operator_cases import CASES, PLAIN
from tflite_maker import STEPS, TYPES, NarrowNetwork, Network

PARTS = 4
FLOW = (TYPES["int8"], TYPES["int16"])


def one_step(kind, network):
    """A step of the random chains by itself."""

    def make(seed):
        net = network(np.random.default_rng(seed))
        net.step(kind)
        return net.content([net.input], [net.last])

    return make


CHAINED = {f"{kind} of a chain": one_step(kind, Network) for kind in (*STEPS, "frame")}
NARROW = {f"narrow {kind}": one_step(kind, NarrowNetwork) for kind in ("conv", "dense", "depthwise")}
MADE = CASES | CHAINED | NARROW
EXACT = [kind for kind in MADE if kind not in PLAIN] + 3 * ["lookup of a chain"]
ALIKE = [*PLAIN, *PLAIN, "TRANSPOSE", "SPLIT", "UNPACK", "SLICE", "TILE", "GATHER", "REDUCE_MAX"]
"""Those of `PLAIN`, and others that LiteRT's plain kernels compute as its reference does."""


class Joined(Case):
    """Networks put into one graph."""

    def __init__(self, seed):
        super().__init__(seed)
        self.x, self.made, self.read = None, [], set()

    def add(self, content):
        """Add a network; its input becomes what one of those before it made."""
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
        (part,) = model.subgraphs
        buffers, codes = len(self.model.buffers), len(self.model.operatorCodes)
        self.model.buffers += model.buffers
        self.model.operatorCodes += model.operatorCodes
        first = len(self.graph.tensors)
        for tensor in part.tensors:
            tensor.buffer, tensor.name = tensor.buffer + buffers, f"t{len(self.graph.tensors)}"
            self.graph.tensors.append(tensor)
        (given,) = (first + int(i) for i in part.inputs)
        if self.x is None:
            self.x = given
        else:
            self.lead(self.nearest(given), given)
        for op in part.operators:
            op.opcodeIndex += codes
            for name in ("inputs", "outputs", "intermediates"):
                numbers = getattr(op, name)
                if numbers is not None:
                    setattr(op, name, [int(i) + first * (i >= 0) for i in numbers])
            self.graph.operators.append(op)
        self.made += [first + int(i) for i in part.outputs]

    def nearest(self, given):
        """Of two that were made, the one whose range is more like that of an input."""

        def far(index):
            ranges = (self.range(one) for one in (index, given))
            return abs(float(np.subtract(*map(np.log, ranges))))

        flow = [i for i in self.made if self.graph.tensors[i].type in FLOW] or [self.x]
        return min(map(int, self.rng.choice(flow, 2)), key=far)

    def range(self, index):
        tensor = self.graph.tensors[index]
        return tensor.quantization.scale[0] * (1 if tensor.type == TYPES["int8"] else 256)

    def lead(self, source, given):
        """Rescale a tensor, and repeat or cut it to the shape of another."""
        self.read.add(source)
        wanted = self.graph.tensors[given]
        own, dtype = self.graph.tensors[source], ["int8", "int16"][FLOW.index(wanted.type)]
        q, count, size = wanted.quantization, int(np.prod(own.shape)), int(np.prod(wanted.shape))

        def like(*shape):
            return self.tensor(shape, q.scale[0], q.zeroPoint[0], dtype)

        if own.type == wanted.type:  # LiteRT's plain kernels have a QUANTIZE of their own
            last = self.operator("LEAKY_RELU", [source], like(*own.shape), alpha=1.0)
        else:
            last = self.operator("QUANTIZE", [source], like(*own.shape))
        last = self.operator("RESHAPE", [last, self.numbers([count])], like(count), newShape=[count])
        if count < size:
            times = -(-size // count)
            last = self.operator("TILE", [last, self.numbers([times])], like(count := count * times))
        if count > size:
            last = self.operator("SLICE", [last, self.numbers([0]), self.numbers([size])], like(size))
        sizes = [int(n) for n in wanted.shape]
        self.operator("RESHAPE", [last, self.numbers(sizes)], given, newShape=sizes)

    def content_of_all(self):
        """The file: what nobody reads is an output, and some of the rest."""
        kept = [i for i in self.made if i not in self.read or self.rng.random() < 0.3]
        return self.done(*kept)


def random_graph(seed, kinds=EXACT):
    """A graph of `PARTS` networks, as bytes; as many graphs take each kind equally often."""
    graph = Joined(seed)
    for place in range(PARTS * seed, PARTS * seed + PARTS):
        deck, card = divmod(place, len(kinds))
        kind = kinds[int(np.random.default_rng(deck).permutation(len(kinds))[card])]
        graph.add(MADE[kind](place))
    return graph.content_of_all()
