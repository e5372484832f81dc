"""Training with differential privacy: each picture's gradient clipped, noise added, epsilon counted."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from tinyml_helpers import training
from tinyml_helpers.datasets import ImageSet


@dataclass(frozen=True, repr=False)
class Private:
    """What DP-SGD gave: the network, its promise (`epsilon`, `delta`), and what it was made with."""

    model: nn.Module
    epsilon: float
    delta: float
    noise: float
    clip: float
    images: int

    def __repr__(self) -> str:
        promise = f"epsilon {self.epsilon:.2f} at delta {self.delta:.0e}"
        return f"{promise}: {self.images:,} images, noise {self.noise:g}, clip {self.clip:g}"


def build(classes: int = 10, channels: int = 16) -> nn.Sequential:
    """Build a small network without batch norm, which mixes pictures and so breaks the promise.

    Input: float32 [N, 1, 28, 28]. Output: logits float32 [N, classes].

    Source: the shape of Papernot et al., arXiv 2007.14191: few channels, tanh, whose bounded outputs
    suit clipped gradients.
    """
    return nn.Sequential(
        nn.Conv2d(1, channels, 8, 2, padding=3),
        nn.Tanh(),
        nn.MaxPool2d(2, 1),
        nn.Conv2d(channels, 2 * channels, 4, 2),
        nn.Tanh(),
        nn.MaxPool2d(2, 1),
        nn.Flatten(),
        nn.Linear(2 * channels * 16, 32),
        nn.Tanh(),
        nn.Linear(32, classes),
    )


def fit(
    model: nn.Module,
    data: ImageSet,
    *,
    epochs: int,
    noise: float = 1.0,
    clip: float = 1.0,
    batch_size: int = 256,
    learning_rate: float = 2.0,
    delta: float = 1e-5,
    seed: int = 0,
) -> Private:
    """Train `model` in place by DP-SGD, with opacus, and leave it in evaluation mode.

    Args:
        model: without batch norm.
        data: labelled images.
        epochs: passes over the data, on average: batches are drawn at random.
        noise: standard deviation of the noise, in units of `clip`; 0 gives no promise.
        clip: the longest gradient of a picture.
        batch_size: pictures in a step, on average.
        learning_rate: of plain SGD, because steps are short.
        delta: chance that the promise does not hold; below 1 / images.
        seed: of batches and noise. A real run must not have one: known noise protects nobody.

    Raises:
        ValueError: batch norm in the model, fewer images than a batch, or a delta that is too large.

    Source: Abadi et al., arXiv 1607.00133; accounting: Gopi et al., arXiv 2106.02848 (PRV).
    """
    _check(model, data, batch_size, delta)
    with _quiet():
        from opacus import PrivacyEngine

        dataset = torch.utils.data.TensorDataset(*data.tensors())
        draw = torch.Generator().manual_seed(seed)
        loader = torch.utils.data.DataLoader(dataset, batch_size, generator=draw)
        engine = PrivacyEngine(accountant="prv")
        wrapped, optimizer, batches = engine.make_private(
            module=model.train(),
            optimizer=torch.optim.SGD(model.parameters(), learning_rate),
            data_loader=loader,
            noise_multiplier=noise,
            max_grad_norm=clip,
            noise_generator=draw,
        )
        for _ in range(epochs):
            # A batch that came out empty still gets its noise.
            for images, labels in batches:
                training.take_step(wrapped, optimizer, images, labels)
        # The accountant takes the logarithm of 0 where a probability is 0.
        with np.errstate(divide="ignore"):
            epsilon = engine.get_epsilon(delta) if noise else float("inf")
        wrapped.remove_hooks()
    for parameter in model.parameters():
        parameter.grad_sample = None  # type: ignore[attr-defined]
    return Private(model.eval(), float(epsilon), delta, noise, clip, len(data))


def _check(model: nn.Module, data: ImageSet, batch_size: int, delta: float) -> None:
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        raise ValueError("batch norm mixes the pictures of a batch: use `private.build`, or GroupNorm")
    if len(data) < batch_size:
        raise ValueError(f"{len(data)} images do not fill a batch of {batch_size}")
    if not 0 < delta < 1 / len(data):
        raise ValueError(f"delta {delta} promises nothing to {len(data)} people: go below 1 / images")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence two notes of opacus: that a seeded generator is not secure, and hooks without inputs.

    The first is said in `fit`; the second is about pictures, which need no gradient.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", FutureWarning)
        logging.getLogger("opacus").setLevel(logging.ERROR)
        yield
