"""Attacks on what a network has learnt: was this picture in its training set?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tinyml_helpers import training
from tinyml_helpers.datasets import ImageSet


@dataclass(frozen=True, repr=False)
class Membership:
    """How well an attacker tells members of the training set from strangers, by their loss.

    Args:
        auc: chance that a member has a lower loss than a stranger: 0.5 is guessing.
        caught_percent: members found at a threshold that accuses one stranger in a hundred.
        train_percent: accuracy on the members.
        test_percent: accuracy on the strangers.
    """

    auc: float
    caught_percent: float
    train_percent: float
    test_percent: float

    def __repr__(self) -> str:
        right = f"right on {self.train_percent:.1f} % of members, {self.test_percent:.1f} % of strangers"
        return f"attack AUC {self.auc:.3f}, catches {self.caught_percent:.1f} % at 1 %; {right}"


def losses(model: nn.Module, images: ImageSet) -> NDArray[np.float32]:
    """Return the cross-entropy of each image: float32 [N]. Low means: the network is sure, and right."""
    said, labels = training.predict(model, images), images.tensors()[1]
    each: NDArray[np.float32] = nn.functional.cross_entropy(said, labels, reduction="none").numpy()
    return each


def membership(model: nn.Module, members: ImageSet, strangers: ImageSet) -> Membership:
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
    from sklearn.metrics import roc_auc_score

    inside, outside = losses(model, members), losses(model, strangers)
    truth = np.concatenate([np.ones(len(inside)), np.zeros(len(outside))])
    strict = np.quantile(outside, 0.01)
    return Membership(
        auc=float(roc_auc_score(truth, -np.concatenate([inside, outside]))),
        caught_percent=100 * float((inside < strict).mean()),
        train_percent=training.accuracy(model, members),
        test_percent=training.accuracy(model, strangers),
    )


def from_gradient(
    weight: torch.Tensor, bias: torch.Tensor, *, clip: float | None = None, noise: float = 0.0
) -> torch.Tensor:
    """Rebuild the picture that a linear first layer was shown, from the gradient that it shared.

    Args:
        weight: the gradient for its weights, [units, 784].
        bias: the gradient for its biases, [units].
        clip: cut both, taken as one vector, to this length first.
        noise: standard deviation of what is added to each number, by PyTorch's own generator.

    Returns:
        float32 [28, 28]: exact for one picture without noise.

    Source: Phong et al., IEEE TIFS 13 (2018), 1333, section 3.
    """
    shared = torch.cat([weight.flatten(), bias])
    shared = shared if clip is None else clipped(shared, clip)
    shared = shared + noise * torch.randn(len(shared))
    rows, pulls = shared[: weight.numel()].reshape(weight.shape), shared[weight.numel() :]
    unit = int(pulls.abs().argmax())
    return (rows[unit] / pulls[unit]).reshape(28, 28)


def clipped(gradient: torch.Tensor, limit: float) -> torch.Tensor:
    """Return a gradient no longer than `limit`, in the same direction."""
    return gradient * min(1.0, limit / (float(gradient.norm()) + 1e-12))
