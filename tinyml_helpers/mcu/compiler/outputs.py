"""Operators of several outputs, as one for each: every layer writes one tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite.graph import Operator, Tensor

SPLITS = ("SPLIT", "SPLIT_V", "UNPACK")


def separate_outputs(operators: Iterable[Operator], tensors: Sequence[Tensor]) -> Iterator[Operator]:
    """Give each output of a SPLIT, SPLIT_V or UNPACK an operator of its own.

    Each has the options `axis` and `start`, where its part begins, and `part`, its number.

    Raises:
        ModelError: an axis that is not constant, or not there.
    """
    for op in operators:
        if op.type not in SPLITS:
            yield op
            continue
        given, axis = _given(op, tensors)
        rank = len(given.shape)
        if not -rank <= axis < rank:
            raise ModelError(f"{op.label} along dimension {axis} of shape {given.shape}")
        axis, start = axis % rank, 0
        for part, output in enumerate(op.outputs):
            options = {"axis": axis, "start": start, "part": part}
            yield replace(op, inputs=(given.index,), outputs=(output,), options=options)
            shape = tensors[output].shape
            start += 1 if op.type == "UNPACK" else shape[axis] if axis < len(shape) else 0


def _given(op: Operator, tensors: Sequence[Tensor]) -> tuple[Tensor, int]:
    """What is split, and along which dimension."""
    place = {"SPLIT": (1, 0), "SPLIT_V": (0, 2), "UNPACK": (0, None)}[op.type]
    if len(op.inputs) <= max(n for n in place if n is not None) or min(op.inputs) < 0:
        raise ModelError(f"{op.label} names tensors that are not there: {op.inputs}")
    given = tensors[op.inputs[place[0] or 0]]
    if place[1] is None:
        return given, int(op.options["axis"])
    axis = tensors[op.inputs[place[1]]]
    if not axis.data or axis.dtype != "int32" or axis.size != 1:
        raise ModelError(f"{op.label} splits along a dimension that is computed")
    return given, int(axis.array.ravel()[0])
