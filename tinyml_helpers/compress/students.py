"""The students of lesson 05: their names, how each is trained, and what each gets right.

A name is images, kind and seed: "few/distilled-4-0.9/0" for example. The numbers of a kind are
temperature and weight, or how much labels are smoothed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy, one_hot
from torch.utils.data import TensorDataset

from tinyml_helpers import models, training
from tinyml_helpers.compress import distill, hints, qat
from tinyml_helpers.datasets import ImageSet, load_fashion, read_verified

# Of every ten training images the first is held out. The students see the second, or all nine.
EPOCHS = {"few": 30, "many": 10}
RECIPE: dict[str, Any] = {"learning_rate": 1e-2, "batch_size": 64}
TEMPERATURES, WEIGHTS = (1.0, 4.0, 16.0), (0.5, 0.9, 1.0)
# Controls: labels smoothed to the mean entropy of the teacher's answers at temperature 4; a teacher that
# says just those labels at that temperature; and the teacher's own answers after the wrong classes
# traded their values, or were made alike.
SOFTNESS = 0.37
CONTROLS = (f"smoothed-{SOFTNESS}", "flat-4-0.9", "permuted-4-0.9", "leveled-4-0.9")
# A smaller teacher; and the last maps of `large` as hints, beside labels (there is a control with the
# maps of another image of the same class) or beside its answers. Weights are stored of the first seed.
NOTED = ("small-4-0.9", "hint", "swapped", "hint-4-0.9")
# Quantization-aware training of the students of the first three seeds: name, its start, its loss.
QAT_RECIPE: dict[str, Any] = {"epochs": 8, "learning_rate": 3e-3, "batch_size": 64}
QUANTIZED = {
    "int3-alone": ("alone", "alone"),
    "int3-labels": ("distilled-4-0.9", "alone"),
    "int3-taught": ("distilled-4-0.9", "distilled-4-0.9"),
}
Taught = tuple[ImageSet | TensorDataset, training.Loss]
"""What `training.fit` is given: data and loss."""


def names() -> Iterator[str]:
    """Yield the name of each student that data/build/train_students.py trains, in its order."""
    for seed in range(5):
        for kind in ("alone", "distilled-4-0.9", "smoothed-0.1", *CONTROLS):
            yield f"few/{kind}/{seed}"
    for images in ("few-augmented", "many"):
        for seed in range(3):
            yield from (f"{images}/{kind}/{seed}" for kind in ("alone", "distilled-4-0.9"))
    for seed in range(3):
        settings = (f"{t:g}-{w:g}" for t in TEMPERATURES for w in WEIGHTS)
        yield from (f"few/distilled-{setting}/{seed}" for setting in settings if setting != "4-0.9")
    for seed in range(3):
        yield from (f"few/{kind}/{seed}" for kind in QUANTIZED)
    for kind in NOTED:
        yield from (f"few/{kind}/{seed}" for seed in range(5))
    yield from (f"many/small-4-0.9/{seed}" for seed in range(3))


def train(name: str) -> nn.Module:
    """Train a student, a `tiny` network; on one machine, with as many threads, a name gives one network.

    Args:
        name: images, kind and seed.
    """
    images, kind, seed = name.split("/")
    if kind in QUANTIZED:
        return _three_bits(kind, int(seed))
    augment = images.endswith("augmented")
    data, loss = _data_and_loss(images.split("-")[0], kind, augment=augment)
    torch.manual_seed(int(seed))
    student = models.build("tiny")
    hinted = kind.partition("-")[0] in ("hint", "swapped")
    training.fit(
        hints.Hinted(student, _maps().shape[1]) if hinted else student,
        data, epochs=EPOCHS[images.split("-")[0]], **RECIPE, augment=augment, seed=int(seed), loss=loss,
    )  # fmt: skip
    return student.eval()


_once = cache(train)  # many comparisons ask for the same students


def percent_right(
    kind: str, seeds: int, *, held_out: bool = False, anew: bool = False
) -> NDArray[np.float64]:
    """Return what the students of some seeds, from 0 on, get right, in percent.

    Args:
        kind: images and kind, such as "few/alone".
        seeds: how many students.
        held_out: of the 1,200 held-out training images, rather than of the 10,000 test images.
        anew: train and score them, rather than read what was noted when they were stored.
    """
    if anew:
        images = _images("held out") if held_out else load_fashion().test
        return np.array([training.accuracy(_once(f"{kind}/{seed}"), images) for seed in range(seeds)])
    notes = json.loads(read_verified("models/students.json"))
    noted = notes["held_out_accuracy_percent" if held_out else "test_accuracy_percent"]
    return np.array([noted[f"{kind}/{seed}"] for seed in range(seeds)])


def gain(kind: str, seeds: int, *, anew: bool = False) -> NDArray[np.float64]:
    """Return how many points more they get right of the test images than those alone of the same seeds.

    Args:
        kind: images and kind, such as "few/distilled-4-0.9".
        seeds: how many pairs.
        anew: see `percent_right`.
    """
    alone = f"{kind.split('/')[0]}/alone"
    return percent_right(kind, seeds, anew=anew) - percent_right(alone, seeds, anew=anew)


@cache
def _images(which: str) -> ImageSet:
    shipped = load_fashion().train
    place = torch.arange(len(shipped)) % 10
    chosen = {"held out": place == 0, "few": place == 1, "many": place > 0}[which]
    return shipped.take(chosen.nonzero()[:, 0].numpy())


@cache
def _answers(teacher: str, which: str) -> torch.Tensor:
    return _exactly(models.load_trained(teacher), _images(which))


@cache
def _maps() -> torch.Tensor:
    return _exactly(hints.body(models.load_trained("large")), _images("few"))


def _exactly(network: nn.Module, images: ImageSet) -> torch.Tensor:
    # To the last bit as when the students were stored: `training.predict` reorders the weights.
    pixels = images.tensors()[0].contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        return torch.cat([network(batch) for batch in pixels.split(100)])


def _data_and_loss(which: str, kind: str, *, augment: bool) -> Taught:
    data = _images(which)
    name, *numbers = kind.split("-")
    if name == "smoothed":
        smoothing = float(numbers[0])
        return data, lambda _images, logits, labels: cross_entropy(
            logits, labels, label_smoothing=smoothing
        )
    taught: Taught = data, training.label_loss
    if numbers:
        temperature, weight = map(float, numbers)
        if augment:
            large = models.load_trained("large")
            return data, distill.from_teacher(
                large, temperature=temperature, weight=weight, bfloat16=True
            )
        seen = _seen(name, which, temperature)
        taught = distill.from_logits(seen, data, temperature=temperature, weight=weight)
    if name == "swapped":
        maps = hints.swap_within_classes(_maps(), torch.from_numpy(data.labels))
        return hints.from_maps(maps, *taught)
    return hints.from_maps(_maps(), *taught) if name == "hint" else taught


def _seen(name: str, which: str, temperature: float) -> torch.Tensor:
    """What a teacher of this name says of the images: logits [N, classes]."""
    labels = torch.from_numpy(_images(which).labels)
    if name == "flat":
        certain = one_hot(labels, models.CLASSES)
        return temperature * ((1 - SOFTNESS) * certain + SOFTNESS / models.CLASSES).log()
    seen = _answers("small" if name == "small" else "large", which)
    if name == "permuted":
        return distill.shuffle_wrong(seen, labels)
    return distill.level_wrong(seen, labels, temperature) if name == "leveled" else seen


def _three_bits(kind: str, seed: int) -> nn.Module:
    """Return the student with weights of 3 bits and activations of 8, trained for them."""
    before, taught = QUANTIZED[kind]
    data, loss = _data_and_loss("few", taught, augment=False)
    prepared = qat.prepare(_once(f"few/{before}/{seed}"), 3)
    training.fit(
        prepared, data, **QAT_RECIPE, augment=False, seed=seed, loss=loss,
        before_step=lambda done: qat.freeze(prepared) if done >= 0.7 else None,
    )  # fmt: skip
    return qat.freeze(prepared)
