"""Six photos that anybody may use, two faces, a man from the side, a cat, a cup, a rocket; or yours."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.images import own_photos
from tinyml_helpers.datasets.images.photo_album import Credit, Photos
from tinyml_helpers.system import own_files
from tinyml_helpers.system.shipped_files import DataError, read_verified

FILE = "photos.npz"


def load_photos(source: str | Path | None = None) -> Photos:
    """Load the photos that ship with the course: astronaut, camera, chelsea, coffee, hopper, rocket.

    Args:
        source: None for these; else a photo of yours, or a folder of them, with folders in it if you
            like. Larger ones are scaled down; what cannot be read is named under the table.

    Raises:
        DataError: the shipped file is missing or damaged; there is no such file or folder of yours, or
            no photo in it; the message says why.

    Source: scikit-image 0.26.0, which states the terms of each in skimage/data/_fetchers.py; and for
    hopper matplotlib, from Wikimedia Commons, File:Grace_Hopper.jpg.
    """
    if source is not None:
        return own_photos.read_album(own_files.find(source))
    with np.load(io.BytesIO(read_verified(FILE)), allow_pickle=False) as arrays:
        credits = {name: Credit(*told) for name, told in json.loads(str(arrays["credits"])).items()}
        images = {name: _decoded(name, arrays[name].tobytes()) for name in credits}
    return Photos(images, credits)


def _decoded(name: str, content: bytes) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    except OSError as error:
        raise DataError(f"photo {name!r} in data/{FILE} cannot be decoded: {error}") from error
