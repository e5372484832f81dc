"""Write a graph as a .tflite file.

Field numbers are those of the schema.
Source: https://github.com/google-ai-edge/LiteRT, tflite/converter/schema/schema.fbs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyml_helpers.deploy.tflite.graph import Graph, Operator, Tensor
from tinyml_helpers.deploy.tflite.options import OPTIONS, describe_option

_OPTIONS_OF = {"AVERAGE_POOL_2D": "Pool2D", "MAX_POOL_2D": "Pool2D", "MEAN": "Reducer"}
_VERSIONS = {  # the first for int8; 1 does not tell
    "BATCH_MATMUL": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 5,
    "TRANSPOSE_CONV": 3,
}  # fmt: skip


@dataclass(frozen=True)
class _Options:
    """The table of an operator's options."""

    kind: str
    values: Mapping[str, Any]

    def Pack(self, builder: Any) -> int:  # noqa: N802 as the generated classes call it
        """Write the table; return its place."""
        names = OPTIONS[self.kind]
        builder.StartObject(len(names))
        for slot, name in enumerate(names):
            width, default = describe_option(name)
            prepend = {"b": builder.PrependInt8Slot, "f": builder.PrependFloat32Slot}
            prepend.get(width, builder.PrependInt32Slot)(slot, self.values.get(name, default), default)
        return int(builder.EndObject())


def write(graph: Graph) -> bytes:
    """Write a graph as a .tflite file.

    Args:
        graph: of operators whose options are in `OPTIONS`, or that have none.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, sub = schema.ModelT(), schema.SubGraphT()
    model.version, model.description, model.subgraphs = 3, "tinyml_helpers", [sub]
    model.buffers, model.operatorCodes = [schema.BufferT()], []
    sub.tensors = [_tensor(schema, model, one) for one in graph.tensors]
    kinds = sorted({operator.type for operator in graph.operators})
    for kind in kinds:
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = getattr(schema.BuiltinOperator, kind), _VERSIONS.get(kind, 1)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        model.operatorCodes.append(code)
    sub.operators = [_operator(schema, one, kinds) for one in graph.operators]
    sub.inputs, sub.outputs = list(graph.inputs), list(graph.outputs)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(schema: Any, model: Any, tensor: Tensor) -> Any:
    made = schema.TensorT()
    made.name, made.shape, made.buffer = tensor.name, list(tensor.shape), 0
    made.type = getattr(schema.TensorType, tensor.dtype.upper())
    if tensor.scales:
        quantization = made.quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = list(tensor.scales), list(tensor.zero_points)
        quantization.quantizedDimension = tensor.axis
    if tensor.data:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(tensor.data, np.uint8)
        made.buffer = len(model.buffers)
        model.buffers.append(buffer)
    return made


def _operator(schema: Any, operator: Operator, kinds: list[str]) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = kinds.index(operator.type)
    made.inputs, made.outputs = list(operator.inputs), list(operator.outputs)
    if operator.type in OPTIONS:
        words = _OPTIONS_OF.get(operator.type, operator.type.replace("_", "")) + "Options"
        numbers = {name.lower(): number for name, number in vars(schema.BuiltinOptions).items()}
        made.builtinOptionsType = numbers[words.lower()]
        made.builtinOptions = _Options(operator.type, operator.options)
    return made
