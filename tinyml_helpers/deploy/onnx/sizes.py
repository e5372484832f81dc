"""What the tensors of an ONNX file are, and where the bytes of the file go."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyml_helpers.deploy.model_report import TensorInfo
from tinyml_helpers.deploy.onnx.graph import Shapes

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

PARTS = (
    "weights",
    "biases",
    "other constants",
    "scales",
    "zero points",
    "exporter's notes",
    "structure",
)
_QUANTIZED = {1: "scales", 2: "zero points", 4: "scales", 5: "zero points"}
# What each input of an operator is; a constant that is none of these is an "other constant".
_ROLES: dict[str, dict[int, str]] = {
    "Conv": {1: "weights", 2: "biases"},
    "FusedConv": {1: "weights", 2: "biases"},
    "ConvTranspose": {1: "weights", 2: "biases"},
    "Gemm": {1: "weights", 2: "biases"},
    "MatMul": {0: "weights", 1: "weights"},
    "LSTM": {1: "weights", 2: "weights", 3: "biases"},
    "GRU": {1: "weights", 2: "weights", 3: "biases"},
    "RNN": {1: "weights", 2: "weights", 3: "biases"},
    "QuantizeLinear": {1: "scales", 2: "zero points"},
    "DequantizeLinear": {1: "scales", 2: "zero points"},
    "QLinearConv": _QUANTIZED | {3: "weights", 6: "scales", 7: "zero points", 8: "biases"},
    "QLinearMatMul": _QUANTIZED | {3: "weights", 6: "scales", 7: "zero points"},
    "QGemm": _QUANTIZED | {3: "weights", 6: "biases", 7: "scales", 8: "zero points"},
    "ConvInteger": {1: "weights", 2: "zero points", 3: "zero points"},
    "MatMulInteger": {1: "weights", 2: "zero points", 3: "zero points"},
}


def find_roles(model: ModelProto) -> dict[str, str]:
    """Return what each tensor is to the operator that reads it, also through a DequantizeLinear."""
    found: dict[str, str] = {}
    # Backwards, so that the reader behind a DequantizeLinear is known before it.
    for node in reversed(model.graph.node):
        for position, name in enumerate(node.input):
            if role := _ROLES.get(node.op_type, {}).get(position):
                found[name] = role
        if node.op_type == "DequantizeLinear" and node.input and (*node.output, "")[0] in found:
            found[node.input[0]] = found[node.output[0]]
    return found


def bytes_by_part(content: bytes, model: ModelProto) -> dict[str, int]:
    """Return how many bytes of the file are what; they add up to its size.

    "exporter's notes" are what a tool wrote about where a node came from; "structure" is the rest:
    names, attributes, shapes, and the container.
    """
    sizes, known = Counter(dict.fromkeys(PARTS, 0)), find_roles(model)
    for name, constant in _constants(model):
        sizes[known.get(name, "other constants")] += _data_bytes(constant)
    sizes["exporter's notes"] = _note_bytes(model)
    sizes["structure"] = len(content) - sizes.total()
    return dict(sizes)


def _constants(model: ModelProto) -> Iterator[tuple[str, TensorProto]]:
    for constant in model.graph.initializer:
        yield constant.name, constant
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t") and node.output:
                yield node.output[0], attribute.t


def _data_bytes(constant: TensorProto) -> int:
    if constant.raw_data:
        return len(constant.raw_data)
    empty = type(constant)()
    empty.CopyFrom(constant)
    for field in ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data"):
        empty.ClearField(field)
    return int(constant.ByteSize() - empty.ByteSize())


def _note_bytes(message: Any) -> int:
    total = 0
    for field, value in message.ListFields():
        if field.name == "doc_string":
            total += len(value.encode())
        elif field.message_type is not None:
            parts = value if field.is_repeated else [value]
            is_note = field.name == "metadata_props"
            total += sum(part.ByteSize() if is_note else _note_bytes(part) for part in parts)
    return total


def remove_notes(message: Any) -> None:
    """Remove all notes from a model, or from any part of it, in place."""
    for field, value in message.ListFields():
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                remove_notes(part)


def list_tensors(model: ModelProto, known: Shapes) -> Iterator[TensorInfo]:
    """Yield inputs, constants and what is computed; scales and zero points stand with their tensor."""
    from onnx import TensorProto

    graph, quantization, part = model.graph, _quantization(model), find_roles(model)
    stored = {constant.name: constant for constant in graph.initializer}
    types = {
        v.name: v.type.tensor_type.elem_type for v in (*graph.input, *graph.value_info, *graph.output)
    }
    types |= {name: constant.data_type for name, constant in stored.items()}
    kinds = {number: kind.lower() for kind, number in TensorProto.DataType.items()}
    computed = (name for node in graph.node for name in node.output)
    for name in dict.fromkeys((*(value.name for value in graph.input), *stored, *computed)):
        if not name or part.get(name) in ("scales", "zero points"):
            continue
        dtype = kinds.get(types.get(name, 0), "unknown")
        size = _data_bytes(stored[name]) if name in stored else 0
        yield TensorInfo(
            name, known.get(name, ()), {"float": "float32", "double": "float64"}.get(dtype, dtype),
            *quantization.get(name, ((), ())), stored_bytes=size,
        )  # fmt: skip


def _quantization(model: ModelProto) -> dict[str, tuple[tuple[float, ...], tuple[int, ...]]]:
    from onnx import numpy_helper

    values: dict[str, list[Any]] = {}
    for name, constant in _constants(model):
        values[name] = []
        if constant.external_data:
            continue  # it would be looked for in the current folder
        with contextlib.suppress(Exception):  # damaged, or a type that NumPy lacks
            found_values = numpy_helper.to_array(constant)
            if found_values.dtype.kind in "iuf" and np.isfinite(found_values).all():
                values[name] = found_values.ravel().tolist()
    found = {}
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input and node.output:
            quantized = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
            scale, zero_point = (values.get(name, []) for name in (*node.input, "", "")[1:3])
            found[quantized] = tuple(map(float, scale)), tuple(map(int, zero_point))
    return found
