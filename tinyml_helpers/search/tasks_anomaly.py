"""The task that knows what is healthy: vibration of machines, scored by AUC."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyml_helpers.datasets.vibration.load import HELD_OUT, TRAINING, UNSEEN
from tinyml_helpers.search import tasks
from tinyml_helpers.search.tasks import Array, Batch, Examples, Part, Predict, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import nn

    from tinyml_helpers.deploy.tflite.interpreter import Model
    from tinyml_helpers.mcu import Pipeline
    from tinyml_helpers.usecases.anomaly.detect import Scaling


def vibration() -> Task:
    """The autoencoder of lesson 11; nobody can teach it what is healthy but healthy machines."""
    return Task(
        "vibration", "AUC x 100 (50 is guessing)", ("machines 0-39, seeds 0 and 1",), "machines",
        _segments, _network, _batch, _twin, _flat, _auc, 1500, 3e-3, _squared, pipeline=_pipeline,
    )  # fmt: skip


@cache
def _healthy() -> tuple[Array, Scaling]:
    """Features of the healthy machines to train on, and what they look like."""
    from tinyml_helpers import datasets
    from tinyml_helpers.usecases.anomaly import detect
    from tinyml_helpers.usecases.anomaly import features as anomaly_features

    data = datasets.load_vibration(machines=TRAINING)
    features = anomaly_features.features(data.samples)
    features = detect.subtract_baseline(features, data.machine, data.commissioning())
    return features, detect.fit_scaling(features)


@cache
def _segments(part: Part) -> Examples:
    import torch

    from tinyml_helpers import datasets
    from tinyml_helpers.usecases.anomaly import detect
    from tinyml_helpers.usecases.anomaly import features as anomaly_features

    healthy, scaling = _healthy()
    if part == "train":
        inputs = torch.from_numpy(scaling(healthy))
        return Examples(inputs, inputs, np.repeat(np.array(TRAINING).astype(np.str_), 100))
    numbers = UNSEEN if part == "test" else HELD_OUT
    data = datasets.load_vibration(machines=numbers, healthy=130, faulty=10, seed=1)
    features = detect.subtract_baseline(
        anomaly_features.features(data.samples), data.machine, data.commissioning()
    )
    late = ~data.commissioning()
    inputs = torch.from_numpy(scaling(features[late]))
    return Examples(inputs, inputs, data.machine[late].astype(np.str_), ~data.healthy[late])


def _network(width: float) -> nn.Module:
    from tinyml_helpers.usecases.anomaly import network as networks

    hidden, narrow = (max(1, round(width * size)) for size in (networks.HIDDEN, networks.BOTTLENECK))
    return networks.autoencoder(hidden=hidden, bottleneck=narrow)


def _batch(examples: Examples, draw: torch.Generator) -> Batch:
    return tasks.drawn(examples, draw, 64)


def _twin(model: nn.Module) -> Any:
    from tinyml_helpers.deploy.keras import from_torch
    from tinyml_helpers.usecases.anomaly import network as networks

    return from_torch(model, (networks.INPUTS,))


def _flat(inputs: torch.Tensor) -> Array:
    rows: Array = inputs.numpy()
    return rows


def _squared(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return ((outputs - targets) ** 2).mean()


def _fitted(predict: Predict, load: Callable[[Part], Examples]) -> Scaling:
    """The scaling with what this network could not rebuild of each feature on healthy machines."""
    from dataclasses import replace

    train = load("train").inputs
    wrong = predict(train) - train.numpy()
    return replace(_healthy()[1], residual=np.sqrt((wrong**2).mean(0)))


def _auc(predict: Predict, load: Callable[[Part], Examples], part: Part) -> float:
    from tinyml_helpers.usecases.anomaly import detect

    examples = load(part)
    scores = _fitted(predict, load).score(examples.inputs.numpy(), predict(examples.inputs))
    return 100 * detect.measure_auc(scores, examples.extra)["AUC"]


def _pipeline(model: Model) -> Pipeline:
    from tinyml_helpers.datasets.vibration.simulator.machines import SAMPLES
    from tinyml_helpers.usecases.anomaly import firmware

    detector = firmware.Int8Autoencoder(_healthy()[1], model)
    # The baseline of a machine is measured where it stands; any other takes as many instructions.
    return firmware.pipeline(detector, np.zeros_like(detector.scaling.mean), SAMPLES)
