"""Cut channels of a DS-CNN by Fisher information, and train it with fake quantizers."""

from itertools import pairwise

import torch
from keyword_training import BATCH, Pool, Road  # type: ignore[import-not-found]
from torch import nn

from tinyml_helpers.usecases.keywords import network

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def fisher(
    model: nn.Sequential, data: Pool, weights: torch.Tensor, road: Road, batches: int = 12
) -> list[torch.Tensor]:
    """Return the importance of each channel of each of the five groups, by Fisher information.

    It is the mean square of activation times gradient, summed over places: how much the loss would
    change if the channel fell silent. Source: Theis et al., arXiv 1801.05787.
    """
    layers = [model.stem, *(block.pointwise for block in model.blocks)]  # type: ignore[union-attr]
    kept: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    hooks = [layer.register_forward_hook(keep) for layer in layers]
    rng, totals = torch.Generator().manual_seed(1), [torch.zeros(1) for _ in layers]
    model.eval()
    for _ in range(batches):
        kept.clear()
        places = torch.multinomial(weights, BATCH, replacement=True, generator=rng)
        model.zero_grad()
        inputs, targets = road.batch(data.raw[0][places].float(), data.labels[places], rng)
        road.loss(inputs, model(inputs), targets).backward()
        for number, out in enumerate(kept):
            assert out.grad is not None
            totals[number] = totals[number] + (out * out.grad).float().sum((2, 3)).square().sum(0)
    for hook in hooks:
        hook.remove()
    return [total.detach() for total in totals]


def without(model: nn.Sequential, importance: list[torch.Tensor], count: int) -> nn.Sequential:
    """Return the network without the `count` least important channels of each group."""
    kept = [scores.topk(len(scores) - count).indices.sort().values for scores in importance]
    state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    places = ["stem", *(f"blocks.{n}" for n in range(network.BLOCKS))]
    for place, channels in zip(["stem", *(f"{p}.pointwise" for p in places[1:])], kept, strict=True):
        _choose(state, place, channels)
    for place, (before, _) in zip(places[1:], pairwise(kept), strict=True):
        _choose(state, f"{place}.depthwise", before)
        state[f"{place}.pointwise.conv.weight"] = state[f"{place}.pointwise.conv.weight"][:, before]
    state["head.weight"] = state["head.weight"][:, kept[-1]]
    return network.from_state({name: tensor.contiguous() for name, tensor in state.items()})


def _choose(state: dict[str, torch.Tensor], place: str, channels: torch.Tensor) -> None:
    for name in ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"):
        state[f"{place}.{name}"] = state[f"{place}.{name}"][channels]


def places() -> list[str]:
    """Return the names of all blocks of convolution and batch norm, in order."""
    return [
        "stem",
        *(f"blocks.{n}.{p}" for n in range(network.BLOCKS) for p in ("depthwise", "pointwise")),
    ]


def without_quantizers(trained: nn.Module) -> nn.Sequential:
    """Return the float network whose weights the fake quantizers trained."""
    state = trained.state_dict()
    kept = {name: state[name] for name in ("head.weight", "head.bias")}
    for place in places():
        kept[f"{place}.conv.weight"] = state[f"{place}.conv.weight"]
        kept |= {f"{place}.bn.{part}": state[f"{place}.conv.bn.{part}"] for part in NORM}
    return network.from_state({name: tensor.contiguous() for name, tensor in kept.items()})
