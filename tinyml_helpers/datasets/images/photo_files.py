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
    from PIL.ImageFile import ImageFile

LEAST_SIDE = 16
"""A photo with a shorter side holds nothing that a detector could find."""
MOST_PIXELS = 64_000_000
"""Larger photos are refused before they are unpacked: three bytes a pixel are 192 MB."""
MOST_SCALED_PIXELS = 256_000_000
"""Of a JPEG that is scaled while it is unpacked; the largest sensors of phones have 200 million."""
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
"""What is read. Pillow knows more: some of its readers start other programs, few are ever needed."""
_SCALE_DOWN = "scale it down first, to 4,000 pixels on its longer side or fewer"

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
        return _from_file(io.BytesIO(source), "the content given")[0]
    path = Path(source)
    if not path.is_file():
        raise DataError(f"no image file {path}: give the path of a JPEG or PNG file")
    return _from_file(path, path.name)[0]


def read_scaled(path: Path, side: int) -> tuple[Photo, bool]:
    """Read a photo of any camera, scaled down to `side` pixels on its longer side if it has more.

    A JPEG is made smaller while it is unpacked, so that 200 million pixels need no memory for each.

    Returns:
        The photo as `read_image` gives it, and whether it was scaled.

    Raises:
        DataError: as `read_image`; of JPEG files only those beyond `MOST_SCALED_PIXELS` are too large,
            and progressive ones beyond `MOST_PIXELS`, which are unpacked whole whatever is asked.

    Source: Pillow's Image.draft, which has libjpeg compute an eighth, a quarter or half of each side.
    """
    return _from_file(path, path.name, side)


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


def _from_file(file: Path | io.BytesIO, name: str, side: int = 0) -> tuple[Photo, bool]:
    """Read a picture, at most `side` pixels long where that is given; tell whether it was scaled."""
    from PIL import ImageOps

    try:
        # It warns of tags that are odd, and of sizes, which are looked at here.
        with warnings.catch_warnings(action="ignore"), _opened(file, name) as picture:
            size = picture.size
            _check_pixels(picture, name, side)
            photo = _from_array(_plain(ImageOps.exif_transpose(picture)))
            return _bounded(_shrunk(photo, side), name), bool(side) and max(size) > side
    except DataError:
        raise
    except Exception as error:  # Pillow raises whatever the damaged bytes lead it to
        why = _first_line(error, file)
        raise DataError(
            f"{name} cannot be read as an image ({why}): save it again as JPEG or PNG"
        ) from error


def _opened(file: Path | io.BytesIO, name: str) -> ImageFile:
    """Open a picture by its header, whatever size it tells.

    Raises:
        DataError: so large that Pillow does not open it, and neither JPEG nor PNG.
    """
    from PIL import Image
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    Image.init()
    known = [form for form in FORMATS if form in Image.OPEN]
    try:
        return Image.open(file, formats=known)
    except Image.DecompressionBombError as error:
        for kind in (JpegImageFile, PngImageFile):
            if isinstance(file, io.BytesIO):
                file.seek(0)
            try:
                return kind(file)
            except SyntaxError:  # it is of another kind
                continue
        raise DataError(f"{name} has more pixels than {_most()}: {_SCALE_DOWN}") from error


def _check_pixels(picture: ImageFile, name: str, side: int) -> None:
    """Refuse a picture that is too large; have a JPEG made smaller while it is unpacked."""
    width, height = picture.size
    # A progressive one is unpacked whole before it is made smaller.
    most = MOST_PIXELS if picture.info.get("progressive") else MOST_SCALED_PIXELS
    if side and width * height <= most:
        share = min(1.0, side / max(width, height))
        picture.draft(None, (max(1, int(width * share)), max(1, int(height * share))))
    if picture.width * picture.height > MOST_PIXELS:
        raise DataError(_too_large(name, width, height))


def _shrunk(photo: Photo, side: int) -> Photo:
    from PIL import Image

    height, width = photo.shape[:2]
    if not side or max(height, width) <= side:
        return photo
    share = side / max(height, width)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS))


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
    return f"{name} is {width} × {height} pixels, more than {_most()}: {_SCALE_DOWN}"


def _most() -> str:
    return f"{MOST_PIXELS // 10**6} million"


def _first_line(error: Exception, file: Path | io.BytesIO) -> str:
    # Pillow names the path again, or the address of a buffer in memory, which helps nobody.
    told = str(error).replace(f" {str(file)!r}", "")
    return one_line(told).split(" <_io.")[0] or type(error).__name__
