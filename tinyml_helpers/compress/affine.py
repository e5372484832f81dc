"""Affine maps between reals and integers, and how to choose their range (calibration).

A real number r and its integer q are tied by r = scale * (q - zero_point).
Source: Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-
only inference, arXiv 1712.05877, equation 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tinyml_helpers.datasets import read_verified

Method = Literal["min-max", "percentile", "least error"]
_COVERED_PERCENT = 99.9
_MOST_VALUES = 100_000  # enough to find where an error is least


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


def choose_range(values: torch.Tensor, method: Method = "min-max", bits: int = 8) -> tuple[float, float]:
    """Choose the range (low, high) of real values that integers shall cover.

    Args:
        values: observed activations, any shape.
        method: "min-max" covers all; "percentile" leaves out the outermost 0.1 %, on both sides if
            there are two; "least error" tries a hundred shares of the whole range, and takes the one
            whose integers come back with the least mean squared error.
        bits: of the integers (used by "least error").

    Raises:
        ValueError: unknown method, or nothing to calibrate on.
    """
    flat = values.detach().flatten().float()
    if not flat.numel():
        raise ValueError("no values to calibrate on: run some inputs through the network first")
    if method == "min-max":
        return float(flat.min()), float(flat.max())
    if method == "percentile":
        # torch.quantile refuses more than 16 million values; numpy does not.
        outside = 100 - _COVERED_PERCENT
        both_sides = [outside / 2, 100 - outside / 2]
        low, high = np.percentile(flat.numpy(), both_sides if flat.min() < 0 else [0, _COVERED_PERCENT])
        return float(low), float(high)
    if method == "least error":
        return _least_error(flat, bits)
    raise ValueError(f"unknown method {method!r}: choose min-max, percentile or least error")


def _least_error(flat: torch.Tensor, bits: int) -> tuple[float, float]:
    low, high = min(float(flat.min()), 0.0), max(float(flat.max()), 0.0)  # as `affine` widens it
    some = flat[:: 1 + len(flat) // _MOST_VALUES]

    def error(share: float) -> float:
        rounded = affine(share * low, share * high, bits).round_trip(some)
        return float(((rounded - some) ** 2).mean())

    best = min((percent / 100 for percent in range(1, 101)), key=error)
    return best * low, best * high


def round_by_runtime(values: Sequence[float]) -> dict[str, list[int]]:
    """Return what numpy, PyTorch, ONNX Runtime and LiteRT make of reals between -90 and 150, really run.

    LiteRT has two sets of kernels: optimized ones for desktops and phones, and the reference. Its
    operator QUANTIZE is the first one of a network that lies in data/models.
    """
    import onnx
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    reals = np.array(values, np.float32)
    graph = """<ir_version: 8, opset_import: ["" : 13]> g (float[N] x) => (int8[N] y)
        <float scale = {1.0}, int8 zero = {0}> {y = QuantizeLinear (x, scale, zero)}"""
    session = onnxruntime.InferenceSession(onnx.parser.parse_model(graph).SerializeToString())
    found = {
        "numpy": np.round(reals),
        "PyTorch": torch.round(torch.from_numpy(reals)).numpy(),
        "ONNX Runtime": session.run(None, {"x": reals})[0],
    }
    for name, kernels in (
        ("LiteRT, optimized kernels", OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
        ("LiteRT, reference kernels", OpResolverType.BUILTIN_REF),
    ):
        interpreter = Interpreter(
            model_content=read_verified("models/magic_wand.tflite"),
            experimental_op_resolver_type=kernels,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
        found[name] = _quantize_in_litert(interpreter, reals)
    return {name: [int(one) for one in rounded] for name, rounded in found.items()}


def _quantize_in_litert(interpreter: Any, steps: NDArray[np.float32]) -> NDArray[Any]:
    """Return what a network's first operator, QUANTIZE to tensor 0, makes of so many steps of it."""
    (given,) = interpreter.get_input_details()
    (stored,) = (one for one in interpreter.get_tensor_details() if one["index"] == 0)
    scale, zero_point = stored["quantization"]
    interpreter.set_tensor(given["index"], np.resize(steps * scale, given["shape"]))
    interpreter.invoke()
    stored_integers: NDArray[Any] = interpreter.get_tensor(0).astype(int) - zero_point
    return stored_integers.ravel()[: len(steps)]
