"""Between real numbers and the small integers that stand for them: the course's one quantizer.

A half is rounded away from zero after a division by the scale in float32, as LiteRT's reference kernel
of QUANTIZE, LiteRT for Microcontrollers and C's `round` do. Do not expect this of every runtime: the
kernel that LiteRT takes on a desktop multiplies by 1 / scale and rounds halves to even, and so do numpy,
PyTorch and ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray


class Scaled(Protocol):
    """A tensor that says how it stores real numbers, such as one of `deploy.tflite`."""

    @property
    def scales(self) -> Sequence[float]:
        """One for the tensor, or one for each channel."""

    @property
    def zero_points(self) -> Sequence[int]:
        """As many."""


@dataclass(frozen=True)
class Integers:
    """How a tensor stores real numbers: real = scale * (integer - zero_point)."""

    scale: float
    zero_point: int
    dtype: DTypeLike = np.int8

    @classmethod
    def of(cls, tensor: Scaled) -> Integers:
        """Those of an int8 tensor that has one scale and one zero point."""
        return cls(float(tensor.scales[0]), int(tensor.zero_points[0]))

    def store(self, reals: ArrayLike) -> NDArray[Any]:
        """Round real numbers to integers of the same shape, and clip them to the dtype's limits.

        Args:
            reals: any shape; what is not float32 is turned into it first.

        Raises:
            ValueError: a value that is not a number.

        Source: `AffineQuantize` in TensorFlow Lite's reference kernels, `TfLiteRound(x / scale)`.
        """
        values = np.asarray(reals, np.float32)
        if np.isnan(values).any():
            raise ValueError("the input holds values that are no numbers")
        with np.errstate(over="ignore", divide="ignore"):  # a tiny scale: clipped
            steps = values / np.float32(self.scale)
        whole = np.trunc(steps)
        # `steps + 0.5` would round up the float just below one half. An infinite step has no fraction.
        with np.errstate(invalid="ignore"):
            whole = whole + np.where(np.abs(steps - whole) >= 0.5, np.sign(steps), 0)
        return self._move(whole)

    def store_evenly(self, reals: ArrayLike) -> NDArray[Any]:
        """As `store`, but a half is rounded to even: the bytes of numpy, PyTorch and ONNX Runtime."""
        return self._move(np.rint(np.asarray(reals, np.float32) / np.float32(self.scale)))

    def _move(self, whole: NDArray[Any]) -> NDArray[Any]:
        """Add the zero point to steps."""
        limits = np.iinfo(np.dtype(self.dtype))
        # In 64 bits, because float32 holds no sum of a large step and the zero point.
        stored = whole.astype(np.float64) + self.zero_point
        clipped: NDArray[Any] = stored.clip(limits.min, limits.max).astype(self.dtype)
        return clipped

    def read(self, integers: ArrayLike) -> NDArray[np.float32]:
        """Return the float32 numbers that integers stand for, as DEQUANTIZE does."""
        return np.float32(self.scale) * (np.asarray(integers, np.float32) - np.float32(self.zero_point))
