"""Faces in your own photos: found, straightened, and each compared with each, and with known people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.system.tables import html_table, text_table
from tinyml_helpers.usecases.faces import embedding, verification

_COLUMNS = 6  # faces in a row


@dataclass(frozen=True, repr=False, eq=False)
class OwnFaces:
    """What a face lock would say of your photos; prints as a table of cosines, with what it means.

    Args:
        crops: name of each photo with exactly one face -> the face, aligned, uint8 [S, S, 3].
        known: names of the people whom they are compared with, too.
        cosines: float64 [photos, photos + known].
        same: cosines of all pairs of photos of one person; float64 [pairs].
        different: the same of two people, the known ones among them.
        threshold: at which the lock opens.
        left_out: each photo without exactly one face, with the reason.
    """

    crops: Mapping[str, NDArray[np.uint8]]
    known: tuple[str, ...]
    cosines: NDArray[np.float64]
    same: NDArray[np.float64]
    different: NDArray[np.float64]
    threshold: float
    left_out: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([*([text_table(*self._table())] if self.crops else []), *self._remarks()])

    def _repr_html_(self) -> str:
        table = html_table(*self._table()) if self.crops else ""
        return table + "".join(f"<p>{escape(line)}</p>" for line in self._remarks())

    @property
    def extremes(self) -> dict[str, float]:
        """The least alike photos of one person, and the most alike of two, where there are any."""
        found = {}
        if len(self.same):
            found["lowest_same"] = float(self.same.min())
        if len(self.different):
            found["highest_other"] = float(self.different.max())
        return found

    def show(self) -> Any:
        """Show the faces as they are compared, each under the name of its photo."""
        import matplotlib.pyplot as plt

        rows = max(1, -(-len(self.crops) // _COLUMNS))
        figure, grid = plt.subplots(rows, _COLUMNS, figsize=(9, 1.9 * rows), squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, (name, crop) in zip(grid.flat, self.crops.items(), strict=False):
            axes.imshow(crop)
            axes.set_title(name if len(name) <= 16 else f"…{name[-15:]}", fontsize=9)
        return figure

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        rows = [
            (name, *(f"{cosine:.2f}" for cosine in line))
            for name, line in zip(self.crops, self.cosines, strict=True)
        ]
        return ("cosine", *self.crops, *self.known), rows

    def _remarks(self) -> list[str]:
        lines = [f"left out: {reason}" for reason in self.left_out]
        if not self.crops:
            return [*lines, "No photo of yours shows exactly one face, so there is nothing to compare."]
        lines.append(self._about("one person", self.same) or _SECOND)
        lines.append(self._about("two people", self.different))
        return [line for line in [*lines, _CAUTION] if line]

    def _about(self, whose: str, cosines: NDArray[np.float64]) -> str:
        if not len(cosines):
            return ""
        reach = int((cosines >= self.threshold).sum())
        return (
            f"pairs of {whose}: cosines from {cosines.min():.2f} to {cosines.max():.2f}; {reach} of "
            f"{len(cosines)} reach the threshold of {self.threshold:.2f}"
        )


_SECOND = "There is no second photo of the same person: add one, taken on another day."
_CAUTION = (
    "Pairs that share a face share its luck, so a few photos show how this goes, and no rate. Photos in "
    "one folder were taken for one person."
)


def compare(
    photos: Mapping[str, NDArray[np.uint8]],
    known: Mapping[str, ArrayLike],
    embedder: str,
    threshold: float,
) -> OwnFaces:
    """Find, align and embed the face in each photo, and compare each with each.

    Args:
        photos: name -> uint8 RGB [H, W, 3]; names with the same folder before the last "/" are of one
            person.
        known: name -> vector [D] of another person, of length 1.
        embedder: one of `embedding.EMBEDDERS`; it made `known`, too.
        threshold: cosine at which two photos are called one person.

    Raises:
        ValueError: unknown embedder, or vectors of another embedder.
    """
    size = embedding.input_side(embedder)
    crops: dict[str, NDArray[np.uint8]] = {}
    left_out = []
    for name, photo in photos.items():
        try:
            crops[name] = embedding.align(photo, embedding.only_face(photo), size)
        except embedding.FaceError as error:
            left_out.append(f"{name}: {str(error).splitlines()[0]}")
    vectors = [embedding.embed(crop, embedder) for crop in crops.values()]
    others = [np.asarray(vector) for vector in known.values()]
    cosines = np.empty((0, len(known)))
    if vectors:
        cosines = verification.compare_all([*vectors, *others], vectors)
    people = [name.rpartition("/")[0] for name in crops]
    pairs = list(combinations(range(len(crops)), 2))
    same = [cosines[a, b] for a, b in pairs if people[a] == people[b]]
    different = [cosines[a, b] for a, b in pairs if people[a] != people[b]]
    different += cosines[:, len(crops) :].ravel().tolist()
    return OwnFaces(
        crops,
        tuple(known),
        cosines,
        np.array(same),
        np.array(different),
        threshold,
        tuple(left_out),
    )
