"""Read an int8 .tflite: its tensors and operators as plain values, checked before anyone uses them.

Nothing here needs TensorFlow. A damaged file gives a `GraphError`, whatever is wrong with it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.tables import text_table

_TYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8"}
_MOST_ELEMENTS = 1 << 27
_MOST_ITEMS = 10_000
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
    try:
        return _read(content)
    except GraphError:
        raise
    except _DAMAGE as error:
        raise GraphError(f"the .tflite is damaged ({type(error).__name__}: {error})") from error


def _read(content: bytes) -> Graph:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    if model.SubgraphsLength() != 1:
        raise GraphError(f"{model.SubgraphsLength()} subgraphs: one is supported (no control flow)")
    subgraph = model.Subgraphs(0)
    n_tensors, n_operators = subgraph.TensorsLength(), subgraph.OperatorsLength()
    if not 0 < n_tensors <= _MOST_ITEMS or not 0 < n_operators <= _MOST_ITEMS:
        raise GraphError(f"{n_tensors:,} tensors and {n_operators:,} operators: 1 to {_MOST_ITEMS:,} can be")
    tensors = tuple(_tensor(model, subgraph.Tensors(i), i) for i in range(n_tensors))
    operators = tuple(_operator(schema, model, subgraph.Operators(i), i) for i in range(n_operators))
    graph = Graph(
        tensors, operators, _numbers(subgraph.InputsAsNumpy()), _numbers(subgraph.OutputsAsNumpy())
    )
    _check(graph)
    return graph


def _numbers(vector: Any) -> tuple[int, ...]:
    return () if isinstance(vector, int) else tuple(int(i) for i in vector)


def _tensor(model: Any, raw: Any, index: int) -> Tensor:
    shape = tuple(max(1, i) for i in _numbers(raw.ShapeAsNumpy()))
    dtype = _TYPES.get(raw.Type())
    if dtype is None:
        raise GraphError(f"tensor {index} has type {raw.Type()}: known are {', '.join(_TYPES.values())}")
    if math.prod(shape) > _MOST_ELEMENTS or len(shape) > 8:
        raise GraphError(f"tensor {index} has shape {shape}: no microcontroller holds that")
    if raw.Sparsity() is not None:
        raise GraphError(f"tensor {index} is stored sparse: convert the model without that")
    name = (raw.Name() or b"").decode("utf-8", "replace")
    scales, zeros, axis = _quantization(raw.Quantization(), index)
    data = _data(model.Buffers(raw.Buffer()), shape, dtype, index)
    return Tensor(index, name, shape, dtype, scales, zeros, axis, data)


def _quantization(raw: Any, index: int) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if raw is None or raw.ScaleLength() == 0:
        return (), (), 0
    scales = tuple(float(s) for s in raw.ScaleAsNumpy())
    zeros = _numbers(raw.ZeroPointAsNumpy()) if raw.ZeroPointLength() else (0,) * len(scales)
    if len(zeros) != len(scales) or not all(0 < s < math.inf for s in scales):
        raise GraphError(f"tensor {index} has a damaged quantization")
    return scales, zeros, raw.QuantizedDimension()


def _data(buffer: Any, shape: tuple[int, ...], dtype: str, index: int) -> npt.NDArray[Any] | None:
    if buffer is None or buffer.DataLength() == 0:
        return None
    content = buffer.DataAsNumpy().tobytes()
    if len(content) != math.prod(shape) * np.dtype(dtype).itemsize:
        raise GraphError(f"tensor {index} of shape {shape} has {len(content):,} bytes of {dtype}")
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).reshape(shape)


def _operator(schema: Any, model: Any, raw: Any, position: int) -> Operator:
    code = model.OperatorCodes(raw.OpcodeIndex())
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    kind = {v: k for k, v in vars(schema.BuiltinOperator).items()}.get(number, f"operator code {number}")
    inputs, outputs = _numbers(raw.InputsAsNumpy()), _numbers(raw.OutputsAsNumpy())
    return Operator(position, kind, inputs, outputs, _options(schema, raw))


def _options(schema: Any, raw: Any) -> dict[str, Any]:
    """Read every plain field of the operator's options, by its name in the schema."""
    names = {v: k for k, v in vars(schema.BuiltinOptions).items()}
    kind, table = names.get(raw.BuiltinOptionsType()), raw.BuiltinOptions()
    if kind in (None, "NONE") or table is None:
        return {}
    options = getattr(schema, kind)()
    options.Init(table.Bytes, table.Pos)
    fields = [f for f in vars(type(options)) if f[0].isupper() and not f.startswith(("GetRoot", "Init"))]
    return {f: value for f in fields if (value := _field(getattr(options, f))) is not None}


def _field(read: Callable[..., Any]) -> Any:
    if read.__code__.co_argcount != 1:  # type: ignore[attr-defined]  # a vector's element
        return None
    value = read()
    return value if isinstance(value, int | float | bool) else None


def _check(graph: Graph) -> None:
    """Every number names a tensor; every tensor is written before it is read."""
    n = len(graph.tensors)
    known = {t.index for t in graph.tensors if t.data is not None} | set(graph.inputs) | {-1}
    for op in graph.operators:
        if not op.outputs or not all(0 <= i < n for i in op.outputs) or not all(-1 <= i < n for i in op.inputs):
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
