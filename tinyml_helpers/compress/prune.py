"""Pruning by masks: which weights go, when they go, and how many bytes that saves.

The masks are kept by `torch.nn.utils.prune`; this module sets them on a whole network at once, while
it trains if need be. Channels that are removed for real are in `compress.channels`.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn.utils import prune

from tinyml_helpers.compress.quantize import Layer, layers
from tinyml_helpers.system.tables import text_table

Scope = Literal["global", "layer"]
Rule = Literal["magnitude", "random"]
FORMATS = ("dense", "bitmask", "CSR, 32 bits", "CSR, 16 bits", "distances, 4 bits", "gzip")
_REACHED = 0.6  # share of a training after which it prunes no further


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
    rows = []
    for name, layer in _chosen(model, ()):
        weight = layer.weight
        rows.append(LayerSparsity(name, type(layer).__name__, weight.numel(), int((weight == 0).sum())))
    return Sparsity(tuple(rows))


def mask_weights(
    model: nn.Module,
    share: float,
    *,
    scope: Scope = "global",
    rule: Rule = "magnitude",
    skip: Sequence[str] = (),
) -> nn.Module:
    """Mask weights in place until `share` of them is masked; a masked weight stays masked.

    Args:
        model: any network with convolutions or linear layers; biases and batch norms are left alone.
        share: 0 to 1, of all weights (global) or of each layer's.
        scope: "global" compares all weights with each other, "layer" those of one layer.
        rule: "magnitude" masks the smallest, "random" any (drawn from torch's generator).
        skip: leaves out the layers whose name contains one of these, such as "depthwise".

    Returns:
        The model itself, as the functions of `torch.nn.utils.prune` do.

    Raises:
        ValueError: a share outside 0..1 or below what is masked already; an unknown scope or rule; no
            layer left to prune.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share {share}: give one from 0 to 1, such as 0.9 for 90 %")
    if scope not in ("global", "layer") or rule not in ("magnitude", "random"):
        raise ValueError(f"{scope!r}, {rule!r}: choose global or layer, and magnitude or random")
    chosen = [layer for _, layer in _chosen(model, skip)]
    for group in [chosen] if scope == "global" else [[layer] for layer in chosen]:
        _mask_together(group, share, rule)
    return model


def _chosen(model: nn.Module, skip: Sequence[str]) -> list[tuple[str, Layer]]:
    if isinstance(skip, str):
        raise ValueError(f"skip {skip!r}: give a list of name parts, such as [{skip!r}]")
    chosen = [(name, layer) for name, layer in layers(model) if not any(s in name for s in skip)]
    if not chosen:
        raise ValueError(f"{type(model).__name__} has no convolution or linear layer left to prune")
    return chosen


def _mask_together(group: Sequence[Layer], share: float, rule: Rule) -> None:
    # prune.global_unstructured fails on weights in channels-last order, in which `fit` keeps them.
    masks = [getattr(layer, "weight_mask", torch.ones_like(layer.weight)) for layer in group]
    masked = torch.cat([mask.flatten() == 0 for mask in masks])
    count = round(share * len(masked))
    if count < masked.sum():
        raise ValueError(f"share {share}: {int(masked.sum()):,} of {len(masked):,} are masked already")
    # While masks are on, what is trained is `weight_orig`.
    trained = [getattr(layer, "weight_orig", layer.weight).detach() for layer in group]
    scores = torch.cat([weight.abs().flatten() for weight in trained])
    if rule == "random":
        scores = torch.rand_like(scores)
    keep = torch.ones_like(scores)
    keep[scores.masked_fill(masked, -1).topk(count, largest=False).indices] = 0
    for layer, mask in zip(group, keep.split([w.numel() for w in trained]), strict=True):
        prune.custom_from_mask(layer, "weight", mask.reshape(layer.weight.shape))


def make_permanent(model: nn.Module) -> None:
    """Write the zeros of all masks into the weights, in place, and drop the masks."""
    for _, layer in layers(model):
        if prune.is_pruned(layer):
            prune.remove(layer, "weight")


def cubic_share(done: float, target: float, start: float = 0.0) -> float:
    """Return the share to mask when `done` (0 to 1, clipped) of the pruning phase is over.

    It rises from `start` to `target`, fast while many weights are left and slowly at the end.

    Source: Zhu and Gupta, To prune, or not to prune, arXiv 1710.01878, equation 1.
    """
    return target + (start - target) * (1 - min(max(done, 0.0), 1.0)) ** 3


def schedule(
    model: nn.Module,
    target: float,
    *,
    start: float = 0.0,
    skip: Sequence[str] = (),
) -> Callable[[float], None]:
    """Return what `training.fit` calls before each step, so that `model` is pruned while it trains.

    The target is reached after 60 % of the training; the rest lets the network settle.

    Args:
        model: the network in training.
        target: share of weights that is masked in the end, 0 to 1.
        start: share that is masked before the first step; equal to `target`, all is masked at once.
        skip: as in `mask_weights`.

    Raises:
        ValueError: shares that do not rise within 0..1.
    """
    if not 0 <= start <= target <= 1:
        raise ValueError(f"from {start} to {target}: give rising shares from 0 to 1")
    reached = -1.0

    def before_step(done: float) -> None:
        nonlocal reached
        share = cubic_share(done / _REACHED, target, start)
        # Sorting all weights takes time: once for each percent is often enough.
        if share - reached >= 0.01 or share == target > reached:
            mask_weights(model, share, skip=skip)
            reached = share

    return before_step


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
