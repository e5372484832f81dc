"""Same or different? Scores of true and false claims, the two errors, and thresholds for a promise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.usecases.faces import embedding


@dataclass(frozen=True, repr=False, eq=False)
class Scores:
    """Scores of comparisons: `genuine` of the same person, `impostor` of different people.

    A claim is accepted where its score reaches the threshold.

    Raises:
        ValueError: no scores of one kind, or values that are no numbers.
    """

    genuine: NDArray[np.float64]
    impostor: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("genuine", "impostor"):
            values = np.asarray(getattr(self, name), np.float64).ravel()
            if not len(values) or not np.isfinite(values).all():
                raise ValueError(
                    f"{len(values)} {name} scores: give one at least, and finite numbers only"
                )
            object.__setattr__(self, name, np.sort(values))

    def false_accept(self, threshold: float) -> float:
        """Return the share of impostors who are accepted."""
        return 1 - float(np.searchsorted(self.impostor, threshold)) / len(self.impostor)

    def false_reject(self, threshold: float) -> float:
        """Return the share of genuine claims that are rejected."""
        return float(np.searchsorted(self.genuine, threshold)) / len(self.genuine)

    def counts(self, threshold: float) -> tuple[int, int]:
        """Return how many impostors are accepted, and how many genuine claims are rejected."""
        outside, rejected = (int(np.searchsorted(x, threshold)) for x in (self.impostor, self.genuine))
        return len(self.impostor) - outside, rejected

    def errors(self, threshold: float) -> tuple[float, float]:
        """Return both shares: impostors accepted, genuine claims rejected."""
        return self.false_accept(threshold), self.false_reject(threshold)

    def threshold_for(self, false_accept: float) -> float:
        """Return the lowest threshold that accepts no more than this share of the impostors.

        Args:
            false_accept: 0 to 1.

        Raises:
            ValueError: a share outside of 0 to 1, or one that so few scores cannot show.
        """
        allowed = int(false_accept * len(self.impostor) + 1e-9)
        if not 0 < false_accept < 1 or not allowed:
            raise ValueError(
                f"a rate of {false_accept:g} needs more than {len(self.impostor)} impostor scores to "
                "be seen, and lies between 0 and 1"
            )
        # Just above the strongest of the impostors who must stay outside.
        return float(np.nextafter(self.impostor[-allowed - 1], np.inf))

    def equal_error(self) -> tuple[float, float]:
        """Return the threshold at which both errors are as equal as they get, and their mean there."""
        every = np.unique(np.concatenate([self.genuine, self.impostor]))
        accepted, rejected = (
            np.array([error(t) for t in every]) for error in (self.false_accept, self.false_reject)
        )
        best = int(np.abs(accepted - rejected).argmin())
        return float(every[best]), float(accepted[best] + rejected[best]) / 2

    def __repr__(self) -> str:
        told = (
            f"{len(one):,} {name}: {one[0]:.2f} to {one[-1]:.2f}"
            for name, one in (("genuine", self.genuine), ("impostor", self.impostor))
        )
        return "; ".join(told)


def upper_limit(errors: int, trials: int) -> float:
    """Return the highest true rate that fits what was seen, if the trials are independent: 95 % sure.

    Args:
        errors: seen.
        trials: of which.

    Raises:
        ValueError: more errors than trials.

    Source: Clopper and Pearson, Biometrika 26 (1934), 404. Without an error it is nearly 3 / trials.
    """
    from scipy.stats import beta

    if not 0 <= errors <= trials or not trials:
        raise ValueError(f"{errors} errors of {trials} trials: impossible")
    return 1.0 if errors == trials else float(beta.ppf(0.95, errors + 1, trials - errors))


def compare_all(enrolled: ArrayLike, tried: ArrayLike) -> NDArray[np.float64]:
    """Return the cosine of every tried vector with every enrolled one: [N, M].

    Args:
        enrolled: [M, D], each of length 1.
        tried: [N, D], each of length 1.

    Raises:
        ValueError: other shapes, or lengths that are not 1.
    """
    a, b = np.atleast_2d(np.asarray(enrolled, float)), np.atleast_2d(np.asarray(tried, float))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"vectors {list(a.shape)} and {list(b.shape)}: give [M, D] and [N, D]")
    for vectors in (a, b):
        if np.abs(np.linalg.norm(vectors, axis=1) - 1).max() > 1e-3:
            raise ValueError("a vector's length is not 1: divide it by np.linalg.norm")
    result: NDArray[np.float64] = b @ a.T
    return result


def compare_pairs(
    photos: NDArray[np.uint8], same: NDArray[np.bool_], embedder: str = "accurate"
) -> tuple[Scores, int]:
    """Compare the two photos of each pair by their largest faces.

    Args:
        photos: uint8 RGB [N, 2, H, W, 3].
        same: bool [N], whether a pair shows one person.
        embedder: one of `faces.EMBEDDERS`.

    Returns:
        The scores, and how many pairs were left out because a photo shows no face.

    Raises:
        ValueError: unknown embedder, or no pair of one kind is left.
    """
    from tqdm.auto import tqdm

    cosines = np.full(len(photos), np.nan)
    for place, pair in enumerate(tqdm(photos, unit="pair", leave=False, delay=2)):
        crops = [_largest(photo, embedding.input_side(embedder)) for photo in pair]
        if crops[0] is not None and crops[1] is not None:
            cosines[place] = embedding.embed(crops[0], embedder) @ embedding.embed(crops[1], embedder)
    seen = np.isfinite(cosines)
    return Scores(cosines[seen & same], cosines[seen & ~same]), int((~seen).sum())


def _largest(photo: NDArray[np.uint8], size: int) -> NDArray[np.uint8] | None:
    """The largest face of a photo, aligned."""
    face = max(embedding.detect(photo), key=lambda one: one.side, default=None)
    return None if face is None else embedding.align(photo, face, size)
