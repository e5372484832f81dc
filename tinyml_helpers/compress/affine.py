"""Affine maps between reals and integers, and how to choose their range (calibration).

A real number r and its integer q are tied by r = scale * (q - zero_point).
Source: Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-
only inference, arXiv 1712.05877, equation 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

Method = Literal["min-max", "percentile", "entropy"]


@dataclass(frozen=True, eq=False)
class Affine:
    """The map between reals and integers of `bits` bits.

    `scale` (float32) and `zero_point` (int32) are scalars, or have one entry per channel of the first
    axis. Unsigned maps use 0..2^bits-1; signed, symmetric ones -(2^(bits-1)-1)..2^(bits-1)-1 with zero
    point 0, so that no product of two weights overflows.
    """

    scale: torch.Tensor
    zero_point: torch.Tensor
    bits: int
    symmetric: bool

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        if self.symmetric:
            return 1 - 2 ** (self.bits - 1), 2 ** (self.bits - 1) - 1
        return 0, 2**self.bits - 1

    def quantize(self, values: torch.Tensor) -> torch.Tensor:
        """Round float32 values to integers (int32, same shape), clipping at the limits."""
        scale, zero_point = self._broadcast(values)
        return (torch.round(values / scale) + zero_point).clamp(*self.limits).to(torch.int32)

    def dequantize(self, integers: torch.Tensor) -> torch.Tensor:
        """Return the float32 values that the integers stand for."""
        scale, zero_point = self._broadcast(integers)
        return scale * (integers - zero_point)

    def round_trip(self, values: torch.Tensor) -> torch.Tensor:
        """Quantize and dequantize: the nearest values that this map can express."""
        scale, zero_point = self._broadcast(values)
        low, high = self.limits
        # In place and in float: several times as fast as torch.fake_quantize, with the same result.
        steps = torch.div(values, scale).round_()
        if self.scale.ndim:
            return steps.clamp_(low - zero_point, high - zero_point).mul_(scale)
        return steps.clamp_(low - int(zero_point), high - int(zero_point)).mul_(scale)

    def _broadcast(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shape = (-1,) + (1,) * (like.ndim - 1) if self.scale.ndim else ()
        return self.scale.reshape(shape), self.zero_point.reshape(shape)


def affine(
    low: torch.Tensor | float, high: torch.Tensor | float, bits: int = 8, *, symmetric: bool = False
) -> Affine:
    """Fit the map to a range of real values, which is widened to contain zero.

    Args:
        low: smallest real value, a scalar or float32 [channels].
        high: largest real value, of the same shape.
        bits: from 2 to 16.
        symmetric: signed integers with zero point 0, as for weights.

    Raises:
        ValueError: bits out of range, a range that is not finite, or low above high.
    """
    low, high = torch.as_tensor(low).float(), torch.as_tensor(high).float()
    if not 2 <= bits <= 16:
        raise ValueError(f"{bits} bits: choose 2 to 16 (for one bit see `binarize`)")
    if not (torch.isfinite(low).all() and torch.isfinite(high).all() and (low <= high).all()):
        raise ValueError(f"no range from {low} to {high}: give finite values, low not above high")
    low, high = low.clamp(max=0), high.clamp(min=0)
    # A range of zero width would divide by zero; any scale expresses it.
    tiny = torch.finfo(torch.float32).eps
    if symmetric:
        scale = (torch.maximum(-low, high) / (2 ** (bits - 1) - 1)).clamp(min=tiny)
        return Affine(scale, torch.zeros_like(scale, dtype=torch.int32), bits, True)
    scale = ((high - low) / (2**bits - 1)).clamp(min=tiny)
    return Affine(scale, torch.round(-low / scale).to(torch.int32), bits, False)


def weight_affine(weight: torch.Tensor, bits: int = 8, *, per_channel: bool = True) -> Affine:
    """Fit a symmetric map to a weight [outputs, ...]: one scale per output channel, or one in all."""
    rows = weight.detach().flatten(1) if per_channel else weight.detach().flatten()
    return affine(rows.amin(-1), rows.amax(-1), bits, symmetric=True)


def binarize(weight: torch.Tensor) -> torch.Tensor:
    """Return the nearest +-a of each output channel, a being the mean magnitude.

    Source: Rastegari et al., XNOR-Net, arXiv 1603.05279, section 3.1.
    """
    magnitude = weight.abs().flatten(1).mean(1).reshape((-1,) + (1,) * (weight.ndim - 1))
    return torch.where(weight < 0, -magnitude, magnitude)


def choose_range(
    values: torch.Tensor, method: Method = "min-max", bits: int = 8, percentile: float = 99.9
) -> tuple[float, float]:
    """Choose the range (low, high) of real values that integers shall cover.

    Args:
        values: observed activations, any shape.
        method: "min-max" covers all; "percentile" leaves out the outermost values on both sides;
            "entropy" cuts where the histogram changes least, by Kullback-Leibler divergence.
        bits: of the integers (used by "entropy").
        percentile: share of the values covered, in percent (used by "percentile").

    Raises:
        ValueError: unknown method, or nothing to calibrate on.

    Source: Migacz, 8-bit inference with TensorRT, GTC 2017, for the entropy method.
    """
    flat = values.detach().flatten().float()
    if not flat.numel():
        raise ValueError("no values to calibrate on: run some inputs through the network first")
    if method == "min-max":
        return float(flat.min()), float(flat.max())
    if method == "percentile":
        # torch.quantile refuses more than 16 million values; numpy does not.
        import numpy as np

        outside = 100 - percentile
        both_sides = [outside / 2, 100 - outside / 2]
        low, high = np.percentile(flat.numpy(), both_sides if flat.min() < 0 else [0, percentile])
        return float(low), float(high)
    if method == "entropy":
        return _least_divergence(flat, bits)
    raise ValueError(f"unknown method {method!r}: choose min-max, percentile or entropy")


def _least_divergence(flat: torch.Tensor, bits: int, bins: int = 2048) -> tuple[float, float]:
    bound, signed = float(flat.abs().max()), bool(flat.min() < 0)
    histogram = torch.histc(flat.abs(), bins, 0, max(bound, torch.finfo(torch.float32).tiny))
    histogram[0] = 0  # exact zeros are expressed exactly at any scale
    levels = 2 ** (bits - 1) if signed else 2**bits
    costs = {kept: _divergence(histogram, kept, levels) for kept in range(levels, bins + 1, bins // 128)}
    high = bound * min(costs, key=lambda kept: costs[kept]) / bins
    # Beyond what was seen, range is wasted.
    return max(-high, float(flat.min())) if signed else 0.0, min(high, float(flat.max()))


def _divergence(histogram: torch.Tensor, kept: int, levels: int) -> float:
    clipped = histogram[:kept].clone()
    clipped[-1] += histogram[kept:].sum()
    level = torch.arange(kept) * levels // kept
    occupied = (histogram[:kept] > 0).float()
    mass = torch.zeros(levels).index_add(0, level, histogram[:kept])
    places = torch.zeros(levels).index_add(0, level, occupied)
    coarse = occupied * (mass / places.clamp(min=1))[level]
    p, q = clipped / clipped.sum(), coarse / coarse.sum().clamp(min=1)
    terms = p * torch.log(p / q.clamp(min=1e-12))
    return float(terms[p > 0].sum())
