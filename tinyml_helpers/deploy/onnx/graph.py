"""The graph in an ONNX file: read with care, its shapes, its multiplications.

Source: https://github.com/onnx/onnx/blob/main/docs/IR.md
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.system.untrusted import one_line

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Shape = tuple[int | str, ...]
Shapes = Mapping[str, Shape]

# Where the factors of a product stand among the inputs: data, weights.
_FACTORS = {
    **dict.fromkeys(("Conv", "FusedConv", "ConvTranspose", "ConvInteger"), (0, 1)),
    **dict.fromkeys(("Gemm", "MatMul", "MatMulInteger"), (0, 1)),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul", "QGemm"), (0, 3)),
}
# Operators that multiply, or hold a graph that may, and are not counted here.
_UNCOUNTED = {"LSTM", "GRU", "RNN", "Einsum", "Attention", "MultiHeadAttention", "If", "Loop", "Scan"}


def parse(content: bytes) -> ModelProto:
    """Return the model in the bytes of an ONNX file, once the ONNX checker has no objection.

    Raises:
        ModelError: another format, damaged, or against the rules of ONNX.
    """
    import onnx

    for mark, name in ((b"TFL3", "a .tflite file: open it with litert"), (b"ORTM", "an .ort file")):
        if content[4:8] == mark:
            raise ModelError(f"this is {name}, not an .onnx file")
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # the parser has several, of its own and of protobuf
        raise ModelError(
            f"not an ONNX file, or a damaged one ({len(content):,} bytes): copy or export it again"
        ) from error
    if not model.graph.node:
        raise ModelError("the file holds no operators: it is cut short, or no ONNX model")
    if not all(map(_is_text, _messages(model))):
        raise ModelError("the file is damaged: a name in it is no text; copy or export it again")
    if find_external_files(model):
        return model  # the checker would look for them in the current folder
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        reason = one_line(error, 200)
        raise ModelError(f"the ONNX checker refuses the model: {reason}; export it again") from error
    return model


def find_external_files(model: ModelProto) -> list[str]:
    """Return the names of files beside the model that hold some of its constants."""
    places = (
        entry
        for message in _messages(model)
        if message.DESCRIPTOR.name == "TensorProto"
        for entry in message.external_data
    )
    return sorted({entry.value for entry in places if entry.key == "location"})


def _messages(message: Any) -> Iterator[Any]:
    """Yield a message and all messages inside of it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if hasattr(value, "add") else [value]:
                yield from _messages(part)


def _is_text(message: Any) -> bool:
    """Whether all strings of a message are text; where they are not, the parser gives bytes."""
    return not any(
        isinstance(part, bytes)
        for field, value in message.ListFields()
        if field.type == field.TYPE_STRING
        for part in ([value] if isinstance(value, str | bytes) else value)
    )


def infer_shapes(model: ModelProto) -> Shapes:
    """Return the shape of each tensor, as far as shape inference finds it, for a batch of one.

    An unknown first size of an input is taken for the batch; other unknown sizes keep their names.
    """
    import onnx

    single = onnx.ModelProto()
    single.CopyFrom(model)
    batches = {
        value.type.tensor_type.shape.dim[0].dim_param
        for value in single.graph.input
        if value.type.tensor_type.shape.dim and not value.type.tensor_type.shape.dim[0].dim_value
    }
    for value in (*single.graph.input, *single.graph.output, *single.graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if not size.dim_value and size.dim_param in batches:
                size.dim_value = 1
    with contextlib.suppress(Exception):  # a graph that it cannot follow: what the file says must do
        single = onnx.shape_inference.infer_shapes(single)
    graph, found = single.graph, {}
    for value in (*graph.input, *graph.output, *graph.value_info):
        sizes = value.type.tensor_type.shape.dim
        found[value.name] = tuple(max(size.dim_value, 0) or size.dim_param or "?" for size in sizes)
    return found | {constant.name: tuple(constant.dims) for constant in graph.initializer}


def macs(model: ModelProto, known: Shapes) -> tuple[int | None, list[str]]:
    """Return the multiply-accumulates of one inference, None if a shape is unknown, and notes."""
    kinds = sorted({node.op_type for node in model.graph.node} & _UNCOUNTED)
    kinds += sorted({function.name for function in model.functions})
    notes = [f"not counted in MACs: {', '.join(kinds)}"] if kinds else []
    counts = [_macs(node, known) for node in model.graph.node if node.op_type in _FACTORS]
    if None in counts:
        return None, [*notes, "no MACs: the graph leaves sizes open besides the batch"]
    return sum(count for count in counts if count is not None), notes


def _macs(node: NodeProto, known: Shapes) -> int | None:
    # An operator of another domain may have any number of inputs, under a name of ONNX.
    names = (*node.input, "", "", "", "")
    data, weight = (known.get(names[i], ()) for i in _FACTORS[node.op_type])
    output = known.get((*node.output, "")[0], ())
    if node.op_type == "ConvTranspose":
        factors = (*data, *weight[1:])
    elif "Conv" in node.op_type:
        factors = (*output, *weight[1:])
    else:
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        factors = (*output, *data[-2 if transposed else -1 :][:1])
    numbers = [size for size in factors if isinstance(size, int)]
    complete = data and weight and output and len(numbers) == len(factors)
    return math.prod(numbers) if complete else None
