"""Functions of one number, as tables of all 256 answers: ABS, EXP, GELU, HARD_SWISH, LOG and others.

A number that a function has no answer for (the root of one below zero) stops the reference; here it is
answered as the least number that has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from tinyml_helpers.integers import Integers
from tinyml_helpers.mcu.compiler import fixed_point
from tinyml_helpers.mcu.compiler.fixed_point import quantize_range
from tinyml_helpers.mcu.compiler.lowering.context import Context

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Table = Callable[[Context], Ints]
ALL = np.arange(-128, 128)
_INVERSE_ROOT_BITS, _HALF_ROOT_OF_TWO = 20, 1518500250


def centred(context: Context) -> Ints:
    """Every int8 value less the input's zero point."""
    return ALL - context.input(0).zero_point


def rescale(context: Context, values: Ints, factor: float) -> Ints:
    """Values times a factor, in the reference's fixed point, with the output's zero point added."""
    multiplier, exponent = fixed_point.quantize_multiplier(factor)
    return fixed_point.scale_by(values, multiplier, exponent) + context.output.zero_point


def in_single_precision(function: Callable[[Context, Reals], Reals]) -> Table:
    """A table filled as the reference fills its own: by a float32 function of the real numbers."""

    def table(context: Context) -> Ints:
        scale, output = np.float32(context.input(0).scale), context.output
        x = (scale * centred(context).astype(np.float32)).astype(np.float64)
        # In double precision, then rounded: as C's float functions give it.
        with np.errstate(over="ignore"):
            real = function(context, x).astype(np.float32)
        return Integers.of(output).store(real).astype(np.int64)

    return table


def saturate(values: npt.ArrayLike) -> Ints:
    """Values as int8 holds them."""
    return np.clip(values, -128, 127).astype(np.int64)


def _exp(context: Context, x: Reals) -> Reals:
    return np.asarray(np.exp(x))


def _log(context: Context, x: Reals) -> Reals:
    least = (-128 - context.output.zero_point) * np.float32(context.output.scale)
    return np.where(x > 0, np.log(np.where(x > 0, x, 1)), least)


