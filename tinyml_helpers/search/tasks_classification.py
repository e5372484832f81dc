"""Three tasks that name what they see: images, keywords, gestures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load as load_safetensors
from torch import nn

from tinyml_helpers import datasets, models
from tinyml_helpers.compress.channels import remove_channels
from tinyml_helpers.deploy.keras import from_torch
from tinyml_helpers.search.tasks import Array, Batch, Examples, Part, Task, draw_batch
from tinyml_helpers.usecases.gestures import augment as gesture_augment
from tinyml_helpers.usecases.gestures import features as gesture_features
from tinyml_helpers.usecases.gestures import firmware as gesture_firmware
from tinyml_helpers.usecases.gestures import network as gesture_network
from tinyml_helpers.usecases.gestures import train as gesture_training
from tinyml_helpers.usecases.keywords import augment as keyword_augment
from tinyml_helpers.usecases.keywords import firmware as keyword_firmware
from tinyml_helpers.usecases.keywords import network as keyword_network
from tinyml_helpers.usecases.keywords import train as keyword_training

if TYPE_CHECKING:
    from tinyml_helpers.deploy.tflite.interpreter import Model
    from tinyml_helpers.mcu import Pipeline

HELD_BACK = 200
"""Images of each class that are for validation; the shipped training images, the last ones."""
VALIDATION_PEOPLE, TEST_PEOPLE = ("3", "7"), ("4", "9")
"""Whose gestures choose, and whose are looked at in the end."""
LEAST_SCORE = 0.7
"""Averaged score at which the keyword pipeline reports a word; it changes no instruction count."""


@dataclass(frozen=True, repr=False)
class Images(Task):
    """Fashion-MNIST: `tiny` of the spine, taught by `large`."""

    steps: int = 240
    learning_rate: float = 1e-2

    name = "images"
    score = "accuracy in percent"
    data = ("fashion_mnist_train.npz", "fashion_mnist_test.npz", "models/large.safetensors")
    groups = "images"

    @staticmethod
    @cache
    def load(part: Part) -> Examples:
        """The last images of each class for validation; the test set as it ships."""
        fashion = datasets.load_fashion()
        whole = fashion.test if part == "test" else fashion.train
        held = np.zeros(len(whole), bool)
        for label in range(10):
            held[np.flatnonzero(whole.labels == label)[-HELD_BACK:]] = True
        wanted = {"train": ~held, "validation": held, "test": np.ones(len(whole), bool)}[part]
        places = np.flatnonzero(wanted)
        inputs, targets = whole.take(places).tensors()
        return Examples(inputs, targets, np.array([f"{part} {place}" for place in places], np.str_))

    def build(self, width: float) -> nn.Module:
        """The spine's smallest network."""
        return models.build("tiny", width)

    def teacher(self) -> nn.Module:
        """The spine's largest network."""
        return models.load_trained("large")

    def twin(self, network: nn.Module) -> Any:
        """The lean twin, which needs no padded copies: lesson 06."""
        return from_torch(network, (1, 28, 28), lean=True)

    def feed(self, inputs: torch.Tensor) -> Array:
        """Images turned by half, as the lean twin takes them."""
        return np.ascontiguousarray(super().feed(inputs)[:, ::-1, ::-1])


