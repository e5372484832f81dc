"""PyTorch to ONNX by watching one input go through: quick, for a network without branches."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def to_onnx(model: torch.nn.Module, example: torch.Tensor) -> bytes:
    """Return an ONNX file of a network, for inputs of the example's shape.

    PyTorch's older exporter, which is deprecated: it takes seconds where the newer one (lesson 07)
    takes half a minute for a network of many layers. What depends on the input's values or its shape
    is fixed to what it was for the example.

    Args:
        model: a module in evaluation mode, with one output.
        example: one input.

    Raises:
        ValueError: a model in training mode.
    """
    import torch

    if model.training:
        raise ValueError("the model is in training mode: call its `eval` first")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # It says of itself that it is deprecated, and warns of each size that it takes for a constant.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Converting a tensor to a Python")
        path = Path(folder, "model.onnx")
        torch.onnx.export(model, (example,), path, dynamo=False)
        return path.read_bytes()
