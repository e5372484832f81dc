"""What lesson 05 asks to build: a training step in which a student learns from its teacher's maps."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise

_STUDENTS, _TEACHERS = 3, 4  # channels of their maps
_SIDE, _CLASSES = 5, 3
Loss = Callable[[Any, Any, Any, Any, Any, float], Any]  # both networks, adapter, images, labels, weight


def _fill(network: Any, seed: int) -> Any:
    """Give a network weights and statistics that a seed decides."""
    import torch

    draw = np.random.default_rng(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                values = draw.normal(0, 1, tensor.shape)
                tensor.copy_(torch.from_numpy(np.exp(values) if name.endswith("var") else values))
    return network


def _networks(seed: int) -> Any:
    """Return a small student and its teacher, each a `body` and a `head`, and the adapter."""
    import torch
    from torch import nn

    def build(channels: int) -> Any:
        body = nn.Sequential(nn.Conv2d(1, channels, 3), nn.BatchNorm2d(channels), nn.ReLU())
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, _CLASSES))
        return nn.Sequential(OrderedDict(body=body, head=head))

    with torch.random.fork_rng(devices=[]):  # making layers draws numbers, which are replaced
        parts = [build(_STUDENTS), build(_TEACHERS), nn.Conv2d(_STUDENTS, _TEACHERS, 1)]
    return [_fill(part, seed + place) for place, part in enumerate(parts)]


def _flat(tensors: Any) -> Any:
    return np.concatenate([tensor.detach().numpy().ravel() for tensor in tensors])


def _learnt(student: Any, _: Any, adapter: Any) -> list[Any]:
    return [*student.parameters(), *adapter.parameters()]


def _in_two_steps(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a training step makes of small networks, in two steps one after the other.

    The student arrives in evaluation mode, the teacher in training mode. What is made: what learns,
    after one step and after two, all of the teacher, and how many gradients it holds.
    """

    def train(count: int, networks: int, weight: float) -> Any:
        import torch

        draw = np.random.default_rng([networks, count])
        student, teacher, adapter = _networks(networks)
        student.eval()
        learnt = _learnt(student, teacher, adapter)
        optimizer = torch.optim.SGD(learnt, lr=0.2, momentum=0.5)
        weights = []
        for _ in range(2):
            pixels = draw.normal(0, 1, (count, 1, _SIDE, _SIDE)).astype(np.float32)
            labels = torch.from_numpy(draw.integers(0, _CLASSES, count))
            step(student, teacher, adapter, torch.from_numpy(pixels), labels, optimizer, weight)
            weights.append(_flat(learnt))
        gradients = [one.grad for one in teacher.parameters() if one.grad is not None]
        return *weights, _flat(teacher.state_dict().values()), np.array(len(gradients))

    return train


def _maps(student: Any, teacher: Any, adapter: Any, images: Any) -> tuple[Any, Any]:
    return adapter(student.body(images)), teacher.body(images).detach()


def _squares(ours: Any, theirs: Any) -> Any:
    return ((ours - theirs) ** 2).mean()


def _hard(student: Any, images: Any, labels: Any) -> Any:
    return -student(images).log_softmax(1)[range(len(labels)), labels].mean()


def _by(distance: Callable[[Any, Any], Any], maps: Callable[..., Any] = _maps) -> Loss:
    return lambda s, t, a, x, y, w: w * distance(*maps(s, t, a, x)) + (1 - w) * _hard(s, x, y)


_loss = _by(_squares)


def _step_of(
    loss: Loss = _loss,
    teacher_trains: bool = False,
    student_trains: bool = True,
    zero: bool = True,
    steps: int = 1,
) -> Callable[..., None]:
    """Return a training step made of these; those that are left out are right."""

    def step(
        student: Any, teacher: Any, adapter: Any, images: Any, labels: Any, optimizer: Any, weight: float
    ) -> None:
        student.train(student_trains)
        teacher.train(teacher_trains)
        if zero:
            optimizer.zero_grad()
        loss(student, teacher, adapter, images, labels, weight).backward()
        for _ in range(steps):
            optimizer.step()

    return step


