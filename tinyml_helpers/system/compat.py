"""The one place that cures known conflicts between packages of the lock."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
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
    - LiteRT says that keeping every tensor costs memory; lesson 02 reads them for a single photo.
    - torchao logs that kernels for GPUs cannot be loaded, and PyTorch that torchao registers an enum
      in a way that will change; neither concerns a CPU.
    """
    for category, message in (
        (DeprecationWarning, "torch.ao.quantization is deprecated"),
        (UserWarning, "Please use quant_min and quant_max"),
        (UserWarning, "torch.quantize_per_tensor, torch.quantize_per_channel"),
        (UserWarning, "Warning: Enabling `experimental_preserve_all_tensors`"),
    ):
        warnings.filterwarnings("ignore", message, category)
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)


def import_tensorflow() -> ModuleType:
    """Import TensorFlow, and Keras on top of it, without their chatter on the error stream.

    TensorFlow announces at import which instructions its kernels use, and each conversion logs what
    it is about to do; neither asks anything of you. Errors still come through. Keras takes its
    backend from the environment or from a file of the user's; the TFLite converter needs TensorFlow's.

    Raises:
        ImportError: TensorFlow is missing, or Keras already runs on another backend.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    _settle_triton()
    tensorflow = _import_quietly("tensorflow")
    keras = importlib.import_module("keras")
    if keras.config.backend() != "tensorflow":
        raise ImportError(
            f"Keras already runs on {keras.config.backend()}, and .tflite needs TensorFlow: restart "
            "Python and call this before anything imports Keras"
        )
    # Its export lists every variable on the screen; this sends that to the log.
    keras.config.disable_interactive_logging()
    tensorflow.get_logger().setLevel(logging.ERROR)
    # Asks for what a representative dataset gives since TensorFlow 2.
    warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected", UserWarning)
    return tensorflow


def _settle_triton() -> None:
    """Keep Triton from crashing Python, which it does when it is loaded after TensorFlow.

    It comes with PyTorch's builds for GPUs, and an export loads it. Before TensorFlow it does no harm.
    """
    if "triton" in sys.modules:
        return
    if "tensorflow" in sys.modules:
        sys.modules["triton"] = None  # type: ignore[assignment]  # PyTorch does without it
        return
    with contextlib.suppress(ImportError):
        importlib.import_module("triton")


def import_litert_torch() -> ModuleType:
    """Import litert-torch, PyTorch's way to .tflite, without its running commentary.

    It lists each step of a conversion on the screen, and PyTorch warns of a way in which litert-torch
    copies the signature of a function; neither concerns what you convert.

    Raises:
        ImportError: litert-torch is missing.
    """
    os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")
    expect_quantization_warnings()
    warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.` is deprecated", FutureWarning)
    return _import_quietly("litert_torch")


def _import_quietly(name: str) -> ModuleType:
    """Import TensorFlow, or what loads parts of it; its log level is read once, at import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    module = importlib.import_module(name)
    importlib.import_module("absl.logging").set_verbosity("error")
    return module


def expect_export_warnings() -> None:
    """Hide the warnings of exports to ONNX that lesson 07 explains in its text, and no others.

    - PyTorch warns of a way in which its own exporter copies the signature of a function.
    - Keras exports a network for any number of images by PyTorch's older exporter, which follows one
      example and warns of each size that it takes for a constant, and of each that it cannot fold.
    """
    for category, message in (
        (FutureWarning, "`isinstance.treespec, LeafSpec.` is deprecated"),
        (Warning, "Converting a tensor to a Python"),
        (UserWarning, "Constant folding - Only steps=1 can be constant folded"),
    ):
        warnings.filterwarnings("ignore", message, category)
