"""Train the tiny detector: what each cell should say, and how wrong it is."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tinyml_helpers import training
from tinyml_helpers.datasets.images.scenes import Scenes
from tinyml_helpers.usecases.detection import decode
from tinyml_helpers.usecases.detection.grid import CELLS, CODES

SCALES = (10.0, 10.0, 5.0, 5.0)
"""Factors of the codes y, x, height, width: see `vision.boxes.decode`."""
BATCH = 64
_SPREAD = 0.6  # of the hill around a centre, in cells


@dataclass(frozen=True, eq=False)
class Targets:
    """What the grid should say, for N scenes.

    Attributes:
        heat: float32 [N, classes, 13, 13]; 1 in the cell next to a centre, falling off around it.
        codes: float32 [N, 4, 13, 13], of the nearest object.
        weight: float32 [N, 1, 13, 13], how much the codes of a cell count.
    """

    heat: torch.Tensor
    codes: torch.Tensor
    weight: torch.Tensor

    def take(self, places: torch.Tensor) -> Targets:
        """Return those of some scenes, by their places int64 [M]."""
        return Targets(self.heat[places], self.codes[places], self.weight[places])


def make_targets(scenes: Scenes) -> Targets:
    """Write down what the grid should say of each scene."""
    shape = (len(scenes), CELLS, CELLS)
    heat = np.zeros((len(scenes), len(scenes.classes), CELLS, CELLS), np.float32)
    codes, weight = np.zeros((len(scenes), CODES, CELLS, CELLS), np.float32), np.zeros(shape, np.float32)
    for i, (boxes, labels) in enumerate(zip(scenes.boxes, scenes.labels, strict=True)):
        for box, label in zip(boxes, labels, strict=True):
            hill, wanted = _hill(box), encode(box)
            np.maximum(heat[i, label], hill, out=heat[i, label])
            nearest = hill > weight[i]
            codes[i][:, nearest] = wanted[nearest].T
            weight[i] = np.maximum(weight[i], hill)
    near = np.where(weight > 0.2, weight, 0)
    return Targets(*map(torch.from_numpy, (heat, codes, near[:, None])))


def encode(box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the codes by which each cell would say this box: float32 [13, 13, 4].

    The inverse of `vision.boxes.decode`, for one box [4] and the anchors of the grid.
    """
    anchors = decode.grid_anchors().reshape(CELLS, CELLS, 4)
    centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    moved = (centre - anchors[..., :2]) / anchors[..., 2:]
    grown = np.log(size / anchors[..., 2:])
    codes = np.stack([moved[..., 1], moved[..., 0], grown[..., 1], grown[..., 0]], -1)
    scaled: NDArray[np.float32] = codes * np.array(SCALES, np.float32)
    return scaled


def _hill(box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 in the cell nearest to the centre of a box, and a Gaussian around it: [13, 13]."""
    anchors = decode.grid_anchors()[:, :2].reshape(CELLS, CELLS, 2)
    distance = ((anchors - (box[:2] + box[2:]) / 2) ** 2).sum(-1)
    nearest = np.unravel_index(distance.argmin(), distance.shape)
    y, x = np.indices((CELLS, CELLS))
    steps = (y - nearest[0]) ** 2 + (x - nearest[1]) ** 2
    hill: NDArray[np.float32] = np.exp(-steps / (2 * _SPREAD**2)).astype(np.float32)
    return hill


def loss(outputs: torch.Tensor, wanted: Targets) -> torch.Tensor:
    """Return how wrong the outputs [N, 4 + classes, 13, 13] are: a scalar.

    Focal loss on the classes, which lets the many empty cells weigh little once they are right, and
    smooth L1 on the codes of the cells near a centre.

    Source: Law and Deng, CornerNet, arXiv 1808.01244, equation 1.
    """
    codes, logits = outputs[:, :CODES], outputs[:, CODES:]
    found, is_centre = torch.sigmoid(logits), wanted.heat == 1
    hit = (1 - found) ** 2 * nn.functional.logsigmoid(logits)
    empty = (1 - wanted.heat) ** 4 * found**2 * nn.functional.logsigmoid(-logits)
    centres = is_centre.sum().clamp(min=1)
    classes = -torch.where(is_centre, hit, empty).sum() / centres
    wrong = nn.functional.smooth_l1_loss(codes, wanted.codes, reduction="none") * wanted.weight
    return classes + wrong.sum() / wanted.weight.sum().clamp(min=1)


def fit(
    model: nn.Module, scenes: Scenes, *, epochs: int, learning_rate: float = 5e-3, seed: int = 0
) -> training.History:
    """Train the tiny detector in place, 64 scenes a step; see `training.fit`.

    Args:
        model: maps float32 [N, 1, 97, 97] to [N, 4 + classes, 13, 13].
        scenes: to train on.
        epochs: passes over them.
        learning_rate: peak of the one-cycle schedule.
        seed: of the order of the scenes.

    Raises:
        ValueError: fewer scenes than one batch, or no epochs.
    """
    steps = training.count_steps(len(scenes), BATCH, epochs)
    started = time.perf_counter()
    images, wanted = scenes.tensors(), make_targets(scenes)
    places = training.shuffle(len(scenes), BATCH, epochs, torch.Generator().manual_seed(seed))
    losses = training.fit_batches(
        model, ((images[chosen], wanted.take(chosen)) for chosen in places), steps=steps,
        learning_rate=learning_rate, weight_decay=0.05, warm_up=0.2,
        loss=lambda _images, outputs, part: loss(outputs, part),
    )  # fmt: skip
    seconds = time.perf_counter() - started
    return training.History(training.mean_losses(losses, epochs), seconds, steps // epochs * BATCH, seed)


def predict(model: nn.Module, scenes: Scenes) -> NDArray[np.float32]:
    """Return the outputs of a PyTorch detector, channels last: float32 [N, 13, 13, 4 + classes]."""
    return training.run(model, scenes.tensors()).permute(0, 2, 3, 1).numpy()
