"""The task that knows what is healthy: vibration of machines, scored by AUC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from tinyml_helpers.datasets.vibration.load import HELD_OUT, TRAINING, UNSEEN, load_vibration
from tinyml_helpers.datasets.vibration.simulator.machines import SAMPLES
from tinyml_helpers.deploy.keras import from_torch
from tinyml_helpers.search.tasks import Array, Batch, Examples, Part, Predict, Task, draw_batch
from tinyml_helpers.usecases.anomaly import detect, firmware
from tinyml_helpers.usecases.anomaly import features as anomaly_features
from tinyml_helpers.usecases.anomaly import network as networks
from tinyml_helpers.usecases.anomaly.detect import Scaling

if TYPE_CHECKING:
    from tinyml_helpers.deploy.tflite.interpreter import Model
    from tinyml_helpers.mcu import Pipeline


@cache
def _healthy() -> tuple[Array, Scaling]:
    """Features of the healthy machines to train on, and what they look like."""
    data = load_vibration(machines=TRAINING)
    features = anomaly_features.features(data.samples)
    features = detect.subtract_baseline(features, data.machine, data.commissioning())
    return features, detect.fit_scaling(features)


@dataclass(frozen=True, repr=False)
class Vibration(Task):
    """The autoencoder of lesson 11; nobody can teach it what is healthy but healthy machines."""

    steps: int = 1500
    learning_rate: float = 3e-3

    name = "vibration"
    score = "AUC x 100 (50 is guessing)"
    data = ("machines 0-39, seeds 0 and 1",)
    groups = "machines"

    @staticmethod
    @cache
    def load(part: Part) -> Examples:
        """Healthy machines for training; for the rest others, and as `extra` which are faulty."""
        healthy, scaling = _healthy()
        if part == "train":
            inputs = torch.from_numpy(scaling(healthy))
            return Examples(inputs, inputs, np.repeat(np.array(TRAINING).astype(np.str_), 100))
        numbers = UNSEEN if part == "test" else HELD_OUT
        data = load_vibration(machines=numbers, healthy=130, faulty=10, seed=1)
        features = detect.subtract_baseline(
            anomaly_features.features(data.samples), data.machine, data.commissioning()
        )
        late = ~data.commissioning()
        inputs = torch.from_numpy(scaling(features[late]))
        return Examples(inputs, inputs, data.machine[late].astype(np.str_), ~data.healthy[late])

    def build(self, width: float) -> nn.Module:
        """The autoencoder, its hidden layers as much wider."""
        hidden, narrow = (max(1, round(width * size)) for size in (networks.HIDDEN, networks.BOTTLENECK))
        return networks.autoencoder(hidden=hidden, bottleneck=narrow)

    def batch(self, examples: Examples, draw: torch.Generator) -> Batch:
        """Half as many as other tasks draw."""
        return draw_batch(examples, draw, 64)

    def twin(self, network: nn.Module) -> Any:
        """The network as it is: there are no channels to turn."""
        return from_torch(network, (networks.INPUTS,))

    def feed(self, inputs: torch.Tensor) -> Array:
        """Rows as they are."""
        rows: Array = inputs.numpy()
        return rows

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of what was rebuilt."""
        return ((outputs - targets) ** 2).mean()

    def judge(self, predict: Predict, part: Part) -> float:
        """Return how well the error tells faulty from healthy: the area under the ROC curve."""
        examples, train = self.load(part), self.load("train").inputs
        # What this network could not rebuild of each feature on healthy machines.
        wrong = predict(train) - train.numpy()
        fitted = replace(_healthy()[1], residual=np.sqrt((wrong**2).mean(0)))
        scores = fitted.score(examples.inputs.numpy(), predict(examples.inputs))
        return 100 * detect.measure_auc(scores, examples.extra)["AUC"]

    def pipeline(self, model: Model) -> Pipeline:
        """The features and the detector of lesson 11."""
        detector = firmware.Int8Autoencoder(_healthy()[1], model)
        # The baseline of a machine is measured where it stands; any other takes as many instructions.
        return firmware.pipeline(detector, np.zeros_like(detector.scaling.mean), SAMPLES)
