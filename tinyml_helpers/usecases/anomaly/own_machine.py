"""A detector on a machine of your own: what a score means there, by the machine's own healthy time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.vibration.load import Vibration
from tinyml_helpers.intervals import rate
from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.tables import html_table, text_table
from tinyml_helpers.usecases.anomaly import detect, features

if TYPE_CHECKING:
    Score = Callable[[NDArray[np.float32]], NDArray[np.floating]]

LEAST_SEGMENTS = 9
_HEADER = ("condition", "segments", "median score", "above the threshold", "AUC against healthy")


@dataclass(frozen=True, repr=False)
class OwnMachine:
    """What a detector says of each condition; prints as a table.

    Args:
        threshold: the highest score in the second third of the healthy time.
        scores: condition -> scores of its segments; of "healthy" the last third.
        remark: where the threshold comes from.
    """

    threshold: float
    scores: dict[str, NDArray[np.floating]]
    remark: str

    def __repr__(self) -> str:
        return f"{text_table(_HEADER, self._rows(), (0,))}\n{self.remark}"

    def _repr_html_(self) -> str:
        return f"{html_table(_HEADER, self._rows(), (0,))}<p>{self.remark}</p>"

    @property
    def aucs(self) -> dict[str, float]:
        """How often a segment of each condition scores higher than a healthy one: 0.5 is chance."""
        healthy = self.scores["healthy"]
        found = {}
        for condition in self.scores.keys() - {"healthy"}:
            both = np.concatenate([healthy, self.scores[condition]])
            found[condition] = detect.measure_auc(both, np.arange(len(both)) >= len(healthy))["AUC"]
        return found

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        aucs = self.aucs
        for condition, found in self.scores.items():
            above = rate(int((found > self.threshold).sum()), len(found), "segments")
            auc = f"{aucs[condition]:.2f}" if condition in aucs else ""
            rows.append((condition, f"{len(found)}", f"{np.median(found):.2f}", f"{above}", auc))
        return rows


def judge(own: Vibration, score: Score) -> OwnMachine:
    """Score your own recordings, with baseline and threshold from the machine's own healthy time.

    The first third of the healthy segments gives the baseline, the second the threshold, and the last is
    judged beside the other conditions.

    Args:
        own: of one machine.
        score: features [N, FEATURES] without the baseline -> scores [N], higher for stranger.

    Raises:
        DataError: fewer than nine healthy segments.
    """
    healthy = np.flatnonzero(own.healthy)
    seconds = own.samples.shape[1] / own.rate_hz
    if len(healthy) < LEAST_SEGMENTS:
        raise DataError(
            f"{len(healthy)} segments of {seconds:.2f} s of the healthy machine: record at least "
            f"{LEAST_SEGMENTS * seconds:.0f} s, for a baseline, a threshold and a check"
        )
    first, second, last = np.array_split(healthy, 3)
    commissioning = np.isin(np.arange(len(own)), first)
    seen = detect.subtract_baseline(features.features(own.samples), own.machine, commissioning)
    found = np.asarray(score(seen))
    scores = {"healthy": found[last]}
    for condition in np.unique(own.fault[~own.healthy]):
        scores[str(condition)] = found[own.fault == condition]
    threshold = float(found[second].max())
    return OwnMachine(
        threshold,
        scores,
        f"Threshold {threshold:.2f}: the highest of {len(second)} healthy segments that were not used "
        f"otherwise, so about one healthy segment in {len(second) + 1} will exceed it by chance.",
    )
