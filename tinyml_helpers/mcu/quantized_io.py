"""What a firmware is given: bytes as they are, real numbers through the one quantizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.deploy.tflite.graph import Tensor


def quantize_input(x: npt.NDArray[Any], tensor: Tensor, asked: str = "") -> npt.NDArray[Any]:
    """Make values of a tensor's type: those that have it stay, real numbers are quantized.

    Args:
        x: of the tensor's type, or real numbers; or uint8, where the file asks for that.
        tensor: decides size, scale and zero point.
        asked: the type of the file's own input, whose conversion was cut off.

    Raises:
        ValueError: a wrong size or type, or a value that is no number.
    """
    if x.size != tensor.size:
        raise ValueError(
            f"the input has {x.size:,} values, the network takes {tensor.size:,}: {tensor.shape}"
        )
    if x.dtype == tensor.dtype:
        return x
    if x.dtype == np.uint8 and asked == "uint8" and tensor.dtype == "int8":
        return (x.astype(np.int16) - 128).astype(np.int8)
    if not np.issubdtype(x.dtype, np.floating) or not (tensor.scales or tensor.dtype == "float32"):
        raise ValueError(f"the input is {x.dtype}: give {tensor.dtype}, or float to be quantized")
    if not np.isfinite(x).all():
        raise ValueError("the input holds values that are no numbers")
    return tensor.quantized(x)
