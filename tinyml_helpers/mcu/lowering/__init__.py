"""From operators to layers of C: which operators there are, and which of a graph's are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tinyml_helpers.mcu.graph import Graph, Operator
from tinyml_helpers.mcu.lowering import conv, elementwise, moves, pool
from tinyml_helpers.mcu.lowering.base import Context, Layer, UnsupportedError

__all__ = ["OPERATORS", "Layer", "UnsupportedError", "lower", "needed", "without_float"]

OPERATORS: Mapping[str, Callable[[Context], Layer]] = {
    "ADD": elementwise.add,
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
    return tuple(_translate(Context(graph, op, dsp, f"{op.kind.lower()}_{op.position}")) for op in operators)


def _translate(context: Context) -> Layer:
    try:
        return OPERATORS[context.operator.kind](context)
    except UnsupportedError:
        raise
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise context.refuse(f"its tensors do not fit together ({error})") from error


def needed(graph: Graph) -> tuple[Operator, ...]:
    """The operators that an output depends on; shapes that are known need none."""
    wanted, chosen = set(graph.outputs), []
    for op in reversed(graph.operators):
        if wanted & set(op.outputs):
            chosen.append(op)
            wanted |= set(op.inputs[:1] if op.kind in _VIEWS else op.inputs)
    return tuple(reversed(chosen))


def without_float(graph: Graph) -> Graph:
    """Cut QUANTIZE off float inputs and DEQUANTIZE off float outputs: int8 in and out remain."""
    operators, inputs, outputs = list(needed(graph)), list(graph.inputs), list(graph.outputs)
    for op in tuple(operators):
        readers = [o for o in operators if op.inputs and op.inputs[0] in o.inputs]
        if op.kind == "QUANTIZE" and op.inputs[0] in inputs and readers == [op]:
            if graph.tensors[op.inputs[0]].dtype == "float32" and op.inputs[0] not in outputs:
                inputs[inputs.index(op.inputs[0])] = op.outputs[0]
                operators.remove(op)
        elif op.kind == "DEQUANTIZE" and op.outputs[0] in outputs and op.inputs[0] not in outputs:
            if not any(op.outputs[0] in o.inputs for o in operators):
                outputs[outputs.index(op.outputs[0])] = op.inputs[0]
                operators.remove(op)
    return replace(
        graph, operators=tuple(operators), inputs=tuple(inputs), outputs=tuple(dict.fromkeys(outputs))
    )
