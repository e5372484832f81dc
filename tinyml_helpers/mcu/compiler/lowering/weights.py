"""Arrange weights for the kernels, and fold zero points into biases: once, on the host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler.fixed_point import Scale
from tinyml_helpers.mcu.compiler.float_rounding import fit_multiplier
from tinyml_helpers.mcu.compiler.lowering.constants import Array
from tinyml_helpers.mcu.compiler.lowering.context import Context

LEAST_SHIFT, MOST_SHIFT = 1, 22
"""What `requantize` of kernels/arithmetic.h takes."""


@dataclass(frozen=True, eq=False)
class Filters:
    """Weights of a layer as one row for each output channel, and what follows their sums.

    Args:
        weights: int64, outputs x taps.
        bias: int64, one for each output, without the input's zero point.
        multipliers: one for each output.
        shifts: to the right, one for each output.
        zero_point: of the input.
    """

    weights: npt.NDArray[np.int64]
    bias: npt.NDArray[np.int64]
    multipliers: npt.NDArray[np.int64]
    shifts: npt.NDArray[np.int64]
    zero_point: int

    @property
    def ends(self) -> npt.NDArray[np.int64]:
        """Least and greatest sum of each output over all inputs: 2 x outputs."""
        return self.reach(np.array(-128 - self.zero_point), np.array(127 - self.zero_point))

    def reach(self, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Least and greatest sum of each output, 2 x outputs, over inputs between two ends.

        Args:
            low: least input, without the zero point; for all taps, or outputs x taps.
            high: the greatest.
        """
        ends = self.weights * low, self.weights * high
        least, most = np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)
        return np.asarray(np.stack([least, most]) + self.bias)

    @property
    def folded(self) -> npt.NDArray[np.int64]:
        """Biases such that the sum runs over the input as it is, zero point and all."""
        return np.asarray(self.bias - self.zero_point * self.weights.sum(axis=1))

    @property
    def can_lie_between(self) -> bool:
        """Whether a negative sum, times its factor, can lie exactly in the middle of two integers.

        It takes a multiplier of many zeros in its lower bits, as powers of two have.
        """
        factors = zip(
            self.multipliers.tolist(), self.shifts.tolist(), self.ends[0].tolist(), strict=True
        )
        return any(-least * (m & -m) >= 1 << max(30 + shift, 0) for m, shift, least in factors)

    def suit_fast_kernels(self, limit: int) -> bool:
        """Whether no sum can reach a limit and every shift suits the fast kernels."""
        small = int(np.abs(self.ends).max()) < limit
        inside = (self.shifts >= LEAST_SHIFT) & (self.shifts <= MOST_SHIFT)
        return small and bool(inside.all()) and self.weights.shape[1] < 1 << 14


def collect_filters(context: Context, rows: npt.NDArray[Any], product_of_scales: list[float]) -> Filters:
    """Collect a layer's weights.

    Args:
        context: the operator: input 0, output and the bias, input 2, are used.
        rows: int8, one row of taps for each output channel.
        product_of_scales: input scale times weight scale, one or one for each output.
    """
    n = len(rows)
    bias_tensor = context.optional(2)
    bias = np.zeros(n, np.int64)
    if bias_tensor is not None:
        bias = context.constant(2, "int32").astype(np.int64)
        context.check_shape(bias_tensor, (n,))
    products = product_of_scales * n if len(product_of_scales) == 1 else product_of_scales
    factors = [context.multiplier(p / context.output.scale) for p in products]
    if len(factors) != n:
        raise context.refuse(f"{len(factors)} weight scales for {n} outputs")
    multipliers, shifts = np.array(factors, np.int64).T
    found = Filters(rows.astype(np.int64), bias, multipliers, shifts, context.input(0).zero_point)
    if context.graph.rounding == "onnx":
        found = _fit(found, np.array(products, np.float32), context.output)
    if context.operator.type == "FULLY_CONNECTED":
        return found
    return _settle(found, context.output, context.scale)


