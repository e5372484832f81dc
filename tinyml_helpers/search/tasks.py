"""What a search needs to know of a task: its data in three parts, its network, its score."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from tinyml_helpers.training import balanced_percent

if TYPE_CHECKING:
    from tinyml_helpers.deploy.tflite.interpreter import Model
    from tinyml_helpers.mcu import Pipeline

Part = Literal["train", "validation", "test"]
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Examples:
    """Examples of one part.

    Args:
        inputs: float32 [N, ...] as the network takes them.
        targets: int64 [N] classes; or float32 like the inputs, where a network rebuilds them.
        groups: text [N]: the person, voice or machine that each is of.
        extra: what a task's own methods need besides.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    groups: NDArray[np.str_]
    extra: Any = None

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        return f"{len(self):,} examples of {len(np.unique(self.groups)):,} groups"


Batch = tuple[torch.Tensor, torch.Tensor]
Predict = Callable[[torch.Tensor], Array]


class Task(Protocol):
    """A task, for `search.run`. Derive a class from it, as `tasks_classification` does three times.

    A class has to have `load`, `build` and `twin`. The rest goes for networks that name what they see
    in images [N, C, H, W], and is written anew where a task differs.

    Attributes:
        name: of the task.
        score: what is maximised, 0 to 100.
        data: what identifies the data: names of files in the manifest, or any other text.
        groups: what the three parts do not share, such as "voices".
        steps: of training, the first half before channels are removed and weights rounded.
        learning_rate: highest of each half's one-cycle schedule.
        teacher: loads the teacher; None where there is none.
        pipeline: .tflite in an interpreter -> C around it, from raw samples to an answer; None for none.
    """

    name: str
    score: str
    data: tuple[str, ...]
    groups: str
    steps: int
    learning_rate: float
    teacher: Callable[[], nn.Module] | None = None
    pipeline: Callable[[Model], Pipeline] | None = None

    @abstractmethod
    def load(self, part: Part) -> Examples:
        """Load the examples of a part."""

    @abstractmethod
    def build(self, width: float) -> nn.Module:
        """Build an untrained network. Its convolutions and linear layers are found by themselves."""

    @abstractmethod
    def twin(self, network: nn.Module) -> Any:
        """Rebuild a trained network in Keras, channels last, for the converter."""

    def batch(self, examples: Examples, draw: torch.Generator) -> Batch:
        """Draw inputs and targets of one training step."""
        return draw_batch(examples, draw, 128)

    def feed(self, inputs: torch.Tensor) -> Array:
        """Turn inputs [N, ...] of the network into what the twin takes: float32 [N, H, W, C]."""
        moved: Array = inputs.permute(0, 2, 3, 1).numpy()
        return moved

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss, a scalar: cross-entropy of logits [N, classes] and classes [N]."""
        return functional.cross_entropy(outputs, targets)

    def judge(self, predict: Predict, part: Part) -> float:
        """Return the score of a function from inputs to outputs: every class counts alike."""
        examples = self.load(part)
        return balanced_percent(predict(examples.inputs).argmax(1), examples.targets)

    def __repr__(self) -> str:
        taught = "with" if self.teacher else "without"
        return f"{self.name}: {self.score}, {self.groups} kept apart, {taught} a teacher"


def draw_batch(examples: Examples, draw: torch.Generator, size: int) -> Batch:
    """Draw a batch at random, as it is."""
    chosen = torch.randint(len(examples), (size,), generator=draw)
    return examples.inputs[chosen], examples.targets[chosen]
