"""What others measured on boards: MLPerf Tiny's closed results, and a paper's.

`keywords` has every one of them on a Nucleo-L4R5ZI, `on_boards` the best of each engine on each board.

The Nucleo-L4R5ZI's chip is an STM32L4R5ZI, a Cortex-M4 at 120 MHz. Each figure of `keywords` is the
median throughput that the results.txt of a submission's performance run states (v1.3: the median of
results.json); compiler and engine stand in its system description (of Zephyr SDK 0.13.2 Skymizer's says
that it is GCC 10.3).
Rounds appeared in 2021 (v0.5), 2022 (v0.7, v1.0), 2023
(v1.1), 2024 (v1.2) and 2025 (v1.3). Left out is one run whose own log calls it too short to be valid
(cTuning's, with TVM's native kernels; it agrees with the same code in the rows below).

Source: https://github.com/mlcommons/tiny_results_v0.5 to tiny_results_v1.3
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tinyml_helpers.mcu.run import Run
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


@dataclass(frozen=True)
class BoardResult:
    """What an engine took on a board, in milliseconds by network.

    Args:
        board: its name and core.
        engine: who computed.
        source: where the figures stand.
        ms: network -> milliseconds; two of them where weights lay in RAM and in flash.
    """

    board: str
    engine: str
    source: str
    ms: Mapping[str, tuple[float, ...]] = field(hash=False)


COLUMNS = ("DS-CNN", "ResNet-8", "visual wake words", "autoencoder", "mcunet-vww1")
_ONE, _TWO, _THREE = "MLPerf Tiny v1.1, 2023", "MLPerf Tiny v1.2, 2024", "MLPerf Tiny v1.3, 2025"
_SOME, _PAPER = "MLPerf Tiny v1.1 to v1.3", "TinyEngine's README, December 2022"


def _row(board: str, engine: str, source: str, *ms: float | tuple[float, ...]) -> BoardResult:
    pairs = ((one if isinstance(one, tuple) else (one,)) for one in ms)
    return BoardResult(board, engine, source, dict(zip(COLUMNS, pairs, strict=False)))


_L4R5, _U575 = "Nucleo-L4R5ZI, M4 at 120 MHz", "Nucleo-U575ZI-Q, M33 at 160 MHz"
_H7A3, _G0B1 = "Nucleo-H7A3ZI-Q, M7 at 280 MHz", "Nucleo-G0B1RE, M0+ at 64 MHz"
_H743 = "STM32H743, M7 at 480 MHz"
_ON_BOARDS = (
    _row(_L4R5, "TFLM reference", "MLPerf Tiny v0.5, 2021", 181.9, 704, 601, 10.1),
    _row(_L4R5, "TVM with CMSIS-NN", _ONE, 99.8, 389.6, 300.8, 8.61),
    _row(_L4R5, "ONNC with CMSIS-NN", _ONE, 82.0, 298.7, 172.2, 8.07),
    _row(_L4R5, "Bosch HALE", _TWO, 60.2, 180.5, 180.5, (4.73, 5.84)),
    _row(_L4R5, "Plumerai", _ONE, 47.8, 167.8, 98.8, 4.05),
    _row(_L4R5, "X-CUBE-AI 9.0", _TWO, 43.2, 165.1, 88.9, 5.26),
    _row(_L4R5, "X-CUBE-AI 10.2, IAR", _THREE, 43.4, 165.7, 89.4, 4.79),
    _row(_U575, "Bosch HALE", _SOME, 38.6, 121, 120, (3.1, 3.8)),
    _row(_U575, "Plumerai", _SOME, 30.0, 104, 59.5, 3.7),
    _row(_U575, "X-CUBE-AI", _SOME, 29.0, 109, 59.3, 3.2),
    _row(_H7A3, "Bosch HALE", _SOME, 14.7, 45.8, 43.8, (1.1, 1.4)),
    _row(_H7A3, "Plumerai", _SOME, 13.9, 50.9, 26.8, 1.35),
    _row(_H7A3, "X-CUBE-AI", _SOME, 11.3, 40.8, 23.8, 1.2),
    _row(_G0B1, "Bosch HALE, the only entry", _SOME, 475, 1522, 1414, 41),
    BoardResult(_H743, "CMSIS-NN", _PAPER, {"mcunet-vww1": (97,)}),
    BoardResult(_H743, "X-CUBE-AI 7.3", _PAPER, {"mcunet-vww1": (57,)}),
    BoardResult(_H743, "TinyEngine", _PAPER, {"mcunet-vww1": (51,)}),
)
_BOARD_OF = {
    "nucleo_l4r5zi": _L4R5,
    "nucleo_u575zi": _U575,
    "nucleo_h7a3zi": _H7A3,
    "nucleo_g0b1re": _G0B1,
}


@dataclass(frozen=True, repr=False)
class BoardTable:
    """Public results board by board, and what this course's engine should take; prints as a table.

    ONNC leaves the channels of visual wake words out that are constant, Plumerai and ST probably do.

    Args:
        ours: key of a device -> network -> its run there.
    """

    ours: Mapping[str, Mapping[str, Run]]

    HEADER = ("board", "engine", "source", *(f"{name}, ms" for name in COLUMNS))

    def __repr__(self) -> str:
        """A table in plain text."""
        return text_table(self.HEADER, self._texts(), names=(0, 1, 2))

    def _repr_html_(self) -> str:
        return html_table(self.HEADER, self._texts(), names=(0, 1, 2))

    def _texts(self) -> list[tuple[str, ...]]:
        """Public rows as they were measured, ours behind those of their board."""
        rows, boards = [], {_BOARD_OF[key]: runs for key, runs in self.ours.items()}
        for board in dict.fromkeys(result.board for result in _ON_BOARDS):
            for one in (result for result in _ON_BOARDS if result.board == board):
                cells = (" to ".join(f"{ms:g}" for ms in one.ms.get(name, ())) for name in COLUMNS)
                rows.append((board, one.engine, one.source, *cells))
            if board in boards:
                told = {
                    name: run.cycles.tell(*run.latency_ms, ",.3g") for name, run in boards[board].items()
                }
                cells = (told.get(name, "") for name in COLUMNS)
                rows.append((board, "this course", "estimate: emulated, no board", *cells))
        return rows


def on_boards(ours: Mapping[str, Mapping[str, Run]]) -> BoardTable:
    """Put what was measured on boards beside what this course's engine is estimated to take there.

    Args:
        ours: key of a device -> network of `COLUMNS` -> its run there.

    Raises:
        ValueError: a device of which no public result is known.
    """
    for key in ours:
        if key not in _BOARD_OF:
            raise ValueError(f"no public result for {key!r}: choose one of {', '.join(_BOARD_OF)}")
    return BoardTable(ours)
