"""Multipliers by which one integer rounding gives what ONNX Runtime gives in float32.

It multiplies a sum, as float32, by one float32 factor and rounds halves to even. That steps from one
int8 to the next at 255 sums at most. A multiplier of 31 bits that steps at the same ones gives the same
bytes for every input; where sums lie exactly between two integers, there is none.
Source: `MlasRequantizeOutput` in onnxruntime/core/mlas/lib/quantize.cpp.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyml_helpers.mcu.compiler.fixed_point import quantize_multiplier

Ints = npt.NDArray[np.int64]
_FINEST = 24  # shift to the right up to which a step fits 63 bits


def fit_multiplier(factor: np.float32, ends: Ints, zero_point: int) -> tuple[int, int]:
    """Find the multiplier for a factor.

    Args:
        factor: more than 0.
        ends: least and greatest sum that there can be.
        zero_point: of the output.

    Returns:
        Multiplier and exponent as `quantize_multiplier` gives them; where no multiplier fits all sums,
        that of the factor itself, which is within one step.
    """
    multiplier, exponent = quantize_multiplier(float(factor))
    right = 31 - exponent
    if not 1 <= right <= 31 + _FINEST:
        return multiplier, exponent
    steps = np.arange(-127, 128, dtype=np.int64) - zero_point
    first = _first_sums(factor, steps, int(ends[0]), int(ends[1]))
    met = (first > ends[0]) & (first <= ends[1])
    edges, first = (2 * steps[met] - 1) << (right - 1), first[met]
    low, high = 1 << 30, (1 << 31) - 1
    # first * multiplier > edge, and (first - 1) * multiplier < edge
    for sums, above in ((first, True), (first - 1, False)):
        for chosen, is_least in ((sums > 0, above), (sums < 0, not above)):
            bound = edges[chosen] // sums[chosen]
            if is_least:
                low = max(low, int((bound + 1).max(initial=low)))
            else:
                high = min(high, int((-(-edges[chosen] // sums[chosen]) - 1).min(initial=high)))
    return (min(max(multiplier, low), high) if low <= high else multiplier), exponent


def scale_as_float(values: npt.ArrayLike, factor: np.float32) -> Ints:
    """Multiply integers by a factor as ONNX Runtime does, without the limits of int8."""
    scaled = np.asarray(values, np.int64).astype(np.float32) * factor
    return np.asarray(np.rint(scaled), np.int64)


def _first_sums(factor: np.float32, steps: Ints, least: int, most: int) -> Ints:
    """The least sum from which on each step is reached, by bisection; `most` + 1 if none is."""
    low = np.full(len(steps), least, np.int64)
    high = np.full(len(steps), most + 1, np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        reached = scale_as_float(middle, factor) >= steps
        high, low = np.where(reached, middle, high), np.where(reached, low, middle + 1)
    return low
