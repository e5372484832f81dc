"""Hints: a student is shown what its teacher's layers say of an image, beside what it answers.

Source: Romero et al., FitNets: hints for thin deep nets, arXiv 1412.6550, section 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from tinyml_helpers.datasets import ImageSet
from tinyml_helpers.training import Loss


def body(network: nn.Module) -> nn.Sequential:
    """Return the part of a network of the spine that makes its last maps, [N, channels, 7, 7]."""
    return nn.Sequential(network.get_submodule("stem"), network.get_submodule("blocks"))


class Hinted(nn.Module):
    """A student in training, with the 1x1 convolution through which a teacher sees its last maps."""

    def __init__(self, student: nn.Module, channels: int) -> None:
        """Put a convolution beside the student, from its channels to the teacher's `channels`."""
        super().__init__()
        self.student = student
        head = student.get_submodule("head")
        assert isinstance(head, nn.Linear)
        self.adapter = nn.Conv2d(head.in_features, channels, kernel_size=1)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map images [N, 1, 28, 28] to logits [N, classes] and adapted maps [N, channels, 7, 7]."""
        maps = body(self.student)(images)
        flat = self.student.get_submodule("pool")(maps).flatten(1)
        return self.student.get_submodule("head")(flat), self.adapter(maps)


def from_maps(
    teacher_maps: torch.Tensor, data: ImageSet | TensorDataset, loss: Loss
) -> tuple[TensorDataset, Loss]:
    """Return data and loss with which `training.fit` trains a `Hinted` student.

    The mean squared error between the adapted maps and the teacher's is added to `loss`.

    Args:
        teacher_maps: what the teacher's layer says of each image, float32 [N, channels, 7, 7].
        data: the N images with their targets.
        loss: what the student would learn without hints.
    """

    def with_hint(
        images: torch.Tensor, said: tuple[torch.Tensor, torch.Tensor], told: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        logits, ours = said
        *targets, theirs = told
        hint = functional.mse_loss(ours, theirs)
        return loss(images, logits, targets[0] if len(targets) == 1 else targets) + hint

    tensors = data.tensors if isinstance(data, TensorDataset) else data.tensors()
    return TensorDataset(*tensors, teacher_maps), with_hint


def swap_within_classes(teacher_maps: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return a teacher's maps [N, ...] after each image got those of the next one with its label.

    A control: such maps say what images of a class have in common, and nothing else of the image.

    Args:
        teacher_maps: float32 [N, ...].
        labels: int64 [N].
    """
    swapped = teacher_maps.clone()
    for label in labels.unique():
        places = (labels == label).nonzero()[:, 0]
        swapped[places] = teacher_maps[places.roll(-1)]
    return swapped
