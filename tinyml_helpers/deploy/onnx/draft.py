"""A .tflite graph in the making, whose tensors are found by the names of an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.onnx.qdq import DEQUANTIZE, Constant, Shape, Source, Steps
from tinyml_helpers.deploy.tflite.graph import Graph, Operator, Tensor


class Draft:
    """The graph so far. Images lie with channels last, once an operator asks for them so."""

    def __init__(self, source: Source) -> None:
        """Begin with the inputs."""
        self.source = source
        self.constants: dict[str, Constant] = {}
        self.done: set[str] = set()
        self._roots: dict[str, str] = {}
        self._steps: dict[str, Steps] = {}
        self._numbers: dict[tuple[str, bool], int] = {}
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._inputs = [self._begin(name, kind) for name, kind in source.inputs.items()]

    def steps(self, name: str) -> Steps | None:
        """How a tensor that is computed is quantized; `None` if it is not known as integers."""
        return self._steps.get(self._root(name))

    def alias(self, name: str, other: str) -> None:
        """Let a name stand for the tensor of another."""
        self._roots[name] = self._root(other)

    def is_image(self, name: str) -> bool:
        """Whether a tensor lies with channels last."""
        return (self._root(name), True) in self._numbers

    def number(self, name: str, image: bool) -> int:
        """The number of a tensor in one of both orders, moved there if need be."""
        place = (self._root(name), image)
        if place not in self._numbers:
            self._numbers[place] = self._move(*place)
        return self._numbers[place]

    def constant(self, array: NDArray[Any], steps: Steps | None = None, axis: int = 0) -> int:
        """Add a constant."""
        data = np.ascontiguousarray(array).tobytes()
        return self._add("", array.shape, str(array.dtype), steps, axis, data)

    def operate(
        self, kind: str, inputs: Sequence[int], shape: Shape, steps: Steps | None, name: str = "",
        dtype: str = "int8", **options: Any,
    ) -> int:  # fmt: skip
        """Add an operator, and the tensor that it makes."""
        made = self._add(name, shape, dtype, steps)
        operator = Operator(kind, tuple(inputs), (made,), options, len(self._operators))
        self._operators.append(operator)
        return made

    def store(self, name: str, number: int, steps: Steps, image: bool) -> None:
        """Give a tensor that was made its name."""
        self._steps[name], self._numbers[name, image] = steps, number

    def reshape(self, number: int, shape: Shape) -> int:
        """See a tensor under another shape."""
        tensor = self._tensors[number]
        if tensor.shape == shape:
            return number
        sizes, steps = self.constant(np.array(shape, np.int32)), self.steps_of(number)
        return self.operate("RESHAPE", [number, sizes], shape, steps, tensor.name, tensor.dtype)

    def transpose(self, number: int, order: Sequence[int]) -> int:
        """Move dimensions; free where those of more than one element keep their order."""
        tensor = self._tensors[number]
        shape = tuple(tensor.shape[i] for i in order)
        long = [i for i in order if tensor.shape[i] > 1]
        if long == sorted(long):
            return self.reshape(number, shape)
        inputs = [number, self.constant(np.array(order, np.int32))]
        return self.operate("TRANSPOSE", inputs, shape, self.steps_of(number), tensor.name)

    def steps_of(self, number: int) -> Steps | None:
        """How a tensor of the .tflite is quantized."""
        tensor = self._tensors[number]
        return Steps(tensor.scales, tensor.zero_points) if tensor.scales else None

    def finish(self) -> Graph:
        """The whole graph, with its outputs."""
        outputs = tuple(self._end(name, kind) for name, kind in self.source.outputs.items())
        return Graph(tuple(self._tensors), tuple(self._operators), tuple(self._inputs), outputs)

    def _begin(self, name: str, kind: int) -> int:
        """An input, and its integers."""
        integer = {2: "uint8", 3: "int8"}.get(kind)
        readers = self.source.readers(name)
        if integer:
            found = {self.source.read_steps(one) for one in readers if one.op_type == DEQUANTIZE}
            steps = found.pop() if len(found) == 1 else None
        else:
            steps = self.source.steps_behind(name) if kind == 1 else None
        if steps is None or len(steps.scales) != 1:
            reader = readers[0] if readers else None
            who = f"{reader.op_type} {reader.name!r}" if reader else "nothing"
            raise ModelError(f"input {name!r} is not quantized with one scale: {who} reads it")
        shape = self.source.shape(name)
        if integer == "int8":
            number = made = self._add(name, shape, "int8", steps)
        else:
            number = self._add(name, shape, integer or "float32", steps.unsigned if integer else None)
            made = self.operate("QUANTIZE", [number], shape, steps, f"{name} in int8")
        self.store(name, made, steps, image=False)
        return number

    def _end(self, name: str, kind: int) -> int:
        steps = self.steps(name)
        if steps is None or kind not in (1, 2, 3):
            raise ModelError(f"output {name!r} is made by nothing that is quantized")
        number, shape = self.number(name, image=False), self.source.shape(name)
        if kind == 1:
            return self.operate("DEQUANTIZE", [number], shape, None, name, "float32")
        if kind == 2:
            return self.operate("QUANTIZE", [number], shape, steps.unsigned, name, "uint8")
        return number

    def _root(self, name: str) -> str:
        return self._roots.get(name, name)

    def _add(
        self, name: str, shape: Sequence[int], dtype: str, steps: Steps | None, axis: int = 0,
        data: bytes = b"",
    ) -> int:  # fmt: skip
        quantization = (steps.scales, steps.zero_points, axis) if steps else ((), (), 0)
        index = len(self._tensors)
        self._tensors.append(Tensor(name, tuple(shape), dtype, *quantization, data, index=index))
        return index

    def _move(self, name: str, image: bool) -> int:
        """A tensor in the other order. One of three dimensions is an image of one row."""
        shape = self.source.shape(name)
        number = self._numbers[name, not image]
        if image:
            return self.transpose(self.reshape(number, as_image(shape)), (0, 2, 3, 1))
        return self.reshape(self.transpose(number, (0, 3, 1, 2)), shape)


def as_image(shape: Shape) -> Shape:
    """A shape of three or four dimensions as batch, channels, height and width."""
    return (*shape[:2], 1, shape[2]) if len(shape) == 3 else shape


def channels_last(shape: Shape) -> Shape:
    """The shape of an image as it lies with channels last."""
    n, channels, height, width = as_image(shape)
    return (n, height, width, channels)
