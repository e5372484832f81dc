"""Faces without a trained network: histograms of local binary patterns, by hand."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

CELLS = 7
"""The face is cut into this many rows and columns, each with a histogram of its own."""
_RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_KINDS = 59  # 58 patterns with at most two changes around the ring, and all others together


@cache
def _kinds() -> NDArray[np.int64]:
    """Number the 256 patterns: those with at most two changes get a number each, the others the last."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(1) <= 2
    return np.where(uniform, np.cumsum(uniform) - 1, _KINDS - 1)


def local_binary_patterns(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Say of each pixel which of its eight neighbours are at least as bright: uint8 [H-2, W-2].

    Args:
        grey: uint8 [H, W].
    """
    inner = grey[1:-1, 1:-1]
    high, wide = inner.shape
    code = np.zeros(inner.shape, np.uint8)
    for bit, (down, right) in enumerate(_RING):
        neighbour = grey[1 + down : 1 + down + high, 1 + right : 1 + right + wide]
        code |= (neighbour >= inner).astype(np.uint8) << bit
    return code


def describe_patterns(aligned: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a face's histograms as one vector of length 1: float32 [2891].

    Args:
        aligned: uint8 RGB [S, S, 3].

    Source: Ahonen, Hadid and Pietikäinen, IEEE TPAMI 28 (2006), 2037. Square roots of the shares make
    the product of two vectors Bhattacharyya's measure of two histograms.
    """
    from PIL import Image

    grey = np.asarray(Image.fromarray(aligned).convert("L"), np.uint8)
    kinds = _kinds()[local_binary_patterns(grey)]
    cells = (cell for row in np.array_split(kinds, CELLS) for cell in np.array_split(row, CELLS, axis=1))
    shares = [np.bincount(cell.ravel(), minlength=_KINDS) / cell.size for cell in cells]
    return np.sqrt(np.concatenate(shares) / CELLS**2).astype(np.float32)
