"""Where the bytes of a .tflite file go, and how many multiplications its graph asks for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite.flatbuffer import Region
from tinyml_helpers.deploy.tflite.graph import File, Graph, Operator

PARTS = ("weights", "biases", "other constants", "scales", "zero points", "names", "structure")
# Which inputs of an operator are weights and biases; of others, constants are neither.
_ROLES = {
    "CONV_2D": {1: "weights", 2: "biases"},
    "DEPTHWISE_CONV_2D": {1: "weights", 2: "biases"},
    "FULLY_CONNECTED": {1: "weights", 2: "biases"},
    "CONV_3D": {1: "weights", 2: "biases"},
    "TRANSPOSE_CONV": {1: "weights", 3: "biases"},
    "BATCH_MATMUL": {0: "weights", 1: "weights"},
    "EMBEDDING_LOOKUP": {1: "weights"},
    "SVDF": {1: "weights", 2: "weights", 3: "biases"},
    "UNIDIRECTIONAL_SEQUENCE_LSTM": dict.fromkeys(range(1, 12), "weights")
    | dict.fromkeys(range(12, 16), "biases"),
}
# Operators that multiply, but whose multiplications are not counted here.
_UNCOUNTED = ("SVDF", "CONV_3D", "BIDIRECTIONAL_SEQUENCE_LSTM", "RNN")


def bytes_by_part(file: File) -> dict[str, int]:
    """Return how many bytes of the file are what; they add up to its size.

    "structure" is the container: tables, offsets, options, padding, and a few bytes of metadata.

    Raises:
        ModelError: parts overlap, as only a damaged file has it.
    """
    owned: dict[Region, str] = {}
    for part in ("scales", "zero points", "names"):
        owned |= dict.fromkeys(file.regions[part], part)
    for graph in file.graphs:
        roles = _roles(graph)
        for index, tensor in enumerate(graph.tensors):
            owned.setdefault(tensor.where, roles.get(index, "other constants"))
    sizes = Counter(dict.fromkeys(PARTS, 0))
    for region, part in owned.items():
        sizes[part] += region.size_bytes
    sizes["structure"] = len(file.content) - sizes.total()
    if sizes["structure"] < 0:
        raise ModelError("the file is damaged: its parts overlap; copy or convert it again")
    return dict(sizes)


def _roles(graph: Graph) -> dict[int, str]:
    """Return what each constant is by the operator that reads it, also through a DEQUANTIZE."""
    roles: dict[int, str] = {}
    for operator in graph.operators:
        for position, role in _ROLES.get(operator.type, {}).items():
            if position < len(operator.inputs):
                roles.setdefault(operator.inputs[position], role)
    for operator in graph.operators:
        if operator.type == "DEQUANTIZE" and operator.inputs and operator.outputs:
            role = roles.get(operator.outputs[0], "other constants")
            roles.setdefault(operator.inputs[0], role)
    return roles


def macs(file: File) -> int:
    """Return the multiply-accumulates of one inference: convolutions, full connections, products."""
    return sum(_macs(operator, graph) for graph in file.graphs for operator in graph.operators)


def find_uncounted(file: File) -> list[str]:
    """Return the types of operators that multiply and are not in `macs`."""
    kinds = {operator.type for graph in file.graphs for operator in graph.operators}
    return sorted(kind for kind in kinds if kind in _UNCOUNTED or kind.startswith("CUSTOM"))


def _macs(operator: Operator, graph: Graph) -> int:
    shapes = list(_shapes(operator, graph))
    outputs = math.prod(graph.tensors[operator.outputs[0]].shape) if operator.outputs else 0
    if operator.type == "CONV_2D" and len(shapes[1]) == 4:
        return outputs * math.prod(shapes[1][1:])
    if operator.type == "DEPTHWISE_CONV_2D" and len(shapes[1]) == 4:
        return outputs * math.prod(shapes[1][1:3])
    if operator.type in ("FULLY_CONNECTED", "BATCH_MATMUL") and shapes[1]:
        # Weights of a full connection are [outputs, inputs].
        factor = shapes[1] if operator.type == "FULLY_CONNECTED" else shapes[0]
        return outputs * math.prod(factor[-1:])
    if operator.type == "TRANSPOSE_CONV" and len(shapes[1]) == 4:
        return math.prod(shapes[2]) * math.prod(shapes[1][:3])
    if operator.type == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        weights = (math.prod(shape) for shape in (*shapes[1:9], *shapes[16:17]) if shape)
        return math.prod(shapes[0][:-1]) * sum(weights)
    return 0


def _shapes(operator: Operator, graph: Graph) -> Iterator[tuple[int, ...]]:
    for index in operator.inputs:
        yield graph.tensors[index].shape if index >= 0 else ()
    yield from [()] * (3 - len(operator.inputs))
