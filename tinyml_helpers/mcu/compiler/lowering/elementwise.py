"""Operators that treat each element alone: activations, and changes of scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.integers import Integers
from tinyml_helpers.mcu.compiler import c_source, fixed_point
from tinyml_helpers.mcu.compiler.fixed_point import quantize_range
from tinyml_helpers.mcu.compiler.lowering import functions
from tinyml_helpers.mcu.compiler.lowering.constants import Array
from tinyml_helpers.mcu.compiler.lowering.context import (
    Address,
    Context,
    KernelCall,
    Layer,
)

_ALL = np.arange(-128, 128)


def lower_activation(context: Context) -> Layer:
    """Translate a function of one number, RELU to GELU, or a change of scale: see `functions`."""
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    if given.size != output.size:
        raise context.refuse(f"output shape {output.shape} for input shape {given.shape}")
    table = TABLES[context.operator.type](context).astype(np.int8)
    name = f"{context.name}_table"
    return context.layer(
        "tm_lookup",
        [given],
        (Array(name, table),),
        first=(name,),
        last=(given.size,),
        in_place=True,
        note=f"{given.dims}: a table of all 256 answers",
    )


def _rescaled(context: Context, factor: float = 1.0) -> npt.NDArray[np.int64]:
    given, output = context.input(0), context.output
    if context.graph.rounding == "onnx":
        reals = given.real(_ALL) * np.float32(factor)
        return Integers.of(output).store_evenly(reals).astype(np.int64)
    multiplier, exponent = fixed_point.quantize_multiplier(given.scale * factor / output.scale)
    return fixed_point.scale_by(_ALL - given.zero_point, multiplier, exponent) + output.zero_point


def _requantized(context: Context) -> npt.NDArray[np.int64]:
    answers = context.operator.options.get("answers")  # of a function in between: see `islands`
    return np.clip(_rescaled(context), -128, 127) if answers is None else np.array(answers)


def _relu(low: float, high: float | None) -> Callable[[Context], npt.NDArray[np.int64]]:
    return lambda context: np.clip(_rescaled(context), *quantize_range(context.output, low, high))


def _leaky_relu(context: Context) -> npt.NDArray[np.int64]:
    below = _rescaled(context, context.real("alpha"))
    positive = context.input(0).zero_point <= _ALL
    return np.clip(np.where(positive, _rescaled(context), below), -128, 127)


def _squashed(
    function: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]], scale: float, zero_point: int
) -> Callable[[Context], npt.NDArray[np.int64]]:
    """A function with a fixed range, by single precision as the reference fills its own table."""

    def table(context: Context) -> npt.NDArray[np.int64]:
        given, output = context.input(0), context.output
        real = function(np.float32(given.scale) * (_ALL - given.zero_point).astype(np.float32))
        if context.graph.rounding == "onnx":
            return Integers.of(output).store_evenly(real).astype(np.int64)
        if (output.scale, output.zero_point) != (scale, zero_point):
            raise context.refuse(
                f"output scale {output.scale}, zero point {output.zero_point}; "
                f"it is {scale}, {zero_point}"
            )
        steps = real / np.float32(scale)
        rounded = np.trunc(steps + np.copysign(np.float32(0.5), steps)).astype(np.int64)
        return np.asarray(np.clip(rounded + zero_point, -128, 127))

    return table


def _logistic(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):  # in double precision, then rounded: as C's expf gives it
        e = np.exp(-x.astype(np.float64)).astype(np.float32)
    return np.asarray(np.float32(1) / (np.float32(1) + e), np.float32)


def _tanh(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.tanh(x.astype(np.float64)).astype(np.float32)


TABLES: dict[str, Callable[[Context], npt.NDArray[np.int64]]] = {
    "RELU": _relu(0.0, None),
    "RELU6": _relu(0.0, 6.0),
    "RELU_N1_TO_1": _relu(-1.0, 1.0),
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _squashed(_logistic, 1 / 256, -128),
    "TANH": _squashed(_tanh, 1 / 128, 0),
    "QUANTIZE": _requantized,
    **functions.TABLES,
}


def lower_quantize(context: Context) -> Layer:
    """Translate a QUANTIZE: from float, or from another int8 scale."""
    given, output = context.input(0), context.output
    if given.dtype == "int8" and output.dtype == "int8":
        return lower_activation(context)
    if "uint8" in (given.dtype, output.dtype):
        return _lower_unsigned(context)
    context.check_int8(output)
    return _with_float(context, "tm_quantize", output, given)


def _lower_unsigned(context: Context) -> Layer:
    """A QUANTIZE from or to uint8: a table of its bytes, read and written as if they were int8."""
    given, output = context.input(0), context.output
    ends = [t if t.dtype == "int8" else _as_int8(context, t) for t in (given, output)]
    tensors = list(context.graph.tensors)
    for tensor in ends:
        tensors[tensor.index] = tensor
    seen = replace(context, graph=replace(context.graph, tensors=tuple(tensors)))
    seen.check_int8(*ends)
    table = _requantized(seen)
    if given.dtype == "uint8":  # the byte of 128 lies where that of -128 does
        table = np.roll(table, 128)
    if output.dtype == "uint8":
        table = (table + 256) % 256 - 128
    name = f"{context.name}_table"
    ends_of_call = (Address(given.index, ctype="int8_t"), Address(output.index, ctype="int8_t"))
    call = KernelCall("tm_lookup", (name, *ends_of_call, given.size))
    constants = (Array(name, table.astype(np.int8)),)
    note = f"{given.dims}: a table of all 256 answers"
    return Layer(context.operator, (call,), (given.index,), output.index, constants, note=note)


def _as_int8(context: Context, tensor: Tensor) -> Tensor:
    """A uint8 tensor as the int8 one of the same numbers."""
    if tensor.dtype != "uint8" or len(tensor.scales) != 1:
        raise context.refuse(f"tensor {tensor.index} of {tensor.dtype}")
    return replace(tensor, dtype="int8", zero_points=(tensor.zero_point - 128,))


def lower_dequantize(context: Context) -> Layer:
    """Translate a DEQUANTIZE to float."""
    context.check_int8(context.input(0))
    return _with_float(context, "tm_dequantize", context.input(0), context.output)


def _with_float(context: Context, kernel: str, quantized: Tensor, real: Tensor) -> Layer:
    if real.dtype != "float32" or real.size != quantized.size:
        raise context.refuse(f"tensor {real.index} of type {real.dtype}, shape {real.shape}")
    return context.layer(
        kernel,
        [context.input(0)],
        first=(c_source.literal(quantized.scale), quantized.zero_point),
        last=(quantized.size,),
        in_place=kernel == "tm_quantize",
        note=quantized.dims,
    )
