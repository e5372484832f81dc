"""Train networks on movements, and ask them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tinyml_helpers import training
from tinyml_helpers.datasets.gestures.recordings import Gestures
from tinyml_helpers.usecases.gestures import augment, features
from tinyml_helpers.usecases.gestures import network as networks
from tinyml_helpers.usecases.gestures.augment import RECIPE, Recipe
from tinyml_helpers.usecases.gestures.features import Windows
from tinyml_helpers.usecases.gestures.stream import Stream

LONG = 262
"""Raw samples in a window for training: room to start later, or to play 1.3 times as fast."""


def training_windows(gestures: Gestures) -> Windows:
    """Cut recordings into long windows that overlap much, for `fit`."""
    return features.cut(gestures, window=LONG, hop=25)


def train_network(
    windows: Windows, recipe: Recipe = RECIPE, *, seed: int = 0, **options: Any
) -> nn.Sequential:
    """Return a new network, trained.

    Args:
        windows: long ones, from `training_windows`.
        recipe: what to do.
        seed: of the network's first weights, and of the training.
        options: of `tinyml_helpers.usecases.gestures.network.build`.
    """
    torch.manual_seed(seed)
    network = networks.build(len(windows.classes), **options)
    fit(network, windows, recipe, seed=seed)
    return network


def fit(network: nn.Module, windows: Windows, recipe: Recipe = RECIPE, *, seed: int = 0) -> list[float]:
    """Train `network` in place, and leave it in evaluation mode.

    Args:
        network: maps float32 [N, axes, 1, 100] to logits [N, classes].
        windows: long ones, from `training_windows`.
        recipe: what to do.
        seed: of windows, turns and speeds.

    Returns:
        The loss of each step.

    Raises:
        ValueError: windows without room to play them faster.
    """
    if windows.raw.shape[1] < recipe.speed * features.WINDOW + 1:
        raise ValueError(
            f"windows of {windows.raw.shape[1]} samples, speed {recipe.speed}: take them from "
            "`training_windows`, or lower the speed"
        )
    draw = torch.Generator().manual_seed(seed)
    values, labels = augment.in_units(windows, recipe), torch.from_numpy(windows.labels)

    def batches() -> Iterator[training.Batch]:
        for _ in range(recipe.steps):
            chosen = torch.randint(len(labels), (recipe.batch,), generator=draw)
            played = augment.augment(values[chosen], recipe, draw)
            yield augment.prepare(played, recipe), labels[chosen]

    return training.fit_batches(
        network, batches(), steps=recipe.steps, learning_rate=recipe.learning_rate, weight_decay=0.05
    )  # fmt: skip


def logits(network: nn.Module, windows: Windows, recipe: Recipe = RECIPE) -> torch.Tensor:
    """Return what the network says of each window of 200 samples: float32 [M, classes]."""
    with torch.no_grad():
        if recipe.same_arms and not recipe.keep_slow and recipe.axes == 6:
            inputs = torch.from_numpy(features.network_input(windows.raw, windows.right))
        else:
            inputs = augment.prepare(augment.in_units(windows, recipe), recipe)
        parts: list[torch.Tensor] = [network(part) for part in inputs.split(500)]
        return torch.cat(parts)


def train_without(
    windows: Windows, held: NDArray[np.bool_], *, seed: int = 0
) -> tuple[nn.Sequential, float]:
    """Train without some windows, and test on the first 4 s of those.

    Args:
        windows: long ones.
        held: bool [M], the test.
        seed: of the training.

    Returns:
        The network, and its macro accuracy in percent.
    """
    network, test = train_network(windows.take(~held), seed=seed), windows.take(held).first()
    return network, training.balanced_percent(logits(network, test).argmax(1), test.labels)


def predict_unseen(unseen: Mapping[str, nn.Module], windows: Windows) -> torch.Tensor:
    """Return for each person's windows what the person's network says: float32 [M, classes].

    Args:
        unseen: person -> network that was trained without the person.
        windows: of everybody.
    """
    outputs = torch.zeros(len(windows), len(windows.classes))
    for person, network in unseen.items():
        mine = windows.people == person
        outputs[torch.from_numpy(mine)] = logits(network, windows.take(mine))
    return outputs


def stream_logits(network: nn.Module, flow: Stream) -> torch.Tensor:
    """Return what the network says of every window of a stream: float32 [M, classes]."""
    raw, _ = flow.windows()
    with torch.no_grad():
        inputs = torch.from_numpy(features.network_input(raw, np.full(len(raw), flow.right)))
        said: torch.Tensor = network(inputs)
    return said
