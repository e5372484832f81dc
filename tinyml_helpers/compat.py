"""The one place that cures known conflicts between packages of the lock."""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from types import ModuleType
from typing import Any

_kept_alive: list[Any] = []


def import_torchvision() -> ModuleType:
    """Import torchvision, also beside a CPU-only build of PyTorch.

    torchvision's wheels on PyPI are linked against CUDA builds of PyTorch. Beside a CPU-only build
    their compiled part cannot load, and the import fails because two operators are missing. Declaring
    the operators is enough for models, transforms, datasets and `ops.box_iou`; calling
    `torchvision.ops.nms` still raises. Where torchvision fits torch, this is a plain import.

    Raises:
        ImportError: torchvision is missing, or fails for another reason than the one above.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise ImportError(f"torchvision cannot be imported: {error}") from error
    _declare_missing_operators()
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    return importlib.import_module("torchvision")


def _declare_missing_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    # The operators vanish with the object that declared them.
    _kept_alive.append(library)


def expect_quantization_warnings() -> None:
    """Hide the warnings about quantization that the lessons explain in their text, and no others.

    - torch.ao.quantization says at each call that it will be removed; lesson 02 says so once.
    - its quantized tensors and `reduce_range` say the same of themselves.
    - torchao logs that kernels for GPUs cannot be loaded, and PyTorch that torchao registers an enum
      in a way that will change; neither concerns a CPU.
    """
    for category, message in (
        (DeprecationWarning, "torch.ao.quantization is deprecated"),
        (UserWarning, "Please use quant_min and quant_max"),
        (UserWarning, "torch.quantize_per_tensor, torch.quantize_per_channel"),
    ):
        warnings.filterwarnings("ignore", message, category)
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)
