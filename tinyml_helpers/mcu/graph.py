"""Read an int8 .tflite: its tensors and operators as plain values, checked before anyone uses them.

Nothing here needs TensorFlow. A damaged file gives a `GraphError`, whatever is wrong with it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.tables import text_table

_DAMAGE = (struct.error, ValueError, IndexError, TypeError, KeyError, OverflowError, AttributeError)


class GraphError(ValueError):
    """The file is no .tflite, or is damaged, or holds what this package does not read."""


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
    """A network as the file has it: tensors, operators in order, numbers of its inputs and outputs."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __repr__(self) -> str:
        """One row for each operator."""
        rows = [
            (str(op.position), op.kind, self._shapes(op.inputs[:1]), self._shapes(op.outputs))
            for op in self.operators
        ]
        return text_table(("", "operator", "input", "output"), rows, names=(1, 2, 3))

    def _shapes(self, numbers: tuple[int, ...]) -> str:
        return ", ".join(f"{self.tensors[i].dims} {self.tensors[i].dtype}" for i in numbers if i >= 0)


def read(tflite: str | Path | bytes) -> Graph:
    """Read a .tflite.

    Args:
        tflite: the file's path or its bytes.

    Returns:
        Its first and only subgraph; data of constants as numpy arrays.

    Raises:
        GraphError: not a .tflite, damaged, or with several subgraphs.
        FileNotFoundError: no such file.
    """
    content = tflite if isinstance(tflite, bytes) else Path(tflite).read_bytes()
    if content[4:8] != b"TFL3":
        raise GraphError("this is no .tflite: bytes 4 to 8 of one are TFL3")
    from tinyml_helpers.mcu.flatbuffer import subgraph

    try:
        graph = subgraph(content)
        _check(graph)
    except GraphError:
        raise
    except _DAMAGE as error:
        raise GraphError(f"the .tflite is damaged ({type(error).__name__}: {error})") from error
    return graph


def _check(graph: Graph) -> None:
    """Every number names a tensor; every tensor is written before it is read."""
    n = len(graph.tensors)
    known = {t.index for t in graph.tensors if t.data is not None} | set(graph.inputs) | {-1}
    for op in graph.operators:
        if not op.outputs or not op.inputs or not _inside(op, n):
            raise GraphError(f"{op} names tensors that are not there: {op.inputs} -> {op.outputs}")
        if missing := set(op.inputs) - known:
            raise GraphError(f"{op} reads tensor {missing.pop()} before anything writes it")
        if again := set(op.outputs) & known:
            raise GraphError(f"{op} writes tensor {again.pop()}, which has its values already")
        known |= set(op.outputs)
    if not graph.inputs or not graph.outputs or not set(graph.outputs) <= known - {-1}:
        raise GraphError(f"inputs {graph.inputs} and outputs {graph.outputs} do not fit the operators")
    if not all(0 <= i < n for i in graph.inputs) or len(set(graph.inputs)) != len(graph.inputs):
        raise GraphError(f"inputs {graph.inputs} are not {n} tensors' numbers")


def _inside(op: Operator, n: int) -> bool:
    return all(0 <= i < n for i in op.outputs) and all(-1 <= i < n for i in op.inputs)
