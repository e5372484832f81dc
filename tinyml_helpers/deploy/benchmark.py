"""What a runtime costs: the time of one call, and the room that it takes when installed."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from tinyml_helpers.system.tables import html_table, text_table


def median_ms(call: Callable[[], object], seconds: float = 0.5) -> float:
    """Return the median time of a call in milliseconds, over as many calls as fit into `seconds`.

    The first call is left out: many runtimes finish their preparations in it.

    Raises:
        ValueError: a time to measure that is not above zero.
    """
    if not seconds > 0:
        raise ValueError(f"{seconds} s leave no time to measure: give a number above zero, such as 0.5")
    call()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken)


class Comparison:
    """One network on several runtimes, a row each; prints as a table."""

    def __init__(self) -> None:
        """Begin without rows."""
        self.rows: list[tuple[str, float, int, float, float]] = []

    def add(
        self, name: str, latency_ms: float, file_bytes: int, correct_percent: float, *packages: str
    ) -> None:
        """Add a runtime: what was measured, and the names of the packages that it is installed by."""
        self.rows.append((name, latency_ms, file_bytes, correct_percent, installed_mb(*packages)))

    def add_model(self, name: str, model: Any, correct_percent: float, *packages: str) -> None:
        """Add a model that one of the loaders of this package returned."""
        size = model.file_bytes if hasattr(model, "file_bytes") else len(model.content)
        self.add(name, model.latency_ms(), size, correct_percent, *packages)

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        header = ("runtime", "ms an image", "bytes of the model", "correct (%)", "MB installed")
        return header, [
            (r[0], f"{r[1]:.3f}", f"{r[2]:,}", f"{r[3]:.2f}", f"{r[4]:,.0f}") for r in self.rows
        ]


def installed_mb(*distributions: str) -> float:
    """Return the size on disk of installed packages, without those that they require, in MB.

    Args:
        distributions: names as pip knows them, such as "onnxruntime".

    Raises:
        ValueError: one of them is not installed.
    """
    return sum(map(_installed_bytes, distributions)) / 1e6


def _installed_bytes(name: str) -> int:
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError as error:
        raise ValueError(f"{name!r} is not installed: try `pip install {name}`") from error
    # A file may be listed and gone, such as a compiled one that was cleaned away.
    paths = [Path(str(file.locate())) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file())


def find_cpp_compiler() -> str | None:
    """Return the C++ compiler that `torch.compile` would call, None if there is none.

    It writes its kernels in C++. On Windows that is `cl`, on a Mac `clang++`, elsewhere `g++`, or what
    the environment variable CXX names.
    """
    usual = {"win32": "cl", "darwin": "clang++"}.get(sys.platform, "g++")
    return shutil.which(os.environ.get("CXX", usual))
