"""Scenes of Fashion-MNIST objects on a floor, with exact boxes. Synthetic: no camera saw them.

No set of photos with boxes may be shipped, so scenes are composed: one to four objects are cut out,
scaled and laid on a floor that is plain or tiled. Where an object lies is known to the pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.images.fashion_mnist import FASHION_CLASSES, ImageSet

if TYPE_CHECKING:
    import torch

SCENE_CLASSES = ("top", "trouser", "dress", "shoe", "bag")
SIDE = 97
"""Side of a scene in pixels. Odd, so that strides of 2 pad it evenly: 97, 49, 25, 13."""
OBJECTS = (1, 4)
SIZES = (18, 40)  # of an object's longer side, pixels
MOST_OVERLAP = 0.1
Floor = Literal["plain", "tiled"]
# Shirt, T-shirt, pullover and coat look alike even in a still photo: here they are all tops.
_KINDS = dict(zip(FASHION_CLASSES, (0, 1, 0, 2, 0, 3, 0, 3, 4, 3), strict=True))


@dataclass(frozen=True, repr=False, eq=False)
class Scenes:
    """Scenes and what lies in them.

    Attributes:
        images: uint8 [N, 97, 97], grey.
        boxes: for each scene float32 [M, 4], x1, y1, x2, y2 in pixels.
        labels: for each scene int64 [M], an index into `classes`.
        classes: names.
    """

    images: NDArray[np.uint8]
    boxes: tuple[NDArray[np.float32], ...]
    labels: tuple[NDArray[np.int64], ...]
    classes: tuple[str, ...] = SCENE_CLASSES

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width = self.images.shape[1:]
        count = sum(map(len, self.labels))
        return f"{len(self):,} scenes of {height}x{width} pixels with {count:,} objects"

    def take(self, indices: slice) -> Scenes:
        """Return the scenes of a slice."""
        return Scenes(self.images[indices], self.boxes[indices], self.labels[indices], self.classes)

    def tensors(self) -> torch.Tensor:
        """Return the images as float32 [N, 1, 97, 97] in 0..1."""
        import torch

        return torch.from_numpy(self.images).float().div(255)[:, None]

    def __add__(self, other: Scenes) -> Scenes:
        images = np.concatenate([self.images, other.images])
        return Scenes(images, self.boxes + other.boxes, self.labels + other.labels, self.classes)


def compose(objects: ImageSet, count: int, seed: int = 0, floor: Floor = "plain") -> Scenes:
    """Compose scenes, the same ones for the same seed.

    Every class is as likely as every other. Objects lie wholly inside the scene and hardly overlap.

    Args:
        objects: images of Fashion-MNIST to cut out of; take its test set for scenes to test on.
        count: how many scenes.
        seed: of all that is drawn.
        floor: "plain" (a gradient with noise) or "tiled" (tiles of two greys, turned, with noise).

    Raises:
        ValueError: no scenes asked for, an unknown floor, or a class that has no object.
    """
    if count < 1 or floor not in ("plain", "tiled"):
        raise ValueError(f"{count} scenes on a {floor!r} floor: ask for 1 or more, plain or tiled")
    kinds = np.array([_KINDS[name] for name in FASHION_CLASSES])[objects.labels]
    pools = [np.flatnonzero(kinds == kind) for kind in range(len(SCENE_CLASSES))]
    if not all(map(len, pools)):
        raise ValueError("every class needs an object to cut out: give more images")
    draw = np.random.default_rng(seed)
    made = [_scene(objects, pools, draw, floor) for _ in range(count)]
    images, boxes, labels = zip(*made, strict=True)
    return Scenes(np.stack(images), boxes, labels)


def cut_out(
    image: NDArray[np.uint8], longer_side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cut an object out of its black ground and scale it.

    Args:
        image: uint8 [28, 28].
        longer_side: of the object's box, in pixels.

    Returns:
        Its pixels (0..255) and how much each covers the floor (0..1), both float32 [h, w]. Every edge
        of that rectangle touches the object.
    """
    from PIL import Image
    from scipy import ndimage

    body = ndimage.binary_fill_holes(image > 12)
    rows, columns = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    high, wide = body[part].shape
    size = [max(4, round(side * longer_side / max(high, wide))) for side in (wide, high)]
    pixels, cover = (
        np.asarray(
            Image.fromarray(layer[part].astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
        )
        for layer in (image, body)
    )
    seen = cover > 0.5
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return pixels[part], cover[part]


def _scene(
    objects: ImageSet, pools: list[NDArray[np.int64]], draw: np.random.Generator, floor: Floor
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
    canvas = _plain(draw) if floor == "plain" else _tiled(draw)
    boxes: list[tuple[int, int, int, int]] = []
    labels = []
    for _ in range(draw.integers(OBJECTS[0], OBJECTS[1] + 1)):
        kind = int(draw.integers(len(pools)))
        pixels, cover = cut_out(
            objects.images[draw.choice(pools[kind])], int(draw.integers(SIZES[0], SIZES[1] + 1))
        )
        place = next(_free_places(pixels.shape, boxes, draw), None)
        if place is None:
            continue
        x, y = place
        height, width = pixels.shape
        part = np.s_[y : y + height, x : x + width]
        canvas[part] += cover * (pixels * draw.uniform(0.7, 1) - canvas[part])
        boxes.append((x, y, x + width, y + height))
        labels.append(kind)
    canvas += draw.normal(0, 4, canvas.shape)
    return canvas.clip(0, 255).astype(np.uint8), np.array(boxes, np.float32), np.array(labels, np.int64)


def _free_places(
    shape: tuple[int, ...], boxes: list[tuple[int, int, int, int]], draw: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """Yield places where a rectangle covers little of what lies there, after 20 tries none."""
    height, width = shape
    for _ in range(20):
        x, y = int(draw.integers(SIDE - width + 1)), int(draw.integers(SIDE - height + 1))
        shared = [
            max(0, min(x + width, x2) - max(x, x1)) * max(0, min(y + height, y2) - max(y, y1))
            for x1, y1, x2, y2 in boxes
        ]
        areas = [min(width * height, (x2 - x1) * (y2 - y1)) for x1, y1, x2, y2 in boxes]
        if all(part <= MOST_OVERLAP * whole for part, whole in zip(shared, areas, strict=True)):
            yield x, y


def _plain(draw: np.random.Generator) -> NDArray[np.float64]:
    x, y = np.meshgrid(*[np.linspace(-0.5, 0.5, SIDE)] * 2)
    slope = draw.uniform(-50, 50, 2)
    floor: NDArray[np.float64] = draw.uniform(30, 110) + slope[0] * x + slope[1] * y
    return floor


def _tiled(draw: np.random.Generator) -> NDArray[np.float64]:
    x, y = np.meshgrid(*[np.arange(SIDE) - SIDE / 2] * 2)
    angle, period = draw.uniform(0, np.pi), draw.uniform(10, 30)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    odd: NDArray[np.float64] = (np.floor(along / period) + np.floor(across / period)) % 2
    return _plain(draw) + draw.uniform(20, 70) * (odd - 0.5)
