"""What a network must be before it is translated: int8 throughout, and in an order that can be run."""

from __future__ import annotations

from tinyml_helpers.deploy.tflite.graph import Operator
from tinyml_helpers.mcu.compiler.graph import GraphError, Network, find_live_operators, read_by

_CURE = "convert it with representative data and int8 throughout: lessons 02 and 06 show how"
_WEIGHTED = (
    "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)  # fmt: skip
CURES = {
    "int16": "; `tinyml deploy --operators` names those that take int16",
    "float32": "; its converter knows no int8 form: put another function there (of PyTorch's PReLU, one "
    "slope for all channels)",
}
"""Type of a tensor that is not int8 -> what helps."""


def explain_precision(graph: Network) -> str | None:
    """Return why no int8 engine runs a network, if its numbers are the reason, and the cure."""
    found = [(_dtype(graph, op.inputs, 0), _dtype(graph, op.inputs, 1)) for op in _weighted(graph)]
    stored = [weights for given, weights in found if given == "float32"]
    if dynamic := [weights for weights in stored if weights in ("int4", "int8", "uint8")]:
        return (
            f"its weights are {dynamic[0]}, but what flows between its layers is float "
            f"(dynamic range quantization); {_CURE}"
        )
    if any(given == "float32" for given, _ in found):
        halves = any(t.data and t.dtype == "float16" for t in graph.tensors)
        kind = (
            "its weights are float16, to be computed with in float"
            if halves
            else "it is a float network"
        )
        islands = any(given == "int8" for given, _ in found)
        if islands:
            names = ", ".join(
                op.label for op in _weighted(graph) if _dtype(graph, op.inputs, 0) == "float32"
            )
            kind = f"some of its layers are float: {names}"
        return f"{kind}; {_CURE}"
    if found and all(given == "uint8" for given, _ in found):
        return f"it is uint8 throughout, as converters made them until 2019; {_CURE}"
    return None


def _weighted(graph: Network) -> list[Operator]:
    return [op for op in graph.operators if op.type in _WEIGHTED]


def _dtype(graph: Network, inputs: tuple[int, ...], which: int) -> str:
    return graph.tensors[inputs[which]].dtype if which < len(inputs) and inputs[which] >= 0 else ""


def check_order(graph: Network) -> None:
    """Check that operators hang together: each tensor is there, and written before it is read.

    Raises:
        GraphError: they do not.
    """
    n = len(graph.tensors)
    variables = set(graph.variables)
    known = {t.index for t in graph.tensors if t.data}
    known |= {-1, *graph.inputs, *variables}
    for op in graph.operators:
        if not op.outputs or not op.inputs or not _inside(op, n):
            raise GraphError(f"{op.label} names tensors that are not there: {op.inputs} -> {op.outputs}")
    for op in find_live_operators(graph):
        if missing := set(read_by(op)) - known:
            raise GraphError(f"{op.label} reads tensor {missing.pop()} before anything writes it")
        if again := set(op.outputs) & (known - variables):
            raise GraphError(f"{op.label} writes tensor {again.pop()}, which has its values already")
        known |= set(op.outputs)
    if not graph.inputs or not graph.outputs or not set(graph.outputs) <= known - {-1}:
        raise GraphError(f"inputs {graph.inputs} and outputs {graph.outputs} do not fit the operators")
    if not all(0 <= i < n for i in graph.inputs) or len(set(graph.inputs)) != len(graph.inputs):
        raise GraphError(f"inputs {graph.inputs} are not {n} tensors' numbers")


def _inside(op: Operator, n: int) -> bool:
    return all(0 <= i < n for i in op.outputs) and all(-1 <= i < n for i in op.inputs)
