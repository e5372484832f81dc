"""A small trial of a face lock: some people, many simulated shots of each, all compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.datasets.images import lfw
from tinyml_helpers.usecases.faces import embedding, simulated_camera, verification


@dataclass(frozen=True, repr=False, eq=False)
class Trial:
    """Shots of people with exactly one face found in each.

    `enrolled` are the photos that people are enrolled with, `taken` how many shots there were, `who` the
    number of the person in each shot [N], with `shots` and `found` to match.
    """

    enrolled: tuple[NDArray[np.uint8], ...]
    taken: int
    who: NDArray[np.int64]
    shots: tuple[NDArray[np.uint8], ...]
    found: tuple[embedding.Face, ...]

    @cached_property
    def _vectors(self) -> dict[str, NDArray[np.float32]]:
        return {}

    def vectors(self, embedder: str) -> NDArray[np.float32]:
        """Return the vector of each shot [N, D], computed once.

        Raises:
            ValueError: unknown embedder.
        """
        if embedder not in self._vectors:
            size = embedding.input_side(embedder)
            crops = (
                embedding.align(shot, face, size)
                for shot, face in zip(self.shots, self.found, strict=True)
            )
            self._vectors[embedder] = np.array([embedding.embed(crop, embedder) for crop in crops])
        return self._vectors[embedder]

    def templates(self, embedder: str, first: int = 0) -> NDArray[np.float32]:
        """Return what is stored of each person [P, D]: the photo's vector, or the mean of some shots'.

        Args:
            embedder: one of `faces.EMBEDDERS`.
            first: how many of a person's first shots are averaged; 0 takes the photo.

        Raises:
            ValueError: unknown embedder, or fewer shots than that.
        """
        if not first:
            return np.array([embedding.embed_photo(photo, embedder) for photo in self.enrolled])
        owned = [self.vectors(embedder)[self.who == person] for person in range(len(self.enrolled))]
        if min(map(len, owned)) < first:
            raise ValueError(
                f"a person has {min(map(len, owned))} shots, and {first} are to be averaged"
            )
        means = np.array([one[:first].mean(0) for one in owned])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)

    def scores(
        self, embedder: str, stored: ArrayLike | None = None, skip: int = 0
    ) -> verification.Scores:
        """Compare every shot with every person.

        Args:
            embedder: one of `faces.EMBEDDERS`.
            stored: vectors [P, D] of the people; None for those of their photos.
            skip: how many of each person's first shots take no part.

        Raises:
            ValueError: unknown embedder, or nothing left to compare.
        """
        known = self.templates(embedder) if stored is None else stored
        nth = np.array([(self.who[:i] == person).sum() for i, person in enumerate(self.who)])
        kept = nth >= skip
        if not kept.any():
            raise ValueError(f"no shot is left after the first {skip} of each person")
        table = verification.compare_all(known, self.vectors(embedder)[kept])
        own = np.eye(len(self.enrolled), dtype=bool)[self.who[kept]]
        return verification.Scores(table[own], table[~own])

    def __repr__(self) -> str:
        return (
            f"one face found in {len(self.shots)} of {self.taken} shots of {len(self.enrolled)} people"
        )


def shoot(
    photos: Mapping[str, NDArray[np.uint8]],
    people: Sequence[str],
    count: int,
    seed: int = 0,
    strength: float = 1.0,
) -> Trial:
    """Shoot each person some times, with `camera.views`, and look for the face in each shot.

    Args:
        photos: name -> uint8 RGB; each of `people` has one with exactly one face.
        people: names.
        count: shots of each.
        seed: of the shots.
        strength: how much the shots differ, see `camera.views`.

    Raises:
        ValueError: fewer than two people or no shots.
        FaceError: a photo without exactly one face.
    """
    if len(people) < 2 or count < 1:
        raise ValueError(f"{len(people)} people, {count} shots: a trial needs two people and one shot")
    enrolled = tuple(photos[name] for name in people)
    for photo in enrolled:
        embedding.only_face(photo)
    taken = [
        (person, shot)
        for person, photo in enumerate(enrolled)
        for shot in simulated_camera.take_views(photo, count, seed + person, strength)
    ]
    seen = [(person, shot, embedding.detect(shot)) for person, shot in taken]
    good = [(person, shot, found[0]) for person, shot, found in seen if len(found) == 1]
    who = np.array([person for person, *_ in good], np.int64)
    return Trial(
        enrolled, len(taken), who, tuple(shot for _, shot, _ in good), tuple(face for *_, face in good)
    )


@dataclass(frozen=True, repr=False)
class Wild:
    """What each embedder reached on pairs of Labeled Faces in the Wild; prints as a line each.

    `results` are embedder, equal error from 0 to 1, and pairs in which a photo shows no face.
    """

    pairs: int
    results: tuple[tuple[str, float, int], ...]

    def __repr__(self) -> str:
        lines = (
            f"{name}: equal error {error:.1%}, {missing} of {self.pairs:,} pairs without two faces"
            for name, error, missing in self.results
        )
        return "\n".join(lines)


def verify_on_lfw(folder: str | None = None, fetch: bool = True) -> Wild:
    """Measure each available embedder on the 1,000 test pairs of Labeled Faces in the Wild, in minutes.

    Args:
        folder: where the photos are kept; None for the course's cache.
        fetch: False takes only what is there already.

    Raises:
        DataError: the photos cannot be fetched.
    """
    pairs = lfw.load_pairs(folder=folder, fetch=fetch)
    results = []
    for embedder in embedding.list_embedders():
        scores, missing = verification.compare_pairs(pairs.photos, pairs.same, embedder)
        results.append((embedder, scores.equal_error()[1], missing))
    return Wild(len(pairs), tuple(results))
