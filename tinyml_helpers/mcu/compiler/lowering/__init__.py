"""From operators to layers of C: which operators there are, and which of a graph's are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tinyml_helpers.deploy.tflite.graph import Operator
from tinyml_helpers.mcu.compiler.graph import Network, find_readers
from tinyml_helpers.mcu.compiler.lowering import conv, elementwise, moves, pool
from tinyml_helpers.mcu.compiler.lowering.context import Context, Layer, UnsupportedError
from tinyml_helpers.mcu.compiler.lowering.folding import fold_padding

__all__ = [
    "OPERATORS",
    "Layer",
    "UnsupportedError",
    "find_live_operators",
    "fold_padding",
    "lower",
    "strip_float_ends",
]

OPERATORS: Mapping[str, Callable[[Context], Layer]] = {
    "ADD": elementwise.lower_add,
    "ASSIGN_VARIABLE": moves.lower_assign,
    "AVERAGE_POOL_2D": pool.lower_pool,
    "CONCATENATION": moves.lower_concatenation,
    "CONV_2D": conv.lower_conv_2d,
    "DEPTHWISE_CONV_2D": conv.lower_depthwise_conv_2d,
    "DEQUANTIZE": elementwise.lower_dequantize,
    "EXPAND_DIMS": moves.lower_view,
    "FULLY_CONNECTED": conv.lower_fully_connected,
    "LEAKY_RELU": elementwise.lower_activation,
    "LOGISTIC": elementwise.lower_activation,
    "MAX_POOL_2D": pool.lower_pool,
    "MEAN": pool.lower_mean,
    "MUL": elementwise.lower_mul,
    "PAD": moves.lower_pad,
    "PADV2": moves.lower_pad,
    "QUANTIZE": elementwise.lower_quantize,
    "RELU": elementwise.lower_activation,
    "RELU6": elementwise.lower_activation,
    "RELU_N1_TO_1": elementwise.lower_activation,
    "RESHAPE": moves.lower_view,
    "SOFTMAX": pool.lower_softmax,
    "SQUEEZE": moves.lower_view,
    "STRIDED_SLICE": moves.lower_strided_slice,
    "TANH": elementwise.lower_activation,
}
"""Every operator that can be translated."""

_VIEWS = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")


def lower(graph: Network, *, dsp: bool) -> tuple[Layer, ...]:
    """Translate every operator that an output needs.

    Args:
        graph: the network.
        dsp: whether the core has DSP instructions: weights are arranged for them.

    Raises:
        UnsupportedError: the first operator, or form of one, that cannot be translated.
    """
    operators = find_live_operators(graph)
    for op in operators:
        if op.type not in OPERATORS:
            raise UnsupportedError(
                f"{op.label} is not supported here: supported are {', '.join(OPERATORS)}"
            )
    return tuple(
        _translate(Context(graph, op, dsp, f"{op.type.lower()}_{op.position}")) for op in operators
    )


def _translate(context: Context) -> Layer:
    try:
        return OPERATORS[context.operator.type](context)
    except UnsupportedError:
        raise
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise context.refuse(f"its tensors do not fit together ({error})") from error


def find_live_operators(graph: Network) -> tuple[Operator, ...]:
    """Find the operators that an output depends on; shapes that are known need none."""
    wanted, chosen = {*graph.outputs, *graph.variables}, []
    for op in reversed(graph.operators):
        if wanted & set(op.outputs):
            chosen.append(op)
            wanted |= set(op.inputs[:1] if op.type in _VIEWS else op.inputs)
    return tuple(reversed(chosen))


def strip_float_ends(graph: Network) -> Network:
    """Cut conversions off both ends, float to int8 and int8 to float or uint8: int8 remains."""
    operators = list(find_live_operators(graph))
    inputs, outputs = list(graph.inputs), list(graph.outputs)
    for op in tuple(operators):
        given, made = op.inputs[0], op.outputs[0]
        first = op.type == "QUANTIZE" and given in inputs and graph.tensors[given].dtype == "float32"
        if first and given not in outputs and find_readers(operators, given) == [op]:
            inputs[inputs.index(given)] = made
            operators.remove(op)
        elif _to_real(graph, op) and made in outputs and not find_readers(operators, made):
            outputs[outputs.index(made)] = given
            operators.remove(op)
    unique = tuple(dict.fromkeys(outputs))
    return replace(graph, operators=tuple(operators), inputs=tuple(inputs), outputs=unique)


def _to_real(graph: Network, op: Operator) -> bool:
    """Whether an operator gives the same real numbers in a type for people."""
    given, made = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    shifted = given.dtype == "int8" and made.dtype == "uint8" and given.scales == made.scales
    return op.type == "DEQUANTIZE" or (
        op.type == "QUANTIZE" and shifted and given.zero_point + 128 == made.zero_point
    )
