"""Weights in fewer bytes: indices and palettes that say what they stand for; or without zeros."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tinyml_helpers.system.tables import text_table

Bytes = npt.NDArray[np.uint8]
_BITS = (1, 2, 4)
_FARTHEST = 255


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """The weights of a layer as indices into palettes, or without zeros; nothing of them is lost.

    Args:
        bits: of an index; 8 where weights are stored as they are.
        int8_bytes: what the weights take as bytes.
        stored: one output after another: indices, the first in the lowest bits; or the places of
            two weights for each four, and these weights; or blocks of four that are not all zero.
        palettes: values + 128, one row for all outputs or one for each: rows x 2^bits.
        steps: of blocks: for each output how many, in two bytes, and how far each lies behind
            the one before.
    """

    bits: int
    int8_bytes: int
    stored: Bytes = field(repr=False)
    palettes: Bytes = field(default_factory=lambda: np.zeros((0, 0), np.uint8), repr=False)
    steps: Bytes = field(default_factory=lambda: np.zeros(0, np.uint8), repr=False)

    @property
    def size_bytes(self) -> int:
        """What they take, palettes and steps included."""
        return self.stored.size + self.palettes.size + self.steps.size

    @property
    def form(self) -> str:
        """In what form they are stored, in words."""
        if self.palettes.size:
            return f"{self.bits} bits"
        return "blocks of four" if self.steps.size else "two of four"

    @property
    def apart(self) -> int:
        """Bytes from the palette of an output to that of the next."""
        return self.palettes.shape[1] if len(self.palettes) > 1 else 0


@dataclass(frozen=True, repr=False)
class PackedLayers:
    """The layers of a network whose weights take fewer than 8 bits; prints as a table of them.

    Args:
        layers: type and place of an operator -> its weights.
    """

    layers: Mapping[str, PackedWeights]

    @property
    def size_bytes(self) -> int:
        """What their weights take, palettes included."""
        return sum(weights.size_bytes for weights in self.layers.values())

    @property
    def int8_bytes(self) -> int:
        """What they would take as bytes."""
        return sum(weights.int8_bytes for weights in self.layers.values())

    def __repr__(self) -> str:
        """One row for each layer."""
        rows = [
            (label, w.form, f"{len(w.palettes):,}", f"{w.int8_bytes:,}", f"{w.size_bytes:,}")
            for label, w in self.layers.items()
        ]
        rows.append(("all", "", "", f"{self.int8_bytes:,}", f"{self.size_bytes:,}"))
        return text_table(("weights of", "stored in", "palettes", "as int8", "bytes"), rows)


def pack(rows: npt.NDArray[np.int64], int8_bytes: int) -> PackedWeights | None:
    """Pack weights in the smallest form that is unpacked before it is multiplied.

    Args:
        rows: outputs x taps, -128 to 127.
        int8_bytes: what they take as bytes.

    Returns:
        The form: one palette, one for each output, or two of four; `None` where none takes fewer bytes.
    """
    found = (_two_of_four(rows, int8_bytes), *(_pack(rows, int8_bytes, shared=s) for s in (True, False)))
    best = min((form for form in found if form), key=lambda form: form.size_bytes, default=None)
    return best if best and best.size_bytes < int8_bytes else None


def pack_blocks(rows: npt.NDArray[np.int64], int8_bytes: int, *, dsp: bool) -> PackedWeights | None:
    """Leave out blocks of four weights that are all zero.

    Args:
        rows: outputs x taps, -128 to 127.
        int8_bytes: what they take as bytes.
        dsp: whether the core has DSP instructions, which multiply two neighbours as 256 b + a.

    Returns:
        The blocks; `None` where that takes no fewer bytes, or a pair of neighbours no 16 bits.
    """
    blocks = _in_fours(rows)
    if dsp:
        pairs = 256 * blocks[..., 1::2] + blocks[..., ::2]
        if pairs.size and pairs.min() < -(1 << 15):
            return None
        bytes_of = np.stack([pairs & 255, pairs >> 8 & 255], axis=-1).reshape(blocks.shape)
    else:
        bytes_of = blocks & 255
    kept, steps = [], []
    for row, there in zip(bytes_of, np.asarray(blocks.any(axis=2)), strict=True):
        places = _with_stops(np.flatnonzero(there))
        kept.append(row[places].astype(np.uint8) * there[places, None])
        count = np.array([len(places)], "<u2").view(np.uint8)
        steps += [count, np.diff(places, prepend=0).astype(np.uint8)]
    stored = np.concatenate(kept).ravel()
    found = PackedWeights(8, int8_bytes, stored, steps=np.concatenate(steps))
    return found if stored.size > 0 and found.size_bytes < int8_bytes else None


def _with_stops(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Places with more between them, where a step would not fit a byte."""
    ends = np.append(0, places)
    gaps = [np.arange(a + _FARTHEST, b, _FARTHEST) for a, b in pairwise(ends.tolist())]
    return np.unique(np.concatenate([places, *gaps])).astype(np.int64)


def _in_fours(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    outputs, taps = rows.shape
    filled = np.zeros((outputs, -(-taps // 4) * 4), np.int64)
    filled[:, :taps] = rows
    return filled.reshape(outputs, -1, 4)


def _two_of_four(rows: npt.NDArray[np.int64], int8_bytes: int) -> PackedWeights | None:
    """Two weights of each four, and their places."""
    blocks = _in_fours(rows)
    if (np.count_nonzero(blocks, axis=2) > 2).any():
        return None
    places = np.sort(np.argsort(blocks == 0, axis=2, kind="stable")[..., :2], axis=2)
    two = np.take_along_axis(blocks, places, axis=2).astype(np.uint8).reshape(len(blocks), -1)
    joined = _join((places[..., 0] | places[..., 1] << 2).astype(np.uint8), 4, whole=False)
    return PackedWeights(8, int8_bytes, np.hstack([joined, two]).ravel())


def _pack(rows: npt.NDArray[np.int64], int8_bytes: int, *, shared: bool) -> PackedWeights | None:
    found = [np.unique(rows)] if shared else [np.unique(row) for row in rows]
    most = max(map(len, found))
    bits = next((bits for bits in _BITS if most <= 1 << bits), None)
    if bits is None:
        return None
    palettes = np.array([np.resize(values, 1 << bits) for values in found])
    indices = np.stack(list(_index(rows, found)))
    return PackedWeights(bits, int8_bytes, _join(indices, bits), (palettes + 128).astype(np.uint8))


def _index(rows: npt.NDArray[np.int64], found: list[npt.NDArray[np.int64]]) -> Iterator[Bytes]:
    """The place of each weight in its palette."""
    for number, row in enumerate(rows):
        yield np.searchsorted(found[number % len(found)], row).astype(np.uint8)


def _join(indices: Bytes, bits: int, *, whole: bool = True) -> Bytes:
    """Join indices to bytes; what is left of an output's last byte is 0, or, where whole, of four."""
    outputs, taps = indices.shape
    each = 8 // bits
    filled = -(-taps // 4) * 4 if whole else taps
    padded = np.zeros((outputs, -(-filled // each) * each), np.uint8)
    padded[:, :taps] = indices
    shifted = padded.reshape(outputs, -1, each) << (bits * np.arange(each)).astype(np.uint8)
    return np.asarray(np.bitwise_or.reduce(shifted, axis=2))
