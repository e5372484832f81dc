"""Operators that remember: SVDF and UNIDIRECTIONAL_SEQUENCE_LSTM."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler.lowering.batches import repeat_for_images
from tinyml_helpers.mcu.compiler.lowering.constants import Array, Struct
from tinyml_helpers.mcu.compiler.lowering.context import Address, Context, KernelCall, Layer

_GATES = ("input", "forget", "candidate", "output")
_EXTRAS = {"peephole weights": (9, 10, 11), "a projection": (16, 17), "layer norm": (20, 21, 22, 23)}
_GATE_BITS, _LEAST_CELL, _MOST_CELL, _TANH = 12, -15, -9, 4
_CURE = "supported is what keras.layers.LSTM becomes in full int8"


def lower_svdf(context: Context) -> Layer:
    """Translate an SVDF: features of the input, remembered in int16, and weighted sums over time.

    Source: TensorFlow Lite's reference/svdf.h, which takes a fused RELU only and leaves it to the
    output's range.
    """
    given, output, state = context.input(0), context.output, context.input(4)
    context.check_int8(given, output)
    features, times = context.constant(1, "int8"), context.constant(2, "int16")
    units, filters, memory = _check_sizes(context, features.shape, times.shape)
    bias = np.zeros(units, np.int32)
    if context.optional(3) is not None:
        bias = context.constant(3, "int32")
        context.check_shape(context.input(3), (units,))
    first = _factor(context, given, context.input(1), state)
    last = _factor(context, state, context.input(2), output)
    parts = {"features": features, "times": times, "bias": bias}
    lines = (
        {"inputs": given.size, "filters": filters, "memory": memory, "rank": filters // units},
        {"input_zero_point": given.zero_point, "output_zero_point": output.zero_point},
        {"feature_multiplier": first[0], "feature_shift": first[1]},
        {"multiplier": last[0], "shift": last[1]},
        {part: f"{context.name}_{part}" for part in parts},
    )
    constants = [Array(f"{context.name}_{part}", values) for part, values in parts.items()]
    ends = (Address(given.index), Address(state.index), Address(output.index))
    macs = filters * (given.size + memory)
    return Layer(
        context.operator,
        (KernelCall("tm_svdf", (f"&{context.name}", *ends)),),
        (given.index, state.index),
        output.index,
        (*constants, Struct(context.name, "tm_svdf_filters", lines)),
        macs=macs,
        note=f"{given.dims} -> {output.dims}, {memory} runs remembered, {macs:,} MACs",
    )


def _check_sizes(
    context: Context, features: tuple[int, ...], times: tuple[int, ...]
) -> tuple[int, int, int]:
    """Units, filters and runs that are remembered."""
    given, state, rank = context.input(0), context.input(4), context.option("rank", 1)
    filters, inputs = features if len(features) == 2 else (0, 0)
    memory = times[-1]
    sound = times == (filters, memory) and rank > 0 and filters % max(rank, 1) == 0
    if not sound or given.shape != (1, inputs) or state.size != filters * memory:
        raise context.refuse(f"features {features}, times {times} and rank {rank} for {given.shape}")
    if context.option("activation") != 1:
        raise context.refuse("the reference takes a fused RELU only")
    if state.dtype != "int16" or len(state.scales) != 1 or state.index not in context.graph.variables:
        raise context.refuse(f"a state of {state.dtype} that is no variable")
    context.check_shape(context.output, (1, filters // rank))
    context.check_fields(inputs, filters, memory, rank)
    return filters // rank, filters, memory


def _factor(context: Context, given: Tensor, weights: Tensor, made: Tensor) -> tuple[int, int]:
    """The factor from products to a scale, in single precision as the reference takes it."""
    product = np.float32(given.scale) * np.float32(weights.scale)
    return context.multiplier(float(product / np.float32(made.scale)))


def lower_lstm(context: Context) -> Layer:
    """Translate a UNIDIRECTIONAL_SEQUENCE_LSTM of int8, whose gates and cell have 16 bits.

    Source: TensorFlow Lite's lstm_eval.cc and portable_tensor_utils.cc.
    """
    given, output, state, cell = context.input(0), context.output, *_states(context)
    units = _check_sequence(context, state, cell)
    cell_bits = 15 + _cell_exponent(context, cell)
    hidden = _hidden(context)
    multiplier, shift = context.multiplier(float(np.float32(2.0**-30 / hidden.scale)))
    clip = float(np.float32(context.real("cell_clip")) / np.float32(cell.scale))
    constants, rows = _gates(context, state)
    gates = f"{context.name}_gates"
    batch, times, inputs = given.shape
    lines = (
        {"times": times, "inputs": inputs, "units": units},
        {"cell_bits": cell_bits, "cell_clip": min(max(int(clip), 0), 32767)},
        {"output_zero_point": hidden.zero_point, "multiplier": multiplier, "shift": shift},
        {"gates": gates},
    )
    constants += [Array(gates, np.array(rows, object), "tm_lstm_gate")]
    ends = tuple(Address(tensor.index) for tensor in (given, state, cell, output))
    macs = 4 * units * (inputs + units) * batch * times
    layer = Layer(
        context.operator,
        (KernelCall("tm_lstm", (f"&{context.name}", *ends)),),
        (given.index, state.index, cell.index),
        output.index,
        (*constants, Struct(context.name, "tm_lstm_layer", lines)),
        macs=macs,
        note=f"{given.dims} -> {output.dims}, remembered from run to run, {macs:,} MACs",
    )
    return repeat_for_images(context, layer)


def _states(context: Context) -> tuple[Tensor, Tensor]:
    """The last answers and the cell, both variables; refuses the forms that Keras does not make."""
    for extra, places in _EXTRAS.items():
        if any(context.optional(i) is not None for i in places):
            raise context.refuse(f"{extra}; {_CURE}")
    if any(context.optional(i) is None for i in (1, 5, 12)):
        raise context.refuse(f"no input gate; {_CURE}")
    state, cell = context.input(18), context.input(19)
    context.check_int8(context.input(0), context.output, state)
    if cell.dtype != "int16" or len(cell.scales) != 1 or cell.zero_point:
        raise context.refuse(f"a cell of {cell.dtype}, supported is int16; {_CURE}")
    if missing := {state.index, cell.index} - set(context.graph.variables):
        raise context.refuse(f"a state, tensor {missing.pop()}, that is no variable")
    return state, cell


def _check_sequence(context: Context, state: Tensor, cell: Tensor) -> int:
    """How many units there are."""
    given, output = context.input(0), context.output
    units = output.shape[-1] if len(given.shape) == len(output.shape) == 3 else 0
    context.check_shape(output, (*given.shape[:2], units))
    if context.option("time_major"):
        raise context.refuse("time before the batch; convert a layer with time_major=False")
    for tensor in (state, cell):
        context.check_shape(tensor, (given.shape[0], units))
    if context.option("activation") != _TANH:
        raise context.refuse(f"fused activation {context.option('activation')}, supported is TANH")
    context.check_fields(*given.shape, units)
    return units


def _cell_exponent(context: Context, cell: Tensor) -> int:
    exponent = round(math.log2(cell.scale)) if cell.scale > 0 else 0
    if cell.scale != 2.0**exponent or not _LEAST_CELL <= exponent <= _MOST_CELL:
        raise context.refuse(f"a cell of scale {cell.scale:.3g}, supported are 2^-15 to 2^-9")
    return exponent


def _hidden(context: Context) -> Tensor:
    """The tensor that says on which scale answers are, if no projection follows."""
    inner = context.operator.intermediates
    if len(inner) != 5 or inner[4] < 0 or len(context.graph.tensors[inner[4]].scales) != 1:
        raise context.refuse(f"no scale for its answers; {_CURE}")
    hidden = context.graph.tensors[inner[4]]
    if hidden.scale == 0 or not -128 <= hidden.zero_point <= 127:
        raise context.refuse(f"answers of scale {hidden.scale}, zero point {hidden.zero_point}")
    return hidden


def _gates(context: Context, state: Tensor) -> tuple[list[Array], list[list[Any]]]:
    """The weights and biases of each gate, and the rows of `tm_lstm_gate` that name them."""
    constants: list[Array] = []
    rows: list[list[Any]] = []
    for i, gate in enumerate(_GATES):
        name = f"{context.name}_{gate}"
        bias = context.constant(12 + i, "int32").astype(np.int64)
        context.check_shape(context.input(12 + i), (state.shape[1],))
        first, *inputs = _sums(context, context.input(0), 1 + i, bias, name)
        second, *before = _sums(context, state, 5 + i, np.zeros_like(bias), f"{name}_recurrent")
        names = [inputs[0].name, before[0].name, inputs[1].name, before[1].name]
        rows.append([*names, *map(list, zip(first, second, strict=True))])
        constants += [*inputs, *before]
    return constants, rows


def _sums(
    context: Context, source: Tensor, place: int, bias: npt.NDArray[np.int64], name: str
) -> tuple[tuple[int, int], Array, Array]:
    """What a gate adds up over one source: factor, weights, and bias with the zero point folded in."""
    weights, tensor = context.constant(place, "int8"), context.input(place)
    context.check_shape(tensor, (len(bias), source.shape[-1]))
    if len(tensor.scales) != 1 or tensor.zero_point:
        raise context.refuse(f"weights (tensor {tensor.index}) of several scales, or a zero point")
    folded = bias - source.zero_point * weights.astype(np.int64).sum(axis=1)
    wrapped = ((folded + 2**31) % 2**32 - 2**31).astype(np.int32)
    factor = np.float32(tensor.scale) * np.float32(source.scale) * np.float32(2.0**_GATE_BITS)
    return context.multiplier(float(factor)), Array(name, weights), Array(f"{name}_bias", wrapped)
