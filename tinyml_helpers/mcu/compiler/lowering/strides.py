"""How arrays of several dimensions are walked: steps in memory, and dimensions that two walks share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_IN_A_FIELD = 65_535
"""What the 16-bit fields of the kernels' structs hold."""


def row_major_steps(shape: Sequence[int]) -> list[int]:
    """Elements from one to the next along each dimension, the last one the fastest."""
    return [int(s) for s in np.cumprod((1, *shape[:0:-1]))[::-1]] if shape else []


def broadcast_steps(shape: Sequence[int], rank: int) -> list[int]:
    """Elements from one to the next along each dimension; 0 where there is but one."""
    full = (1,) * (rank - len(shape)) + tuple(shape)
    return [0 if n == 1 else step for n, step in zip(full, row_major_steps(full), strict=True)]


def join_dimensions(
    shape: Sequence[int], first: Sequence[int], second: Sequence[int]
) -> list[tuple[int, int, int]]:
    """Join neighbouring dimensions that two arrays walk alike; those of one element are left out.

    Args:
        shape: of the walk.
        first: steps of one array along each dimension.
        second: steps of the other.

    Returns:
        Size and both steps of each dimension that is left.
    """
    dims: list[tuple[int, int, int]] = []
    for size, one, other in zip(shape, first, second, strict=True):
        if dims and dims[-1][1:] == (size * one, size * other):
            dims[-1] = (dims[-1][0] * size, one, other)
        elif size > 1:
            dims.append((size, one, other))
    return dims


def split_long(dims: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Cut dimensions that no 16-bit field holds in two, where that is possible."""
    found: list[tuple[int, int, int]] = []
    for size, one, other in dims:
        long = size > MOST_IN_A_FIELD
        inner = next(n for n in range(MOST_IN_A_FIELD, 0, -1) if size % n == 0) if long else 1
        if long and size // inner <= MOST_IN_A_FIELD:
            found += [(size // inner, one * inner, other * inner), (inner, one, other)]
        else:
            found.append((size, one, other))
    return found
