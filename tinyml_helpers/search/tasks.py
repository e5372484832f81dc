"""What a search needs to know of a task: its data in three parts, its network, its score."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.shipped_files import manifest

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tinyml_helpers.deploy.tflite.interpreter import Model
    from tinyml_helpers.mcu import Chain

Part = Literal["train", "validation", "test"]
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Examples:
    """Examples of one part.

    Args:
        inputs: float32 [N, ...] as the network takes them.
        targets: int64 [N] classes; or float32 like the inputs, where a network rebuilds them.
        groups: text [N]: the person, voice or machine that each is of.
        extra: what a task's own functions need besides.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    groups: NDArray[np.str_]
    extra: Any = None

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        return f"{len(self):,} examples of {len(np.unique(self.groups)):,} groups"


Batch = tuple["torch.Tensor", "torch.Tensor"]
Predict = Callable[["torch.Tensor"], Array]


@dataclass(frozen=True, eq=False)
class Task:
    """A task, for `search.run`.

    Args:
        name: of the task.
        score: what is maximised, 0 to 100.
        data: what identifies the data: names of files in the manifest, or any other text.
        groups: what the three parts do not share, such as "voices".
        load: part -> its examples.
        build: width -> untrained network. Its convolutions and linear layers are found by themselves.
        batch: training examples and a generator -> inputs and targets of one step.
        twin: trained network -> Keras model, channels last, for the converter.
        feed: inputs [N, ...] of the network -> the same as the twin takes them.
        judge: a function from inputs to outputs, and a loader of parts, and the part -> score.
        steps: of training, the first half before channels are removed and weights rounded.
        learning_rate: highest of each half's one-cycle schedule.
        loss: outputs and targets -> scalar.
        teacher: loads the teacher; None where there is none.
        chain: .tflite in an interpreter -> C around it, from raw samples to an answer.
        samples: what that C gets for a measurement, or the network's input without it.
    """

    name: str
    score: str
    data: tuple[str, ...]
    groups: str
    load: Callable[[Part], Examples]
    build: Callable[[float], nn.Module]
    batch: Callable[[Examples, torch.Generator], Batch]
    twin: Callable[[nn.Module], Any]
    feed: Callable[[torch.Tensor], Array]
    judge: Callable[[Predict, Callable[[Part], Examples], Part], float]
    steps: int
    learning_rate: float
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    teacher: Callable[[], nn.Module] | None = None
    chain: Callable[[Model], Chain] | None = None

    def __repr__(self) -> str:
        taught = "with" if self.teacher else "without"
        return f"{self.name}: {self.score}, {self.groups} kept apart, {taught} a teacher"

    @property
    def fingerprint(self) -> str:
        """What identifies data and training: files by their SHA-256."""
        listed = manifest()
        files = [str(listed[name]["sha256"]) if name in listed else name for name in self.data]
        return "|".join([self.name, *files, str(self.steps), f"{self.learning_rate:g}"])


def drawn(examples: Examples, draw: torch.Generator, size: int = 128) -> Batch:
    """Draw a batch at random, as it is."""
    import torch

    chosen = torch.randint(len(examples), (size,), generator=draw)
    return examples.inputs[chosen], examples.targets[chosen]


def channels_last(inputs: torch.Tensor) -> Array:
    """Return images [N, C, H, W] as Keras takes them: float32 [N, H, W, C]."""
    moved: Array = inputs.permute(0, 2, 3, 1).numpy()
    return moved


def balanced(predict: Predict, load: Callable[[Part], Examples], part: Part) -> float:
    """Return how many percent of a part get their class right, every class counting alike."""
    from tinyml_helpers.training import balanced_percent

    examples = load(part)
    return balanced_percent(predict(examples.inputs).argmax(1), examples.targets)


def cross_entropy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy of logits [N, classes] and classes [N]."""
    from torch.nn import functional

    return functional.cross_entropy(outputs, targets)


def from_arrays(
    name: str,
    parts: Mapping[Part, tuple[Array, NDArray[np.int64], Sequence[str]]],
    build: Callable[[float], nn.Module],
    *,
    steps: int = 300,
    learning_rate: float = 5e-3,
) -> Task:
    """Make a task of your own data and network.

    Args:
        name: of the task.
        parts: "train", "validation" and "test" -> inputs float32 [N, C, H, W], classes int64 [N], and
            the person, machine or place that each example is of. No group may be in two parts.
        build: width -> untrained PyTorch network of layers that `deploy.keras.from_torch` knows.
        steps: of training, batches of 128.
        learning_rate: highest of the schedule.

    Raises:
        ValueError: a part is missing or empty, or a group is in two parts.
    """
    import torch

    wanted: tuple[Part, ...] = ("train", "validation", "test")
    if missing := [part for part in wanted if part not in parts or not len(parts[part][0])]:
        raise ValueError(f"no examples for {missing[0]}: give train, validation and test")
    _apart({part: set(map(str, parts[part][2])) for part in wanted})
    made = {
        part: Examples(
            torch.from_numpy(np.asarray(x, np.float32)),
            torch.from_numpy(np.asarray(y, np.int64)),
            np.asarray(who, np.str_),
        )
        for part, (x, y, who) in parts.items()
    }
    content = [np.ascontiguousarray(array).tobytes() for x, y, _ in parts.values() for array in (x, y)]
    digest = hashlib.sha256(b"".join(content)).hexdigest()
    return Task(
        name, "accuracy in percent", (digest,), "groups", made.__getitem__, build, drawn,
        partial(_twin, shape=tuple(made["train"].inputs.shape[1:])), channels_last, balanced,
        steps, learning_rate, cross_entropy,
    )  # fmt: skip


def _twin(model: nn.Module, shape: tuple[int, ...], *, lean: bool = False) -> Any:
    from tinyml_helpers.deploy.keras import from_torch

    return from_torch(model, shape, lean=lean)


def _apart(groups: Mapping[Part, set[str]]) -> None:
    names = list(groups)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            if shared := groups[first] & groups[second]:
                raise ValueError(
                    f"group {sorted(shared)[0]!r} is in {first} and in {second}: keep every person, "
                    "machine or place in one part"
                )
