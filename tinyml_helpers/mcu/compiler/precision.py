"""What a network that is not int8 throughout is instead, in words, with what makes it int8."""

from __future__ import annotations

from tinyml_helpers.deploy.tflite.graph import Graph, Operator

_CURE = "convert it with representative data and int8 throughout: lessons 02 and 06 show how"
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL")


def explain(graph: Graph) -> str | None:
    """Return why no int8 engine runs a network, if its numbers are the reason, and the cure."""
    found = [(_dtype(graph, op.inputs, 0), _dtype(graph, op.inputs, 1)) for op in _weighted(graph)]
    if ("float32", "int8") in found or ("float32", "uint8") in found:
        return (
            "its weights are int8, but what flows between its layers is float "
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


def _weighted(graph: Graph) -> list[Operator]:
    return [op for op in graph.operators if op.type in _WEIGHTED]


def _dtype(graph: Graph, inputs: tuple[int, ...], which: int) -> str:
    return graph.tensors[inputs[which]].dtype if which < len(inputs) and inputs[which] >= 0 else ""
