"""Count a network: its parameters, multiplications and working memory, before it runs anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyml_helpers.cost.model import ModelCost

if TYPE_CHECKING:
    from torch import Tensor, nn


def count(
    model: nn.Module,
    *inputs: Tensor | tuple[int, ...],
    weight_bits: float = 32,
    activation_bits: float = 32,
) -> ModelCost:
    """Count a network's parameters, MACs and activations for one call.

    The network runs on PyTorch's meta device in evaluation mode, on shapes alone. Batch norm and
    activation functions take no memory of their own where their input is not needed afterwards,
    because engines fuse them into the layer before. Scratch buffers of kernels are not included.

    Args:
        model: any module, also one built on the meta device; it is left as it was.
        inputs: what `forward` takes: tensors, or shapes (float32) with the batch first.
        weight_bits: bit width of the weights, see `ModelCost.at`.
        activation_bits: bit width of the activations.

    Raises:
        TypeError: `model` is no module, or an input neither a tensor nor a shape.
        ValueError: no input, or a bit width that is not above 0.
        RuntimeError: the network cannot run on these shapes.
    """
    # The tracer needs torch when it is defined; this module is imported without it.
    from tinyml_helpers.cost import trace

    cost = trace.trace(model, inputs)
    return cost.at(weight_bits, activation_bits)
