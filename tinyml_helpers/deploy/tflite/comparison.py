"""How far apart the outputs of interpreters lie that were given the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.intervals import Interval, rate
from tinyml_helpers.system.tables import html_table, text_table

_HEADER = ("kernels", "output bytes", "that differ", "largest difference", "same class")


@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """Outputs int8 [N, classes] by the name of the kernels, one of which is "reference"."""

    outputs: Mapping[str, NDArray[Any]]

    @property
    def output_bytes(self) -> int:
        """How many bytes each of them put out."""
        return self.outputs["reference"].size

    def steps(self, name: str) -> NDArray[np.int64]:
        """Return by how many steps each byte differs from the reference kernels'."""
        reference = self.outputs["reference"].astype(np.int64)
        apart: NDArray[np.int64] = np.abs(self.outputs[name].astype(np.int64) - reference)
        return apart

    def count_differing(self, name: str) -> int:
        """Return how many bytes differ from the reference kernels'."""
        return int(np.count_nonzero(self.steps(name)))

    def same_class(self, name: str) -> float:
        """Return the share of inputs whose largest output is the same one, 0 to 1."""
        ours, theirs = (self.outputs[key].argmax(-1) for key in (name, "reference"))
        return float((ours == theirs).mean())

    def _same_class(self, name: str) -> Interval:
        count = len(self.outputs[name])
        return rate(round(count * self.same_class(name)), count, "inputs")

    def __repr__(self) -> str:
        return text_table(_HEADER, self._rows())

    def _repr_html_(self) -> str:
        return html_table(_HEADER, self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                name,
                f"{self.output_bytes:,}",
                f"{self.count_differing(name):,}",
                str(self.steps(name).max()),
                str(self._same_class(name)),
            )
            for name in self.outputs
        ]
