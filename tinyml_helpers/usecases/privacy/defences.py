"""What might keep a network from giving its training images away: each tried on the same few."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tinyml_helpers import models, training
from tinyml_helpers.compress import quantize
from tinyml_helpers.datasets import ImageSet
from tinyml_helpers.usecases.privacy import dp_training
from tinyml_helpers.usecases.privacy.dp_training import Private
from tinyml_helpers.usecases.privacy.membership_inference import Membership

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def overfit(
    members: ImageSet, *, epochs: int = 40, augment: bool = False, seed: int = 0
) -> nn.Sequential:
    """Train `tiny` on a few images: by heart, with the settings as they stand here.

    Args:
        members: some hundred images.
        epochs: passes over them.
        augment: shift and mirror them.
        seed: of first weights and order.
    """
    torch.manual_seed(seed)
    network = models.build("tiny")
    training.fit(
        network, members, epochs=epochs, augment=augment, batch_size=50, weight_decay=0, seed=seed
    )
    return network


def train_defences(overfitted: nn.Module, members: ImageSet, *, seed: int = 0) -> dict[str, nn.Module]:
    """Return what became of an overfitted network by rounding, and others trained with more care.

    Args:
        overfitted: from `overfit`.
        members: the images that it was trained on.
        seed: as for `overfit`.
    """
    folded = quantize.fold_batch_norm(overfitted)
    return {
        "weights in 8 bits": quantize.with_rounded_weights(folded, 8),
        "weights in 4 bits": quantize.with_rounded_weights(folded, 4),
        "stopped early": overfit(members, epochs=8, seed=seed),
        "augmented": overfit(members, augment=True, seed=seed),
    }


def train_privately(members: ImageSet, *, seed: int = 0) -> dict[str, Private]:
    """Train the small network of `private` plainly, with clipping, and with clipping and noise.

    Rates and noise were chosen on training images that are neither members nor strangers here.

    Args:
        members: 500 images or so.
        seed: of first weights, batches and noise.
    """
    torch.manual_seed(seed)
    start = dp_training.build(channels=8)
    settings: dict[str, dict[str, float]] = {
        "tanh, plain SGD": {"noise": 0, "clip": 1e6, "learning_rate": 0.1},
        "tanh, clipping": {"noise": 0, "learning_rate": 0.5},
        "tanh, clipping and noise": {"noise": 2, "learning_rate": 0.5},
    }
    return {
        name: dp_training.fit(
            copy.deepcopy(start), members, epochs=20, batch_size=100, delta=1e-4, seed=seed, **options
        )
        for name, options in settings.items()
    }


def draw_histogram(inside: NDArray[np.float32], outside: NDArray[np.float32], threshold: float) -> Axes:
    """Draw the losses of members and strangers, and what a threshold makes of them."""
    from matplotlib import pyplot as plt

    axes: Axes = plt.subplots()[1]
    bins = np.geomspace(1e-6, 20, 60).tolist()
    for part, name in ((outside, "strangers"), (inside, "members")):
        share = np.full(len(part), 100 / len(part))
        axes.hist(part.clip(1e-6), bins, weights=share, alpha=0.6, label=name)
    axes.axvline(threshold, color="black")
    accused = [100 * float((part < threshold).mean()) for part in (inside, outside)]
    axes.set(xscale="log", xlabel="loss of an image (log scale)", ylabel="share (%)")
    axes.set_title("Accused: {:.0f} % of members, {:.0f} % of strangers".format(*accused))
    axes.legend()
    return axes


def draw_row(views: Mapping[str, torch.Tensor]) -> None:
    """Draw pictures [28, 28] in 0..1 beside each other, clipped to that range."""
    from matplotlib import pyplot as plt

    for axes, (title, view) in zip(
        plt.subplots(1, len(views), figsize=(9, 1.9))[1], views.items(), strict=True
    ):
        axes.imshow(view.clamp(0, 1))
        axes.set_axis_off()
        axes.set_title(title, fontsize=11, fontweight="normal", loc="center")


def draw_trade(found: Mapping[str, Membership]) -> Axes:
    """Draw attack, with its interval, against accuracy: a point for each network."""
    from matplotlib import pyplot as plt

    axes: Axes = plt.subplots(figsize=(9, 4))[1]
    markers = "os^Dv<>P*X"
    for number, (name, one) in enumerate(found.items()):
        marker = markers[number % len(markers)]
        height = one.strangers.value
        (drawn,) = axes.plot(one.auc.value, height, marker, ms=9, label=name)
        axes.hlines(height, one.auc.low, one.auc.high, drawn.get_color(), linewidth=1)
    axes.set(xlabel="AUC of the attack (0.5: a coin)", ylabel="right on strangers (%)")
    axes.legend(bbox_to_anchor=(1, 1))
    return axes
