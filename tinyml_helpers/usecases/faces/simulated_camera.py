"""A camera that is not there: other shots of a photo, and a shot of its print. All simulated."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.usecases.vision import letterbox

Photo = NDArray[np.uint8]

# The four corners of a print in a scene, as shares of its width and height: it leans, a little tilted.
LEANING = ((0.30, 0.16), (0.70, 0.10), (0.73, 0.93), (0.25, 0.88))


def take_views(photo: Photo, count: int, seed: int = 0, strength: float = 1.0) -> list[Photo]:
    """Shoot a photo anew, each time from elsewhere, in other light, with other faults.

    A view is turned, moved, tilted, lit from a side, tinted, blurred, noisy and packed as JPEG, each by
    chance. No view shows another expression, age or side of the face: that takes another photo.

    Args:
        photo: uint8 RGB [H, W, 3].
        count: how many.
        seed: of the chances.
        strength: 0 changes nothing but the packing; 1 is what a phone does in daily life.

    Returns:
        Photos of the same size.

    Raises:
        ValueError: a count below 0, or a strength outside of 0 to 3.
    """
    if count < 0 or not 0 <= strength <= 3:
        raise ValueError(
            f"{count} views of strength {strength}: give a count, and a strength from 0 to 3"
        )
    rng = np.random.default_rng(seed)
    return [
        _faulty(_lit(_moved(photo, rng, strength), rng, strength), rng, strength) for _ in range(count)
    ]


def photograph_print(photo: Photo, scene: Photo, seed: int = 0, corners: ArrayLike = LEANING) -> Photo:
    """Print a photo on paper, put it into a scene, and shoot the scene.

    The print has less contrast and a white border; it is tilted, shines a little, and the shot of it is
    blurred and noisy.

    Args:
        photo: what is printed, uint8 RGB [H, W, 3].
        scene: where it is put, uint8 RGB.
        seed: of the noise.
        corners: [4, 2] where the corners of the paper lie, from the top left clockwise, as shares of
            the scene's width and height.

    Returns:
        The scene with the print in it, of the scene's size.
    """
    rng = np.random.default_rng(seed)
    border = round(0.06 * min(photo.shape[:2]))
    ink = (45 + photo * 0.72).astype(np.uint8)  # black ink reflects, and paper is not quite white
    paper = np.pad(ink, ((border, border), (border, border), (0, 0)), constant_values=235)
    high, wide = paper.shape[:2]
    size = (scene.shape[0], scene.shape[1])
    to = np.asarray(corners, float) * [size[1], size[0]]
    matrix = homography([[0, 0], [wide, 0], [wide, high], [0, high]], to)
    shine = 1 + 0.25 * np.exp(-(((np.mgrid[:high, :wide][1] / wide - 0.8) / 0.25) ** 2))
    lit = np.clip(paper * shine[..., None], 0, 255).astype(np.uint8)
    placed, mask = (letterbox.warp(p, matrix, size) for p in (lit, np.full_like(paper, 255)))
    part = mask / 255
    return _faulty((placed * part + scene * (1 - part)).astype(np.uint8), rng, 0.7)


def homography(here: ArrayLike, there: ArrayLike) -> NDArray[np.float64]:
    """Return the matrix [3, 3] that takes four points [4, 2] to four others, as a tilted plane does.

    Raises:
        ValueError: other shapes, or three points on a line.

    Source: Hartley and Zisserman, Multiple View Geometry, section 4.1.
    """
    a, b = np.asarray(here, float), np.asarray(there, float)
    if a.shape != (4, 2) or b.shape != (4, 2):
        raise ValueError(f"points {list(a.shape)} and {list(b.shape)}: give [4, 2] twice")
    rows = []
    for (x, y), (u, v) in zip(a, b, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    try:
        numbers = np.linalg.solve(np.array(rows), b.ravel())
    except np.linalg.LinAlgError as error:
        raise ValueError("three of the four points lie on a line: they span no plane") from error
    return np.append(numbers, 1).reshape(3, 3)


def _moved(photo: Photo, rng: np.random.Generator, strength: float) -> Photo:
    high, wide = photo.shape[:2]
    middle = np.array([[1, 0, wide / 2], [0, 1, high / 2], [0, 0, 1.0]])
    angle, zoom = strength * rng.uniform(-0.25, 0.25), np.exp(strength * rng.uniform(-0.25, 0.1))
    tilt = strength * rng.uniform(-0.3, 0.3, 2) / max(high, wide)
    shift = strength * rng.uniform(-0.03, 0.03, 2) * [wide, high]
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    matrix = np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]], [*tilt, 1]])
    return letterbox.warp(photo, middle @ matrix @ np.linalg.inv(middle), (high, wide), fill=90)


def _lit(photo: Photo, rng: np.random.Generator, strength: float) -> Photo:
    curve = (np.arange(256, dtype=np.float32) / 255) ** np.exp(strength * rng.uniform(-0.4, 0.4))
    tint = 1 + strength * rng.uniform(-0.1, 0.1, 3)
    slope, from_above = strength * rng.uniform(-0.7, 0.7), strength * rng.uniform(-0.4, 0.4)
    across = slope * np.linspace(-1, 1, photo.shape[1], dtype=np.float32)
    down = from_above * np.linspace(-1, 1, photo.shape[0], dtype=np.float32)
    light = np.clip(1 + down[:, None] + across, 0.1, 2).astype(np.float32)
    bands = [np.clip(255 * tint[c] * curve[photo[..., c]] * light, 0, 255) for c in range(3)]
    return np.stack(bands, axis=-1).astype(np.uint8)


def _faulty(photo: Photo, rng: np.random.Generator, strength: float) -> Photo:
    """Blur, noise and JPEG: what lens, sensor and memory card do."""
    from PIL import Image, ImageFilter

    blur = strength * rng.uniform(0, 1.5) * min(photo.shape[:2]) / 512
    picture = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(blur))
    noise = strength * rng.uniform(0, 12) * rng.standard_normal(photo.shape, np.float32)
    noisy = np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)
    packed = io.BytesIO()
    Image.fromarray(noisy).save(packed, "JPEG", quality=round(95 - strength * rng.uniform(0, 25)))
    return np.asarray(Image.open(packed), np.uint8)
