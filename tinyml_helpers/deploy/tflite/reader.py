"""The graph in a .tflite file: tensors, operators, and where each byte of the file belongs.

Field numbers are those of the schema.
Source: https://github.com/google-ai-edge/LiteRT, tflite/converter/schema/schema.fbs
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite.flatbuffer import Region, Table, root
from tinyml_helpers.deploy.tflite.graph import BITS, File, Graph, Operator, Tensor
from tinyml_helpers.deploy.tflite.options import OPTIONS, describe_option
from tinyml_helpers.system.untrusted import one_line


def read(content: bytes) -> File:
    """Read a .tflite file and check that all of it hangs together.

    Raises:
        ModelError: it is not a .tflite file, or it is damaged.
    """
    model = root(content, b"TFL3")
    kinds = [_operator_type(code) for code in model.tables(1)]
    buffers = [_buffer(table) for table in model.tables(4)]
    subgraphs = list(model.tables(2))
    if not subgraphs:
        raise _damaged("it has no graph")
    graphs = tuple(_graph(table, kinds, buffers) for table in subgraphs)
    metadata = list(model.tables(6))
    quantized = [q for table in subgraphs for t in table.tables(0) if (q := t.table(4))]
    named = [t.vector(3) for table in subgraphs for t in table.tables(0)]
    named += [table.vector(4) for table in subgraphs] + [table.vector(0) for table in metadata]
    regions = {
        "scales": tuple(table.vector(slot, 4) for table in quantized for slot in (0, 1, 2)),
        "zero points": tuple(table.vector(3, 8) for table in quantized),
        "names": (*named, *_signature_names(model)),
        "metadata": tuple(_at(buffers, table.number(1, "I"), "buffer") for table in metadata),
    }
    return File(content, graphs, regions)


def _signature_names(model: Table) -> list[Region]:
    names = []
    for signature in model.tables(7):
        names += [signature.vector(2)]
        names += [tensor.vector(0) for slot in (0, 1) for tensor in signature.tables(slot)]
    return names


def _graph(table: Table, kinds: list[str], buffers: list[Region]) -> Graph:
    tensors = tuple(_tensor(t, buffers, index) for index, t in enumerate(table.tables(0)))
    operators = tuple(_operator(t, kinds, len(tensors), i) for i, t in enumerate(table.tables(3)))
    inputs, outputs = (_indices(table, slot, len(tensors), lowest=0) for slot in (1, 2))
    return Graph(tensors, operators, inputs, outputs)


def _tensor(table: Table, buffers: list[Region], index: int) -> Tensor:
    name, shape = table.text(3), tuple(map(int, table.numbers(0, "<i4")))
    where = _at(buffers, table.number(2, "I"), "buffer")
    dtype = _dtypes().get(table.number(1, "b"))
    label = repr(one_line(name, 60))
    if dtype is None or any(size < 0 for size in shape):
        raise _damaged(f"tensor {label} has dtype {table.number(1, 'b')} and shape {list(shape)}")
    # A sparse tensor stores fewer values than its shape has.
    data = table.content[where.start : where.end]
    quantization = _quantization(table.table(4), name, shape)
    is_variable = bool(table.number(5, "b"))
    tensor = Tensor(name, shape, dtype.lower(), *quantization, data, where, index, is_variable)
    if data and dtype in BITS and not table.table(6) and len(data) != tensor.size_bytes:
        raise _damaged(f"tensor {label} needs {tensor.size_bytes:,} bytes and has {len(data):,}")
    return tensor


def _quantization(
    table: Table | None, name: str, shape: tuple[int, ...]
) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if table is None:
        return (), (), 0
    scales, zero_points = table.numbers(2, "<f4"), table.numbers(3, "<i8")
    axis = table.number(6, "i")
    if len(shape) == 1:
        axis = 0  # there is no other, whatever old converters wrote beside a bias
    fits = len(scales) <= 1 or (0 <= axis < len(shape) and shape[axis] == len(scales))
    sound = len(zero_points) in (0, 1, len(scales)) and bool((np.isfinite(scales) & (scales >= 0)).all())
    if not (fits and sound):
        label = repr(one_line(name, 60))
        raise _damaged(f"tensor {label} has {len(scales)} scales for the shape {list(shape)}")
    return tuple(map(float, scales)), tuple(map(int, zero_points)), axis


def _operator(table: Table, kinds: list[str], tensors: int, position: int) -> Operator:
    kind = _at(kinds, table.number(0, "I"), "operator code")
    inputs, outputs, inner = (_indices(table, slot, tensors, lowest=-1) for slot in (1, 2, 8))
    options: Table | None = table.table(4)
    values: dict[str, Any] = {}
    for slot, option in enumerate(OPTIONS.get(kind, ())):
        if option in ("container", "name"):
            values[option] = options.text(slot) if options else ""
            continue
        width, default = describe_option(option)
        values[option] = options.number(slot, width, default) if options else default
    return Operator(kind, inputs, outputs, values, position, inner)


def _operator_type(table: Table) -> str:
    # Numbers above 126 do not fit the old field of one byte.
    number = max(table.number(0, "b"), table.number(3, "i"))
    name = _operator_names().get(number)
    if name is None:
        raise _damaged(f"it names operator {number}, which does not exist")
    return f"CUSTOM {table.text(1)}".strip() if name == "CUSTOM" else name


def _buffer(table: Table) -> Region:
    # Large files keep their buffers behind the container, at an offset.
    if table.number(1, "Q") > 1:
        return table.region(table.number(1, "Q"), table.number(2, "Q"))
    return table.vector(0)


def _indices(table: Table, slot: int, count: int, lowest: int) -> tuple[int, ...]:
    numbers = tuple(map(int, table.numbers(slot, "<i4")))
    for number in numbers:
        if not lowest <= number < count:
            raise _damaged(f"it names tensor {number}, and has {count}")
    return numbers


def _at(items: list[Any], index: int, what: str) -> Any:
    if index >= len(items):
        raise _damaged(f"it names {what} {index}, and has {len(items)}")
    return items[index]


def _damaged(sentence: str) -> ModelError:
    return ModelError(f"the file is damaged: {one_line(sentence, 300)}; copy or convert it again")


@cache
def _dtypes() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import TensorType

    return {number: name for name, number in vars(TensorType).items() if not name.startswith("_")}


@cache
def _operator_names() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return {number: name for name, number in vars(BuiltinOperator).items() if not name.startswith("_")}
