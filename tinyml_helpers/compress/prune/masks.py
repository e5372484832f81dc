"""Masks: which weights go, all at once or while the network trains, and which patterns zeros may keep.

The masks are kept by `torch.nn.utils.prune`; this module sets them on a whole network at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from torch.nn.utils import prune

from tinyml_helpers.compress.quantize import Layer, layers

Scope = Literal["global", "layer"]
Rule = Literal["magnitude", "layer-adaptive", "random"]
_REACHED = 0.6  # share of a training after which it prunes no further


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
        rule: "magnitude" masks the smallest; "layer-adaptive" weighs each weight against what is left
            of its own layer first; "random" masks any (drawn from torch's generator).
        skip: leaves out the layers whose name contains one of these, such as "depthwise".

    Returns:
        The model itself, as the functions of `torch.nn.utils.prune` do.

    Raises:
        ValueError: a share outside 0..1 or below what is masked already; an unknown scope or rule; no
            layer left to prune.

    Source: Lee et al., Layer-adaptive sparsity for the magnitude-based pruning, arXiv 2010.07611, for
        "layer-adaptive".
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share {share}: give one from 0 to 1, such as 0.9 for 90 %")
    if scope not in ("global", "layer") or rule not in get_args(Rule):
        known = ", ".join(get_args(Rule))
        raise ValueError(f"{scope!r}, {rule!r}: choose global or layer, and one of {known}")
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
    if rule == "layer-adaptive":
        scores = torch.cat([_shares_of_layer(w * m) for w, m in zip(trained, masks, strict=True)])
    else:
        scores = torch.cat([weight.abs().flatten() for weight in trained])
    if rule == "random":
        scores = torch.rand_like(scores)
    keep = torch.ones_like(masked, dtype=trained[0].dtype)
    keep[scores.masked_fill(masked, -1).topk(count, largest=False).indices] = 0
    for layer, mask in zip(group, keep.split([w.numel() for w in trained]), strict=True):
        prune.custom_from_mask(layer, "weight", mask.reshape(layer.weight.shape))


def _shares_of_layer(weight: torch.Tensor) -> torch.Tensor:
    """Each weight's square over the sum of it and of all that are larger in the layer, flat."""
    rising = weight.flatten().double().square().sort()
    left = rising.values.flip(0).cumsum(0).flip(0)
    # Where nothing but zeros is left, each is worth nothing.
    shares = rising.values / left.clamp_min(torch.finfo(left.dtype).tiny)
    return torch.empty_like(shares).scatter(0, rising.indices, shares)


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


def two_of_four(weight: ArrayLike) -> NDArray[Any]:
    """Return a weight of which the smaller two of each four neighbouring inputs are zero, 2:4.

    Args:
        weight: [outputs, inputs, ...]; four inputs at one place of a kernel are neighbours. Where the
            inputs are no multiple of four, as in a first layer, all stay.

    Source: Mishra et al., Accelerating sparse deep neural networks, arXiv 2104.08378.
    """

    def change(fours: NDArray[Any]) -> None:
        smaller = np.abs(fours, dtype=np.float64).argsort(axis=-1, kind="stable")[..., :2]
        np.put_along_axis(fours, smaller, 0, axis=-1)

    return _with_fours(weight, change)


def half_of_blocks(weight: ArrayLike) -> NDArray[Any]:
    """Return a weight of which half of the blocks are zero, in each filter those of smallest norm.

    Args:
        weight: [outputs, inputs, ...]; a block is four neighbouring inputs at one place of a kernel.
            Where the inputs are no multiple of four, as in a first layer, all stay.
    """

    def change(fours: NDArray[Any]) -> None:
        norms = np.square(fours, dtype=np.float64).sum(axis=-1)
        smaller = norms.argsort(axis=1, kind="stable")[:, : norms.shape[1] // 2]
        np.put_along_axis(fours, smaller[..., None], 0, axis=1)

    return _with_fours(weight, change)


def _with_fours(weight: ArrayLike, change: Callable[[NDArray[Any]], None]) -> NDArray[Any]:
    """A copy whose fours [outputs, fours, 4] were changed in place, if its inputs divide into fours."""
    values = np.moveaxis(np.asarray(weight).copy(), 1, -1)
    if values.shape[-1] % 4 == 0:
        fours = np.ascontiguousarray(values).reshape(len(values), -1, 4)
        change(fours)
        values = fours.reshape(values.shape)
    return np.moveaxis(values, -1, 1)
