"""What is stored of a face: a vector in bytes, or bits that can be cancelled."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.integers import Integers


@dataclass(frozen=True, repr=False, eq=False)
class Template:
    """A vector in bytes: `values` int8 [D], each worth `scale`."""

    values: NDArray[np.int8]
    scale: float

    def to_bytes(self) -> bytes:
        """Return what is stored: the scale as a float of 4 bytes, then a byte for each value."""
        return struct.pack("<f", self.scale) + self.values.tobytes()

    def __repr__(self) -> str:
        return f"template of {len(self.to_bytes()):,} bytes: {len(self.values):,} values and a scale"


def quantize(vector: ArrayLike) -> Template:
    """Store a vector [D] in one byte a value, with the scale of lesson 02: largest value / 127.

    Raises:
        ValueError: no vector, or one that is zero or not finite.
    """
    values = np.asarray(vector, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all() or not values.any():
        raise ValueError("a template needs one vector of finite numbers that are not all zero")
    scale = float(np.float32(np.abs(values).max() / 127))
    return Template(Integers(scale, 0).store(values), scale)


def similarity(a: Template, b: Template) -> float:
    """Return the product of two templates, close to the cosine of the vectors, from their integers.

    Raises:
        ValueError: templates of different networks.
    """
    if a.values.shape != b.values.shape:
        raise ValueError(f"templates of {len(a.values)} and {len(b.values)} values cannot be compared")
    return a.scale * b.scale * int(a.values.astype(np.int32) @ b.values.astype(np.int32))


def matching_c(values: int, people: int) -> str:
    """Return a program in C that compares one template with many: `c/match.c`.

    It reads `probe` int8 [values] and `stored` int8 [people, values], and writes `sums` int32 [people].

    Raises:
        ValueError: no values or no people.
    """
    if values < 1 or people < 1:
        raise ValueError(f"{values} values of {people} people: give one of each at least")
    text = (resources.files(__package__) / "c" / "match.c").read_text("utf-8")
    return text.replace("PEOPLE", str(people)).replace("VALUES", str(values))


def protect(vectors: ArrayLike, salt: bytes, bits: int = 512) -> NDArray[np.bool_]:
    """Turn a vector into bits that hold for one salt only: on which side of random planes does it lie?

    Two vectors at an angle differ in about angle / 180° of the bits. Another salt has other planes.

    Args:
        vectors: [D] or [N, D].
        salt: a secret of the device or of its owner; change it to cancel the bits.
        bits: how many planes.

    Returns:
        bool [bits] or [N, bits].

    Raises:
        ValueError: no vector, an empty salt, or no bits.

    Source: Charikar, STOC 2002; with a secret salt: Jin, Ling and Goh, BioHashing, Pattern Recognition
    37 (2004), 2245.
    """
    values = np.asarray(vectors, np.float64)
    if values.ndim not in (1, 2) or not salt or bits < 1:
        raise ValueError("give vectors [D] or [N, D], a salt of one byte at least, and one bit at least")
    seed = int.from_bytes(hashlib.sha256(salt).digest(), "big")
    planes = np.random.default_rng(seed).standard_normal((bits, values.shape[-1]))
    return np.asarray(values @ planes.T > 0)


def agreement(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of bits that agree, of every a with every b: [N, M]; 0.5 by chance.

    Args:
        a: bool [N, bits], or [bits] for one.
        b: bool [M, bits], or [bits] for one.

    Raises:
        ValueError: another number of bits.
    """
    first, second = np.atleast_2d(a), np.atleast_2d(b)
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"{first.shape[1]} bits and {second.shape[1]} bits cannot be compared")
    return np.asarray((first[:, None] == second).mean(2), np.float64)
