"""The end of each operator: its output's steps, and the activation behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinyml_helpers.deploy.onnx.draft import Draft, channels_last
from tinyml_helpers.deploy.onnx.qdq import Shape, Steps, refuse

if TYPE_CHECKING:
    from onnx import NodeProto

_ACTIVATIONS = ((-np.inf, np.inf), (0.0, np.inf), (-1.0, 1.0), (0.0, 6.0))
"""Limits of none, RELU, RELU_N1_TO_1 and RELU6."""


def number_of(draft: Draft, node: NodeProto, which: int, image: bool) -> int:
    """The number of a node's input.

    Raises:
        ModelError: it is float.
    """
    name = node.input[which]
    if name in draft.constants and not image:
        one = draft.constants[name]
        return draft.constant(one.array, one.steps, one.steps.axis)
    if draft.steps(name) is None:
        raise refuse(node, f"its input {name!r} is float: quantize the operator that makes it, too")
    return draft.number(name, image)


def finish(
    draft: Draft, node: NodeProto, kind: str, given: list[int], shape: Shape, image: bool, *,
    fixed: Steps | None = None, fuses: bool = True, limits: tuple[float, float] | None = None,
    **options: Any,
) -> None:  # fmt: skip
    """Add an operator that makes a node's output.

    Args:
        draft: the graph.
        node: whose output it makes.
        kind: of the operator.
        given: its inputs.
        shape: of what it makes, as ONNX has it; the node's output may be a view of that.
        image: whether channels lie last.
        fixed: the steps of its output, where the operator has no others.
        fuses: whether it takes an activation along.
        limits: of what comes out, whatever is behind it.
        options: of the operator.

    Raises:
        ModelError: what comes out is not quantized, or clipped to limits that no activation has.
    """
    source, y = draft.source, node.output[0]
    steps = fixed or source.steps_behind(y)
    if steps is None or len(steps.scales) != 1:
        raise refuse(node, "what comes out stays float, or is not quantized in one way")
    readers = source.readers(y)
    if limits:
        options["activation"] = _find_activation(node, steps, *limits)
    elif fuses and len(readers) == 1 and readers[0].op_type in ("Relu", "Clip"):
        options["activation"] = find_activation(draft, readers[0], steps)
        draft.alias(readers[0].output[0], y)
        draft.done.add(readers[0].output[0])
    physical = channels_last(shape) if image else shape
    made = draft.operate(kind, given, physical, steps, y, **options)
    if shape != source.shape(y):
        made = draft.transpose(made, (0, 3, 1, 2)) if image else made
        made, image = draft.reshape(made, source.shape(y)), False
    draft.store(y, made, steps, image)


def find_activation(draft: Draft, node: NodeProto, steps: Steps) -> int:
    """Which activation of LiteRT a Relu or Clip is, at the steps of what comes out: its number.

    Raises:
        ModelError: none.
    """
    low, high = (0.0, np.inf) if node.op_type == "Relu" else (-np.inf, np.inf)
    values = {one.name: one.f for one in node.attribute}
    low, high = values.get("min", low), values.get("max", high)
    if len(node.input) > 1 and node.input[1]:
        low = float(draft.source.array(node, 1))
    if len(node.input) > 2 and node.input[2]:
        high = float(draft.source.array(node, 2))
    return _find_activation(node, steps, low, high)


def _find_activation(node: NodeProto, steps: Steps, low: float, high: float) -> int:
    wanted = steps.integers.store([low, high]).tolist()
    for number, limits in enumerate(_ACTIVATIONS):
        if steps.integers.store(limits).tolist() == wanted:
            return number
    raise refuse(node, f"limits {low:g} and {high:g}, supported are those of Relu, Relu6 and -1 to 1")
