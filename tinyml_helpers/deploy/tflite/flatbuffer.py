"""Reads FlatBuffers, the container of .tflite, and believes no offset that it has not checked.

A table begins with the distance back to its vtable, a list that says where each field lies. Strings,
vectors and other tables are reached by offsets. A damaged file points anywhere: each access here stays
inside the file or raises.
Source: https://flatbuffers.dev/internals
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.deploy.model_file import ModelError


@dataclass(frozen=True)
class Region:
    """Where the content of a vector or string lies in the file: `start` to before `end`."""

    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """Length of the content."""
        return self.end - self.start


NOWHERE = Region(0, 0)


@dataclass(frozen=True)
class Table:
    """A table at `position` of the file `content`; fields are named by their slot in the schema."""

    content: bytes
    position: int

    def number(self, slot: int, kind: str, default: int = 0) -> int:
        """Return a field that is a number; `kind` is a letter of the struct module, such as "i"."""
        place = self._place(slot)
        return self._unpack(kind, place) if place else default

    def table(self, slot: int) -> Table | None:
        """Return the table that a field points to, None if the field is absent."""
        place = self._place(slot)
        return Table(self.content, place + self._unpack("I", place)) if place else None

    def tables(self, slot: int) -> Iterator[Table]:
        """Yield the tables of a vector field."""
        region = self.vector(slot, 4)
        for place in range(region.start, region.end, 4):
            yield Table(self.content, place + self._unpack("I", place))

    def vector(self, slot: int, item_bytes: int = 1) -> Region:
        """Return where the items of a vector field lie."""
        place = self._place(slot)
        if not place:
            return NOWHERE
        start = place + self._unpack("I", place)
        length = self._unpack("I", start)
        return self.region(start + 4, length * item_bytes)

    def numbers(self, slot: int, dtype: str) -> NDArray[Any]:
        """Return a vector field as an array of a NumPy dtype, such as "<f4"."""
        return self.array(self.vector(slot, np.dtype(dtype).itemsize), dtype)

    def text(self, slot: int) -> str:
        """Return a string field; bytes that are not UTF-8 are replaced."""
        region = self.vector(slot)
        return self.content[region.start : region.end].decode("utf-8", "replace")

    def region(self, start: int, size_bytes: int) -> Region:
        """Return the region of this start and size, once it is known to lie inside the file."""
        if not 0 <= start <= start + size_bytes <= len(self.content):
            raise ModelError(
                f"the file is damaged: {size_bytes:,} bytes are said to start at byte {start:,} of "
                f"{len(self.content):,}; copy or convert it again"
            )
        return Region(start, start + size_bytes)

    def array(self, region: Region, dtype: str) -> NDArray[Any]:
        """Return a region as an array that shares the file's memory."""
        count = region.size_bytes // np.dtype(dtype).itemsize
        return np.frombuffer(self.content, dtype, count, region.start)

    def _place(self, slot: int) -> int:
        """Return the place of a field in the file, 0 if it is absent."""
        vtable = self.position - self._unpack("i", self.position)
        entry = 4 + 2 * slot
        if entry + 2 > self._unpack("H", vtable):
            return 0
        offset = self._unpack("H", vtable + entry)
        return self.position + offset if offset else 0

    def _unpack(self, kind: str, place: int) -> int:
        region = self.region(place, struct.calcsize("<" + kind))
        number: int = struct.unpack_from("<" + kind, self.content, region.start)[0]
        return number


def root(content: bytes, identifier: bytes) -> Table:
    """Return the root table of a file.

    Args:
        content: the file.
        identifier: the four bytes that stand at byte 4 of a file of this kind.

    Raises:
        ModelError: another identifier, or too short for one.
    """
    if content[4:8] != identifier:
        raise ModelError(
            f"not a .tflite file: bytes 4 to 7 are {content[4:8]!r}, not {identifier!r}; "
            "give a file that a TFLite converter wrote"
        )
    start = Table(content, 0)
    return Table(content, start._unpack("I", 0))
