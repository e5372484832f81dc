"""Graphs of PyTorch that are to become int8 .tflite, and quantization-aware training of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinyml_helpers.compress.quantize import fold_batch_norm
from tinyml_helpers.system import compat

if TYPE_CHECKING:
    import torch


def quantizer(*, qat: bool = False) -> Any:
    """Return litert-torch's quantizer: int8, one scale for each channel of a weight.

    Args:
        qat: for training with fake quantizers. Patterns with a batch norm are left out then: litert-
            torch 0.10 cannot build them on PyTorch 2.13 ("Expected `mod` to be an instance of ...").
    """
    compat.import_litert_torch()
    from litert_torch.quantize import pt2e_quantizer

    config = pt2e_quantizer.get_symmetric_quantization_config(is_per_channel=True, is_qat=qat)
    made = pt2e_quantizer.PT2EQuantizer().set_global(config)
    made.STATIC_QAT_ONLY_OPS = []
    return made


def export(model: torch.nn.Module, example: torch.Tensor) -> torch.nn.Module:
    """Return the graph of a network, as PT2E takes it, for any number of inputs.

    Args:
        model: any module.
        example: inputs [N, ...], at least two, so that the number stays free.
    """
    import torch

    shapes = ({0: torch.export.Dim("batch")},)
    return torch.export.export(model, (example,), dynamic_shapes=shapes).module()


def prepare_qat(model: torch.nn.Module, example: torch.Tensor) -> tuple[torch.nn.Module, Any]:
    """Export a network with fake quantizers in it, as TFLite will round, and ready to be trained.

    Its batch norms are folded first, because the quantizer cannot find them.

    Args:
        model: a trained network whose blocks name their parts `conv` and `bn`; it is left as it was.
        example: inputs [N, C, H, W], at least two, so that the number stays free.

    Returns:
        The network to train, and the quantizer that its conversion to .tflite asks for.
    """
    import torch
    from torchao.quantization.pt2e import allow_exported_model_train_eval
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

    by = quantizer(qat=True)
    prepared = prepare_qat_pt2e(export(fold_batch_norm(model), example), by)
    allow_exported_model_train_eval(prepared)
    # A graph's own `train` returns nothing, and cannot be chained.
    return torch.nn.Sequential(prepared), by


def convert_qat(trained: torch.nn.Module) -> torch.nn.Module:
    """Return the graph of a network from `prepare_qat`, trained, with its ranges fixed."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    trained.eval()
    converted: torch.nn.Module = convert_pt2e(trained[0], fold_quantize=False)  # type: ignore[index]
    return converted
