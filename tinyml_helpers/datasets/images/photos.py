"""Six photos that anybody may use: two faces, a man from the side, a cat, a cup and a rocket."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.shipped_files import DataError, read_verified
from tinyml_helpers.system.tables import html_table, text_table

FILE = "photos.npz"
_HEADER = ("photo", "shows", "pixels", "by", "terms")
_NAMES = (0, 1, 3, 4)  # columns set to the left


@dataclass(frozen=True)
class Credit:
    """What a photo `shows`, who made it (`by`), and its `terms`."""

    shows: str
    by: str
    terms: str


@dataclass(frozen=True, repr=False, eq=False)
class Photos(Mapping[str, NDArray[np.uint8]]):
    """Photos by name, uint8 RGB [H, W, 3] each; prints as a table of credits.

    Every access gives a copy of its own, so that drawing on it does no harm.
    """

    images: Mapping[str, NDArray[np.uint8]]
    credits: Mapping[str, Credit]

    def __getitem__(self, name: str) -> NDArray[np.uint8]:
        """Return one photo, uint8 RGB [H, W, 3].

        Raises:
            KeyError: there is no photo of that name.
        """
        if name not in self.images:
            raise KeyError(f"no photo {name!r}: choose one of {', '.join(self.images)}")
        return self.images[name].copy()

    def __iter__(self) -> Iterator[str]:
        return iter(self.images)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return text_table(_HEADER, self._rows(), _NAMES)

    def _repr_html_(self) -> str:
        return html_table(_HEADER, self._rows(), _NAMES)

    def _rows(self) -> list[tuple[str, ...]]:
        told = ((name, self.credits[name], self.images[name].shape) for name in self.images)
        return [
            (name, credit.shows, f"{width} × {height}", credit.by, credit.terms)
            for name, credit, (height, width, _) in told
        ]


def load_photos() -> Photos:
    """Load the photos that ship with the course: astronaut, camera, chelsea, coffee, hopper, rocket.

    Raises:
        DataError: the file is missing or damaged.

    Source: scikit-image 0.26.0, which states the terms of each in skimage/data/_fetchers.py; and for
    hopper matplotlib, from Wikimedia Commons, File:Grace_Hopper.jpg.
    """
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
