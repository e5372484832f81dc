"""Knowledge distillation: a student network learns from the probabilities of a teacher.

Source: Hinton, Vinyals and Dean, Distilling the knowledge in a neural network, arXiv 1503.02531.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from tinyml_helpers.compress import qat
from tinyml_helpers.datasets import ImageSet, read_verified
from tinyml_helpers.models import build
from tinyml_helpers.training import Loss


def soften(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the probabilities [N, classes] of logits [N, classes] at a temperature above zero.

    At 1 they are what the network says; the higher the temperature, the more alike the classes become.

    Raises:
        ValueError: a temperature that is not above zero.

    Source: equation 1 of the paper.
    """
    _require(temperature, 1.0)
    return functional.softmax(logits.float() / temperature, 1)


def soft_loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return how far the student's soft probabilities are from the teacher's: a scalar, 0 if equal.

    It is the mean Kullback-Leibler divergence over the images, times the temperature squared, so that
    its gradient keeps its size when the temperature changes.

    Args:
        student: logits [N, classes].
        teacher: logits of the same images, of the same shape.
        temperature: above zero; both are softened by it.

    Raises:
        ValueError: different shapes, or a temperature that is not above zero.

    Source: sections 2 and 2.1 of the paper.
    """
    _require(temperature, 1.0)
    if student.shape != teacher.shape:
        raise ValueError(
            f"student logits {list(student.shape)}, teacher logits {list(teacher.shape)}: "
            "give both the same images and the same classes"
        )
    ours, theirs = (
        functional.log_softmax(logits.float() / temperature, 1) for logits in (student, teacher)
    )
    return temperature**2 * (theirs.exp() * (theirs - ours)).sum(1).mean()


def distillation_loss(
    student: torch.Tensor,
    teacher: torch.Tensor,
    labels: torch.Tensor,
    *,
    temperature: float = 4.0,
    weight: float = 0.9,
) -> torch.Tensor:
    """Return weight x soft loss + (1 - weight) x cross-entropy with the labels: a scalar.

    Args:
        student: logits [N, classes].
        teacher: logits of the same images, of the same shape.
        labels: int64 [N].
        temperature: above zero; of the soft loss alone.
        weight: of the soft loss, from 0 (labels only) to 1 (teacher only).

    Raises:
        ValueError: different shapes, or a temperature or weight out of range.
    """
    _require(temperature, weight)
    soft = soft_loss(student, teacher, temperature)
    return weight * soft + (1 - weight) * functional.cross_entropy(student.float(), labels)


def from_teacher(
    teacher: nn.Module, *, temperature: float = 4.0, weight: float = 0.9, bfloat16: bool = False
) -> Loss:
    """Return the `loss=` with which `training.fit` distils a teacher into the network it trains.

    The teacher looks at the very batch that the student saw, augmentation included. It is copied and
    frozen: nothing that happens to either network afterwards touches the other.

    Args:
        teacher: maps images [N, 1, 28, 28] to logits of the student's shape.
        temperature: of the soft loss, above zero.
        weight: of the soft loss, from 0 (labels only) to 1 (teacher only).
        bfloat16: run the teacher in bfloat16 (twice as fast on recent CPUs, slower on old ones).

    Raises:
        ValueError: a temperature or weight out of range.

    Source: Beyer et al., A good teacher is patient and consistent, arXiv 2106.05237, for showing both
    the same batch.
    """
    _require(temperature, weight)
    frozen = copy.deepcopy(teacher).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(images: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        batch = images.contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            soft = frozen(batch)
        return distillation_loss(logits, soft, labels, temperature=temperature, weight=weight)

    return loss


def from_logits(
    teacher_logits: torch.Tensor, data: ImageSet, *, temperature: float = 4.0, weight: float = 0.9
) -> tuple[TensorDataset, Loss]:
    """Return data and loss with which `training.fit` distils a teacher that looked once, beforehand.

    The data hold images, labels and the teacher's logits, side by side. Train with `augment=False`: of
    images that were shifted or mirrored the teacher said nothing.

    Args:
        teacher_logits: what the teacher says of each image, float32 [N, classes].
        data: the N labelled images.
        temperature: of the soft loss, above zero.
        weight: of the soft loss, from 0 (labels only) to 1 (teacher only).

    Raises:
        ValueError: a temperature or weight out of range, or logits of another number of images.
    """
    _require(temperature, weight)
    if len(teacher_logits) != len(data):
        raise ValueError(
            f"logits of {len(teacher_logits)} images for {len(data)}: give one row for each"
        )

    def loss(_images: torch.Tensor, logits: torch.Tensor, told: Sequence[torch.Tensor]) -> torch.Tensor:
        labels, theirs = told
        return distillation_loss(logits, theirs, labels, temperature=temperature, weight=weight)

    return TensorDataset(*data.tensors(), teacher_logits), loss


def shuffle_wrong(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return a teacher's logits [N, classes] after each image's wrong classes traded values at random.

    A control: such a teacher is as sure of each label as before and spreads its doubt as unevenly, but
    no longer knows which classes are alike. The order is another one for each image, the same each time.

    Args:
        logits: float32 [N, classes].
        labels: int64 [N]; the logit of the label stays.

    Source: dark knowledge with permuted predictions, Furlanello et al., arXiv 1805.04770, section 3.
    """
    wrong = torch.ones_like(logits, dtype=torch.bool).scatter(1, labels[:, None], False)
    values = logits[wrong].reshape(len(logits), -1)
    order = torch.rand(values.shape, generator=torch.Generator().manual_seed(0)).argsort(1)
    return logits.masked_scatter(wrong, values.gather(1, order))


def level_wrong(logits: torch.Tensor, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return a teacher's logits [N, classes] after each image's wrong classes became equally likely.

    A control: at `temperature` such a teacher gives each label the probability that it gave before, and
    says nothing else.

    Args:
        logits: float32 [N, classes].
        labels: int64 [N]; the logit of the label stays.
        temperature: at which the probability of the label is kept.
    """
    _require(temperature, 1.0)
    wrong = torch.ones_like(logits, dtype=torch.bool).scatter(1, labels[:, None], False)
    values = logits[wrong].reshape(len(logits), -1) / temperature
    mean = temperature * (values.logsumexp(1, keepdim=True) - math.log(values.shape[1]))
    return torch.where(wrong, mean, logits)


def load_student(name: str) -> nn.Module:
    """Load a student of lesson 05, a `tiny` network in evaluation mode, of floats or of integers.

    Args:
        name: images, kind and seed, as data/build/train_students.py names them: "few/alone/0".

    Raises:
        ValueError: no student of that name is stored.
        tinyml_helpers.datasets.DataError: the file is missing or damaged.
    """
    from safetensors.torch import load

    stored = load(read_verified("models/students.safetensors"))
    state = {k.removeprefix(f"{name}/"): v for k, v in stored.items() if k.startswith(f"{name}/")}
    if not state:
        known = sorted({key.rsplit("/", 1)[0] for key in stored})
        raise ValueError(f"no student {name!r}: choose one of {', '.join(known)}")
    student = build("tiny")
    if any(key.endswith(".weight_scale") for key in state):
        return qat.assemble(student, state)
    student.load_state_dict(state)
    return student.eval()


def _require(temperature: float, weight: float) -> None:
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature {temperature}: give a number above zero, such as 4")
    if not 0 <= weight <= 1:
        raise ValueError(f"weight {weight}: give 0 (labels only) to 1 (teacher only), such as 0.9")
