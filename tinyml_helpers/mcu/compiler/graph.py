"""The graph of an int8 .tflite as a microcontroller runs it: one image, every value there before use."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.model_file import ModelError, names_the_file, read_model
from tinyml_helpers.deploy.tflite import graph as tflite_graph
from tinyml_helpers.deploy.tflite.reader import read as parse
from tinyml_helpers.mcu.compiler.variables import resolve
from tinyml_helpers.system.tables import text_table

_DTYPES = ("float32", "float16", "int32", "uint8", "int64", "bool", "int16", "int8")
_MOST_ELEMENTS, _MOST_DIMENSIONS = 1 << 27, 8


class GraphError(ModelError):
    """A network that no microcontroller here can run, or whose operators do not hang together."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """One array of the network.

    Args:
        index: its number in the file.
        name: as the file gives it.
        shape: without a batch of unknown size: 1 is taken.
        dtype: numpy's name of its type.
        scales: one, or one for each channel; empty if it is not quantized.
        zero_points: as many.
        axis: the dimension that `scales` belong to.
        data: its constant values, or `None`.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    data: npt.NDArray[Any] | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes that it takes."""
        return self.size * np.dtype(self.dtype).itemsize

    @property
    def scale(self) -> float:
        """The one scale of a tensor that has one."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The one zero point of a tensor that has one."""
        return self.zero_points[0]

    @property
    def dims(self) -> str:
        """The shape as text, `25x5x64` for one image."""
        shape = self.shape[1:] if len(self.shape) > 1 and self.shape[0] == 1 else self.shape
        return "x".join(map(str, shape)) or "1"


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator: where it stands, what it is, tensors in and out (-1: none), and its options."""

    position: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]

    def __str__(self) -> str:
        """Name and position, for messages."""
        return f"{self.kind} (operator {self.position})"


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A network as the file has it.

    Args:
        tensors: all arrays.
        operators: in the order in which they run.
        inputs: numbers of the tensors that it takes.
        outputs: numbers of those that it gives.
        variables: number of a tensor that is remembered from one call to the next -> the byte
            that fills it at first.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    variables: Mapping[int, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        """One row for each operator."""
        rows = [
            (str(op.position), op.kind, self._shapes(op.inputs[:1]), self._shapes(op.outputs))
            for op in self.operators
        ]
        return text_table(("", "operator", "input", "output"), rows, names=(1, 2, 3))

    def _shapes(self, numbers: tuple[int, ...]) -> str:
        return ", ".join(f"{self.tensors[i].dims} {self.tensors[i].dtype}" for i in numbers if i >= 0)


@names_the_file
def read(tflite: str | Path | bytes) -> Graph:
    """Read a .tflite.

    Args:
        tflite: the file's path or its bytes.

    Returns:
        Its only graph; data of constants as numpy arrays.

    Raises:
        ModelError: the file is missing, damaged or no .tflite; its subclass `GraphError`: it holds
            what no microcontroller here can do, or its operators do not hang together.
    """
    file = parse(read_model(tflite))
    found, resolved = file.graphs[0], resolve(file)
    tensors = tuple(_tensor(index, tensor) for index, tensor in enumerate(found.tensors))
    operators = tuple(
        Operator(i, op.type, op.inputs, op.outputs, op.options) for i, op in resolved.operators
    )
    variables = {i: _fill(i, tensors[i], first) for i, first in resolved.variables.items()}
    graph = Graph(tensors, operators, found.inputs, found.outputs, variables)
    _check(graph)
    return graph


def readers(operators: Iterable[Operator], tensor: int) -> list[Operator]:
    """The operators that read a tensor."""
    return [op for op in operators if tensor in op.inputs]


def _fill(index: int, tensor: Tensor, first: bytes) -> int:
    if tensor.dtype != "int8" or len(first) != tensor.size_bytes or len(set(first)) != 1:
        raise GraphError(f"variable in tensor {index}: supported is int8, one first value throughout")
    return first[0]


def _tensor(index: int, raw: tflite_graph.Tensor) -> Tensor:
    shape = tuple(max(1, size) for size in raw.shape)
    if raw.dtype == "resource":  # a variable's handle, which `resolve` has followed
        return Tensor(index, raw.name, (1,), "int32")
    if raw.dtype not in _DTYPES:
        raise GraphError(f"tensor {index} has type {raw.dtype}: known are {', '.join(_DTYPES)}")
    if math.prod(shape) > _MOST_ELEMENTS or len(shape) > _MOST_DIMENSIONS:
        raise GraphError(f"tensor {index} has shape {shape}: no microcontroller holds that")
    zeros = raw.zero_points or (0,) * len(raw.scales)
    if len(zeros) != len(raw.scales) or not all(0 < scale < math.inf for scale in raw.scales):
        raise GraphError(f"tensor {index} has a damaged quantization")
    data = None
    if raw.data:
        size_bytes = math.prod(shape) * np.dtype(raw.dtype).itemsize
        if len(raw.data) != size_bytes:
            raise GraphError(f"tensor {index} of shape {shape} has {len(raw.data):,} bytes: sparse?")
        data = np.frombuffer(raw.data, np.dtype(raw.dtype).newbyteorder("<")).reshape(shape)
    return Tensor(index, raw.name, shape, raw.dtype, raw.scales, zeros, raw.axis, data)


def _check(graph: Graph) -> None:
    """Every number names a tensor; every tensor is written before it is read."""
    n = len(graph.tensors)
    variables = set(graph.variables)
    known = {t.index for t in graph.tensors if t.data is not None}
    known |= {-1, *graph.inputs, *variables}
    for op in graph.operators:
        if not op.outputs or not op.inputs or not _inside(op, n):
            raise GraphError(f"{op} names tensors that are not there: {op.inputs} -> {op.outputs}")
        if missing := set(op.inputs) - known:
            raise GraphError(f"{op} reads tensor {missing.pop()} before anything writes it")
        if again := set(op.outputs) & (known - variables):
            raise GraphError(f"{op} writes tensor {again.pop()}, which has its values already")
        known |= set(op.outputs)
    if not graph.inputs or not graph.outputs or not set(graph.outputs) <= known - {-1}:
        raise GraphError(f"inputs {graph.inputs} and outputs {graph.outputs} do not fit the operators")
    if not all(0 <= i < n for i in graph.inputs) or len(set(graph.inputs)) != len(graph.inputs):
        raise GraphError(f"inputs {graph.inputs} are not {n} tensors' numbers")


def _inside(op: Operator, n: int) -> bool:
    return all(0 <= i < n for i in op.outputs) and all(-1 <= i < n for i in op.inputs)
