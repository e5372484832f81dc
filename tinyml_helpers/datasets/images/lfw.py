"""Labeled Faces in the Wild: pairs of faces, fetched from their public home at your wish.

scikit-learn has a loader for this set. It keeps what it has read as a pickle, a format that can run
code while it is read, and its downloads have no limit of time or size; so the course has its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.download import fetch, unpack
from tinyml_helpers.system.shipped_files import DataError, cache_folder

URL = "https://ndownloader.figshare.com/files/"
# Number at the public home, and SHA-256, as scikit-learn publishes them.
PHOTOS = ("5976015", "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a")
INDEX = {
    "test": (
        "pairsDevTest.txt", "5976009",
        "7cb06600ea8b2814ac26e946201cdb304296262aad67d046a16a7ec85d0ff87c",
    ),
    "train": (
        "pairsDevTrain.txt", "5976012",
        "1d454dada7dfeca0e7eab6f65dc4e97a6312d44cf142207be28d688be92aabfa",
    ),
}  # fmt: skip
_MOST_BYTES, _MOST_UNPACKED_BYTES, _MOST_INDEX_BYTES = 300_000_000, 600_000_000, 1_000_000
# The middle of each photo of 250 pixels: head and shoulders, at a third of the memory.
_START, _END = 45, 205


@dataclass(frozen=True, repr=False, eq=False)
class Pairs:
    """Pairs of photos: `photos` uint8 RGB [N, 2, H, W, 3], and `same` bool [N]: the same person?"""

    photos: NDArray[np.uint8]
    same: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.same)

    def __repr__(self) -> str:
        high, wide = self.photos.shape[2:4]
        return f"{len(self):,} pairs of {wide} × {high} pixels, {int(self.same.sum()):,} of one person"


def load_pairs(subset: str = "test", folder: str | Path | None = None, fetch: bool = True) -> Pairs:
    """Load pairs of Labeled Faces in the Wild, verified when they are fetched.

    The first time it fetches some 230 MB.

    Args:
        subset: "test" has 1,000 pairs, "train" 2,200.
        folder: where the photos are kept; None for the course's cache.
        fetch: False takes only what is there already.

    Raises:
        DataError: it cannot be fetched, is not there, or is damaged.
        ValueError: unknown subset.

    Source: Huang et al., Labeled Faces in the Wild, University of Massachusetts, 2007; view 1.
    """
    if subset not in INDEX:
        raise ValueError(f"unknown subset {subset!r}: choose test or train")
    home = (Path(folder) if folder is not None else cache_folder()) / "lfw_home"
    try:
        photos = _photos(home, fetch)
        pairs = list(_pairs(_index(home, subset, fetch).read_text("utf-8")))
        same = [one[0] == other[0] for one, other in pairs]
        middles = [[_middle(photos, *face) for face in pair] for pair in pairs]
    except (DataError, OSError, ValueError) as error:
        raise DataError(
            "Labeled Faces in the Wild could not be fetched: check the network, or do without it, as "
            f"the lesson does by default; if what is in {home.name} may be damaged, delete it ({error})"
        ) from error
    return Pairs(np.array(middles, np.uint8), np.array(same))


def _photos(home: Path, may_fetch: bool) -> Path:
    """Return the folder that has a folder for each person."""
    there = home / "lfw_funneled"  # as scikit-learn leaves it
    if there.is_dir():
        return there
    _stop_unless(may_fetch, there)
    archive = fetch(URL + PHOTOS[0], PHOTOS[1], home, _MOST_BYTES, "lfw-funneled.tgz")
    return unpack(archive, home / "unpacked", _MOST_UNPACKED_BYTES) / "lfw_funneled"


def _index(home: Path, subset: str, may_fetch: bool) -> Path:
    name, number, digest = INDEX[subset]
    if not (home / name).exists():
        _stop_unless(may_fetch, home / name)
        return fetch(URL + number, digest, home, _MOST_INDEX_BYTES, name)
    return home / name


def _stop_unless(may_fetch: bool, missing: Path) -> None:
    if not may_fetch:
        raise DataError(f"{missing.name} is missing, and fetch=False")


def _pairs(index: str) -> Iterator[tuple[tuple[str, int], tuple[str, int]]]:
    """Read lines of a name and two numbers, or of a name and a number twice."""
    for line in index.splitlines():
        parts = line.strip().split("\t")
        if len(parts) == 3:
            yield (parts[0], int(parts[1])), (parts[0], int(parts[2]))
        elif len(parts) == 4:
            yield (parts[0], int(parts[1])), (parts[2], int(parts[3]))


def _middle(photos: Path, person: str, number: int) -> NDArray[np.uint8]:
    from PIL import Image

    file = photos / person / f"{person}_{number:04d}.jpg"
    with Image.open(file) as photo:
        return np.asarray(photo.convert("RGB").crop((_START, _START, _END, _END)))
