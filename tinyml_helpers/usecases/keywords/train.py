"""Train a keyword spotter on clips of sound: altered anew at every step, from a stored start."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from tinyml_helpers import training
from tinyml_helpers.datasets.keywords.backgrounds import backgrounds
from tinyml_helpers.datasets.keywords.clips import SILENCE, Keywords
from tinyml_helpers.intervals import Interval
from tinyml_helpers.models import conv_bn
from tinyml_helpers.usecases.keywords import augment, features, network
from tinyml_helpers.usecases.keywords.streaming import accuracy_interval

BATCH = 128


def load_start(classes: int = network.CLASSES) -> nn.Sequential:
    """Load a keyword spotter to train further, with a new last layer if it has other classes."""
    model = network.load_trained("start")
    head = model.get_submodule("head")
    if isinstance(head, nn.Linear) and head.out_features != classes:
        model.set_submodule("head", nn.Linear(head.in_features, classes))
    return model


def fit(
    model: nn.Module, spoken: Keywords, *, steps: int = 300, learning_rate: float = 1e-3, seed: int = 0
) -> training.History:
    """Train `model` in place on altered clips, large classes less often than their size.

    Args:
        model: maps float32 [N, 1, 50, 10] to logits [N, classes].
        spoken: clips and labels; see `datasets.load_keywords`.
        steps: batches of 128.
        learning_rate: the peak of the one-cycle schedule.
        seed: of the order, and of what is altered.

    Raises:
        ValueError: no clips or no steps.
    """
    if not len(spoken) or steps < 1:
        raise ValueError(f"{len(spoken)} clips, {steps} steps: give at least one of each")
    started, draw = time.perf_counter(), torch.Generator().manual_seed(seed)
    raw, labels = augment.raw_features(spoken.clips), torch.from_numpy(spoken.labels)
    others = torch.randperm(len(raw), generator=draw)[:100]
    noises = torch.cat([_backgrounds(spoken, raw, seed), raw[others]])

    def batches() -> Iterator[training.Batch]:
        for _ in range(steps):
            chosen = draw_classes_alike(labels, draw)
            yield augment.as_input(augment.alter(raw[chosen], noises, draw)), labels[chosen]

    losses = training.fit_batches(
        model, batches(), steps=steps, learning_rate=learning_rate, weight_decay=0.02,
        loss=lambda _, logits, truth: cross_entropy(logits, truth, label_smoothing=0.05),
    )  # fmt: skip
    seconds = time.perf_counter() - started
    return training.History(training.mean_losses(losses, min(steps, 10)), seconds, steps * BATCH, seed)


def draw_classes_alike(labels: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Draw the places int64 [128] of a batch among labels [N], large classes less often than their size.

    A class with four times the clips, such as the unknown words, is drawn twice as often.
    """
    share = torch.bincount(labels).clamp(min=1).float().rsqrt()[labels]
    return torch.multinomial(share, BATCH, replacement=True, generator=draw)


def _backgrounds(spoken: Keywords, raw: torch.Tensor, seed: int) -> torch.Tensor:
    """Return the features of the clips without a word, or of some made here if there are few."""
    quiet = torch.from_numpy(spoken.words == SILENCE)
    return raw[quiet] if quiet.sum() >= 20 else augment.raw_features(backgrounds(60, seed)[0])


def alter_clip(
    clip: NDArray[np.int16], noises: NDArray[np.int16], count: int, seed: int = 0
) -> torch.Tensor:
    """Return the features of a clip int16 [16000], and then of it altered in `count` random ways.

    Args:
        clip: one second of sound.
        noises: backgrounds and babble, int16 [N, 16000].
        count: how many altered ones.
        seed: of what is altered.

    Returns:
        float32 [1 + count, 50, 10].
    """
    raw = augment.raw_features(clip[None])
    draw = torch.Generator().manual_seed(seed)
    altered = augment.alter(raw.expand(count, -1, -1), augment.raw_features(noises), draw)
    return torch.cat([raw, altered])


def build_candidates() -> dict[str, nn.Module]:
    """Return three networks for 50 x 10 numbers: dense, with whole convolutions, with split ones."""
    ds_cnn = network.ds_cnn()
    stem, _, *end = network.ds_cnn()
    whole = nn.Sequential(stem, *(conv_bn(64, 64) for _ in range(network.BLOCKS)), *end)
    hidden = [nn.Linear(500, 144), nn.ReLU(), nn.Linear(144, 144), nn.ReLU(), nn.Linear(144, 12)]
    return {"dense": nn.Sequential(nn.Flatten(), *hidden), "CNN": whole, "DS-CNN": ds_cnn}


def accuracy(model: nn.Module, spoken: Keywords) -> Interval:
    """Return how many percent a PyTorch network gets right, as `streaming.judged` counts."""
    seen = torch.from_numpy(features.network_input(features.features(spoken.clips)))[:, None]
    model.eval()
    with torch.inference_mode():
        found = torch.cat([model(part).argmax(1) for part in seen.split(500)])
    return accuracy_interval(found.numpy(), spoken)
