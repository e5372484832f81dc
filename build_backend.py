"""How pip builds this project: by setuptools, with a line that each Python of the environment reads.

PyTorch's OpenMP threads spin while they wait for work. Beside one busy process on two cores that makes a
lesson three times as slow. The policy has to be in the environment before torch is imported, which a
notebook may do in its first line; a `.pth` file beside the packages is read before anything else,
however Python is started. Whoever has set OMP_WAIT_POLICY keeps it.

Waiting a thousand turns before sleep costs next to nothing beside a neighbour, and spares a machine that
is idle most of what waking threads takes: thirty training steps of `small` on two cores took 4.0 s with
endless turns, 4.6 s with a thousand and 5.9 s with none; beside a busy process 14 to 24, 7.9 and 6.9 s.
"""

import zipfile
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 - all hooks that are not here

PTH = "tinyml_threads.pth"
LINE = (
    'import os; "OMP_WAIT_POLICY" in os.environ or '
    'os.environ.update(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="1000")\n'
)


def build_wheel(folder: str, settings: Any = None, metadata: str | None = None) -> str:
    """Build a wheel as setuptools does, with the line in it."""
    return _with_line(folder, build_meta.build_wheel(folder, settings, metadata))


def build_editable(folder: str, settings: Any = None, metadata: str | None = None) -> str:
    """Build what `pip install --editable` installs, with the line in it."""
    return _with_line(folder, build_meta.build_editable(folder, settings, metadata))


def _with_line(folder: str, name: str) -> str:
    built = Path(folder) / name
    with zipfile.ZipFile(built) as wheel:
        files = {entry.filename: wheel.read(entry) for entry in wheel.infolist()}
    record = next(file for file in files if file.endswith(".dist-info/RECORD"))
    files[record] += f"{PTH},,\n".encode()
    with zipfile.ZipFile(built, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file, content in ({PTH: LINE.encode()} | files).items():
            wheel.writestr(file, content)
    return name
