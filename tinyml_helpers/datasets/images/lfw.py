"""Labeled Faces in the Wild: pairs of faces, fetched by scikit-learn at your wish."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.shipped_files import DataError, cache_folder

# The middle of each photo of 250 pixels: head and shoulders, at a third of the memory.
_MIDDLE = slice(45, 205)


def load_pairs() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Load the 1,000 test pairs of Labeled Faces in the Wild.

    The first time scikit-learn fetches some 230 MB, verifies them, and keeps what it has read in the
    course's cache, in a format of its own that it alone reads.

    Returns:
        Photos uint8 RGB [1000, 2, 160, 160, 3], and whether both show the same person: bool [1000].

    Raises:
        DataError: they cannot be fetched, or are damaged.

    Source: Huang et al., Labeled Faces in the Wild, University of Massachusetts, 2007; view 1.
    """
    from sklearn.datasets import fetch_lfw_pairs

    home = cache_folder()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it tries a second time
            found = fetch_lfw_pairs(
                subset="test", data_home=home, slice_=(_MIDDLE, _MIDDLE), resize=None, color=True,
                n_retries=1,
            )  # fmt: skip
    except Exception as error:  # whatever a loader of others stumbles over
        raise DataError(
            "Labeled Faces in the Wild could not be fetched: check the network, or do without it, as "
            f"the lesson does by default; if what is in {home / 'lfw_home'} may be damaged, delete it "
            f"({error})"
        ) from error
    # Pair by pair: as numbers from 0 to 1 they take four times the memory already.
    photos = np.stack([np.rint(255 * pair).astype(np.uint8) for pair in found.pairs])
    return photos, found.target == 1
