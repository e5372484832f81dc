"""From operators to layers of C: which operators there are, and which of a graph's are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from tinyml_helpers.deploy.tflite.graph import Operator, Tensor
from tinyml_helpers.mcu.compiler import checks
from tinyml_helpers.mcu.compiler.graph import Network, find_live_operators, find_readers
from tinyml_helpers.mcu.compiler.lowering import (
    conv,
    elementwise,
    functions,
    indices,
    layout,
    matrices,
    moves,
    pairs,
    pool,
    recurrent,
    reduce,
    resize,
    wide,
)
from tinyml_helpers.mcu.compiler.lowering.context import Context, Layer, UnsupportedError
from tinyml_helpers.mcu.compiler.lowering.folding import fold_padding, fold_tables
from tinyml_helpers.mcu.compiler.lowering.forms import choose_forms
from tinyml_helpers.mcu.compiler.lowering.islands import fold_islands
from tinyml_helpers.mcu.compiler.lowering.sharing import place_parts
from tinyml_helpers.mcu.compiler.lowering.strips import Cut
from tinyml_helpers.mcu.compiler.lowering.trimming import count_channels, trim

__all__ = [
    "OPERATORS",
    "Layer",
    "UnsupportedError",
    "check",
    "count_channels",
    "fold_islands",
    "fold_padding",
    "fold_tables",
    "lower",
    "strip_float_ends",
    "trim",
]

OPERATORS: Mapping[str, Callable[[Context], Layer]] = {
    "ADD": pairs.lower_sum,
    "ARG_MAX": reduce.lower_arg_extreme,
    "ARG_MIN": reduce.lower_arg_extreme,
    "ASSIGN_VARIABLE": moves.lower_assign,
    "AVERAGE_POOL_2D": pool.lower_pool,
    "BATCH_MATMUL": matrices.lower_batch_matmul,
    "BATCH_TO_SPACE_ND": layout.lower_space_to_batch,
    "BROADCAST_TO": layout.lower_broadcast,
    "CAST": indices.lower_cast,
    "CONCATENATION": moves.lower_concatenation,
    "CONV_2D": conv.lower_conv_2d,
    "DEPTH_TO_SPACE": layout.lower_depth_to_space,
    "DEPTHWISE_CONV_2D": conv.lower_depthwise_conv_2d,
    "DEQUANTIZE": elementwise.lower_dequantize,
    "DIV": pairs.lower_div,
    "EXPAND_DIMS": moves.lower_view,
    "FULLY_CONNECTED": conv.lower_fully_connected,
    "GATHER": indices.lower_gather,
    "LEAKY_RELU": elementwise.lower_activation,
    "LOG_SOFTMAX": pool.lower_log_softmax,
    "LOGISTIC": elementwise.lower_activation,
    "MAX_POOL_2D": pool.lower_pool,
    "MAXIMUM": pairs.lower_extreme,
    "MEAN": reduce.lower_mean,
    "MINIMUM": pairs.lower_extreme,
    "MIRROR_PAD": layout.lower_mirror_pad,
    "MUL": pairs.lower_mul,
    "PACK": moves.lower_pack,
    "PAD": moves.lower_pad,
    "PADV2": moves.lower_pad,
    "PRELU": pairs.lower_prelu,
    "QUANTIZE": elementwise.lower_quantize,
    "REDUCE_MAX": reduce.lower_extreme_of,
    "REDUCE_MIN": reduce.lower_extreme_of,
    "RELU": elementwise.lower_activation,
    "RELU6": elementwise.lower_activation,
    "RELU_N1_TO_1": elementwise.lower_activation,
    "RESHAPE": moves.lower_view,
    "RESIZE_BILINEAR": resize.lower_resize,
    "RESIZE_NEAREST_NEIGHBOR": resize.lower_resize,
    "REVERSE_V2": layout.lower_reverse,
    "SELECT": pairs.lower_select,
    "SELECT_V2": pairs.lower_select,
    "SLICE": layout.lower_slice,
    "SOFTMAX": pool.lower_softmax,
    "SPACE_TO_BATCH_ND": layout.lower_space_to_batch,
    "SPACE_TO_DEPTH": layout.lower_depth_to_space,
    "SPLIT": layout.lower_part,
    "SPLIT_V": layout.lower_part,
    "SQUARED_DIFFERENCE": pairs.lower_squared_difference,
    "SQUEEZE": moves.lower_view,
    "STRIDED_SLICE": moves.lower_strided_slice,
    "SUB": pairs.lower_sum,
    "SUM": reduce.lower_sum_of,
    "SVDF": recurrent.lower_svdf,
    "TANH": elementwise.lower_activation,
    "TILE": layout.lower_tile,
    "TRANSPOSE": layout.lower_transpose,
    "TRANSPOSE_CONV": conv.lower_transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": recurrent.lower_lstm,
    "UNPACK": layout.lower_part,
    **dict.fromkeys(pairs.COMPARISONS, pairs.lower_comparison),
    **dict.fromkeys(functions.TABLES, elementwise.lower_activation),
}
"""Every operator that can be translated."""


def lower(
    graph: Network, *, dsp: bool, packed: bool = False, cut: Cut | None = None
) -> tuple[Layer, ...]:
    """Translate every operator that an output needs.

    Args:
        graph: the network.
        dsp: whether the core has DSP instructions: weights are arranged for them.
        packed: store weights in fewer bytes, where that saves more than the code for it takes; those
            of type INT4 may be anyway.
        cut: the same network with its first layers in strips; left out, they run one after another.

    Raises:
        UnsupportedError: the first operator, or form of one, that cannot be translated.
    """
    check(graph)
    cut = cut or Cut(graph, find_live_operators(graph), {})
    layers = tuple(_translate(Context(cut.graph, op, dsp, _name(op), packed)) for op in cut.operators)
    return place_parts(choose_forms(layers, dsp=dsp), cut.parts)


def check(graph: Network) -> None:
    """Check that each operator is one of `OPERATORS`, and that they hang together.

    Raises:
        UnsupportedError: an operator that an output needs is none of them.
        GraphError: a tensor is read before it is written.
    """
    if reason := checks.explain_precision(graph):
        raise UnsupportedError(f"the network is not int8 throughout: {reason}")
    for op in find_live_operators(graph):
        if op.type not in OPERATORS:
            raise UnsupportedError(
                f"{op.label} is not supported here: `tinyml deploy --operators` lists what is"
            )
    checks.check_order(graph)


def _name(op: Operator) -> str:
    part = f"_{op.options['part']}" if "part" in op.options else ""
    return f"{op.type.lower()}_{op.position}{part}"


def _choose(context: Context) -> Callable[[Context], Layer]:
    kind, inputs = context.operator.type, context.operator.inputs
    types = {
        context.graph.tensors[i].dtype for i in (*inputs[:1], *context.operator.outputs[:1]) if i >= 0
    }
    whole = "int16" in types and "float32" not in types
    return wide.OPERATORS.get(kind, OPERATORS[kind]) if whole else OPERATORS[kind]


def _translate(context: Context) -> Layer:
    try:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # of damaged scales
            return _choose(context)(context)
    except UnsupportedError:
        raise
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise context.refuse(f"its tensors do not fit together ({error})") from error


def strip_float_ends(graph: Network) -> Network:
    """Cut conversions off both ends, from and to float or uint8: int8 remains."""
    operators = list(find_live_operators(graph))
    inputs, outputs = list(graph.inputs), list(graph.outputs)
    for op in tuple(operators):
        if not op.inputs:
            continue  # damaged, as the check will say
        given, made = op.inputs[0], op.outputs[0]
        first = op.type == "QUANTIZE" and given in inputs and _from_real(graph, op)
        if first and given not in outputs and find_readers(operators, given) == [op]:
            inputs[inputs.index(given)] = made
            operators.remove(op)
        elif _to_real(graph, op) and made in outputs and not find_readers(operators, made):
            outputs[outputs.index(made)] = given
            operators.remove(op)
    unique = tuple(dict.fromkeys(outputs))
    return replace(graph, operators=tuple(operators), inputs=tuple(inputs), outputs=unique)


def _from_real(graph: Network, op: Operator) -> bool:
    """Whether a QUANTIZE takes float, or bytes that are int8 but for a shift by 128."""
    given, made = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    return given.dtype == "float32" or _is_shift(made, given)


def _to_real(graph: Network, op: Operator) -> bool:
    """Whether an operator gives the same real numbers in a type for people."""
    given, made = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    return op.type == "DEQUANTIZE" or (op.type == "QUANTIZE" and _is_shift(given, made))


def _is_shift(signed: Tensor, unsigned: Tensor) -> bool:
    """Whether an int8 and a uint8 tensor mean the same numbers by bytes that differ by 128."""
    alike = (signed.dtype, unsigned.dtype, signed.scales) == ("int8", "uint8", unsigned.scales)
    return alike and signed.zero_point + 128 == unsigned.zero_point
