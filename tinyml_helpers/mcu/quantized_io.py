"""What a firmware is given and gives back: bytes as they are, real numbers through the one quantizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.integers import Integers
from tinyml_helpers.mcu.compiler.graph import Tensor


def quantized(x: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[Any]:
    """Values for a tensor: as they are if they have its type, real numbers quantized to int8.

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
    if not np.issubdtype(x.dtype, np.floating):
        raise ValueError(f"the input is {x.dtype}: give {tensor.dtype}, or float to be quantized")
    if not np.isfinite(x).all():
        raise ValueError("the input holds values that are no numbers")
    if tensor.dtype == "float32":
        return x.astype(np.float32)
    return Integers.of(tensor).store(x)


def dequantized(x: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[np.float32]:
    """Real numbers behind the values of a tensor.

    Args:
        x: int8, or float32 if the tensor is.
        tensor: decides scale and zero point.
    """
    if tensor.dtype != "int8":
        return x.astype(np.float32)
    return Integers.of(tensor).read(x)
