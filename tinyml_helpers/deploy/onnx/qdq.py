"""What an ONNX file in QDQ form says: constants, shapes, and by which steps each tensor is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.onnx import graph
from tinyml_helpers.integers import Integers

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
MOVES = (
    "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Dropout", "MaxPool", "Relu",
    "Clip", "Concat", "Slice", "Pad", "Split", "Resize", "Upsample",
)  # fmt: skip
"""Operators that commute with rounding: a scale that is found behind them holds before them."""
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Steps:
    """How integers stand for real numbers: scales and zero points of int8, along an axis if many."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def integers(self) -> Integers:
        """How a tensor of one scale stores real numbers."""
        return Integers.of(self)

    @property
    def unsigned(self) -> Steps:
        """The same for uint8."""
        return Steps(self.scales, tuple(zero + 128 for zero in self.zero_points), self.axis)


@dataclass(frozen=True, eq=False)
class Constant:
    """Integers that the file stores, int8 or int32."""

    array: NDArray[Any]
    steps: Steps

    @property
    def reals(self) -> NDArray[np.float32]:
        """What its values stand for; those of many scales along the last dimension."""
        scales: Any = np.array(self.steps.scales)
        return Integers(scales, 0, np.int32).read(self.array - np.array(self.steps.zero_points))


class Source:
    """A model, ready to be asked."""

    def __init__(self, model: ModelProto) -> None:
        """Read constants and shapes."""
        from onnx import helper, numpy_helper

        given = model.graph
        self.opset = max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.arrays = {one.name: numpy_helper.to_array(one) for one in given.initializer}
        self._shapes = graph.infer_shapes(model)
        self._readers: dict[str, list[NodeProto]] = {}
        for node in given.node:
            if node.op_type == "Constant":
                value = helper.get_attribute_value(node.attribute[0])
                is_tensor = node.attribute[0].name == "value"
                self.arrays[node.output[0]] = (
                    numpy_helper.to_array(value) if is_tensor else np.array(value)
                )
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        kinds = {one.name: int(one.type.tensor_type.elem_type) for one in (*given.input, *given.output)}
        self.inputs = {one.name: kinds[one.name] for one in given.input if one.name not in self.arrays}
        self.outputs = {one.name: kinds[one.name] for one in given.output}

    def readers(self, name: str) -> list[NodeProto]:
        """The nodes that read a tensor."""
        return self._readers.get(name, [])

    def shape(self, name: str) -> Shape:
        """The shape of a tensor for one input at a time.

        Raises:
            ModelError: it is not known.
        """
        sizes = self._shapes.get(name)
        if sizes is None or not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ModelError(
                f"the shape of {name!r} is not known: {sizes}; run quant_pre_process before "
                "quantize_static, or export with fixed sizes"
            )
        return tuple(int(size) for size in sizes)

    def steps_behind(self, name: str) -> Steps | None:
        """How the graph quantizes a float tensor, now or behind `MOVES`; `None`: not, or not alike."""
        found: set[Steps | None] = {None} if name in self.outputs else set()
        for reader in self.readers(name):
            if reader.op_type == QUANTIZE:
                found.add(self.read_steps(reader))
            else:
                moves = reader.op_type in MOVES
                found.add(self.steps_behind(reader.output[0]) if moves else None)
        return found.pop() if len(found) == 1 else None

    def read_steps(self, node: NodeProto) -> Steps:
        """Scale and zero point of a QuantizeLinear or DequantizeLinear, as int8 has them."""
        scales = self.array(node, 1).astype(np.float32)
        zeros = self.array(node, 2) if len(node.input) > 2 and node.input[2] else np.uint8(0)
        if scales.ndim > 1 or np.asarray(zeros).dtype not in (np.int8, np.uint8, np.int32):
            raise refuse(node, f"{np.asarray(zeros).dtype} in blocks or of another width; int8 is taken")
        less = 128 if np.asarray(zeros).dtype == np.uint8 else 0
        shifted = np.broadcast_to(np.asarray(zeros, np.int64) - less, scales.shape)
        axis = next((int(a.i) for a in node.attribute if a.name == "axis"), 1)
        many = scales.size > 1
        return Steps(tuple(scales.ravel().tolist()), tuple(shifted.ravel().tolist()), axis * many)

    def array(self, node: NodeProto, which: int) -> NDArray[Any]:
        """An input of a node that must be constant."""
        if node.input[which] not in self.arrays:
            raise refuse(node, f"{node.input[which]!r} is computed, supported is a constant")
        return self.arrays[node.input[which]]


def refuse(node: NodeProto, reason: str) -> ModelError:
    """The error that names a node."""
    name = node.name or (node.output[0] if node.output else "")
    return ModelError(f"{node.op_type} {name!r}: {reason}")