def _gelu(context: Context, x: Reals) -> Reals:
    if context.option("approximate"):
        return np.asarray(x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    return np.asarray(x / 2 * [1 + math.erf(one / math.sqrt(2)) for one in x])


def _elu(context: Context, x: Reals) -> Reals:
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


def _abs(context: Context) -> Ints:
    scale, output = context.input(0).scale, context.output
    if scale == output.scale:
        return saturate(abs(centred(context)) + output.zero_point)
    return saturate(rescale(context, abs(centred(context)), _ratio(scale, output.scale)))


def _neg(context: Context) -> Ints:
    given, output = context.input(0), context.output
    if (given.scale, given.zero_point, output.zero_point) != (output.scale, 0, 0):
        raise context.refuse("the reference takes one scale and zero points of 0")
    return (-ALL + 128) % 256 - 128  # -128 stays what it is


def _relu_0_to_1(context: Context) -> Ints:
    factor = context.input(0).scale / context.output.scale
    return np.clip(rescale(context, centred(context), factor), *quantize_range(context.output, 0.0, 1.0))


def _sqrt(context: Context) -> Ints:
    scale, output = np.float32(context.input(0).scale), context.output
    real = np.sqrt(scale * np.maximum(centred(context), 0).astype(np.float32))
    return saturate((real / np.float32(output.scale)).astype(np.int64) + output.zero_point)


def _rsqrt(context: Context) -> Ints:
    scale = np.float32(context.input(0).scale)
    factor = 1 / (float(np.sqrt(scale)) * np.float32(context.output.scale))
    multiplier, exponent = fixed_point.quantize_multiplier(float(factor))
    table = [127]
    for value in range(1, 256):
        inverse, shift = _inverse_root(value)
        root = fixed_point.scale_by(1, inverse, _INVERSE_ROOT_BITS - shift)
        table.append(int(fixed_point.scale_by(root, multiplier, exponent - _INVERSE_ROOT_BITS)))
    answers = np.array(table)
    answers[1:] += context.output.zero_point  # where there is no answer, it is the largest byte
    return saturate(answers[np.maximum(centred(context), 0)])


def _inverse_root(value: int) -> tuple[int, int]:
    """1 / sqrt(value) as `multiplier / 2^31 / 2^shift`, by five steps of Newton's method.

    Source: TensorFlow Lite's `GetInvSqrtQuantizedMultiplierExp`, quantization_util.
    """
    if value <= 1:
        return 2**31 - 1, 0
    pairs = (31 - value.bit_length()) // 2 - 1
    shift, x = 11 - pairs, 1 << 28  # 3 integer bits
    half = int(fixed_point.rounding_shift((value << 2 * pairs) >> 1, 1))
    for _ in range(5):
        squared = fixed_point.high_mul(x, x)  # 6 integer bits
        cubed = _saturated_left(fixed_point.high_mul(squared, x), 6)  # 9 integer bits, then 3
        longer = fixed_point.high_mul((1 << 28) + (1 << 27), x)
        x = _saturated_left(longer - fixed_point.high_mul(half, cubed), 3)
    multiplier = int(fixed_point.high_mul(x, _HALF_ROOT_OF_TWO))
    return (multiplier << -shift, 0) if shift < 0 else (multiplier, shift)


def _saturated_left(value: npt.ArrayLike, bits: int) -> int:
    return int(np.clip(np.asarray(value, np.int64) << bits, -(2**31), 2**31 - 1))


def _hard_swish(context: Context) -> Ints:
    """Fill the table of x * relu6(x + 3) / 6, in 16 bits.

    Source: TensorFlow Lite's reference/hard_swish.h and activations.cc.
    """
    scale, output = np.float32(context.input(0).scale), context.output
    fine = centred(context) << 7
    finer = np.float32(1 / 128) * scale
    out_factor, out_exponent = _in_16_bits(float(finer / np.float32(output.scale)))
    bend_factor, bend_exponent = _in_16_bits(float(finer / (np.float32(3) / np.float32(32768))))
    if not -15 <= out_exponent <= 0:
        raise context.refuse(f"an output scale of {output.scale:.3g} for one of {scale:.3g}")
    bend = fine
    if bend_exponent > 0:
        bend = _short(bend << (bend_exponent - 1))
    bend = _short_mul(bend, bend_factor)
    if bend_exponent > 0:
        bend = _short(bend << 1)
    bend = fixed_point.rounding_shift(bend, max(-bend_exponent, 0))
    share = (bend + (1 << 15)) >> 1
    product = share * _short_mul(fine, out_factor)
    before = np.sign(product) * (abs(product) >> 15)  # towards zero
    return saturate(fixed_point.rounding_shift(before, -out_exponent) + output.zero_point)


def _in_16_bits(factor: float) -> tuple[int, int]:
    """A factor as `multiplier / 2^15 * 2^exponent`."""
    multiplier, exponent = fixed_point.quantize_multiplier(factor)
    most = 2**31 - 1 - (1 << 15)
    return (2**15 - 1 if multiplier >= most else (multiplier + (1 << 15)) >> 16), exponent


def _short(values: npt.ArrayLike) -> Ints:
    return np.clip(values, -(2**15), 2**15 - 1).astype(np.int64)


def _short_mul(values: Ints, factor: int) -> Ints:
    """Twice the product's upper 16 bits, rounded."""
    product = values * factor
    return np.asarray(np.sign(product) * ((abs(product) + (1 << 14) - (product < 0)) >> 15))


def _ratio(a: float, b: float) -> float:
    """A quotient in single precision, as some of the reference's kernels take it."""
    return float(np.float32(a) / np.float32(b))


TABLES: Mapping[str, Table] = {
    "ABS": _abs,
    "ELU": in_single_precision(_elu),
    "EXP": in_single_precision(_exp),
    "GELU": in_single_precision(_gelu),
    "HARD_SWISH": _hard_swish,
    "LOG": in_single_precision(_log),
    "NEG": _neg,
    "RELU_0_TO_1": _relu_0_to_1,
    "RSQRT": _rsqrt,
    "SQRT": _sqrt,
}
"""Operator -> what fills its table."""
