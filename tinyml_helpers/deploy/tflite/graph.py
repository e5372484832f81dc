"""The parts of a .tflite graph: tensors, operators, and the file that holds them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.deploy.model_report import TensorInfo
from tinyml_helpers.deploy.tflite.flatbuffer import NOWHERE, Region
from tinyml_helpers.integers import Integers

BITS = {
    "FLOAT32": 32, "FLOAT16": 16, "INT32": 32, "UINT8": 8, "INT64": 64, "BOOL": 8, "INT16": 16,
    "COMPLEX64": 64, "INT8": 8, "FLOAT64": 64, "COMPLEX128": 128, "UINT64": 64, "UINT32": 32,
    "UINT16": 16, "INT4": 4, "BFLOAT16": 16,
}  # fmt: skip
ACTIVATIONS = ("", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph and its number.

    `data` holds its constant value as it lies in the file; one that `is_variable` is the state of an
    operator, kept from one run to the next.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    data: bytes = field(default=b"", repr=False)
    where: Region = field(default=NOWHERE, repr=False)
    index: int = 0
    is_variable: bool = False

    def __str__(self) -> str:
        count = f"{len(self.scales)} scales from" if len(self.scales) > 1 else "scale"
        scale = f", {count} {min(self.scales):.3g}" if self.scales else ""
        zeros = ", ".join(map(str, sorted(set(self.zero_points))))
        zero = f", zero point {zeros}" if zeros else ""
        return f"{self.dtype} {list(self.shape)}{scale}{zero}: {self.name}"

    @property
    def array(self) -> NDArray[Any]:
        """The constant value as an array of the shape and dtype; int4, two to a byte, as int8."""
        if self.dtype == "int4":
            both = np.frombuffer(self.data, np.int8)
            pairs = np.stack([both << 4 >> 4, both >> 4], axis=1)  # the lower half first
            return pairs.ravel()[: self.size].reshape(self.shape)
        return np.frombuffer(self.data, np.dtype(self.dtype).newbyteorder("<")).reshape(self.shape)

    def with_values(self, values: NDArray[Any]) -> Tensor:
        """Return a constant of the same type; integers beyond it wrap around.

        Args:
            values: of any shape.
        """
        if self.dtype == "int4":
            even = np.resize(np.append(values.ravel(), 0), values.size + values.size % 2) & 15
            data = (even[::2] | even[1::2] << 4).astype(np.uint8).tobytes()
        else:
            data = np.ascontiguousarray(values.astype(self.dtype)).tobytes()
        return replace(self, shape=values.shape, data=data)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Memory that its values take."""
        return math.ceil(self.size * BITS.get(self.dtype.upper(), 8) / 8)

    @property
    def dims(self) -> str:
        """The shape as text, `25x5x64` for one image."""
        shape = self.shape[1:] if len(self.shape) > 1 and self.shape[0] == 1 else self.shape
        return "x".join(map(str, shape)) or "1"

    @property
    def is_quantized(self) -> bool:
        """Whether its values are small integers that stand for real numbers."""
        return bool(self.scales) and self.dtype in ("int8", "uint8", "int16")

    def quantized(self, reals: NDArray[np.float32]) -> NDArray[Any]:
        """Return values of its dtype for real numbers, as QUANTIZE does: see `integers`."""
        if not self.is_quantized:
            return reals.astype(self.dtype)
        return self._integers.store(reals)

    def real(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Return the real numbers that its values stand for."""
        if not self.is_quantized:
            return raw.astype(np.float32)
        return self._integers.read(raw)

    @property
    def _integers(self) -> Integers:
        return Integers(self.scale, self.zero_point, self.dtype)

    @property
    def scale(self) -> float:
        """The scale of a tensor that has one for all its values."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor that has one for all its values, 0 if it has none."""
        return self.zero_points[0] if self.zero_points else 0

    @property
    def info(self) -> TensorInfo:
        """The tensor as a report lists it."""
        return TensorInfo(
            self.name, self.shape, self.dtype, self.scales, self.zero_points, len(self.data)
        )


@dataclass(frozen=True)
class Operator:
    """One step of the graph: its type, its tensors by number (-1: left out), options, and its place.

    `intermediates` are tensors that it keeps to itself: of an LSTM, what its gates are scaled to.
    """

    type: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    position: int = 0
    intermediates: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """Type and place, for messages."""
        return f"{self.type} (operator {self.position})"

    @property
    def activation(self) -> str:
        """The activation function fused into it, empty if there is none."""
        number = self.options.get("activation", 0)
        return ACTIVATIONS[number] if 0 <= number < len(ACTIVATIONS) else f"ACTIVATION_{number}"

    def __str__(self) -> str:
        return f"{self.type} + {self.activation}" if self.activation else self.type


@dataclass(frozen=True, repr=False)
class Graph:
    """A subgraph: tensors, operators in the order in which they run, inputs and outputs by number."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __repr__(self) -> str:
        counts = Counter(operator.type for operator in self.operators)
        return f"{len(self.tensors)} tensors, " + ", ".join(f"{n} {kind}" for kind, n in counts.items())


@dataclass(frozen=True, repr=False)
class File:
    """A .tflite file, read and checked: its graphs, the first of which runs, and its names' regions."""

    content: bytes
    graphs: tuple[Graph, ...]
    regions: Mapping[str, tuple[Region, ...]]

    def __repr__(self) -> str:
        return f".tflite of {len(self.content):,} bytes: {self.graphs[0]!r}"

    def with_weights(self, change: Callable[[NDArray[np.int8]], NDArray[np.int8]]) -> bytes:
        """Return the file with other weights in its int8 convolutions and dense layers.

        Args:
            change: gets the weights of a layer, [outputs, inputs, ...] as PyTorch has them, and returns
                as many in the same order. Depthwise layers are left alone.

        Raises:
            ValueError: what it returns has another shape or type.
        """
        content = bytearray(self.content)
        for operator in self.graphs[0].operators:
            if operator.type not in ("CONV_2D", "FULLY_CONNECTED"):
                continue
            tensor = self.graphs[0].tensors[operator.inputs[1]]
            if tensor.dtype != "int8" or not tensor.data:
                continue
            before = np.moveaxis(tensor.array, -1, 1)  # the file has the inputs last
            after = change(before)
            if after.shape != before.shape or after.dtype != before.dtype:
                raise ValueError(f"{operator.label}: {before.shape} became {after.dtype} {after.shape}")
            where = tensor.where
            content[where.start : where.end] = np.moveaxis(after, 1, -1).tobytes()
        return bytes(content)
