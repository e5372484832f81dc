"""Three tasks that name what they see: images, keywords, gestures."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyml_helpers.search import tasks
from tinyml_helpers.search.tasks import Array, Batch, Examples, Part, Task

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tinyml_helpers.deploy.tflite.interpreter import Model
    from tinyml_helpers.mcu import Pipeline

HELD_BACK = 200
"""Images of each class that are for validation; the shipped training images, the last ones."""
VALIDATION_PEOPLE, TEST_PEOPLE = ("3", "7"), ("4", "9")
"""Whose gestures choose, and whose are looked at in the end."""
LEAST_SCORE = 0.7
"""Averaged score at which the keyword pipeline reports a word; it changes no instruction count."""


def images() -> Task:
    """Fashion-MNIST: `tiny` of the spine, taught by `large`."""
    files = ("fashion_mnist_train.npz", "fashion_mnist_test.npz", "models/large.safetensors")
    return Task(
        "images", "accuracy in percent", files, "images", _images, _image_network, tasks.drawn,
        partial(tasks._twin, shape=(1, 28, 28), lean=True), _turned, tasks.balanced,
        240, 1e-2, tasks.cross_entropy, teacher=_image_teacher,
    )  # fmt: skip


@cache
def _images(part: Part) -> Examples:
    from tinyml_helpers import datasets

    fashion = datasets.load_fashion()
    whole = fashion.test if part == "test" else fashion.train
    held = np.zeros(len(whole), bool)
    for label in range(10):
        held[np.flatnonzero(whole.labels == label)[-HELD_BACK:]] = True
    wanted = {"train": ~held, "validation": held, "test": np.ones(len(whole), bool)}[part]
    places = np.flatnonzero(wanted)
    inputs, targets = whole.take(places).tensors()
    return Examples(inputs, targets, np.array([f"{part} {place}" for place in places], np.str_))


def _image_network(width: float) -> nn.Module:
    from tinyml_helpers import models

    return models.build("tiny", width)


def _image_teacher() -> nn.Module:
    from tinyml_helpers import models

    return models.load_trained("large")


def _turned(inputs: torch.Tensor) -> Array:
    # The lean twin takes its images turned by half, and needs no padded copies: lesson 06.
    return np.ascontiguousarray(tasks.channels_last(inputs)[:, ::-1, ::-1])


def keywords() -> Task:
    """Ten commands, unknown words and silence: the DS-CNN of lesson 09, taught by one that met people.

    Every network begins as `kws-start`, as in lesson 09; a narrow one lost channels before the first
    step. Validation is an engine that none of them met, the test is voices that none of them met.

    The teacher hears what the student hears: of clips as strongly altered as these it gets one in four
    right, of clean ones nine in ten, and so it misleads here. A trial with it shows that.
    """
    files = ("keywords.npz", "models/kws-start.safetensors", "models/kws-teacher.safetensors")
    return Task(
        "keywords", "balanced accuracy in percent", files, "voices", _spoken, _keyword_network,
        _keyword_batch, _keyword_twin, tasks.channels_last, tasks.balanced, 160, 2e-3,
        tasks.cross_entropy, teacher=_keyword_teacher, pipeline=_keyword_pipeline,
    )  # fmt: skip


@cache
def _spoken(part: Part) -> Examples:
    import torch

    from tinyml_helpers import datasets
    from tinyml_helpers.usecases.keywords import augment

    names = {"train": "train", "validation": "engine", "test": "voices"}
    spoken = datasets.load_keywords(per_class=100).part(names[part])
    raw, labels = augment.raw_features(spoken.clips), torch.from_numpy(spoken.labels)
    # For training the features stay as they are: every step alters them anew.
    inputs = raw if part == "train" else augment.as_input(raw)
    quiet = raw[labels == spoken.classes.index("silence")]
    return Examples(inputs, labels, spoken.voices, quiet)


def _keyword_network(width: float) -> nn.Module:
    import torch

    from tinyml_helpers.compress.channels import remove_channels
    from tinyml_helpers.usecases.keywords import network as networks

    start = networks.load_trained("start")
    return remove_channels(start, torch.zeros(1, 1, 50, 10), 1 - width) if width < 1 else start


def _keyword_batch(examples: Examples, draw: torch.Generator) -> Batch:
    import torch

    from tinyml_helpers.usecases.keywords import augment

    # A class with four times the clips, such as the unknown words, is drawn twice as often.
    share = torch.bincount(examples.targets).float().rsqrt()[examples.targets]
    chosen = torch.multinomial(share, 128, replacement=True, generator=draw)
    altered = augment.alter(examples.inputs[chosen], examples.extra, draw)
    return augment.as_input(altered), examples.targets[chosen]


def _keyword_twin(model: nn.Module) -> Any:
    from tinyml_helpers.deploy.keras import from_torch

    twin = from_torch(model, (1, 50, 10), lean=False)
    import keras

    return keras.Model(twin.inputs, keras.layers.Softmax(name="softmax")(twin.outputs[0]))


def _keyword_teacher() -> nn.Module:
    from tinyml_helpers.usecases.keywords import network as networks

    return networks.load_trained("teacher")


def _keyword_pipeline(model: Model) -> Pipeline:
    from tinyml_helpers.usecases.keywords import firmware

    return firmware.pipeline(model, threshold=LEAST_SCORE)


def gestures() -> Task:
    """Seven movements of the arm, six people to train on: the 1-D network of lesson 10."""
    return Task(
        "gestures", "balanced accuracy in percent", ("gestures.npz",), "people", _moved,
        _gesture_network, _gesture_batch, _gesture_twin, tasks.channels_last, tasks.balanced,
        300, 8e-3, tasks.cross_entropy, teacher=_gesture_teacher, pipeline=_gesture_pipeline,
    )  # fmt: skip


@cache
def _moved(part: Part) -> Examples:
    import torch

    from tinyml_helpers import datasets
    from tinyml_helpers.usecases.gestures import augment as gesture_augment
    from tinyml_helpers.usecases.gestures import features, train

    recordings = datasets.load_gestures()
    if part == "train":
        mine = recordings.without(*VALIDATION_PEOPLE, *TEST_PEOPLE)
        windows = train.training_windows(mine)
        inputs = gesture_augment.in_units(windows, gesture_augment.RECIPE)
    else:
        windows = features.cut(recordings.of(*(TEST_PEOPLE if part == "test" else VALIDATION_PEOPLE)))
        inputs = torch.from_numpy(features.network_input(windows.raw, windows.right))
    return Examples(inputs, torch.from_numpy(windows.labels), windows.people)


def _gesture_network(width: float) -> nn.Module:
    from tinyml_helpers.usecases.gestures import network as networks

    plan = [(max(1, round(width * c)), taps, stride) for c, taps, stride in networks.PLAN]
    return networks.build(plan=plan)


def _gesture_batch(examples: Examples, draw: torch.Generator) -> Batch:
    from tinyml_helpers.usecases.gestures import augment as gesture_augment

    recipe = gesture_augment.RECIPE
    values, targets = tasks.drawn(examples, draw, recipe.batch)
    played = gesture_augment.augment(values, recipe, draw)
    return gesture_augment.prepare(played, recipe), targets


def _gesture_twin(model: nn.Module) -> Any:
    from tinyml_helpers.usecases.gestures import network as networks

    return networks.keras_twin(model)  # type: ignore[arg-type]


def _gesture_teacher() -> nn.Module:
    from safetensors.torch import load

    from tinyml_helpers.datasets import read_verified

    teacher = _gesture_network(2.0)
    teacher.load_state_dict(load(read_verified("models/capstone-gestures-teacher.safetensors")))
    return teacher.eval()


def _gesture_pipeline(model: Model) -> Pipeline:
    from tinyml_helpers.usecases.gestures import firmware

    return firmware.pipeline(model)
