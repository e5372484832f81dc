"""Recordings of a real bearing test rig, fetched at your wish.

Nobody publishes their checksums. So a file is checked in three ways: it may not be larger than expected,
it must have the right format, and its SHA-256 is written down beside it at the first download and must
be the same ever after. That catches damage and later changes. It cannot tell whether the first download
was what the authors published: for that you trust their server and its HTTPS certificate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.vibration import matlab
from tinyml_helpers.datasets.vibration.folder import cut_segments
from tinyml_helpers.datasets.vibration.load import Vibration
from tinyml_helpers.system import download
from tinyml_helpers.system.shipped_files import DataError, cache_folder

CWRU_URL = "https://engineering.case.edu/sites/default/files/"
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
        path = _fetch(f"{number}.mat")
        parts.append((cut_segments(read_cwru(path), rate_hz, path.name), fault, size))
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
    found = matlab.read_variables(path, "_DE_time")
    # A few files carry a neighbour's recording as well; the number in the name decides.
    mine = [name for name in found if name == f"X{path.stem:0>3}_DE_time"] or list(found)
    if not mine:
        raise DataError(f"{path.name} has no variable that ends in _DE_time: it is another set's")
    return found[mine[0]]


def _fetch(name: str) -> Path:
    """Fetch a file once; on later calls verify that it has not changed."""
    path = cache_folder() / "cwru" / name
    noted = path.with_name(path.name + ".sha256")
    if not path.exists() or not noted.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"partial-{path.name}")
        partial.write_bytes(download.read(CWRU_URL + name, _LIMIT_BYTES))
        try:
            read_cwru(partial)
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