def _fit(f: Filters, products: npt.NDArray[np.float32], output: Tensor) -> Filters:
    """Multipliers that give what ONNX Runtime gives in float32."""
    factors = products / np.float32(output.scale)
    fitted = [
        fit_multiplier(factor, ends, output.zero_point)[0] if multiplier else 0
        for factor, ends, multiplier in zip(factors, f.ends.T, f.multipliers.tolist(), strict=True)
    ]
    return replace(f, multipliers=np.array(fitted, np.int64))


def _settle(f: Filters, output: Tensor, scale: Scale) -> Filters:
    """Give channels whose answer is the same for every input a form that suits the fast kernels.

    Training leaves such dead channels behind, with scales far outside of the usual.
    """
    weights, bias, multipliers, shifts = (x.copy() for x in (f.weights, f.bias, f.multipliers, f.shifts))
    for i in range(len(weights)):
        answers = scale(f.ends[:, i], int(multipliers[i]), -int(shifts[i]))
        least, most = np.clip(answers + output.zero_point, -128, 127) - output.zero_point
        if least == most:  # 4 * answer * 2^30 / 2^31 / 2 is the answer
            weights[i], bias[i], multipliers[i], shifts[i] = 0, 4 * least, 1 << 30, 1
    return Filters(weights, bias, multipliers, shifts, f.zero_point)


def read_weight_scales(context: Context, axis: int) -> list[float]:
    """Input scale times each weight scale.

    Raises:
        UnsupportedError: weights with a zero point, or scales along another dimension.
    """
    tensor = context.input(1)
    if not tensor.scales or any(tensor.zero_points):
        raise context.refuse(f"weights (tensor {tensor.index}) without scales or with zero points")
    if len(tensor.scales) > 1 and tensor.axis != axis:
        raise context.refuse(f"weight scales along dimension {tensor.axis}, supported is {axis}")
    return [context.input(0).scale * s for s in tensor.scales]


def interleave(
    f: Filters, together: int, dsp: bool
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Weights and biases for the kernels that run `together` filters at a time.

    Args:
        f: the layer's filters.
        together: 2 for a convolution, 4 for a fully connected layer.
        dsp: see kernels/conv_2d.c for what the bytes are with and without DSP instructions.

    Returns:
        Bytes in the order in which the kernel reads them; biases, modulo 2^32 as int32.
    """
    n, taps = f.weights.shape
    filled = np.zeros((-(-n // together) * together, -(-taps // 4) * 4), np.int64)
    filled[:n, :taps] = f.weights
    bias = np.zeros(len(filled), np.int64)
    bias[:n] = f.folded
    if dsp:
        bias = 256 * (bias + 127 * filled[:, 1::2].sum(axis=1))
        filled[:, ::2] += 128
        order = filled.reshape(-1, together, filled.shape[1] // 4, 4).swapaxes(1, 2)
    else:
        filled += 128
        bias += -128 * filled.sum(axis=1) + 128 * 128 * filled.shape[1]
        order = filled.reshape(-1, together, filled.shape[1], 1).swapaxes(1, 2)
    return order.astype(np.uint8).ravel(), bias


def make_channel_table(name: str, f: Filters, bias: npt.NDArray[np.int64], less: int = 1) -> Array:
    """Make the table of `tm_channel`, filled up with channels that are never stored.

    Args:
        name: of the layer.
        f: its filters.
        bias: one for each row of the table.
        less: taken off the shifts; 1 for the fast kernels.
    """
    table = np.zeros((len(bias), 3), np.int64)
    table[:, 0] = (bias + 2**31) % 2**32 - 2**31
    table[: len(f.multipliers), 1], table[: len(f.shifts), 2] = f.multipliers, f.shifts - less
    return Array(f"{name}_channels", table, "tm_channel")
