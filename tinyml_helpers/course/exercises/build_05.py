"""What lesson 05 asks to build: the whole training step of distillation, on networks of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise

_INPUTS, _HIDDEN, _CLASSES = 4, 5, 3
Loss = Callable[[Any, Any, Any, float, float], Any]
"""A function of logits of student and teacher, labels, temperature and weight."""


def _network(seed: int) -> Any:
    """Return a small network with a batch norm, whose weights and statistics a seed decides."""
    import torch
    from torch import nn

    draw = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):  # making layers draws numbers, which are replaced
        network = nn.Sequential(
            nn.Linear(_INPUTS, _HIDDEN), nn.BatchNorm1d(_HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _CLASSES)
        )
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                values = draw.normal(0, 1, tensor.shape)
                tensor.copy_(torch.from_numpy(np.exp(values) if name.endswith("var") else values))
    return network


def _flat(tensors: Any) -> Any:
    return np.concatenate([tensor.detach().numpy().ravel() for tensor in tensors])


def _in_two_steps(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a training step makes of small networks, in two steps one after the other.

    The student arrives in evaluation mode, the teacher in training mode. What is made: weights of
    the student after one step and after two, all of the teacher, how many gradients it holds.
    """

    def train(count: int, networks: int, *settings: float) -> Any:
        import torch

        draw = np.random.default_rng([networks, count])
        student, teacher = _network(networks).eval(), _network(networks + 1).train()
        optimizer = torch.optim.SGD(student.parameters(), lr=0.2, momentum=0.5)
        weights = []
        for _ in range(2):
            images = torch.from_numpy(draw.normal(0, 1, (count, _INPUTS)).astype(np.float32))
            labels = torch.from_numpy(draw.integers(0, _CLASSES, count))
            step(student, teacher, images, labels, optimizer, *settings)
            weights.append(_flat(student.parameters()))
        gradients = [one.grad for one in teacher.parameters() if one.grad is not None]
        return *weights, _flat(teacher.state_dict().values()), np.array(len(gradients))

    return train


def _soft(student: Any, teacher: Any, temperature: float) -> Any:
    log_p, log_q = ((logits / temperature).log_softmax(1) for logits in (teacher, student))
    return (log_p.exp() * (log_p - log_q)).sum(1).mean()


def _hard(student: Any, labels: Any) -> Any:
    return -student.log_softmax(1)[range(len(labels)), labels].mean()


def _loss(student: Any, teacher: Any, labels: Any, temperature: float, weight: float) -> Any:
    soft = temperature**2 * _soft(student, teacher, temperature)
    return weight * soft + (1 - weight) * _hard(student, labels)


def _step_of(
    loss: Loss = _loss,
    teacher_trains: bool = False,
    student_trains: bool = True,
    no_gradient: bool = True,
    zero: bool = True,
    steps: int = 1,
) -> Callable[..., None]:
    """Return a training step made of these; those that are left out are right."""

    def step(
        student: Any, teacher: Any, images: Any, labels: Any, optimizer: Any, *settings: Any
    ) -> None:
        import torch

        student.train(student_trains)
        teacher.train(teacher_trains)
        with torch.set_grad_enabled(not no_gradient):
            known = teacher(images)
        if zero:
            optimizer.zero_grad()
        loss(student(images), known, labels, *settings).backward()
        for _ in range(steps):
            optimizer.step()

    return step


def _with_kl_div(
    student: Any, teacher: Any, images: Any, labels: Any, optimizer: Any, *settings: float
) -> Any:
    """Return the loss of one step, by what torch brings along."""
    import torch
    from torch.nn import functional

    temperature, weight = settings
    student.train()
    with torch.inference_mode():
        known = teacher.eval()(images)
    p = (known / temperature).softmax(1).clone()
    logits = student(images)
    soft = functional.kl_div((logits / temperature).log_softmax(1), p, reduction="batchmean")
    hard = functional.cross_entropy(logits, labels)
    loss = weight * temperature**2 * soft + (1 - weight) * hard
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _by_gradients(
    student: Any, teacher: Any, images: Any, labels: Any, optimizer: Any, *settings: float
) -> None:
    """Put each gradient where the optimizer looks for it, without `backward`."""
    import torch

    student.train()
    known = teacher.eval()(images).detach()
    loss = _loss(student(images), known, labels, *settings)
    for tensor in student.parameters():
        tensor.grad = torch.autograd.grad(loss, tensor, retain_graph=True)[0]
    optimizer.step()


def _power(power: float) -> Loss:
    return lambda s, z, y, t, w: w * t**power * _soft(s, z, t) + (1 - w) * _hard(s, y)


def _slip(text: str, loss: Loss = _loss, **other: Any) -> tuple[Callable[..., None], str]:
    return _step_of(loss, **other), text


