"""An int8 network with float ends, for runtimes that take nothing else."""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder


def with_float_ends(content: bytes) -> bytes:
    """The network that quantizes its input and gives real numbers, as LiteRT.js wants it."""
    model = schema.ModelT.InitFromPackedBuf(content)
    (network,) = model.subgraphs
    if network.tensors[network.inputs[0]].type == schema.TensorType.FLOAT32:
        return content

    def real_twin(index: int) -> int:
        twin = schema.TensorT()
        twin.shape, twin.type, twin.name = (
            network.tensors[index].shape,
            schema.TensorType.FLOAT32,
            "real",
        )
        network.tensors.append(twin)
        return len(network.tensors) - 1

    def operator(kind: int, given: int, made: int) -> Any:
        code, one = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 2
        one.opcodeIndex, one.inputs, one.outputs = len(model.operatorCodes), [given], [made]
        model.operatorCodes.append(code)
        return one

    first, last = int(network.inputs[0]), int(network.outputs[0])
    given, made = real_twin(first), real_twin(last)
    quantize = operator(schema.BuiltinOperator.QUANTIZE, given, first)
    network.operators.insert(0, quantize)
    network.operators.append(operator(schema.BuiltinOperator.DEQUANTIZE, last, made))
    network.inputs, network.outputs = [given], [made]
    for signature in model.signatureDefs or []:
        signature.inputs[0].tensorIndex, signature.outputs[0].tensorIndex = given, made
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
