"""Count a network: its parameters, multiplications and working memory, before it runs anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyml_helpers.cost.model import ModelCost

if TYPE_CHECKING:
    from torch import Tensor, nn


def count(model: nn.Module, *inputs: Tensor | tuple[int, ...]) -> ModelCost:
    """Count a network's parameters, MACs and activations for one call, in float32.

    `ModelCost.at` gives the bytes at other bit widths.

    The network runs on PyTorch's meta device in evaluation mode, on shapes alone. Batch norm and
    activation functions take no memory of their own where their input is not needed afterwards,
    because engines fuse them into the layer before. Scratch buffers of kernels are not included.

    Args:
        model: any module, also one built on the meta device; it is left as it was.
        inputs: what `forward` takes: tensors, or shapes (float32) with the batch first.

    Raises:
        TypeError: `model` is no module, or an input neither a tensor nor a shape.
        ValueError: no input.
        RuntimeError: the network cannot run on these shapes.
    """
    # The tracer needs torch when it is defined; this module is imported without it.
    from tinyml_helpers.cost import trace

    return trace.trace(model, inputs)
