"""Count networks before they run anywhere: parameters, multiplications, working memory, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyml_helpers.cost.model import ModelCost
from tinyml_helpers.system.tables import html_table, text_table

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


@dataclass(frozen=True, repr=False)
class Comparison:
    """Networks by name; prints as a table, one row each. A + after MACs marks a lower bound."""

    costs: Mapping[str, ModelCost]

    def header(self) -> tuple[str, ...]:
        """Names of the columns, with units, and with the bit width if all rows share it."""
        widths = {cost.weight_bits for cost in self.costs.values()}
        bits = f", {widths.pop():g} bits" if len(widths) == 1 else ""
        return ("network", "parameters", "MACs", f"weights (B{bits})", "largest map (B)", "peak RAM (B)")

    def rows(self) -> list[tuple[str, ...]]:
        """The table as text, without its header."""
        shared = len({cost.weight_bits for cost in self.costs.values()}) == 1
        return [
            (
                name if shared else f"{name}, {cost.weight_bits:g} bits",
                f"{cost.params:,}",
                f"{cost.macs:,}" + ("+" if cost.uncounted else ""),
                f"{cost.flash_bytes:,}",
                f"{cost.largest_activation_bytes:,}",
                f"{cost.ram_bytes:,}",
            )
            for name, cost in self.costs.items()
        ]

    def __repr__(self) -> str:
        """A table in plain text."""
        return text_table(self.header(), self.rows())

    def _repr_html_(self) -> str:
        """A table for a notebook."""
        return html_table(self.header(), self.rows())


def compare(costs: Mapping[str, ModelCost]) -> Comparison:
    """Put counted networks side by side, each at the bit width that it has.

    Args:
        costs: name -> counted network, for example `{"float": c, "int8": c.at(8)}`.

    Raises:
        ValueError: there is nothing to compare.
    """
    if not costs:
        raise ValueError("nothing to compare: give at least one counted network")
    return Comparison(dict(costs))
