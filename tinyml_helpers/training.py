"""Train and score classifiers: seeded, on the CPU, with a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from tqdm.auto import tqdm

from tinyml_helpers.datasets import ImageSet

# Images [N, 1, 28, 28] as the network saw them, its logits [N, classes], labels [N] -> a scalar.
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


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
    data: ImageSet,
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
    """Train `model` in place with AdamW on a one-cycle schedule, and leave it in evaluation mode.

    Args:
        model: maps float32 [N, 1, 28, 28] in 0..1 to logits [N, classes].
        data: labelled images.
        epochs: passes over the data.
        learning_rate: the peak of the one-cycle schedule.
        batch_size: images a step; an incomplete last batch is left out.
        weight_decay: of AdamW.
        augment: shift each image by up to two pixels and mirror half of them.
        seed: of the order of the images and of the augmentation.
        bfloat16: compute in bfloat16 where PyTorch deems it safe (faster on recent CPUs).
        loss: what to minimise; gets images, logits and labels of a batch.
        before_step: called before each step with the share of the training that is done, 0 to below
            1: to prune gradually, say, or to freeze observers towards the end.

    Raises:
        ValueError: fewer images than one batch, or no epochs.
    """
    steps = len(data) // batch_size
    if steps < 1 or epochs < 1:
        raise ValueError(f"{len(data)} images x {epochs} epochs do not fill a batch of {batch_size}")
    images, labels = data.tensors()
    draw = torch.Generator().manual_seed(seed)
    # Channels last is 1.7 times faster for convolutions on a CPU, and changes no result.
    model.train()  # an exported graph returns nothing here
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=epochs * steps, pct_start=0.2
    )
    started, losses = time.perf_counter(), []
    with tqdm(total=epochs * steps, unit="step", leave=False, delay=1) as bar:
        for epoch in range(epochs):
            total = torch.zeros(())
            for chosen in torch.randperm(len(data), generator=draw)[: steps * batch_size].split(
                batch_size
            ):
                before_step(schedule.last_epoch / (epochs * steps))
                batch = shift_and_mirror(images[chosen], draw) if augment else images[chosen]
                with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                    logits = model(batch.contiguous(memory_format=torch.channels_last))
                    cost = loss(batch, logits, labels[chosen])
                optimizer.zero_grad()
                cost.backward()
                optimizer.step()
                schedule.step()
                total += cost.detach()
                bar.update()
            losses.append(float(total) / steps)
            bar.set_description(f"epoch {epoch + 1}/{epochs}, loss {losses[-1]:.3f}")
    model.eval()
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return History(tuple(losses), time.perf_counter() - started, steps * batch_size, seed)


def shift_and_mirror(images: torch.Tensor, draw: torch.Generator, pixels: int = 2) -> torch.Tensor:
    """Shift each image [N, C, H, W] by up to `pixels` both ways, and mirror half of them."""
    count, _, height, width = images.shape
    padded = nn.functional.pad(images, (pixels,) * 4)
    down, right = torch.randint(2 * pixels + 1, (2, count), generator=draw)
    mirrored = torch.rand(count, generator=draw)[:, None] < 0.5
    columns = torch.where(mirrored, torch.arange(width - 1, -1, -1), torch.arange(width))
    rows = (down[:, None] + torch.arange(height))[:, :, None]
    columns = (right[:, None] + columns)[:, None, :]
    return padded.permute(0, 2, 3, 1)[torch.arange(count)[:, None, None], rows, columns].permute(
        0, 3, 1, 2
    )


def predict(model: nn.Module, data: ImageSet, batch_size: int = 100) -> torch.Tensor:
    """Return the logits float32 [N, classes] of every image, without touching the model's mode."""
    images = data.tensors()[0].contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        batches = tqdm(images.split(batch_size), unit="batch", leave=False, delay=2)
        return torch.cat([model(batch) for batch in batches])


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
