"""Take a .tflite apart: FlatBuffer tables to tensors and operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.mcu.graph import Graph, GraphError, Operator, Tensor

_TYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
}
_MOST_ELEMENTS = 1 << 27
_MOST_ITEMS = 10_000


def subgraph(content: bytes) -> Graph:
    """The first and only subgraph of a .tflite.

    Args:
        content: the file.

    Raises:
        GraphError: it holds what this package does not read. Damage gives whatever error it leads to.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    if model.SubgraphsLength() != 1:
        raise GraphError(f"{model.SubgraphsLength()} subgraphs: one is supported (no control flow)")
    subgraph = model.Subgraphs(0)
    n_tensors, n_operators = subgraph.TensorsLength(), subgraph.OperatorsLength()
    if not 0 < n_tensors <= _MOST_ITEMS or not 0 < n_operators <= _MOST_ITEMS:
        raise GraphError(
            f"{n_tensors:,} tensors and {n_operators:,} operators: 1 to {_MOST_ITEMS:,} can be"
        )
    tensors = tuple(_tensor(model, subgraph.Tensors(i), i) for i in range(n_tensors))
    operators = tuple(_operator(schema, model, subgraph.Operators(i), i) for i in range(n_operators))
    return Graph(
        tensors, operators, _numbers(subgraph.InputsAsNumpy()), _numbers(subgraph.OutputsAsNumpy())
    )


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
    if read.__code__.co_argcount != 1:  # a vector's element
        return None
    value = read()
    return value if isinstance(value, int | float | bool) else None