def _with_functional(
    student: Any, teacher: Any, adapter: Any, images: Any, labels: Any, optimizer: Any, weight: float
) -> Any:
    """Return the loss of one step, by what torch brings along; each network looks once."""
    import torch
    from torch.nn import functional

    student.train()
    with torch.no_grad():
        theirs = teacher.eval().body(images)
    ours = student.body(images)
    hint = functional.mse_loss(adapter(ours), theirs)
    loss = weight * hint + (1 - weight) * functional.cross_entropy(student.head(ours), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _adapter_alone(student: Any, teacher: Any, adapter: Any, images: Any) -> tuple[Any, Any]:
    return adapter(student.body(images).detach()), teacher.body(images).detach()


def _into_teacher(student: Any, teacher: Any, adapter: Any, images: Any) -> tuple[Any, Any]:
    return adapter(student.body(images)), teacher.body(images)


def _slip(text: str, loss: Loss = _loss, **other: Any) -> tuple[Callable[..., None], str]:
    return _step_of(loss, **other), text


WRONG = (
    _slip("The weight belongs to the hint, and 1 - weight to the labels.",
          lambda s, t, a, x, y, w: _loss(s, t, a, x, y, 1 - w)),
    _slip("Take the mean of the squares over all pixels, channels and images, not their sum.",
          _by(lambda ours, theirs: ((ours - theirs) ** 2).sum())),
    _slip("Take the mean over channels and pixels as well, not over the images alone.",
          _by(lambda ours, theirs: ((ours - theirs) ** 2).sum((1, 2, 3)).mean())),
    _slip("Square the differences; you take their size.",
          _by(lambda ours, theirs: (ours - theirs).abs().mean())),
    _slip("Compare maps pixel by pixel, before they are averaged.",
          _by(lambda ours, theirs: _squares(ours.mean((2, 3)), theirs.mean((2, 3))))),
    _slip("Compare what the bodies make, the maps; you compare the answers.",
          lambda s, t, a, x, y, w: w * _squares(s(x), t(x).detach()) + (1 - w) * _hard(s, x, y)),
    _slip("The labels have a say as well: the cross-entropy is missing.",
          lambda s, t, a, x, y, w: w * _squares(*_maps(s, t, a, x))),
    _slip("The teacher has no say: the hint is missing.",
          lambda s, t, a, x, y, w: (1 - w) * _hard(s, x, y) + 0 * _squares(*_maps(s, t, a, x))),
    _slip("The hint must reach the student: do not detach its maps, of which only the adapter learns.",
          _by(_squares, _adapter_alone)),
    _slip("In training mode the teacher's batch norm looks at this batch alone, and changes: "
          "teacher.eval().", teacher_trains=True),
    _slip("The student learns in training mode, where its batch norm looks at the batch: "
          "student.train().", student_trains=False),
    _slip("Neither network was put into its mode: student.train(), teacher.eval().",
          teacher_trains=True, student_trains=False),
    _slip("The teacher collects gradients that nobody needs: ask it under torch.no_grad().",
          _by(_squares, _into_teacher)),
    _slip("The second step still holds the gradients of the first: zero_grad() before backward().",
          zero=False),
    _slip("No weight has moved: backward() finds gradients, optimizer.step() takes the step, and "
          "zero_grad() comes before both.", steps=0),
    _slip("The optimizer takes two steps for a batch.", steps=2),
)  # fmt: skip
"""Typical wrong steps, and the hint for each."""


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw the size of both batches, what decides networks and images, and the weight."""
    return size + 2, int(draw.integers(1_000_000)), round(draw.uniform(0.2, 0.9), 1)


def _agree(index: int) -> Callable[[cases.Case, Any, Any], bool]:
    return lambda _, said, wanted: cases.agrees(said[index], wanted[index], tolerance=1e-3)


PARTS = (
    building.Part("weights move", lambda case, said, _: not np.array_equal(
        said[0], _flat(_learnt(*_networks(case[1])))
    )),
    building.Part("the teacher stays as it was", _agree(2)),
    building.Part("it collects no gradients", _agree(3)),
    building.Part("the first step", _agree(0)),
)  # fmt: skip
TASK = building.Task(
    asked="train_step takes one step of the student's training. (The check calls it for two batches and "
    "compares the weights of student and adapter after each, the teacher, and its count of gradients.)",
    arguments=("images in a batch", "networks", "weight"),
    reference=functools.lru_cache(128)(_in_two_steps(_step_of())),
    draw_case=_draw,
    slips=tuple(building.Slip(_in_two_steps(step), text) for step, text in WRONG),
    parts=PARTS,
    same=lambda said, wanted: (
        said is not None and all(_agree(place)((), said, wanted) for place in range(4))
    ),
)


@exercise(
    right=[(_step_of(),), (_with_functional,)],
    wrong=[
        *((step,) for step, _ in WRONG),
        (lambda student, teacher, adapter, images, labels, optimizer, weight: optimizer.step(),),
        (lambda student, teacher, images, labels: None,),
        (3,),
    ],
    slips=[text for _, text in WRONG],
)
def hint_step(answer: Callable[..., Any]) -> Verdict:
    """One training step with hints: maps and labels, modes, gradients, and the optimizer's step."""
    return building.judge(
        TASK,
        "hint_step",
        _in_two_steps(answer) if callable(answer) else answer,
        "Put it into a loop, and you have trained a student on hints.",
    )
