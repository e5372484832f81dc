"""Labeled Faces in the Wild: pairs of faces, fetched from their public home at your wish."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.shipped import DataError, cache_folder

# The middle of each photo of 250 pixels: head and shoulders, at a third of the memory.
_MIDDLE = slice(45, 205)


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
    """Load pairs of Labeled Faces in the Wild by scikit-learn's loader, which verifies what it fetches.

    The first time it fetches some 200 MB. It takes about 1 GB of memory.

    Args:
        subset: "test" has 1,000 pairs, "train" 2,200.
        folder: where the photos are kept; None for the course's cache.
        fetch: False takes only what is there already.

    Raises:
        DataError: it cannot be fetched, or is not there.
        ValueError: unknown subset.

    Source: Huang et al., Labeled Faces in the Wild, University of Massachusetts, 2007; view 1.
    """
    from sklearn.datasets import fetch_lfw_pairs

    if subset not in ("test", "train"):
        raise ValueError(f"unknown subset {subset!r}: choose test or train")
    home = Path(folder) if folder is not None else cache_folder()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Retry downloading", UserWarning)
            bunch = fetch_lfw_pairs(
                subset=subset, data_home=home, color=True, resize=None, slice_=(_MIDDLE, _MIDDLE),
                download_if_missing=fetch, n_retries=1,
            )  # fmt: skip
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            "Labeled Faces in the Wild could not be fetched: check the network, or do without it, as "
            "the lesson does by default"
        ) from error
    photos = np.round(bunch.pairs * 255).astype(np.uint8)
    return Pairs(photos, np.asarray(bunch.target == 1))
