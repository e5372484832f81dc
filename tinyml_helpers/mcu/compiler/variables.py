"""What a streaming network remembers from one call to the next, as plain tensors.

A .tflite names its variables by handles, reads and assigns them by operators, and gives them their
first values in a graph of its own. Here each becomes one tensor that keeps its place in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite.graph import File, Graph, Operator

_VIEWS = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")


@dataclass(frozen=True)
class ResolvedGraph:
    """A graph without handles.

    Args:
        operators: in their order; one that assigns has the variable as output.
        variables: number of the tensor that holds a variable -> its first values, as bytes.
    """

    operators: tuple[Operator, ...]
    variables: Mapping[int, bytes]


def resolve(file: File) -> ResolvedGraph:
    """Turn the variables of a file's first graph into tensors.

    Raises:
        ModelError: a variable that is read after it was assigned through a value read before, that
            has no constant first values, or another graph than the one that gives them.
    """
    graph = file.graphs[0]
    names, first = _names(graph), _first_values(file)
    home: dict[str, int] = {}  # the first tensor that a variable is read into
    for op in graph.operators:
        if op.type == "READ_VARIABLE":
            home.setdefault(_name(names, op), _only(op.outputs, op))
    if missing := sorted(set(home) - set(first)):
        raise ModelError(f"variable {missing[0]!r} has no constant first values")
    operators = tuple(_merged(graph, _walk(graph, names, home)))
    return ResolvedGraph(operators, {home[name]: first[name] for name in home})


def _walk(graph: Graph, names: Mapping[int, str], home: Mapping[str, int]) -> list[Operator]:
    """Operators with variables as tensors; a value from before an assignment is not read after it."""
    value: dict[int, str] = {}  # tensor that shows a variable's memory -> its name
    old: set[int] = set()
    found = []
    for op in graph.operators:
        if stale := old & set(op.inputs):
            raise ModelError(
                f"operator {op.position} reads tensor {stale.pop()} of a variable assigned before it"
            )
        if op.type == "READ_VARIABLE":
            value[op.outputs[0]] = _name(names, op)
        elif op.type == "ASSIGN_VARIABLE":
            name = _name(names, op)
            old |= {tensor for tensor, shown in value.items() if shown == name}
            if name in home:
                found.append(replace(op, inputs=op.inputs[1:], outputs=(home[name],)))
        elif op.type not in ("VAR_HANDLE", "CALL_ONCE"):
            if op.type in _VIEWS and op.inputs and op.inputs[0] in value:
                value |= dict.fromkeys(op.outputs, value[op.inputs[0]])
            found.append(op)
    if stale := old & set(graph.outputs):
        raise ModelError(f"output {stale.pop()} is a variable's value from before it was assigned")
    read = {
        op.outputs[0]: home[_name(names, op)] for op in graph.operators if op.type == "READ_VARIABLE"
    }
    return [replace(op, inputs=tuple(read.get(t, t) for t in op.inputs)) for op in found]


def _merged(graph: Graph, operators: Sequence[Operator]) -> list[Operator]:
    """A slice that is only made to be assigned goes into the variable at once."""
    uses = [t for op in operators for t in op.inputs] + list(graph.outputs)
    merged: list[Operator] = []
    for op in operators:
        made = merged[-1] if merged else op
        alike = (
            op.type == "ASSIGN_VARIABLE" and made.type == "STRIDED_SLICE" and made.outputs == op.inputs
        )
        if alike and uses.count(op.inputs[0]) == 1 and op.outputs[0] not in made.inputs:
            merged[-1] = replace(made, outputs=op.outputs)
        else:
            merged.append(op)
    return merged


def _names(graph: Graph) -> dict[int, str]:
    handles = [op for op in graph.operators if op.type == "VAR_HANDLE"]
    return {_only(op.outputs, op): f"{op.options['container']}/{op.options['name']}" for op in handles}


def _name(names: Mapping[int, str], op: Operator) -> str:
    if not op.inputs or op.inputs[0] not in names:
        raise ModelError(f"{op.type} of tensor {op.inputs[:1]}, which is no variable's handle")
    return names[op.inputs[0]]


def _first_values(file: File) -> dict[str, bytes]:
    calls = [op for op in file.graphs[0].operators if op.type == "CALL_ONCE"]
    if {op.options["graph"] for op in calls} != set(range(1, len(file.graphs))):
        raise ModelError(f"{len(file.graphs)} subgraphs: one is supported, and one for first values")
    first = {}
    for graph in file.graphs[1:]:
        names = _names(graph)
        for op in graph.operators:
            if op.type == "ASSIGN_VARIABLE" and len(op.inputs) == 2:
                first[_name(names, op)] = graph.tensors[op.inputs[1]].data
            elif op.type != "VAR_HANDLE":
                raise ModelError(f"first values made by {op.type}: constants are supported")
    return {name: data for name, data in first.items() if data}


def _only(outputs: tuple[int, ...], op: Operator) -> int:
    if len(outputs) != 1:
        raise ModelError(f"{op.type} with {len(outputs)} outputs")
    return outputs[0]
