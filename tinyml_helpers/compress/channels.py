"""Structured pruning: channels removed for real, together with all that depends on them.

`torch_pruning` finds what depends on what and cuts the tensors; this module names the layers and
refuses what would go wrong.
Source: Fang et al., DepGraph: towards any structural pruning, arXiv 2301.12900.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn
from torch.nn.utils import prune as masks
from torch.utils._pytree import tree_leaves

from tinyml_helpers.compress.quantize import layers
from tinyml_helpers.system.tables import text_table

if TYPE_CHECKING:
    import torch_pruning as tp

Role = Literal["makes", "passes", "reads"]


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that go together: how many there are, and what each layer does with them.

    `roles` maps the name of a layer to "makes" (its outputs), "reads" (its inputs) or "passes" (a batch
    norm or a depthwise convolution, which handles each channel on its own).
    """

    channels: int
    roles: dict[str, Role]


@dataclass(frozen=True, repr=False)
class Coupling:
    """All groups of channels of a network and the `names` of its layers; prints as a table of both."""

    groups: tuple[ChannelGroup, ...]
    names: tuple[str, ...]

    def __repr__(self) -> str:
        header = ("layer", *(f"{group.channels} ch" for group in self.groups))
        rows = [(name, *(group.roles.get(name, "") for group in self.groups)) for name in self.names]
        return text_table(header, rows, names=range(len(header)))


def coupling(model: nn.Module, example: torch.Tensor) -> Coupling:
    """Find which layers must lose a channel together.

    Args:
        model: any network that autograd can trace.
        example: one input, such as float32 [1, 1, 28, 28].

    Raises:
        ValueError: masks that are not permanent yet, or nothing to remove.
    """
    graph = _graph(model, example)
    names = {module: name for name, module in model.named_modules()}
    groups = []
    for group in graph.get_all_groups(ignored_layers=[_last_layer(model)]):
        parts = [d for d, _ in group if d.target.module in names]
        roles = {names[part.target.module]: _role(graph, part) for part in parts}
        groups.append(ChannelGroup(len(group[0].idxs), roles))
    # Networks are written from input to output; the search does not return them in that order.
    order = {name: place for place, name in enumerate(names.values())}
    groups.sort(key=lambda group: min(order[name] for name in group.roles))
    found = {name for group in groups for name in group.roles}
    return Coupling(tuple(groups), tuple(name for name in order if name in found))


def remove_channels(model: nn.Module, example: torch.Tensor, share: float) -> nn.Module:
    """Return a smaller copy without the `share` of channels that matters least in each group.

    A channel's importance is the L2 norm of all weights that make, pass or read it. The outputs of the
    last layer stay.

    Args:
        model: any network that autograd can trace; it is left as it was.
        example: one input, such as float32 [1, 1, 28, 28].
        share: of the channels of each group, above 0 and below 1.

    Raises:
        ValueError: a share out of range, masks that are not permanent yet, nothing to remove, or an
            output that changed its shape.
    """
    import torch_pruning as tp

    if not 0 < share < 1:
        raise ValueError(f"share {share}: give one between 0 and 1")
    _graph(model, example)
    smaller = copy.deepcopy(model)
    tp.pruner.MagnitudePruner(
        smaller,
        example,
        importance=tp.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=share,
        ignored_layers=[_last_layer(smaller)],
    ).step()
    before, after = (_output_shapes(network, example) for network in (model, smaller))
    if before != after:
        raise ValueError(
            f"the output went from {before} to {after}: let the layer that makes it be the last one"
        )
    return smaller


def _graph(model: nn.Module, example: torch.Tensor) -> tp.DependencyGraph:
    import torch_pruning as tp

    last = _last_layer(model)
    if masks.is_pruned(model):
        raise ValueError("the network has masks: call prune.make_permanent(model) first")
    if not all(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError("frozen parameters cannot be traced: call model.requires_grad_(True) first")
    graph = tp.DependencyGraph().build_dependency(model, example)
    if next(iter(graph.get_all_groups(ignored_layers=[last])), None) is None:
        raise ValueError(f"{type(model).__name__} has no channel to remove: every output must stay")
    return graph


def _last_layer(model: nn.Module) -> nn.Module:
    found = [layer for _, layer in layers(model)]
    if not found:
        raise ValueError(f"{type(model).__name__} has no convolution or linear layer")
    return found[-1]


def _role(graph: tp.DependencyGraph, dependency: tp.Dependency) -> Role:
    module = dependency.target.module
    if not graph.is_out_channel_pruning_fn(dependency.handler):
        return "reads"
    alone = not isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear)
    depthwise = getattr(module, "groups", 1) == getattr(module, "out_channels", 0) > 1
    return "passes" if alone or depthwise else "makes"


def _output_shapes(model: nn.Module, example: torch.Tensor) -> list[tuple[int, ...]]:
    with torch.no_grad():
        return [tuple(leaf.shape) for leaf in tree_leaves(model(example))]