@dataclass(frozen=True, repr=False)
class Keywords(Task):
    """Ten commands, unknown words and silence: the DS-CNN of lesson 09, taught by one that met people.

    Every network begins as `kws-start`, as in lesson 09; a narrow one lost channels before the first
    step. Validation is an engine that none of them met, the test is voices that none of them met.

    The teacher hears what the student hears: of clips as strongly altered as these it gets one in four
    right, of clean ones nine in ten, and so it misleads here. A trial with it shows that.
    """

    steps: int = 160
    learning_rate: float = 2e-3

    name = "keywords"
    score = "balanced accuracy in percent"
    data = ("keywords.npz", "models/kws-start.safetensors", "models/kws-teacher.safetensors")
    groups = "voices"

    @staticmethod
    @cache
    def load(part: Part) -> Examples:
        """For training raw features, which every step alters anew; `extra` are those of silence."""
        names = {"train": "train", "validation": "engine", "test": "voices"}
        spoken = datasets.load_keywords(per_class=100).part(names[part])
        raw, labels = keyword_augment.raw_features(spoken.clips), torch.from_numpy(spoken.labels)
        inputs = raw if part == "train" else keyword_augment.as_input(raw)
        quiet = raw[labels == spoken.classes.index("silence")]
        return Examples(inputs, labels, spoken.voices, quiet)

    def build(self, width: float) -> nn.Module:
        """What lesson 09 begins with, narrowed where that is asked for."""
        start = keyword_network.load_trained("start")
        return remove_channels(start, torch.zeros(1, 1, 50, 10), 1 - width) if width < 1 else start

    def teacher(self) -> nn.Module:
        """The network that met people."""
        return keyword_network.load_trained("teacher")

    def batch(self, examples: Examples, draw: torch.Generator) -> Batch:
        """A class with four times the clips, such as the unknown words, is drawn twice as often."""
        chosen = keyword_training.draw_classes_alike(examples.targets, draw)
        altered = keyword_augment.alter(examples.inputs[chosen], examples.extra, draw)
        return keyword_augment.as_input(altered), examples.targets[chosen]

    def twin(self, network: nn.Module) -> Any:
        """The network and a softmax: the detector averages probabilities."""
        twin = from_torch(network, (1, 50, 10), lean=False)
        import keras

        return keras.Model(twin.inputs, keras.layers.Softmax(name="softmax")(twin.outputs[0]))

    def pipeline(self, model: Model) -> Pipeline:
        """The front end and the detector of lesson 09."""
        return keyword_firmware.pipeline(model, threshold=LEAST_SCORE)


@dataclass(frozen=True, repr=False)
class Gestures(Task):
    """Seven movements of the arm, six people to train on: the 1-D network of lesson 10."""

    steps: int = 300
    learning_rate: float = 8e-3

    name = "gestures"
    score = "balanced accuracy in percent"
    data = ("gestures.npz",)
    groups = "people"

    @staticmethod
    @cache
    def load(part: Part) -> Examples:
        """For training windows as the recipe begins; for the rest what the network takes."""
        recordings = datasets.load_gestures()
        if part == "train":
            mine = recordings.without(*VALIDATION_PEOPLE, *TEST_PEOPLE)
            windows = gesture_training.training_windows(mine)
            inputs = gesture_augment.in_units(windows, gesture_augment.RECIPE)
        else:
            people = TEST_PEOPLE if part == "test" else VALIDATION_PEOPLE
            windows = gesture_features.cut(recordings.of(*people))
            inputs = torch.from_numpy(gesture_features.network_input(windows.raw, windows.right))
        return Examples(inputs, torch.from_numpy(windows.labels), windows.people)

    def build(self, width: float) -> nn.Module:
        """The network of lesson 10, each layer as much wider."""
        plan = [(max(1, round(width * c)), taps, stride) for c, taps, stride in gesture_network.PLAN]
        return gesture_network.build(plan=plan)

    def teacher(self) -> nn.Module:
        """Twice as wide, four times as long: data/build/search_trials.py trained it."""
        teacher = self.build(2.0)
        stored = datasets.read_verified("models/capstone-gestures-teacher.safetensors")
        teacher.load_state_dict(load_safetensors(stored))
        return teacher.eval()

    def batch(self, examples: Examples, draw: torch.Generator) -> Batch:
        """Windows altered as in lesson 10."""
        recipe = gesture_augment.RECIPE
        values, targets = draw_batch(examples, draw, recipe.batch)
        played = gesture_augment.augment(values, recipe, draw)
        return gesture_augment.prepare(played, recipe), targets

    def twin(self, network: nn.Module) -> Any:
        """The twin of lesson 10, its normalization folded."""
        return gesture_network.keras_twin(network)  # type: ignore[arg-type]

    def pipeline(self, model: Model) -> Pipeline:
        """The features and the vote of lesson 10."""
        return gesture_firmware.pipeline(model)
