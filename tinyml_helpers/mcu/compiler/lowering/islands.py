"""Functions of one number that a file computes in float32 between int8 tensors become tables.

Converters leave an activation that LiteRT has no int8 kernel for in float: ELU of PyTorch becomes
DEQUANTIZE, EXP, SUB, QUANTIZE. Of 256 bytes that may come in each has one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Operator
from tinyml_helpers.mcu.compiler.graph import Network
from tinyml_helpers.mcu.compiler.lowering.context import INT8

Reals = npt.NDArray[np.float32]
_ALL = np.arange(INT8[0], INT8[1] + 1, dtype=np.int8)
_CLIPS: Mapping[Any, tuple[float, float]] = {
    0: (-np.inf, np.inf), 1: (0, np.inf), 2: (-1, 1), 3: (0, 6),
}  # fmt: skip
"""Number of a fused activation -> its limits."""


@dataclass(frozen=True, eq=False)
class _Function:
    """A float tensor whose elements are functions of an int8 tensor's: what each byte gives."""

    source: int
    values: Reals
    is_plain: bool = False


def fold_islands(graph: Network) -> Network:
    """Let a QUANTIZE read the int8 tensor that its float is a function of, byte by byte.

    Returns:
        The graph, in which such a QUANTIZE has an option `answers`: 256 of them, from -128 on. What
        computed the float is left, for others may read it; nobody does, and it is not live.
    """
    known: dict[int, _Function] = {}
    changed: list[Operator] = []
    for op in graph.operators:
        found = known.get(op.inputs[0]) if op.type == "QUANTIZE" and op.inputs else None
        if found and not found.is_plain and np.isfinite(found.values).all():
            output = graph.tensors[op.outputs[0]]
            if output.dtype == "int8" and len(output.scales) == 1:
                answers = tuple(output.quantized(found.values).tolist())
                op = replace(op, inputs=(found.source,), options={"answers": answers})
        elif len(op.outputs) == 1 and (made := _follow(graph, op, known)):
            known[op.outputs[0]] = made
        changed.append(op)
    return replace(graph, operators=tuple(changed))


def _follow(graph: Network, op: Operator, known: Mapping[int, _Function]) -> _Function | None:
    """What an operator makes of functions of one tensor, and of constants of one number."""
    output = graph.tensors[op.outputs[0]]
    given = [graph.tensors[i] for i in op.inputs if 0 <= i < len(graph.tensors)]
    if output.dtype != "float32" or len(given) != len(op.inputs) or not given:
        return None
    if op.type == "DEQUANTIZE":
        first = given[0]
        fits = first.dtype == "int8" and len(first.scales) == 1 and not first.data
        return _Function(first.index, first.real(_ALL), is_plain=True) if fits else None
    function, sources = _FUNCTIONS.get(op.type), [known[t.index] for t in given if t.index in known]
    constants = [t for t in given if t.data and t.dtype == "float32" and t.size == 1]
    alike = {one.source for one in sources}
    if function is None or len(alike) != 1 or len(sources) + len(constants) != len(given):
        return None
    if output.size != graph.tensors[sources[0].source].size:
        return None
    values = [known[t.index].values if t.index in known else t.array.reshape(1) for t in given]
    with np.errstate(all="ignore"):  # what is not finite makes no table
        made = function(*values).astype(np.float32)
    limits = _CLIPS.get(op.options.get("activation", 0))
    return _Function(sources[0].source, np.clip(made, *limits)) if limits else None


def _in_double(function: Callable[[Any], Any]) -> Callable[[Reals], Any]:
    """A function in double precision, to be rounded: as C's float functions give it."""
    return lambda x: function(x.astype(np.float64))


_FUNCTIONS: Mapping[str, Callable[..., npt.NDArray[Any]]] = {
    "ABS": np.abs,
    "ADD": np.add,
    "DIV": np.divide,
    "EXP": _in_double(np.exp),
    "LOG": _in_double(np.log),
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "MUL": np.multiply,
    "NEG": np.negative,
    "RELU": lambda x: np.maximum(x, np.float32(0)),
    "SQRT": np.sqrt,
    "SUB": np.subtract,
    "TANH": _in_double(np.tanh),
}
"""Float operators of LiteRT, as its reference computes them."""
