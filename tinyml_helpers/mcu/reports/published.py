"""What others measured on one board: every closed MLPerf Tiny result on a Nucleo-L4R5ZI.

Its chip is an STM32L4R5ZI, a Cortex-M4 at 120 MHz. Each figure is the median throughput that
the results.txt of a submission's performance run states (v1.3: the median of results.json); compiler
and engine stand in its system description (of Zephyr SDK 0.13.2 Skymizer's says that it is GCC 10.3).
Rounds appeared in 2021 (v0.5), 2022 (v0.7, v1.0), 2023
(v1.1), 2024 (v1.2) and 2025 (v1.3). Left out is one run whose own log calls it too short to be valid
(cTuning's, with TVM's native kernels; it agrees with the same code in the rows below).

Source: https://github.com/mlcommons/tiny_results_v0.5 to tiny_results_v1.3
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinyml_helpers.system.tables import html_table, text_table

CLOCK_HZ = 120_000_000
KEYWORD_MACS = 2_656_768  # of the DS-CNN that MLPerf Tiny prescribes


@dataclass(frozen=True)
class Submission:
    """One submitter's keyword network: round, year, engine, compiler and inferences a second."""

    round: str
    year: int
    submitter: str
    engine: str
    compiler: str
    per_second: float

    @property
    def latency_ms(self) -> float:
        """Time of one inference."""
        return 1000 / self.per_second

    @property
    def cycles_per_mac(self) -> float:
        """Cycles for each multiplication with a weight."""
        return CLOCK_HZ / self.per_second / KEYWORD_MACS


_OCTOML = ("TVM with CMSIS-NN", "GCC 10.3", 10.019)
_NATIVE = ("TVM, its own kernels", "GCC 10.3", 6.943)
_KEYWORDS = (
    Submission("v0.5", 2021, "MLCommons", "TFLM 2.3.1 with CMSIS-NN", "GCC 6", 5.497),
    Submission("v0.7", 2022, "ST", "X-CUBE-AI 7.1", "GCC 9", 10.241),
    Submission("v0.7", 2022, "Plumerai", "Plumerai", "GCC 10", 13.597),
    Submission("v1.0", 2022, "OctoML", *_NATIVE),
    Submission("v1.0", 2022, "OctoML", *_OCTOML),
    Submission("v1.0", 2022, "ST", "X-CUBE-AI 7.3", "GCC 10.3", 13.323),
    Submission("v1.0", 2022, "Plumerai", "Plumerai", "GCC 10.3", 13.955),
    Submission("v1.1", 2023, "Krai", *_NATIVE),
    Submission("v1.1", 2023, "Krai", *_OCTOML),
    Submission("v1.1", 2023, "Krai", "X-CUBE-AI 7.3", "GCC 10.3", 13.381),
    Submission("v1.1", 2023, "Krai", "X-CUBE-AI 8.0", "GCC 10.3", 13.759),
    Submission("v1.1", 2023, "cTuning", *_OCTOML[:2], 10.016),
    Submission("v1.1", 2023, "Skymizer", "ONNC with CMSIS-NN, Zephyr", "GCC 10.3", 10.679),
    Submission("v1.1", 2023, "Skymizer", "ONNC with CMSIS-NN, Mbed OS", "GCC 9.3", 12.195),
    Submission("v1.1", 2023, "Bosch", "HALE 1.0", "GCC 12.2", 15.954),
    Submission("v1.1", 2023, "ST", "X-CUBE-AI 8.1", "GCC 10.3", 15.905),
    Submission("v1.1", 2023, "Plumerai", "Plumerai", "GCC 12.2", 20.929),
    Submission("v1.2", 2024, "Bosch", "HALE 1.0.175", "GCC 12.2", 16.623),
    Submission("v1.2", 2024, "ST", "X-CUBE-AI 9.0", "GCC 10.3", 23.155),
    Submission("v1.3", 2025, "ST", "X-CUBE-AI 10.2", "IAR 8.50", 23.032),
)

CMSIS_NN_PER_SECOND = {
    "DS-CNN": 10.019,
    "ResNet-8": 2.567,
    "visual wake words": 3.324,
    "autoencoder": 116.212,
}
"""Krai's four runs of TVM with CMSIS-NN in v1.1: network -> inferences a second.

CMSIS-NN at commit 5126318, built with Zephyr 2.7.3. OctoML's in v1.0 were made of the same code.
"""


def cmsis_nn_cycles(network: str) -> float:
    """Cycles that one inference took on the board, with CMSIS-NN's kernels.

    Args:
        network: a key of `CMSIS_NN_PER_SECOND`.
    """
    return CLOCK_HZ / CMSIS_NN_PER_SECOND[network]


@dataclass(frozen=True, repr=False)
class Submissions:
    """Results on one board; prints as a table, the slowest first."""

    rows: tuple[Submission, ...]

    HEADER = ("", "round", "engine", "compiler", "ms", "cycles per MAC")

    def __iter__(self) -> Iterator[Submission]:
        """The results, the slowest first."""
        return iter(self.rows)

    def __repr__(self) -> str:
        """A table in plain text."""
        return text_table(self.HEADER, self._texts(), names=(0, 1, 2, 3))

    def _repr_html_(self) -> str:
        return html_table(self.HEADER, self._texts(), names=(0, 1, 2, 3))

    def _texts(self) -> list[tuple[str, ...]]:
        return [
            (
                row.submitter,
                f"{row.round}, {row.year}",
                row.engine,
                row.compiler,
                f"{row.latency_ms:.1f}",
                f"{row.cycles_per_mac:.2f}",
            )
            for row in self.rows
        ]


def keywords() -> Submissions:
    """Every closed result of keyword spotting on the board, the slowest first."""
    return Submissions(tuple(sorted(_KEYWORDS, key=lambda row: row.per_second)))
