"""Two public sets of real machines, fetched at your wish: a pump test bench and a bearing test rig.

Neither publishes checksums. So a file is checked in three ways: it may not be larger than expected, it
must have the right format, and its SHA-256 is written down beside it at the first download and must be
the same ever after. That catches damage and later changes. It cannot tell whether the first download
was what the authors published: for that you trust their server and its HTTPS certificate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.vibration import matlab
from tinyml_helpers.datasets.vibration.folder import segments
from tinyml_helpers.datasets.vibration.load import Vibration
from tinyml_helpers.system import download
from tinyml_helpers.system.shipped_files import DataError, cache_folder
from tinyml_helpers.system.untrusted import check_size, short

SKAB_URL = "https://raw.githubusercontent.com/waico/SKAB/master/data/"
CWRU_URL = "https://engineering.case.edu/sites/default/files/"
SKAB_SENSORS = (
    "Accelerometer1RMS", "Accelerometer2RMS", "Current", "Pressure",
    "Temperature", "Thermocouple", "Voltage", "Volume Flow RateRMS",
)  # fmt: skip
CWRU = {
    97: ("healthy", 0.0, 48_000), 98: ("healthy", 0.0, 48_000),
    105: ("inner race", 0.18, 12_000), 118: ("ball", 0.18, 12_000), 130: ("outer race", 0.18, 12_000),
    169: ("inner race", 0.36, 12_000), 185: ("ball", 0.36, 12_000), 197: ("outer race", 0.36, 12_000),
    209: ("inner race", 0.53, 12_000), 222: ("ball", 0.53, 12_000), 234: ("outer race", 0.53, 12_000),
}  # fmt: skip
"""Number of a recording at the drive end -> fault, width in mm, samples a second.

Source: Case Western Reserve University Bearing Data Center. Its pages do not state the rate of the
healthy ones: 48,000 is Smith and Randall's, Mechanical Systems and Signal Processing 64-65, 2015.
"""
_LIMIT_BYTES = 40_000_000


@dataclass(frozen=True, eq=False, repr=False)
class PumpLog:
    """One experiment of the Skoltech Anomaly Benchmark (SKAB): eight sensors once a second.

    Args:
        values: float64 [N, 8] in the order of `SKAB_SENSORS`.
        anomaly: bool [N], or all False in the part without anomalies.
        name: of the file.
    """

    values: NDArray[np.float64]
    anomaly: NDArray[np.bool_]
    name: str

    def __repr__(self) -> str:
        share = f"{self.anomaly.mean():.0%} anomalous"
        return f"{self.name}: {len(self.values):,} seconds of 8 sensors, {share}"


def load_skab(name: str = "valve1/0.csv") -> PumpLog:
    """Fetch one experiment of SKAB: "anomaly-free/anomaly-free.csv", "valve1/0.csv", "other/1.csv" ...

    Raises:
        DataError: no network, or not the file that it should be.

    Source: Katser and Kozitsin, Skoltech Anomaly Benchmark, 2020, github.com/waico/SKAB (GPL-3.0).
    """
    return read_skab(fetch(SKAB_URL + name, f"skab/{name}", read_skab))


def read_skab(path: str | Path) -> PumpLog:
    """Read a file of SKAB: a table with `;` between columns.

    Raises:
        DataError: not such a file.
    """
    path = Path(path)
    try:
        check_size(path)
        header, *rows = [line.split(";") for line in path.read_text("utf-8").splitlines() if line]
        columns = dict(zip(header, zip(*rows, strict=True), strict=True))
        values = np.array([columns[name] for name in SKAB_SENSORS], float).T
        anomaly = np.array(columns.get("anomaly", ["0"] * len(rows)), float) > 0
    except (OSError, KeyError, ValueError) as error:
        reason = short(f"{type(error).__name__}: {error}")
        raise DataError(f"{path.name} is no file of SKAB ({reason}): fetch it again") from error
    return PumpLog(values, anomaly, f"{path.parent.name}/{path.name}")


def load_cwru(numbers: Iterable[int] = tuple(CWRU)) -> Vibration:
    """Fetch recordings of the Case Western Reserve bearing rig (some megabytes each), as segments.

    All are of machine 0, the drive end of one rig, so a split by machine cannot be made.

    Raises:
        ValueError: a number that `CWRU` does not list.
        DataError: no network, or not the file that it should be.

    Source: Case Western Reserve University Bearing Data Center. Faults were made by electric discharge.
    """
    chosen = list(numbers)
    if unknown := set(chosen) - set(CWRU):
        raise ValueError(f"no recording {min(unknown)}: choose from {', '.join(map(str, CWRU))}")
    parts = []
    for number in chosen:
        fault, size, rate_hz = CWRU[number]
        path = fetch(f"{CWRU_URL}{number}.mat", f"cwru/{number}.mat", read_cwru)
        parts.append((segments(read_cwru(path), rate_hz, path.name), fault, size))
    counts = [len(samples) for samples, _, _ in parts]
    return Vibration(
        np.concatenate([samples for samples, _, _ in parts]),
        np.zeros(sum(counts), np.int64),
        np.repeat([fault for _, fault, _ in parts], counts),
        np.repeat([size for _, _, size in parts], counts),
        "Case Western Reserve University",
    )


def read_cwru(path: str | Path) -> NDArray[np.float64]:
    """Read the drive end's acceleration in g, float64 [T], from a .mat file of the bearing rig.

    Raises:
        DataError: not a MATLAB file, or without that variable.
    """
    path = Path(path)
    found = matlab.read(path, "_DE_time")
    # A few files carry a neighbour's recording as well; the number in the name decides.
    mine = [name for name in found if name == f"X{path.stem:0>3}_DE_time"] or list(found)
    if not mine:
        raise DataError(f"{path.name} has no variable that ends in _DE_time: it is another set's")
    return found[mine[0]]


def fetch(url: str, name: str, check: object) -> Path:
    """Fetch a file once; on later calls verify that it has not changed.

    Args:
        url: its public home.
        name: path below the cache.
        check: function that reads the path and raises DataError if it is not what it should be.

    Raises:
        DataError: no network, too large, the wrong format, or changed since the first download.
    """
    path = cache_folder() / name
    noted = path.with_name(path.name + ".sha256")
    if not path.exists() or not noted.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"partial-{path.name}")
        partial.write_bytes(download.read(url, _LIMIT_BYTES))
        try:
            check(partial)  # type: ignore[operator]
        except DataError:
            partial.unlink()
            raise
        partial.replace(path)
        noted.write_text(_digest(path), "utf-8")
    if _digest(path) != noted.read_text("utf-8").strip():
        raise DataError(
            f"{path} is not what was first downloaded: delete it and {noted.name}, try again"
        )
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
