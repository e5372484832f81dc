"""Graphs of PyTorch that are to become int8 .tflite, and quantization-aware training of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tinyml_helpers.compress.quantize import fold_batch_norm
from tinyml_helpers.deploy.tflite import int8_annotations
from tinyml_helpers.system import compat

if TYPE_CHECKING:
    import torch


def quantizer(*, qat: bool = False) -> Any:
    """Return litert-torch's quantizer: int8 from end to end, one scale for each channel of a weight.

    What it leaves in float, such as the sums of residual blocks, is marked by `int8_annotations`.

    Args:
        qat: for training with fake quantizers. Patterns with a batch norm are left out then: litert-
            torch 0.10 cannot build them on PyTorch 2.13 ("Expected `mod` to be an instance of ...").
    """
    compat.import_litert_torch()
    from litert_torch.quantize import pt2e_quantizer

    config = pt2e_quantizer.get_symmetric_quantization_config(is_per_channel=True, is_qat=qat)

    class Quantizer(pt2e_quantizer.PT2EQuantizer):  # type: ignore[misc]
        STATIC_QAT_ONLY_OPS: ClassVar[list[str]] = []

        def annotate(self, model: torch.fx.GraphModule) -> Any:
            int8_annotations.annotate(model, config)
            return super().annotate(model)

    return Quantizer().set_global(config)


def export(model: torch.nn.Module, example: torch.Tensor) -> torch.nn.Module:
    """Return the graph of a network, as PT2E takes it, for any number of inputs.

    Args:
        model: any module.
        example: inputs [N, ...], at least two, so that the number stays free.
    """
    import torch

    shapes = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(model, (example,), dynamic_shapes=shapes)
    # Functions that TFLite has no operator for become the operators that it has, each with a scale.
    aten = torch.ops.aten
    known = torch.export.default_decompositions()
    parts = {one: known[one] for one in (aten.silu.default, aten.hardsigmoid.default) if one in known}
    parts[aten.elu.default] = _elu
    made: torch.nn.Module = exported.run_decompositions(parts).module()
    return made


def _elu(x: torch.Tensor, *factors: float) -> torch.Tensor:
    """As CELU, which is the same: litert-torch turns images around for an ELU."""
    import torch

    return NotImplemented if any(one != 1 for one in factors) else torch.celu(x)


def quantize(model: torch.nn.Module, images: torch.Tensor) -> tuple[torch.nn.Module, Any]:
    """Quantize a network to int8 after training.

    Args:
        model: a trained network in evaluation mode; it is left as it was.
        images: inputs [N, ...] to calibrate on, at least two.

    Returns:
        The graph, and the quantizer that its conversion to .tflite asks for.
    """
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    by = quantizer()
    prepared = prepare_pt2e(export(model, images[:2]), by)
    for batch in images.split(64):
        prepared(batch)
    converted: torch.nn.Module = convert_pt2e(prepared, fold_quantize=False)
    return converted, by


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