WRONG = (
    _slip("The temperature softens gradients by its square: multiply the soft loss by T squared.",
          _power(0)),
    _slip("Multiply the soft loss by T squared, not by T.", _power(1)),
    _slip("The weight belongs to the soft loss, and 1 - weight to the hard one.",
          lambda s, z, y, t, w: _loss(s, z, y, t, 1 - w)),
    _slip("Student and teacher are swapped: the teacher's probabilities weigh the differences.",
          lambda s, z, y, t, w: w * t**2 * _soft(z, s, t) + (1 - w) * _hard(s, y)),
    _slip("`kl_div` with reduction='mean' divides by the classes too: take 'batchmean'.",
          lambda s, z, y, t, w: w * t**2 * _soft(s, z, t) / _CLASSES + (1 - w) * _hard(s, y)),
    _slip("Take the mean over the images, not the sum.",
          lambda s, z, y, t, w: w * t**2 * _soft(s, z, t) * len(y) + (1 - w) * _hard(s, y)),
    _slip("The hard loss looks at the logits as they are, at temperature 1.",
          lambda s, z, y, t, w: w * t**2 * _soft(s, z, t) + (1 - w) * _hard(s / t, y)),
    _slip("Soften both networks by the same temperature, the student too.",
          lambda s, z, y, t, w: w * t**2 * _soft(t * s, z, t) + (1 - w) * _hard(s, y)),
    _slip("The labels have a say as well: the hard loss is missing.",
          lambda s, z, y, t, w: w * t**2 * _soft(s, z, t)),
    _slip("The teacher has no say: the soft loss is missing.",
          lambda s, z, y, t, w: (1 - w) * _hard(s, y)),
    _slip("In training mode the teacher's batch norm looks at this batch alone, and changes: "
          "teacher.eval().", teacher_trains=True),
    _slip("The student learns in training mode, where its batch norm looks at the batch: "
          "student.train().", student_trains=False),
    _slip("Neither network was put into its mode: student.train(), teacher.eval().",
          teacher_trains=True, student_trains=False),
    _slip("The teacher collects gradients that nobody needs: ask it under torch.no_grad().",
          no_gradient=False),
    _slip("The second step still holds the gradients of the first: zero_grad() before backward().",
          zero=False),
    _slip("No weight has moved: backward() finds gradients, optimizer.step() takes the step, and "
          "zero_grad() comes before both.", steps=0),
    _slip("The optimizer takes two steps for a batch.", steps=2),
)  # fmt: skip
"""Typical wrong steps, and the hint for each."""


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw the size of both batches, what decides networks and images, temperature and weight."""
    temperature, weight = round(draw.uniform(1.5, 6), 1), round(draw.uniform(0.2, 0.9), 1)
    return size + 2, int(draw.integers(1_000_000)), temperature, weight


def _agree(index: int) -> Callable[[cases.Case, Any, Any], bool]:
    return lambda _, said, wanted: cases.agrees(said[index], wanted[index], tolerance=1e-3)


PARTS = (
    building.Part("weights move", lambda case, said, _: not np.array_equal(
        said[0], _flat(_network(case[1]).parameters())
    )),
    building.Part("the teacher stays as it was", _agree(2)),
    building.Part("it collects no gradients", _agree(3)),
    building.Part("the first step", _agree(0)),
)  # fmt: skip
TASK = building.Task(
    asked="train_step takes one step of the student's training. (It is called for two batches. Compared "
    "are the student's weights after each, the teacher, and the number of its gradients.)",
    arguments=("images in a batch", "networks", "temperature", "weight"),
    reference=_in_two_steps(_step_of()),
    draw_case=_draw,
    slips=tuple(building.Slip(_in_two_steps(step), text) for step, text in WRONG),
    parts=PARTS,
    same=lambda said, wanted: (
        said is not None
        and all(
            cases.agrees(one, other, tolerance=1e-3) for one, other in zip(said, wanted, strict=True)
        )
    ),
)


@exercise(
    right=[(_step_of(),), (_with_kl_div,), (_by_gradients,)],
    wrong=[
        *((step,) for step, _ in WRONG),
        (lambda student, teacher, images, labels, optimizer, t, w: optimizer.step(),),
        (lambda student, teacher, images, labels: None,),
        (3,),
    ],
    slips=[text for _, text in WRONG],
)
def distillation_step(answer: Callable[..., Any]) -> Verdict:
    """One training step with a teacher: both losses, modes, gradients, and the optimizer's step."""
    return building.judge(
        TASK,
        "distillation_step",
        _in_two_steps(answer) if callable(answer) else answer,
        "Everything else of a training is a loop around these lines.",
    )
