"""Train and score classifiers: seeded, on the CPU, with a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.utils.data import TensorDataset
from tqdm.auto import tqdm

from tinyml_helpers.datasets import ImageSet

# What the network sees [N, ...], and what its loss compares the answer with: labels [N], mostly.
Batch = tuple[torch.Tensor, Any]
# What the network saw, what it answered (logits, mostly), and what that is compared with -> a scalar.
Loss = Callable[[torch.Tensor, Any, Any], torch.Tensor]


@dataclass(frozen=True, repr=False)
class History:
    """What a training run was: mean `losses` by epoch, wall time `seconds`, and its settings."""

    losses: tuple[float, ...]
    seconds: float
    images: int
    seed: int

    def __repr__(self) -> str:
        losses = f"loss {self.losses[0]:.3f} -> {self.losses[-1]:.3f}" if self.losses else "untrained"
        return f"{len(self.losses)} epochs of {self.images:,} images, {losses}, seed {self.seed}"


def label_loss(_images: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy between logits [N, classes] and labels [N]: a scalar."""
    return nn.functional.cross_entropy(logits, labels)


def fit(
    model: nn.Module,
    data: ImageSet | TensorDataset,
    *,
    epochs: int,
    learning_rate: float = 5e-3,
    batch_size: int = 128,
    weight_decay: float = 0.05,
    augment: bool = True,
    seed: int = 0,
    bfloat16: bool = False,
    loss: Loss = label_loss,
    before_step: Callable[[float], object] = lambda done: None,
) -> History:
    """Train `model` in place on images, and leave it in evaluation mode.

    Args:
        model: maps float32 [N, 1, 28, 28] in 0..1 to logits [N, classes].
        data: labelled images, or tensors: images, and what `loss` is told of each (listed, if several).
        epochs: passes over the data.
        learning_rate: the peak of the one-cycle schedule.
        batch_size: images a step; an incomplete last batch is left out.
        weight_decay: of AdamW.
        augment: shift each image by up to two pixels and mirror half of them.
        seed: of the order of the images and of the augmentation.
        bfloat16: compute in bfloat16 where PyTorch deems it safe (faster on recent CPUs).
        loss: what to minimise; gets images, logits and labels (or targets) of a batch.
        before_step: called before each step with the share of the training that is done, 0 to below
            1: to prune gradually, say, or to freeze observers towards the end.

    Raises:
        ValueError: fewer images than one batch, or no epochs.
    """
    steps = count_steps(len(data), batch_size, epochs)
    tensors = data if isinstance(data, TensorDataset) else TensorDataset(*data.tensors())
    draw = torch.Generator().manual_seed(seed)

    def batches() -> Iterator[Batch]:
        for step, chosen in enumerate(shuffle(len(data), batch_size, epochs, draw)):
            before_step(step / steps)
            images, *told = tensors[chosen]
            images = shift_and_mirror(images, draw) if augment else images
            yield images, told[0] if len(told) == 1 else told

    started = time.perf_counter()
    losses = mean_losses(fit_batches(
        model, batches(), steps=steps, learning_rate=learning_rate, weight_decay=weight_decay,
        warm_up=0.2, loss=loss, bfloat16=bfloat16,
    ), epochs)  # fmt: skip
    return History(losses, time.perf_counter() - started, steps // epochs * batch_size, seed)


def fit_batches(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    warm_up: float = 0.3,
    loss: Loss = label_loss,
    bfloat16: bool = False,
    progress: bool = True,
) -> list[float]:
    """Train `model` in place as `fit` does, on batches of any kind, and return the loss of each step.

    Args:
        model: maps the inputs of a batch to outputs.
        batches: inputs and targets of each step, drawn one by one.
        steps: how many batches there are.
        learning_rate: the peak of the one-cycle schedule.
        weight_decay: of AdamW.
        warm_up: share of the steps before the peak.
        loss: what to minimise; gets inputs, outputs and targets of a batch.
        bfloat16: see `fit`.
        progress: show a bar.
    """
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=weight_decay)
    if warm_up * steps == 1:  # the first step is the peak; OneCycleLR would divide by the 0 before it
        warm_up = float(np.nextafter(warm_up, 0))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, steps, pct_start=warm_up)
    model.train()  # an exported graph returns nothing here
    # Channels last is 1.7 times faster for convolutions on a CPU, and changes no result.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    losses = []
    shown = tqdm(batches, total=steps, unit="step", leave=False, delay=1) if progress else batches
    for inputs, targets in shown:
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        losses.append(take_step(model, optimizer, inputs, targets, loss, bfloat16=bfloat16))
        schedule.step()
    model.eval()
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return losses


