"""Photos by name, with who made them where that is to be said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.tables import html_table, text_table

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
    """Photos by name, uint8 RGB [H, W, 3] each; prints as a table.

    Every access gives a copy of its own, so that drawing on it does no harm. Your own have no `credits`;
    `remarks` say what was done to them, and which files were not used.
    """

    images: Mapping[str, NDArray[np.uint8]]
    credits: Mapping[str, Credit] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

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
        return "\n".join([text_table(*self._table()), *self.remarks])

    def _repr_html_(self) -> str:
        return html_table(*self._table()) + "".join(f"<br>{escape(line)}" for line in self.remarks)

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]], tuple[int, ...]]:
        sizes = {name: f"{image.shape[1]} × {image.shape[0]}" for name, image in self.images.items()}
        if not self.credits:
            return ("photo", "pixels"), list(sizes.items()), (0,)
        told = ((name, size, self.credits[name]) for name, size in sizes.items())
        rows = [(name, credit.shows, size, credit.by, credit.terms) for name, size, credit in told]
        return _HEADER, list(rows), _NAMES
