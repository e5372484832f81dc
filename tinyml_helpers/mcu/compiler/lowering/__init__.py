"""From operators to layers of C: which operators there are, and which of a graph's are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tinyml_helpers.mcu.compiler.graph import Graph, Operator, readers
from tinyml_helpers.mcu.compiler.lowering import conv, elementwise, moves, pool
from tinyml_helpers.mcu.compiler.lowering.context import Context, Layer, UnsupportedError
from tinyml_helpers.mcu.compiler.lowering.folding import fold_padding

__all__ = [
    "OPERATORS",
    "Layer",
    "UnsupportedError",
    "fold_padding",
    "lower",
    "needed",
    "without_float",
]

OPERATORS: Mapping[str, Callable[[Context], Layer]] = {
    "ADD": elementwise.add,
    "ASSIGN_VARIABLE": moves.assign,
    "AVERAGE_POOL_2D": pool.pool,
    "CONCATENATION": moves.concatenation,
    "CONV_2D": conv.conv_2d,
    "DEPTHWISE_CONV_2D": conv.depthwise_conv_2d,
    "DEQUANTIZE": elementwise.dequantize,
    "EXPAND_DIMS": moves.view,
    "FULLY_CONNECTED": conv.fully_connected,
    "LEAKY_RELU": elementwise.activation,
    "LOGISTIC": elementwise.activation,
    "MAX_POOL_2D": pool.pool,
    "MEAN": pool.mean,
    "MUL": elementwise.mul,
    "PAD": moves.pad,
    "PADV2": moves.pad,
    "QUANTIZE": elementwise.quantize,
    "RELU": elementwise.activation,
    "RELU6": elementwise.activation,
    "RELU_N1_TO_1": elementwise.activation,
    "RESHAPE": moves.view,
    "SOFTMAX": pool.softmax,
    "SQUEEZE": moves.view,
    "STRIDED_SLICE": moves.strided_slice,
    "TANH": elementwise.activation,
}
"""Every operator that can be translated."""

_VIEWS = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")


def lower(graph: Graph, *, dsp: bool) -> tuple[Layer, ...]:
    """Translate every operator that an output needs.

    Args:
        graph: the network.
        dsp: whether the core has DSP instructions: weights are arranged for them.

    Raises:
        UnsupportedError: the first operator, or form of one, that cannot be translated.
    """
    operators = needed(graph)
    for op in operators:
        if op.kind not in OPERATORS:
            raise UnsupportedError(f"{op} is not supported here: supported are {', '.join(OPERATORS)}")
    return tuple(
        _translate(Context(graph, op, dsp, f"{op.kind.lower()}_{op.position}")) for op in operators
    )


def _translate(context: Context) -> Layer:
    try:
        return OPERATORS[context.operator.kind](context)
    except UnsupportedError:
        raise
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise context.refuse(f"its tensors do not fit together ({error})") from error


def needed(graph: Graph) -> tuple[Operator, ...]:
    """The operators that an output depends on; shapes that are known need none."""
    wanted, chosen = {*graph.outputs, *graph.variables}, []
    for op in reversed(graph.operators):
        if wanted & set(op.outputs):
            chosen.append(op)
            wanted |= set(op.inputs[:1] if op.kind in _VIEWS else op.inputs)
    return tuple(reversed(chosen))


def without_float(graph: Graph) -> Graph:
    """Cut conversions off both ends, float to int8 and int8 to float or uint8: int8 remains."""
    operators, inputs, outputs = list(needed(graph)), list(graph.inputs), list(graph.outputs)
    for op in tuple(operators):
        given, made = op.inputs[0], op.outputs[0]
        first = op.kind == "QUANTIZE" and given in inputs and graph.tensors[given].dtype == "float32"
        if first and given not in outputs and readers(operators, given) == [op]:
            inputs[inputs.index(given)] = made
            operators.remove(op)
        elif _to_real(graph, op) and made in outputs and not readers(operators, made):
            outputs[outputs.index(made)] = given
            operators.remove(op)
    unique = tuple(dict.fromkeys(outputs))
    return replace(graph, operators=tuple(operators), inputs=tuple(inputs), outputs=unique)


def _to_real(graph: Graph, op: Operator) -> bool:
    """Whether an operator gives the same real numbers in a type for people."""
    given, made = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    shifted = given.dtype == "int8" and made.dtype == "uint8" and given.scales == made.scales
    return op.kind == "DEQUANTIZE" or (
        op.kind == "QUANTIZE" and shifted and given.zero_point + 128 == made.zero_point
    )
