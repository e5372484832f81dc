"""Photos before a network: fitted into its square, straightened, drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.datasets.images.photo_files import Photo

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class Letterbox:
    """A photo fitted into a network's `image`, uint8 [height, width, 3], its shape kept.

    A point of the photo lies at `scale` × point + (`left`, `top`) in it.
    """

    image: Photo
    scale: float
    left: float
    top: float

    def to_photo(self, points: ArrayLike) -> NDArray[np.float32]:
        """Return where points of the letterbox lie in the photo, in its pixels.

        Args:
            points: [..., 2] of x, y or [..., 4] of x1, y1, x2, y2, in pixels of the letterbox.
        """
        given = np.asarray(points, np.float32)
        pairs = given.reshape(*given.shape[:-1], -1, 2)
        moved = (pairs - np.array([self.left, self.top])) / self.scale
        return np.asarray(moved.reshape(given.shape), np.float32)

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        place = f"{self.left:.0f} from the left, {self.top:.0f} from the top"
        return f"{width} × {height} pixels, the photo at {self.scale:.3f} of its size, {place}"


def letterbox(photo: Photo, size: int | tuple[int, int], fill: int = 0) -> Letterbox:
    """Fit a photo into a rectangle without distorting it, in the middle of a plain ground.

    Args:
        photo: uint8 RGB [H, W, 3].
        size: side in pixels, or (height, width).
        fill: value of the ground, 0 to 255.
    """
    from PIL import Image

    height, width = (size, size) if isinstance(size, int) else size
    scale = min(height / photo.shape[0], width / photo.shape[1])
    high, wide = (max(1, round(side * scale)) for side in photo.shape[:2])
    left, top = (width - wide) // 2, (height - high) // 2
    image = np.full((height, width, 3), fill, np.uint8)
    resized = Image.fromarray(photo).resize((wide, high), Image.Resampling.BILINEAR)
    image[top : top + high, left : left + wide] = np.asarray(resized)
    return Letterbox(image, scale, left, top)


def warp(photo: Photo, matrix: ArrayLike, size: int | tuple[int, int], fill: int = 0) -> Photo:
    """Move every point of a photo by a matrix: turn, scale, shift, or tilt.

    Args:
        photo: uint8 RGB [H, W, 3].
        matrix: [2, 3] or [3, 3], takes (x, y, 1) of the photo to the result.
        size: side of the result in pixels, or (height, width).
        fill: value of what lies outside of the photo.

    Returns:
        uint8 RGB, of the size asked for. Where it is much smaller, the photo is shrunk smoothly.

    Raises:
        ValueError: a matrix of another shape, or one that squeezes the photo to a line.
    """
    from PIL import Image

    given = np.asarray(matrix, np.float64)
    if given.shape not in ((2, 3), (3, 3)) or abs(np.linalg.det(given[:2, :2])) < 1e-9:
        raise ValueError("warp needs a matrix [2, 3] or [3, 3] that keeps the photo's area above zero")
    full = given if given.shape == (3, 3) else np.vstack([given, [0, 0, 1]])
    height, width = (size, size) if isinstance(size, int) else size
    picture = Image.fromarray(photo)
    # Reading single pixels of a much larger photo would pick grains of it.
    factor = int(1 / np.sqrt(abs(np.linalg.det(full[:2, :2]))))
    if factor > 1:
        picture, full = picture.reduce(factor), full @ np.diag([factor, factor, 1.0])
    back = np.linalg.inv(full)
    moved = picture.transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        tuple((back / back[2, 2]).ravel()[:8]),
        Image.Resampling.BILINEAR,
        fillcolor=(fill, fill, fill),
    )
    return np.asarray(moved)


def draw_boxes(
    axes: Axes,
    boxes: ArrayLike,
    labels: Sequence[str] = (),
    colour: str = "#E69F00",
    points: ArrayLike = (),
) -> Axes:
    """Draw boxes with their labels on a photo, and points.

    Args:
        axes: where the photo is shown.
        boxes: [N, 4] of x1, y1, x2, y2 in pixels of the photo.
        labels: one for each box, or none.
        colour: of the lines.
        points: [M, 2] of x, y, drawn as dots.
    """
    from matplotlib.patches import Rectangle

    for i, (x1, y1, x2, y2) in enumerate(np.reshape(np.asarray(boxes, float), (-1, 4))):
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=2))
        if i < len(labels):
            ground = {"facecolor": colour, "edgecolor": "none", "pad": 1.5}
            axes.text(x1, y1, labels[i], va="bottom", fontsize=10, bbox=ground)
    for x, y in np.reshape(np.asarray(points, float), (-1, 2)):
        axes.plot(x, y, "o", color="#3A9BD4", markersize=3)
    return axes