def take_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    inputs: torch.Tensor,
    targets: Any,
    loss: Loss = label_loss,
    *,
    bfloat16: bool = False,
) -> float:
    """Take one step down the gradient of a batch, and return the loss before it."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        cost = loss(inputs, model(inputs), targets)
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
    return cost.item()


def count_steps(count: int, batch_size: int, epochs: int) -> int:
    """Return how many whole batches some passes over `count` examples have.

    Raises:
        ValueError: not one.
    """
    if count < batch_size or epochs < 1:
        raise ValueError(f"{count} examples x {epochs} epochs do not fill a batch of {batch_size}")
    return epochs * (count // batch_size)


def shuffle(count: int, batch_size: int, epochs: int, draw: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield places int64 [batch_size] among `count` examples, for whole batches in a random order."""
    for _ in range(epochs):
        places = torch.randperm(count, generator=draw)
        yield from places.split(batch_size)[: count // batch_size]


def mean_losses(losses: Sequence[float], parts: int) -> tuple[float, ...]:
    """Return the mean loss of each of some equal parts of a training, such as its epochs."""
    return tuple(float(part.mean()) for part in np.array_split(losses, parts))


def shift_and_mirror(images: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Shift each image [N, C, H, W] by up to two pixels both ways, and mirror half of them."""
    count, _, height, width = images.shape
    padded = nn.functional.pad(images, (2, 2, 2, 2))
    down, right = torch.randint(5, (2, count), generator=draw)
    mirrored = torch.rand(count, generator=draw)[:, None] < 0.5
    columns = torch.where(mirrored, torch.arange(width - 1, -1, -1), torch.arange(width))
    rows = (down[:, None] + torch.arange(height))[:, :, None]
    columns = (right[:, None] + columns)[:, None, :]
    moved = padded.permute(0, 2, 3, 1)[torch.arange(count)[:, None, None], rows, columns]
    return moved.permute(0, 3, 1, 2)


def predict(model: nn.Module, data: ImageSet, batch_size: int = 100) -> torch.Tensor:
    """Return the logits float32 [N, classes] of every image, without touching the model's mode."""
    return run(model, data.tensors()[0], batch_size)


def run(model: nn.Module, images: torch.Tensor, batch_size: int = 100) -> torch.Tensor:
    """Return what a network says of images float32 [N, C, H, W], some at a time: [N, ...]."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = images.contiguous(memory_format=torch.channels_last).split(batch_size)
    with torch.no_grad():
        said = [model(batch) for batch in tqdm(batches, unit="batch", leave=False, delay=2)]
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return torch.cat(said)


def latency_ms(model: nn.Module, images: torch.Tensor, seconds: float = 0.5) -> float:
    """Return the median time of one call on this machine, on one thread, in milliseconds.

    Args:
        model: any module.
        images: float32 [N, 1, 28, 28], given to the model as one batch.
        seconds: how long to repeat it.
    """
    from torch.utils.benchmark import Timer

    timer = Timer("model(images)", globals={"model": model, "images": images}, num_threads=1)
    with torch.no_grad():
        return 1000 * timer.blocked_autorange(min_run_time=seconds).median


def accuracy(model: nn.Module, data: ImageSet) -> float:
    """Return the share of images whose largest logit is that of the label, in percent."""
    return percent_equal(predict(model, data).argmax(1), torch.from_numpy(data.labels))


def percent_equal(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the share of places [N] at which two lists of classes agree, in percent."""
    return 100 * float((first == second).double().mean())


def balanced_percent(found: ArrayLike, labels: ArrayLike) -> float:
    """Return the balanced accuracy of classes [N] in percent: the mean over the classes in `labels`."""
    from sklearn.metrics import recall_score

    # balanced_accuracy_score is the same, and warns of every class that is answered but not in `labels`.
    truth = np.asarray(labels)
    return 100 * float(recall_score(truth, np.asarray(found), labels=np.unique(truth), average="macro"))
