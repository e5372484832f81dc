"""SSD-MobileNetV2, a detector that ships in mobile apps: from a photo to boxes in its pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets import read_verified
from tinyml_helpers.datasets.images import photo_files
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite.interpreter import Model
from tinyml_helpers.usecases.detection import requantize
from tinyml_helpers.usecases.detection.decode import Detections, select, sigmoid
from tinyml_helpers.usecases.vision import boxes

SIDE = 300
CLASSES = (
    "bicycle", "boot", "laptop", "person", "chair", "cattle", "desk", "cat", "computer mouse",
    "computer monitor", "box", "mug", "coffee cup", "stationary bicycle", "table", "bottle",
    "high heels", "vehicle", "footwear", "dog", "book", "camera", "car",
)  # fmt: skip
"""What it was trained to find, of Open Images V4; the network's class 0 is the background."""


class Detector:
    """The network with everything around it; made by `load`."""

    def __init__(self, network: Model) -> None:
        """Check that the network has the ends of this one."""
        ends = [tensor.shape for tensor in (network.input, *network.outputs)]
        wanted = [(1, SIDE, SIDE, 3), (1, 1917, 4), (1, 1917, 1 + len(CLASSES))]
        if ends != wanted:
            raise ModelError(f"input and outputs of {ends}: SSD-MobileNetV2 here has {wanted}")
        self.network = network
        self.anchors = boxes.ssd_anchors()

    def __repr__(self) -> str:
        return f"SSD-MobileNetV2, {len(CLASSES)} classes, {self.network!r}"

    def raw(self, photo: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what the network says of a photo: codes [1917, 4] and logits [1917, 24].

        Args:
            photo: uint8 RGB [H, W, 3], see `photo_files.read_image`; it is stretched to 300x300.
        """
        codes, logits = self.network.predict_all(prepare(photo))
        return codes[0], logits[0]

    def candidates(self, photo: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return all boxes [1917, 4], in pixels of the photo, and their scores [1917, 23], 0..1."""
        codes, logits = self.raw(photo)
        height, width = photo.shape[:2]
        sides = np.array([width, height] * 2, np.float32)
        inside = boxes.decode(codes, self.anchors).clip(0, 1) * sides
        return inside, sigmoid(logits[:, 1:])

    def detect(
        self, photo: str | Path | bytes | NDArray[np.uint8], score: float = 0.4, iou: float = 0.5
    ) -> Detections:
        """Find objects in a photo.

        Args:
            photo: uint8 [H, W, 3] or grey [H, W], or a file or its content; see
                `photo_files.read_image`.
            score: least score.
            iou: overlap above which the weaker of two boxes of a class goes.

        Raises:
            tinyml_helpers.datasets.DataError: no file, a damaged one, or a photo that is too small.
            ValueError: an array that is no photo, or a threshold outside 0..1.
        """
        checked = photo_files.read_image(photo)
        return select(*self.candidates(checked), CLASSES, score, iou)

    def quantize(
        self,
        mode: requantize.Mode,
        photos: Iterable[NDArray[np.uint8]] = (),
        clip: Mapping[int, tuple[float, float]] | None = None,
    ) -> Detector:
        """Return the same network in int8, calibrated on photos; see `requantize.quantize`."""
        content = requantize.quantize(self.network.content, mode, map(prepare, photos), clip)
        return load(content)


@dataclass(frozen=True)
class Agreement:
    """How far another version of the network says the same; prints as a sentence.

    Attributes:
        mean_iou: of the boxes of each anchor that scores 0.3 or more in the first version.
        least_iou: of the worst of them.
        most_score: by which a score of any anchor moves at the most, 0..1.
        count: how many boxes were compared.
    """

    mean_iou: float
    least_iou: float
    most_score: float
    count: int

    def __repr__(self) -> str:
        return (
            f"{self.count} boxes overlap by {self.mean_iou:.3f} on average, {self.least_iou:.3f} at the "
            f"least; scores move by up to {self.most_score:.3f}"
        )


def measure_agreement(
    first: Detector, second: Detector, album: Iterable[NDArray[np.uint8]]
) -> Agreement:
    """Compare what two versions of the network say of photos, anchor by anchor.

    Raises:
        ValueError: the first version is sure of nothing in these photos.
    """
    overlaps: list[NDArray[np.float32]] = [np.empty(0, np.float32)]
    moves = [0.0]
    for photo in album:
        ours, theirs = first.candidates(photo), second.candidates(photo)
        sure = ours[1].max(1) >= 0.3
        overlaps.append(boxes.iou(ours[0][sure], theirs[0][sure]).diagonal())
        moves.append(float(abs(ours[1] - theirs[1]).max()))
    same = np.concatenate(overlaps)
    if not len(same):
        raise ValueError("nothing scores 0.3 in these photos: give one with an object that it knows")
    return Agreement(float(same.mean()), float(same.min()), max(moves), len(same))


def prepare(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a photo as the network takes it: float32 [1, 300, 300, 3] in -1..1, stretched."""
    from PIL import Image

    square = Image.fromarray(photo).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(square, np.float32)[None] / 127.5 - 1


def load(model: str | Path | bytes | None = None) -> Detector:
    """Load the detector that ships with the course, or another version of the same network.

    Args:
        model: path or bytes of a .tflite file; None for data/models/ssd_mobilenet_v2.tflite.

    Raises:
        tinyml_helpers.datasets.DataError: the shipped file is missing or damaged.
        ModelError: not a sound .tflite file, or another network.

    Source: npm package @mediapipe/objectron 0.4.1675468480; see the card in data/README.md.
    """
    content = read_verified("models/ssd_mobilenet_v2.tflite") if model is None else model
    return Detector(litert.load(content))
