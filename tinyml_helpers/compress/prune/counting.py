"""What zeros are in a network, layer by layer, and how many bytes they save in which format."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from tinyml_helpers.compress.quantize import layers
from tinyml_helpers.system.tables import text_table

FORMATS = ("dense", "bitmask", "CSR, 32 bits", "CSR, 16 bits", "distances, 4 bits", "gzip")


@dataclass(frozen=True)
class LayerSparsity:
    """Weights of one layer, and how many of them are exactly zero; biases are not counted."""

    name: str
    kind: str
    weights: int
    zeros: int

    @property
    def percent(self) -> float:
        """Zeros in a hundred weights."""
        return 100 * self.zeros / self.weights


@dataclass(frozen=True, repr=False)
class Sparsity:
    """Zeros among the weights of a network; prints as a table, one row a layer."""

    layers: tuple[LayerSparsity, ...]

    @property
    def weights(self) -> int:
        """All weights of convolutions and linear layers."""
        return sum(layer.weights for layer in self.layers)

    @property
    def zeros(self) -> int:
        """Those of them that are exactly zero."""
        return sum(layer.zeros for layer in self.layers)

    @property
    def percent(self) -> float:
        """Zeros in a hundred weights."""
        return 100 * self.zeros / self.weights

    def __repr__(self) -> str:
        total = LayerSparsity("all", "", self.weights, self.zeros)
        rows = [
            (row.name, row.kind, f"{row.weights:,}", f"{row.zeros:,}", f"{row.percent:.1f} %")
            for row in (*self.layers, total)
        ]
        return text_table(("layer", "kind", "weights", "zeros", "sparsity"), rows, names=(0, 1))


def weights(model: nn.Module) -> list[torch.Tensor]:
    """Return the weight [outputs, ...] of each convolution and linear layer, without gradients."""
    return [layer.weight.detach() for _, layer in layers(model)]


def sparsity(model: nn.Module) -> Sparsity:
    """Count the zeros among the weights with which each convolution and linear layer computes.

    Raises:
        ValueError: there is no such layer.
    """
    found = list(layers(model))
    if not found:
        raise ValueError(f"{type(model).__name__} has no convolution or linear layer")
    rows = []
    for name, layer in found:
        weight = layer.weight
        rows.append(LayerSparsity(name, type(layer).__name__, weight.numel(), int((weight == 0).sum())))
    return Sparsity(tuple(rows))


def stored_bytes(tensors: Iterable[torch.Tensor]) -> dict[str, int]:
    """Return how many bytes tensors [outputs, ...] take in six formats.

    "dense": every value. "bitmask": one bit a value that says whether it is zero, then the others.
    "CSR" (compressed sparse row): each value that is not zero with its column, and for each row a 32-bit
    pointer to its start; scipy has columns of 32 bits. "distances": each value that is not zero with the
    number of zeros before it, and a stored zero where over 15 follow each other. "gzip": dense, packed.

    Raises:
        ValueError: a row of more than 65,536 values, which 16 bits cannot number.

    Source: Han, Mao and Dally, Deep compression, arXiv 1510.00149, section 2, for the distances.
    """
    sizes = dict.fromkeys(FORMATS, 0)
    raw = []
    for tensor in tensors:
        values = tensor.detach().cpu().contiguous()
        raw.append(values.numpy().tobytes())
        kept, item_bytes = int((values != 0).sum()), values.element_size()
        pointers = 4 * (len(values) + 1)
        if values.numel() > len(values) << 16:
            raise ValueError(f"rows of {values[0].numel():,} values: 16 bits number 65,536 at most")
        sizes["dense"] += values.numel() * item_bytes
        sizes["bitmask"] += -(-values.numel() // 8) + kept * item_bytes
        sizes["CSR, 32 bits"] += kept * (item_bytes + 4) + pointers
        sizes["CSR, 16 bits"] += kept * (item_bytes + 2) + pointers
        steps = kept + _stepping_stones(values)
        sizes["distances, 4 bits"] += steps * item_bytes + -(-steps // 2)
    # One stream, and no time of day in it: the same weights always give the same size.
    return {**sizes, "gzip": len(gzip.compress(b"".join(raw), mtime=0))}


def _stepping_stones(values: torch.Tensor) -> int:
    """Count the zeros that must be stored, because over 15 stand before a value."""
    places = values.flatten().nonzero().flatten()
    zeros_before = places.diff(prepend=places.new_tensor([-1])) - 1
    return int((zeros_before // 16).sum())
