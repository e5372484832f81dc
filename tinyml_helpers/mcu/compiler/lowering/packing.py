"""Weights in fewer bits: indices and palettes that say what they stand for; or without their zeros."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tinyml_helpers.system.tables import text_table

Bytes = npt.NDArray[np.uint8]
_BITS = (1, 2, 4)


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """The weights of a layer as indices into palettes, or in blocks of four; nothing of them is lost.

    Args:
        bits: of an index; 8 for blocks, of which those that are all zero are left out.
        int8_bytes: what the weights take as bytes.
        stored: one output after another: indices, the first in the lowest bits; or a bit for each
            block, and the blocks that are left.
        palettes: values + 128, one row for all outputs or one for each: rows x 2^bits.
    """

    bits: int
    int8_bytes: int
    stored: Bytes = field(repr=False)
    palettes: Bytes = field(repr=False)

    @property
    def size_bytes(self) -> int:
        """What they take, palettes included."""
        return self.stored.size + self.palettes.size

    @property
    def form(self) -> str:
        """In what form they are stored, in words."""
        return f"{self.bits} bits" if self.palettes.size else "blocks of four"

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
    """Pack weights in the smallest form there is.

    Args:
        rows: outputs x taps, -128 to 127.
        int8_bytes: what they take as bytes.

    Returns:
        The form: one palette, one for each output, or blocks; `None` where none takes fewer bytes.
    """
    forms = [_leave_out_zeros(rows, int8_bytes)]
    found = (_pack(rows, int8_bytes, shared=shared) for shared in (True, False))
    forms += [form for form in found if form is not None]
    best = min(forms, key=lambda form: form.size_bytes)
    return best if best.size_bytes < int8_bytes else None


def _leave_out_zeros(rows: npt.NDArray[np.int64], int8_bytes: int) -> PackedWeights:
    """Weights in blocks of four, of which those are kept that are not all zero."""
    outputs, taps = rows.shape
    blocks = np.zeros((outputs, -(-taps // 4), 4), np.int8)
    blocks.reshape(outputs, -1)[:, :taps] = rows
    kept: npt.NDArray[np.bool_] = np.asarray(blocks.any(axis=2))
    bitmaps = np.packbits(kept, axis=1, bitorder="little")
    parts = [
        part
        for bitmap, row, there in zip(bitmaps, blocks, kept, strict=True)
        for part in (bitmap, row[there].view(np.uint8).ravel())
    ]
    return PackedWeights(8, int8_bytes, np.concatenate(parts), np.zeros((0, 0), np.uint8))


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


def _join(indices: Bytes, bits: int) -> Bytes:
    """Join indices to bytes; what is left of an output's last byte is 0."""
    outputs, taps = indices.shape
    each = 8 // bits
    quads = -(-taps // 4)
    padded = np.zeros((outputs, -(-quads * 4 // each) * each), np.uint8)
    padded[:, :taps] = indices
    shifted = padded.reshape(outputs, -1, each) << (bits * np.arange(each)).astype(np.uint8)
    return np.asarray(np.bitwise_or.reduce(shifted, axis=2))
