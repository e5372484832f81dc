"""Readings of nine sensors in a space shuttle, most of them in one state, some in rare ones."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.shipped_files import read_verified


@dataclass(frozen=True, eq=False, repr=False)
class Shuttle:
    """The set: `values` float32 [N, 9], and `anomaly` bool [N]."""

    values: NDArray[np.float32]
    anomaly: NDArray[np.bool_]

    def split(self, seed: int = 0) -> tuple[NDArray[np.float32], Shuttle]:
        """Half of the normal readings [N, 9] to train on, at random, and all others to test on."""
        normal = np.random.default_rng(seed).permutation(np.flatnonzero(~self.anomaly))
        rest = np.setdiff1d(np.arange(len(self.values)), normal[::2])
        return self.values[normal[::2]], Shuttle(self.values[rest], self.anomaly[rest])

    def __repr__(self) -> str:
        return f"{len(self.values):,} readings of 9 sensors, {self.anomaly.mean():.2%} anomalous"


def load_shuttle() -> Shuttle:
    """Load the shuttle set. Its rows are in no order of time.

    Raises:
        DataError: the file is missing or damaged.

    Source: Statlog (Shuttle), UCI Machine Learning Repository, CC BY 4.0, in the two classes of ODDS.
    """
    with np.load(io.BytesIO(read_verified("shuttle.npz")), allow_pickle=False) as arrays:
        return Shuttle(arrays["values"].astype(np.float32), arrays["anomaly"])
