"""The graph of an int8 .tflite as a microcontroller runs it: one image, every value there before use."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tinyml_helpers.deploy.model_file import ModelError, names_the_file, read_model
from tinyml_helpers.deploy.onnx import to_tflite
from tinyml_helpers.deploy.tflite.graph import Graph, Operator, Tensor
from tinyml_helpers.deploy.tflite.reader import read as parse
from tinyml_helpers.mcu.compiler.variables import resolve
from tinyml_helpers.system.tables import text_table

_DTYPES = ("float32", "float16", "int32", "uint8", "int64", "bool", "int16", "int8", "int4")
_SHAPED = (
    "RESHAPE", "EXPAND_DIMS", "SQUEEZE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "BROADCAST_TO",
)  # fmt: skip
_SPLITS = ("SPLIT", "SPLIT_V", "UNPACK")
Rounding = Literal["litert", "tflm", "onnx"]
"""Whose bytes layers give: LiteRT rounds the sums of convolutions twice and of fully connected layers
once, TFLM both twice, ONNX Runtime both once."""
_MOST_ELEMENTS, _MOST_DIMENSIONS = 1 << 27, 8


class GraphError(ModelError):
    """A network that no microcontroller here can run, or whose operators do not hang together."""


@dataclass(frozen=True, repr=False)
class Network(Graph):
    """A graph as a microcontroller runs it: no handles, no sizes that are unknown.

    Args:
        variables: number of a tensor that is remembered from one call to the next -> the byte
            that fills it at first.
        rounding: whose bytes its layers give.
        over: number of a tensor that is made strip by strip -> the image that it may lie upon: what
            it covers has been read by then.
    """

    variables: Mapping[int, int] = field(default_factory=dict)
    rounding: Rounding = "litert"
    over: Mapping[int, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        """One row for each operator."""
        rows = [
            (str(op.position), op.type, self._shapes(op.inputs[:1]), self._shapes(op.outputs))
            for op in self.operators
        ]
        return text_table(("", "operator", "input", "output"), rows, names=(1, 2, 3))

    def _shapes(self, numbers: tuple[int, ...]) -> str:
        return ", ".join(f"{self.tensors[i].dims} {self.tensors[i].dtype}" for i in numbers if i >= 0)


@names_the_file
def read(tflite: str | Path | bytes) -> Network:
    """Read a .tflite, or an ONNX file in QDQ form.

    Args:
        tflite: the file's path or its bytes.

    Returns:
        Its only graph, fit to be run; that of an ONNX file rounds as ONNX Runtime does.

    Raises:
        ModelError: the file is missing, damaged or no .tflite; its subclass `GraphError`: it holds
            what no microcontroller here can do.
    """
    content = read_model(tflite)
    is_onnx = to_tflite.is_onnx(content)
    file = parse(to_tflite.convert(content) if is_onnx else content)
    found, resolved = file.graphs[0], resolve(file)
    tensors = tuple(map(_normalize, found.tensors))
    variables = {i: _read_fill(tensors[i], first) for i, first in resolved.variables.items()}
    # A state begins as the byte of zero, or with its zero point.
    variables |= {t.index: t.zero_point % 256 for t in tensors if t.is_variable}
    operators = tuple(_separate_outputs(resolved.operators, tensors))
    rounding: Rounding = "onnx" if is_onnx else "litert"
    return Network(tensors, operators, found.inputs, found.outputs, variables, rounding)


def find_readers(operators: Iterable[Operator], tensor: int) -> list[Operator]:
    """Find the operators that read a tensor."""
    return [op for op in operators if tensor in op.inputs]


def find_live_operators(graph: Network) -> tuple[Operator, ...]:
    """Find the operators that an output depends on; shapes that are known need none."""
    wanted, chosen = {*graph.outputs, *graph.variables}, []
    for op in reversed(graph.operators):
        if wanted & set(op.outputs):
            chosen.append(op)
            wanted |= set(read_by(op))
    return tuple(reversed(chosen))


def read_by(op: Operator) -> tuple[int, ...]:
    """What an operator's code reads: not the shapes that it is told, which are known."""
    if op.type in _SHAPED:
        return op.inputs[:1]
    return op.inputs[1:] if op.type == "TRANSPOSE_CONV" else op.inputs


def _read_fill(tensor: Tensor, first: bytes) -> int:
    if tensor.dtype != "int8" or len(first) != tensor.size_bytes or len(set(first)) != 1:
        raise GraphError(
            f"variable in tensor {tensor.index}: supported is int8, one first value throughout"
        )
    return first[0]


def _normalize(raw: Tensor) -> Tensor:
    """Give a tensor its final shape, one image for a batch of unknown size, and all its zero points."""
    index = raw.index
    if raw.dtype == "resource":  # a variable's handle, which `resolve` has followed
        return Tensor(raw.name, (1,), "int32", index=index)
    if raw.dtype not in _DTYPES:
        raise GraphError(f"tensor {index} has type {raw.dtype}: known are {', '.join(_DTYPES)}")
    shape = tuple(max(1, size) for size in raw.shape)
    if math.prod(shape) > _MOST_ELEMENTS or len(shape) > _MOST_DIMENSIONS:
        raise GraphError(f"tensor {index} has shape {shape}: no microcontroller holds that")
    zeros = raw.zero_points or (0,) * len(raw.scales)
    if len(zeros) != len(raw.scales) or not all(0 <= scale < math.inf for scale in raw.scales):
        raise GraphError(f"tensor {index} has a damaged quantization")
    tensor = replace(raw, shape=shape, zero_points=zeros)
    if raw.data and len(raw.data) != tensor.size_bytes:
        raise GraphError(f"tensor {index} of shape {shape} has {len(raw.data):,} bytes: sparse?")
    return tensor


def _separate_outputs(operators: Iterable[Operator], tensors: Sequence[Tensor]) -> Iterator[Operator]:
    """Give each output of a SPLIT, SPLIT_V or UNPACK an operator of its own.

    Each has the options `axis` and `start`, where its part begins, and `part`, its number.
    """
    for op in operators:
        if op.type not in _SPLITS:
            yield op
            continue
        given, axis = _find_split(op, tensors)
        rank = len(given.shape)
        if not -rank <= axis < rank:
            raise ModelError(f"{op.label} along dimension {axis} of shape {given.shape}")
        axis, start = axis % rank, 0
        for part, output in enumerate(op.outputs):
            options = {"axis": axis, "start": start, "part": part}
            yield replace(op, inputs=(given.index,), outputs=(output,), options=options)
            shape = tensors[output].shape
            start += 1 if op.type == "UNPACK" else shape[axis] if axis < len(shape) else 0


def _find_split(op: Operator, tensors: Sequence[Tensor]) -> tuple[Tensor, int]:
    """What is split, and along which dimension."""
    place = {"SPLIT": (1, 0), "SPLIT_V": (0, 2), "UNPACK": (0, None)}[op.type]
    if len(op.inputs) <= max(n for n in place if n is not None) or min(op.inputs) < 0:
        raise ModelError(f"{op.label} names tensors that are not there: {op.inputs}")
    given = tensors[op.inputs[place[0] or 0]]
    if place[1] is None:
        return given, int(op.options["axis"])
    axis = tensors[op.inputs[place[1]]]
    if not axis.data or axis.dtype != "int32" or axis.size != 1:
        raise ModelError(f"{op.label} splits along a dimension that is computed")
    return given, int(axis.array.ravel()[0])
