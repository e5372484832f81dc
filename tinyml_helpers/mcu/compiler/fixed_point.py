"""The integer arithmetic of TensorFlow Lite's reference kernels, on arrays, in every rounding.

Source: gemmlowp's fixedpoint.h and TensorFlow Lite's quantization_util and common headers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Tensor

Ints = npt.NDArray[np.int64]
Scale = Callable[[npt.ArrayLike, int, int], Ints]
"""Integers times a factor of `quantize_multiplier`."""

_MOST, _LEAST = 2**31 - 1, -(2**31)
_ONE_OVER_3, _EXP_OF_MINUS_EIGHTH = 715827883, 1895147668
_EXP_OF_MINUS_POWERS = {  # exponent of two -> e^-(2^exponent), 31 fraction bits
    -2: 1672461947,
    -1: 1302514674,
    0: 790015084,
    1: 290630308,
    2: 39332535,
    3: 720401,
    4: 242,
}


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Write a factor as `multiplier / 2^31 * 2^exponent`.

    Args:
        real: the factor, 0 or more.

    Returns:
        Multiplier, 0 or from 2^30 to 2^31 - 1, and exponent.
    """
    fraction, exponent = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, exponent = 2**30, exponent + 1
    return (multiplier, exponent) if exponent >= -31 and multiplier else (0, 0)


def high_mul(a: npt.ArrayLike, b: npt.ArrayLike) -> Ints:
    """Twice the product's upper 32 bits, rounded: (a * b + 2^30) / 2^31, saturated."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.asarray(np.minimum((product + (1 << 30)) >> 31, _MOST))


def rounding_shift(value: npt.ArrayLike, shift: int) -> Ints:
    """Divide by 2^shift, halves away from zero."""
    x = np.asarray(value, np.int64)
    return x if shift == 0 else (x + (1 << (shift - 1)) - (x < 0)) >> shift


def scale_by(value: npt.ArrayLike, multiplier: int, exponent: int) -> Ints:
    """Apply a factor of `quantize_multiplier` to integers."""
    x = np.asarray(value, np.int64) << max(exponent, 0)
    return rounding_shift(high_mul(x, multiplier), max(-exponent, 0))


def scale_once(value: npt.ArrayLike, multiplier: int, exponent: int) -> Ints:
    """As `scale_by`, in a single rounding, halves away from zero: what LiteRT's dense layers do."""
    product, right = np.asarray(value, np.int64) * multiplier, 31 - exponent
    return np.asarray((product + (1 << (right - 1)) - (product < 0)) >> right)


def exp_of_negative(value: npt.ArrayLike, integer_bits: int) -> Ints:
    """e^x for x <= 0.

    Args:
        value: x with `integer_bits` (at most 5) integer and 31 - `integer_bits` fraction bits.
        integer_bits: as above.

    Returns:
        e^x with 31 fraction bits.
    """
    a = np.asarray(value, np.int64)
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    within = (a & (quarter - 1)) - quarter
    result = _exp_within_quarter(within << integer_bits)
    rest = within - a
    for exponent, factor in _EXP_OF_MINUS_POWERS.items():
        if integer_bits > exponent:
            chosen = rest & (1 << (fraction_bits + exponent)) != 0
            result = np.where(chosen, high_mul(result, factor), result)
    return np.where(a == 0, _MOST, result)


def _exp_within_quarter(a: Ints) -> Ints:
    """e^a for -1/4 <= a < 0, by a series around -1/8."""
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3, x4 = high_mul(x2, x), high_mul(x2, x2)
    series = rounding_shift(high_mul(rounding_shift(x4, 2) + x3, _ONE_OVER_3) + x2, 1)
    return _saturate(_EXP_OF_MINUS_EIGHTH + high_mul(_EXP_OF_MINUS_EIGHTH, x + series))


def _saturate(value: Ints) -> Ints:
    return np.clip(value, _LEAST, _MOST)


def quantize_range(tensor: Tensor, low: float | None, high: float | None) -> tuple[int, int]:
    """Limits of an activation, such as 0 and 6, in a tensor's integers."""
    scale, zero, ends = np.float32(tensor.scale), tensor.zero_point, np.iinfo(tensor.dtype)
    least = ends.min if low is None else max(ends.min, zero + _round(np.float32(low) / scale))
    most = ends.max if high is None else min(ends.max, zero + _round(np.float32(high) / scale))
    return least, most


def _round(value: np.float32) -> int:
    return int(np.clip(np.trunc(value + np.copysign(np.float32(0.5), value)), -(2**30), 2**30))
