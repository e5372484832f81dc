"""Photos from anywhere, as arrays that a network can be given: files are strange until they are read."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.untrusted import one_line

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LEAST_SIDE = 16
"""A photo with a shorter side holds nothing that a detector could find."""
MOST_PIXELS = 64_000_000
"""Larger photos are refused before they are unpacked: three bytes a pixel are 192 MB."""
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
"""What is read. Pillow knows more: some of its readers start other programs, few are ever needed."""

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
    return _on_white(array)


def _on_white(array: Photo) -> Photo:
    """Lay a transparent picture on white, some rows at a time: the sums take 16 bytes a value."""
    flat = np.empty((*array.shape[:2], 3), np.uint8)
    rows = max(1, 1_000_000 // array.shape[1])
    for start in range(0, len(array), rows):
        part = array[start : start + rows]
        opaque = part[..., 3:] / 255
        flat[start : start + rows] = np.round(part[..., :3] * opaque + 255 * (1 - opaque))
    return flat


def _from_file(file: Path | io.BytesIO, name: str) -> Photo:
    from PIL import Image, ImageOps

    try:
        Image.init()
        known = [form for form in FORMATS if form in Image.OPEN]
        # It warns of tags that are odd, and of sizes, which are looked at here.
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=known) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise DataError(_too_large(name, picture.width, picture.height))
            return _bounded(_from_array(_plain(ImageOps.exif_transpose(picture))), name)
    except DataError:
        raise
    except Exception as error:  # Pillow raises whatever the damaged bytes lead it to
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
    return one_line(error).split(" <_io.")[0] or type(error).__name__
