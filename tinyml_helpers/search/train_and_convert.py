"""From settings to an int8 .tflite: train, remove channels, go on with rounded weights, convert."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from tinyml_helpers import training
from tinyml_helpers.compress import prune
from tinyml_helpers.compress.affine import weight_affine
from tinyml_helpers.compress.channels import remove_channels
from tinyml_helpers.compress.distill import distillation_loss
from tinyml_helpers.compress.qat import StraightThrough
from tinyml_helpers.compress.quantize import layers
from tinyml_helpers.search.search_space import Settings
from tinyml_helpers.search.tasks import Task

CALIBRATION = 300
"""Inputs that the converter looks at, drawn as training draws them."""


@dataclass(frozen=True, eq=False, repr=False)
class Made:
    """A trained network, and what it became.

    Args:
        network: in float, its weights rounded to as few values as the settings allow.
        content: of the int8 .tflite file.
    """

    network: nn.Module
    content: bytes

    def __repr__(self) -> str:
        weights = sum(layer.weight.numel() for _, layer in layers(self.network))
        return f"{weights:,} weights, {len(self.content):,} bytes of .tflite"


class Rounded(nn.Module):
    """Rounds a weight to few bits, a scale for each output channel; what is masked is zero.

    The gradient passes straight through: this is quantization-aware training (lesson 03) of weights.
    """

    def __init__(self, bits: int, kept: torch.Tensor) -> None:
        """Remember how many bits, and which weights are kept: bool, of the weight's shape."""
        super().__init__()
        self.bits = bits
        self.register_buffer("kept", kept)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Round a weight [outputs, ...]."""
        masked = weight * self.get_buffer("kept")
        by = weight_affine(masked, self.bits)
        scale = by.scale.reshape((-1,) + (1,) * (weight.ndim - 1))
        rounded: torch.Tensor = StraightThrough.apply(masked, scale, *by.limits)
        return rounded


def make(task: Task, settings: Settings) -> Made:
    """Train a network as the settings say, and convert it.

    Half of the steps train it in float. Then channels go, the smallest weights become zero, and the
    other half trains what is left with rounded weights.

    Raises:
        ValueError: a teacher is asked for, and the task has none.
    """
    if settings.teacher and task.teacher is None:
        raise ValueError(f"{task.name} has no teacher: search with teacher=False")
    with _one_thread():
        torch.manual_seed(settings.seed)
        draw = torch.Generator().manual_seed(settings.seed)
        network = task.build(settings.width)
        teacher = task.teacher() if settings.teacher and task.teacher else None
        _train(task, network, task.steps // 2, draw, teacher)
        network = _compressed(task, network, settings)
        _train(task, network, task.steps - task.steps // 2, draw, teacher)
        for _, layer in layers(network):
            parametrize.remove_parametrizations(layer, "weight")
        return Made(network, _converted(task, network, draw))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Work on one thread: the workers share the cores, and sums keep their order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(
    task: Task, network: nn.Module, steps: int, draw: torch.Generator, teacher: nn.Module | None
) -> None:
    def loss(inputs: torch.Tensor, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if teacher is None:
            return task.loss(outputs, targets)
        with torch.no_grad():
            said = teacher(inputs)
        return distillation_loss(outputs, said, targets, temperature=3.0, weight=0.7)

    examples = task.load("train")
    training.fit_batches(
        network, (task.batch(examples, draw) for _ in range(steps)), steps=steps,
        learning_rate=task.learning_rate, weight_decay=0.02, loss=loss, progress=False,
    )  # fmt: skip


def _compressed(task: Task, network: nn.Module, settings: Settings) -> nn.Module:
    """Remove channels, choose the zeros, and round every weight from now on."""
    if settings.removed:
        example = _drawn_inputs(task, torch.Generator().manual_seed(0))[:1]
        network = remove_channels(network, example, settings.removed)
    if settings.zeros:
        prune.mask_weights(network, settings.zeros, skip=("depthwise",))
        prune.make_permanent(network)
    for _, layer in list(layers(network)):
        kept = layer.weight.detach() != 0
        parametrize.register_parametrization(layer, "weight", Rounded(settings.bits, kept))
    return network


def _drawn_inputs(task: Task, draw: torch.Generator) -> torch.Tensor:
    return task.batch(task.load("train"), draw)[0]


def _converted(task: Task, network: nn.Module, draw: torch.Generator) -> bytes:
    from tinyml_helpers.deploy import litert

    drawn: list[torch.Tensor] = []
    while sum(map(len, drawn)) < CALIBRATION:
        drawn.append(_drawn_inputs(task, draw))
    inputs: Any = task.feed(torch.cat(drawn)[:CALIBRATION])
    return litert.from_keras(task.twin(network), "int8", np.ascontiguousarray(inputs))
