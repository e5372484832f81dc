"""What a firmware is given: bytes as they are, real numbers through the one quantizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Tensor


def quantize_input(x: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[Any]:
    """Make values of a tensor's type: those that have it stay, real numbers are quantized to int8.

    Args:
        x: int8, or real numbers.
        tensor: decides size, scale and zero point.

    Raises:
        ValueError: a wrong size or type, or a value that is no number.
    """
    if x.size != tensor.size:
        raise ValueError(
            f"the input has {x.size:,} values, the network takes {tensor.size:,}: {tensor.shape}"
        )
    if x.dtype == tensor.dtype:
        return x
    if not np.issubdtype(x.dtype, np.floating) or not (tensor.scales or tensor.dtype == "float32"):
        raise ValueError(f"the input is {x.dtype}: give {tensor.dtype}, or float to be quantized")
    if not np.isfinite(x).all():
        raise ValueError("the input holds values that are no numbers")
    return tensor.quantized(x)
