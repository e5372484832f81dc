"""Photos before a network: read from anywhere, fitted into its square, straightened, drawn on."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.datasets import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image as Picture

LEAST_SIDE = 16
"""A photo with a shorter side holds nothing that a detector could find."""
MOST_PIXELS = 64_000_000
"""Larger photos are refused before they are unpacked: three bytes a pixel are 192 MB."""

Photo = NDArray[np.uint8]


def read_image(source: str | Path | bytes | NDArray[Any]) -> Photo:
    """Read a photo as uint8 RGB [H, W, 3], the way up that its camera noted.

    A grey photo gets three equal channels, a transparent one a white ground, 16 bits become 8.

    Args:
        source: path or content of a file that Pillow reads (JPEG, PNG, WebP ...), or an array uint8
            [H, W], [H, W, 1], [H, W, 3] or [H, W, 4].

    Raises:
        DataError: no such file, no image, a damaged one, or a side or size out of bounds.
        ValueError: an array of another shape or dtype.
    """
    if isinstance(source, np.ndarray):
        return _bounded(_from_array(source), "the array")
    if isinstance(source, bytes):
        return _from_file(io.BytesIO(source), "the content given")
    path = Path(source)
    if not path.is_file():
        raise DataError(f"no image file {path}: give the path of a JPEG or PNG file")
    return _from_file(path, path.name)


def _from_array(array: NDArray[Any]) -> Photo:
    if array.dtype != np.uint8:
        cure = "multiply by 255 and use" if array.dtype.kind == "f" else "use"
        raise ValueError(f"the image is {array.dtype}, and uint8 is wanted: {cure} .astype(np.uint8)")
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3, 4):
        raise ValueError(f"the image is {list(array.shape)}: channels go last, use .transpose(1, 2, 0)")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(
            f"the image is {list(array.shape)}: give one photo, [height, width] or "
            "[height, width, 3 channels]"
        )
    if not array.size:
        raise ValueError(f"the image is {list(array.shape)}: it has no pixels")
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    if array.shape[2] == 3:
        return array.copy()
    opaque = array[..., 3:] / 255
    return np.round(array[..., :3] * opaque + 255 * (1 - opaque)).astype(np.uint8)


def _from_file(file: Path | io.BytesIO, name: str) -> Photo:
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise DataError(_too_large(name, picture.width, picture.height))
            return _bounded(_from_array(_plain(ImageOps.exif_transpose(picture))), name)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{name} cannot be read as an image ({_first_line(error)}): save it again as JPEG or PNG"
        ) from error


def _plain(picture: Picture) -> NDArray[Any]:
    """Return the pixels as uint8, with the transparency that the file has."""
    if picture.mode.startswith("I"):  # 16 bits; Pillow would cut them at 255
        return (np.asarray(picture).clip(0, 65535) >> 8).astype(np.uint8)
    clear = picture.has_transparency_data
    return np.asarray(picture.convert("RGBA" if clear else "RGB"))


def _bounded(photo: Photo, name: str) -> Photo:
    height, width = photo.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise DataError(
            f"{name} is {width} × {height} pixels: the shorter side needs {LEAST_SIDE} at least"
        )
    if height * width > MOST_PIXELS:
        raise DataError(_too_large(name, width, height))
    return photo


def _too_large(name: str, width: int, height: int) -> str:
    most = f"{MOST_PIXELS // 10**6} million"
    return f"{name} is {width} × {height} pixels, more than {most}: scale it down first"


def _first_line(error: Exception) -> str:
    # Pillow names the address of a buffer in memory, which helps nobody.
    return (str(error).splitlines() or [type(error).__name__])[0].split(" <_io.")[0]


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
        axes.plot(x, y, "o", color="#56B4E9", markersize=3)
    return axes
