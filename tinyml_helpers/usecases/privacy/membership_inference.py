"""Attacks on what a network has learnt: was this picture in its training set?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tinyml_helpers import training
from tinyml_helpers.datasets import ImageSet
from tinyml_helpers.intervals import CONFIDENCE, Interval, rate


@dataclass(frozen=True, repr=False)
class Membership:
    """How well an attacker tells members of the training set from strangers, by their loss.

    Args:
        auc: chance that a member has a lower loss than a stranger: 0.5 is guessing.
        caught: members found at a threshold that accuses one stranger in a hundred.
        members: accuracy on the members.
        strangers: accuracy on the strangers.
    """

    auc: Interval
    caught: Interval
    members: Interval
    strangers: Interval

    def __repr__(self) -> str:
        names = ("attack's AUC", "caught at 1 %", "right on members", "right on strangers")
        values = (self.auc, self.caught, self.members, self.strangers)
        return "\n".join(f"{name}: {value}" for name, value in zip(names, values, strict=True))


def auc(inside: NDArray[np.floating], outside: NDArray[np.floating]) -> Interval:
    """Return the chance that a member's loss is below a stranger's, ties counting half.

    Args:
        inside: losses of members [M].
        outside: losses of strangers [N].

    Source: the interval is that of DeLong et al., Biometrics 44 (1988), 837.
    """
    from scipy.stats import norm, rankdata

    ranks = rankdata(np.concatenate([inside, outside]))
    # Of each member: the share of strangers above it. Of each stranger: the share of members below.
    above = 1 - (ranks[: len(inside)] - rankdata(inside)) / len(outside)
    below = (ranks[len(inside) :] - rankdata(outside)) / len(inside)
    parts = [part.var(ddof=1) / len(part) if len(part) > 1 else 0.0 for part in (above, below)]
    value, reach = float(above.mean()), float(norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt(sum(parts)))
    return Interval(
        value, max(0.0, value - reach), min(1.0, value + reach), len(inside), "", "members", 3
    )


def losses(model: nn.Module, images: ImageSet) -> NDArray[np.float32]:
    """Return the cross-entropy of each image: float32 [N]. Low means: the network is sure, and right."""
    said, labels = training.predict(model, images), images.tensors()[1]
    each: NDArray[np.float32] = nn.functional.cross_entropy(said, labels, reduction="none").numpy()
    return each


def attack(model: nn.Module, members: ImageSet, strangers: ImageSet) -> Membership:
    """Attack a network: call everything below a threshold of the loss a member.

    Args:
        model: maps float32 [N, 1, 28, 28] to logits.
        members: images that it was trained on.
        strangers: images of the same kind that it never saw.

    Raises:
        ValueError: no members or no strangers.

    Source: Yeom et al., arXiv 1709.01604 (the threshold); Carlini et al., arXiv 2112.03570 (why to
    look at few false accusations as well).
    """
    if not len(members) or not len(strangers):
        raise ValueError(f"{len(members)} members and {len(strangers)} strangers: give some of each")
    inside, outside = losses(model, members), losses(model, strangers)
    strict = np.quantile(outside, 0.01)
    return Membership(
        auc=auc(inside, outside),
        caught=rate(int((inside < strict).sum()), len(inside), "members"),
        members=_right(model, members, "members"),
        strangers=_right(model, strangers, "strangers"),
    )


def _right(model: nn.Module, images: ImageSet, things: str) -> Interval:
    hits = round(len(images) * training.accuracy(model, images) / 100)
    return rate(hits, len(images), things)


def reconstruct(
    weight: torch.Tensor,
    bias: torch.Tensor,
    *,
    unit: int | None = None,
    clip: float | None = None,
    noise: float = 0.0,
) -> torch.Tensor:
    """Rebuild the picture that a linear first layer was shown, from the gradient that it shared.

    Args:
        weight: the gradient for its weights, [units, 784].
        bias: the gradient for its biases, [units].
        unit: whose row to divide; None takes the one that was pulled most.
        clip: cut both, taken as one vector, to this length first.
        noise: standard deviation of what is added to each number, by PyTorch's own generator.

    Returns:
        float32 [28, 28]: exact for one picture without noise.

    Source: Phong et al., IEEE TIFS 13 (2018), 1333, section 3.
    """
    shared = torch.cat([weight.flatten(), bias])
    shared = shared if clip is None else clip_gradient(shared, clip)
    shared = shared + noise * torch.randn(len(shared))
    rows, pulls = shared[: weight.numel()].reshape(weight.shape), shared[weight.numel() :]
    unit = int(pulls.abs().argmax()) if unit is None else unit
    return (rows[unit] / pulls[unit]).reshape(28, 28)


def clip_gradient(gradient: torch.Tensor, limit: float) -> torch.Tensor:
    """Return a gradient no longer than `limit`, in the same direction."""
    return gradient * min(1.0, limit / (float(gradient.norm()) + 1e-12))
