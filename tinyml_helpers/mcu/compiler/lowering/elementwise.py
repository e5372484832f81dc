"""Operators that treat each element alone: sums and products, activations, changes of scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler import c_source, fixed_point
from tinyml_helpers.mcu.compiler.lowering.constants import Array, Struct
from tinyml_helpers.mcu.compiler.lowering.context import Context, Layer, quantize_range
from tinyml_helpers.mcu.compiler.lowering.strides import join_dimensions, row_major_steps

_ALL = np.arange(-128, 128)


def lower_add(context: Context) -> Layer:
    """Translate an ADD."""
    a, b, output = _operands(context)
    twice = 2 * max(a.scale, b.scale)
    factors = [context.multiplier(s / twice) for s in (a.scale, b.scale)]
    last = context.multiplier(twice / ((1 << 20) * output.scale))
    return _pairs(context, "tm_add", factors, last)


def lower_mul(context: Context) -> Layer:
    """Translate a MUL."""
    a, b, output = _operands(context)
    last = context.multiplier(a.scale * b.scale / output.scale)
    return _pairs(context, "tm_mul", [(0, 0), (0, 0)], last)


def _operands(context: Context) -> tuple[Tensor, Tensor, Tensor]:
    a, b, output = context.input(0), context.input(1), context.output
    context.check_int8(a, b, output)
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError as error:
        raise context.refuse(f"shapes {a.shape} and {b.shape}") from error
    context.check_shape(output, shape)
    return a, b, output


def _pairs(
    context: Context, kernel: str, factors: list[tuple[int, int]], last: tuple[int, int]
) -> Layer:
    a, b, output = context.input(0), context.input(1), context.output
    shape, steps_a, steps_b = _walk(context, a.shape, b.shape, output.shape)
    low, high = context.activation_range()
    lines = (
        {"shape": shape, "step_a": steps_a, "step_b": steps_b},
        {"zero_point_a": a.zero_point, "multiplier_a": factors[0][0], "shift_a": factors[0][1]},
        {"zero_point_b": b.zero_point, "multiplier_b": factors[1][0], "shift_b": factors[1][1]},
        {"multiplier": last[0], "shift": last[1]},
        {"output_zero_point": output.zero_point, "output_min": low, "output_max": high},
    )
    return context.layer(
        kernel,
        [a, b],
        (Struct(context.name, "tm_pairs", lines),),
        in_place=a.shape == output.shape,
        note=f"{a.dims} and {b.dims} -> {output.dims}",
    )


def _walk(
    context: Context, a: tuple[int, ...], b: tuple[int, ...], out: tuple[int, ...]
) -> list[list[int]]:
    """Shape and both steps in four dimensions: those that both walk alike become one."""
    dims = join_dimensions(out, _broadcast_steps(a, len(out)), _broadcast_steps(b, len(out)))
    if len(dims) > 4:
        raise context.refuse(f"shapes {a} and {b} repeat along more than four dimensions")
    filled = [(1, 0, 0)] * (4 - len(dims)) + dims
    for row in filled:
        context.check_fields(*row)
    return [list(column) for column in zip(*filled, strict=True)]


def _broadcast_steps(shape: tuple[int, ...], rank: int) -> list[int]:
    """Elements from one to the next along each dimension; 0 where there is but one."""
    full = (1,) * (rank - len(shape)) + shape
    return [0 if n == 1 else step for n, step in zip(full, row_major_steps(full), strict=True)]


def lower_activation(context: Context) -> Layer:
    """Translate RELU, RELU6, RELU_N1_TO_1, LEAKY_RELU, LOGISTIC, TANH or a change of scale."""
    given, output = context.input(0), context.output
    context.check_int8(given, output)
    if given.size != output.size:
        raise context.refuse(f"output shape {output.shape} for input shape {given.shape}")
    table = _TABLES[context.operator.type](context).astype(np.int8)
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
    multiplier, exponent = fixed_point.quantize_multiplier(given.scale * factor / output.scale)
    return fixed_point.scale_by(_ALL - given.zero_point, multiplier, exponent) + output.zero_point


def _requantized(context: Context) -> npt.NDArray[np.int64]:
    return np.clip(_rescaled(context), -128, 127)


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
        if (output.scale, output.zero_point) != (scale, zero_point):
            raise context.refuse(
                f"output scale {output.scale}, zero point {output.zero_point}; "
                f"it is {scale}, {zero_point}"
            )
        real = function(np.float32(given.scale) * (_ALL - given.zero_point).astype(np.float32))
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


_TABLES: dict[str, Callable[[Context], npt.NDArray[np.int64]]] = {
    "RELU": _relu(0.0, None),
    "RELU6": _relu(0.0, 6.0),
    "RELU_N1_TO_1": _relu(-1.0, 1.0),
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _squashed(_logistic, 1 / 256, -128),
    "TANH": _squashed(_tanh, 1 / 128, 0),
    "QUANTIZE": _requantized,
}


def lower_quantize(context: Context) -> Layer:
    """Translate a QUANTIZE: from float, or from another int8 scale."""
    given, output = context.input(0), context.output
    if given.dtype == "int8":
        return lower_activation(context)
    context.check_int8(output)
    return _with_float(context, "tm_quantize", output, given)


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
