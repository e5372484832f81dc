"""Learning on the device: the last layer alone, one example at a time.

The layers before stay as they are, so that no activation has to be kept and no gradient goes deeper
than one product. `learn` is the algorithm, `c_program` the same for a microcontroller.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, repr=False, eq=False)
class Layer:
    """A linear layer: `weights` float32 [classes, features], `biases` float32 [classes]."""

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of each row of features [N, features]."""
        classes: NDArray[np.int64] = (features @ self.weights.T + self.biases).argmax(1)
        return classes

    def __repr__(self) -> str:
        classes, features = self.weights.shape
        size = self.weights.nbytes + self.biases.nbytes
        return f"{features} features to {classes} classes, {size:,} bytes in float32"


def learn(
    layer: Layer, features: ArrayLike, labels: ArrayLike, *, rate: float = 0.01, passes: int = 1
) -> Layer:
    """Return the layer after steps of gradient descent on the cross-entropy, an example each.

    Args:
        layer: where to start.
        features: float [N, features], in the order in which they come.
        labels: int [N].
        rate: length of a step.
        passes: how often to go through all.

    Raises:
        ValueError: shapes that do not go together, labels that are no class, or no examples.
    """
    seen, truth = np.asarray(features, np.float32), np.asarray(labels, np.int64)
    classes, width = layer.weights.shape
    if seen.ndim != 2 or seen.shape[1] != width or truth.shape != (len(seen),) or not len(seen):
        raise ValueError(
            f"features {list(seen.shape)} and labels {list(truth.shape)}: give [N, {width}] and [N]"
        )
    if truth.min() < 0 or truth.max() >= classes:
        raise ValueError(f"labels from {truth.min()} to {truth.max()}: give 0 to {classes - 1}")
    weights, biases = layer.weights.copy(), layer.biases.copy()
    for _ in range(passes):
        for x, label in zip(seen, truth, strict=True):
            scores = weights @ x + biases
            pull = np.exp(scores - scores.max())
            pull /= pull.sum()
            pull[label] -= 1
            weights -= np.float32(rate) * np.outer(pull, x)
            biases -= np.float32(rate) * pull
    return Layer(weights, biases)


def mix_replay(
    own: NDArray[np.int64], store: NDArray[np.int64], share: int = 3, *, seed: int = 0
) -> NDArray[np.int64]:
    """Return an order of examples in which `share` from a store follow each of one's own.

    Args:
        own: numbers of a person's examples [N].
        store: numbers of stored examples of others [M], drawn at random.
        share: how many of them for one of the person's.
        seed: of what is drawn.
    """
    drawn = np.random.default_rng(seed).choice(store, (len(own), share))
    return np.column_stack([own, drawn]).ravel()


def draw_of_each_class(
    labels: NDArray[np.int64], among: NDArray[np.int64], count: int, *, seed: int = 0
) -> NDArray[np.int64]:
    """Return the numbers of `count` random examples of each class, as a store for replay.

    Args:
        labels: int [N].
        among: numbers of the examples to choose from.
        count: of each class; all, where there are fewer.
        seed: of what is drawn.
    """
    mixed = np.random.default_rng(seed).permutation(among)
    return np.concatenate([mixed[labels[mixed] == one][:count] for one in np.unique(labels)])


def c_program(classes: int, features: int, examples: int) -> str:
    """Return a program in C that does the same: `c/last_layer.c`.

    It reads `weights`, `biases`, `rate`, `features` int8 [examples, features] with their `scale`, and
    `labels` uint8 [examples], takes a step for each example, and leaves the layer in place.

    Raises:
        ValueError: a size below one.
    """
    if min(classes, features, examples) < 1:
        raise ValueError(f"{classes} classes, {features} features, {examples} examples: one at least")
    text = (resources.files(__package__) / "c" / "last_layer.c").read_text("utf-8")
    for name, value in (("CLASSES", classes), ("FEATURES", features), ("EXAMPLES", examples)):
        text = text.replace(name, str(value))
    return text
