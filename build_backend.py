"""How pip builds this project: by setuptools, with a line that each Python of the environment reads.

PyTorch's OpenMP threads spin while they wait for work. Beside one busy process on two cores that makes a
lesson three times as slow. The policy has to be in the environment before torch is imported, which a
notebook may do in its first line; a `.pth` file beside the packages is read before anything else,
however Python is started. Whoever has set OMP_WAIT_POLICY keeps it.

Waiting a thousand turns before sleep costs next to nothing beside a neighbour, and spares a machine that
is idle most of what waking threads takes: thirty training steps of `small` on two cores took 4.0 s with
endless turns, 4.6 s with a thousand and 5.9 s with none; beside a busy process 14 to 24, 7.9 and 6.9 s.

A wheel also brings the data that `tinyml live drawing` needs, with a manifest of their own: whoever has
the package alone has a network to draw for.
"""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 - all hooks that are not here

DATA = ("LICENSES/fashion-mnist.txt", "fashion_mnist_test.npz", "models/small.tflite")
PTH = "tinyml_threads.pth"
LINE = (
    'import os; "OMP_WAIT_POLICY" in os.environ or '
    'os.environ.update(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="1000")\n'
)


def build_wheel(folder: str, settings: Any = None, metadata: str | None = None) -> str:
    """Build a wheel as setuptools does, with the line and the data in it."""
    return _with_files(folder, build_meta.build_wheel(folder, settings, metadata), read_data())


def build_editable(folder: str, settings: Any = None, metadata: str | None = None) -> str:
    """Build what `pip install --editable` installs, with the line in it."""
    return _with_files(folder, build_meta.build_editable(folder, settings, metadata), {})


def read_data() -> dict[str, bytes]:
    """Return the data of a wheel by their names in it; none where there is no checkout."""
    source, target = Path(__file__).parent / "data", "tinyml_helpers/data"
    if not source.is_dir():
        return {}
    whole = json.loads((source / "manifest.json").read_text("utf-8"))["files"]
    files = {name: whole[name] for name in DATA}
    # As tinyml_helpers.system.shipped_files reads it; nothing can be imported here.
    seal = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    manifest = json.dumps({"files": files, "sha256": seal}, indent=2) + "\n"
    contents = {f"{target}/{name}": (source / name).read_bytes() for name in DATA}
    return {**contents, f"{target}/manifest.json": manifest.encode()}


def _with_files(folder: str, name: str, data: dict[str, bytes]) -> str:
    built = Path(folder) / name
    with zipfile.ZipFile(built) as wheel:
        files = {entry.filename: wheel.read(entry) for entry in wheel.infolist()}
    record = next(file for file in files if file.endswith(".dist-info/RECORD"))
    added = {PTH: LINE.encode(), **data}
    files[record] += "".join(f"{file},,\n" for file in added).encode()
    with zipfile.ZipFile(built, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file, content in (added | files).items():
            wheel.writestr(file, content)
    return name
