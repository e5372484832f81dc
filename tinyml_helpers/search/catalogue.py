"""The tasks to search on: those of the course by name, and one made of your own arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tinyml_helpers.deploy import keras
from tinyml_helpers.search.tasks import Array, Examples, Part, Task
from tinyml_helpers.search.tasks_anomaly import Vibration
from tinyml_helpers.search.tasks_classification import Gestures, Images, Keywords

_TASKS: Mapping[str, Callable[[], Task]] = {
    "keywords": Keywords, "gestures": Gestures, "vibration": Vibration, "images": Images,
}  # fmt: skip
NAMES = tuple(_TASKS)


def get(name: str) -> Task:
    """Return a task of the course: "keywords", "gestures", "vibration" or "images".

    Raises:
        ValueError: there is no such task.
    """
    if name not in _TASKS:
        raise ValueError(f"unknown task {name!r}: choose one of {', '.join(NAMES)}, or derive a Task")
    return _TASKS[name]()


@dataclass(frozen=True, eq=False, repr=False)
class _Arrays(Task):
    """What `from_arrays` makes."""

    name: str
    data: tuple[str, ...]
    parts: Mapping[Part, Examples]
    network: Callable[[float], nn.Module]
    steps: int = 300
    learning_rate: float = 5e-3

    score = "accuracy in percent"
    groups = "groups"

    def load(self, part: Part) -> Examples:
        """The examples as they were given."""
        return self.parts[part]

    def build(self, width: float) -> nn.Module:
        """The network that was given."""
        return self.network(width)

    def twin(self, network: nn.Module) -> Any:
        """The plain twin, for inputs of the shape that was given."""
        shape = tuple(self.parts["train"].inputs.shape[1:])
        return keras.from_torch(network, shape, lean=False)


def from_arrays(
    name: str,
    parts: Mapping[Part, tuple[Array, NDArray[np.int64], Sequence[str]]],
    build: Callable[[float], nn.Module],
) -> Task:
    """Make a task of your own data and network, trained in 300 steps of 128 examples.

    `dataclasses.replace(task, steps=1000, learning_rate=1e-3)` trains otherwise.

    Args:
        name: of the task.
        parts: "train", "validation" and "test" -> inputs float32 [N, C, H, W], classes int64 [N], and
            the person, machine or place that each example is of. No group may be in two parts.
        build: width -> untrained PyTorch network of layers that `deploy.keras.from_torch` knows.

    Raises:
        ValueError: a part is missing or empty, or a group is in two parts.
    """
    wanted: tuple[Part, ...] = ("train", "validation", "test")
    if missing := [part for part in wanted if part not in parts or not len(parts[part][0])]:
        raise ValueError(f"no examples for {missing[0]}: give train, validation and test")
    _keep_apart({part: set(map(str, parts[part][2])) for part in wanted})
    examples = {
        part: Examples(
            torch.from_numpy(np.asarray(x, np.float32)),
            torch.from_numpy(np.asarray(y, np.int64)),
            np.asarray(who, np.str_),
        )
        for part, (x, y, who) in parts.items()
    }
    content = [np.ascontiguousarray(array).tobytes() for x, y, _ in parts.values() for array in (x, y)]
    digest = hashlib.sha256(b"".join(content)).hexdigest()
    return _Arrays(name, (digest,), examples, build)


def _keep_apart(groups: Mapping[Part, set[str]]) -> None:
    for (first, these), (second, those) in combinations(groups.items(), 2):
        if shared := these & those:
            raise ValueError(
                f"group {sorted(shared)[0]!r} is in {first} and in {second}: keep every person, "
                "machine or place in one part"
            )
