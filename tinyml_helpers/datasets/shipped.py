"""Files that ship with the course, verified each time they are read.

Every file under `data/` is listed in `data/manifest.json` with its size and SHA-256. A file that does
not match is never used: the error names the file and says how to restore it.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path


class DataError(RuntimeError):
    """A file of the course is missing or damaged, or a download did not succeed."""


def data_folder() -> Path:
    """Return the folder of the shipped data: `TINYML_DATA`, or `data/` beside the package.

    Raises:
        DataError: there is no manifest in it.
    """
    folder = Path(os.environ.get("TINYML_DATA", Path(__file__).parents[2] / "data"))
    if not (folder / "manifest.json").is_file():
        raise DataError(
            f"no course data in {folder}: work in a checkout of the course, "
            "or set TINYML_DATA to its data folder"
        )
    return folder


@cache
def _manifest(path: Path, modified_ns: int) -> dict[str, dict[str, str | int]]:
    try:
        files: dict[str, dict[str, str | int]] = json.loads(path.read_text("utf-8"))["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged: {_cure('manifest.json')}") from error
    return files


def manifest() -> dict[str, dict[str, str | int]]:
    """Return the manifest: relative file name -> {"bytes": size, "sha256": hex digest}.

    Raises:
        DataError: the manifest is missing or damaged.
    """
    path = data_folder() / "manifest.json"
    return _manifest(path, path.stat().st_mtime_ns)


def read_verified(name: str) -> bytes:
    """Return the bytes of a shipped file after checking them against the manifest.

    Args:
        name: path below `data/`, e.g. "models/small.safetensors".

    Raises:
        DataError: the file is not listed, missing, unreadable or damaged.
    """
    if name not in manifest():
        raise DataError(f"data/{name} is not in data/manifest.json: choose one of {sorted(manifest())}")
    try:
        content = (data_folder() / name).read_bytes()
    except OSError as error:
        raise DataError(f"data/{name} cannot be read ({error.strerror}): {_cure(name)}") from error
    expected = manifest()[name]
    if hashlib.sha256(content).hexdigest() != expected["sha256"]:
        raise DataError(
            f"data/{name} is damaged ({len(content):,} bytes whose SHA-256 is not the one of the "
            f"{expected['bytes']:,} bytes in data/manifest.json): {_cure(name)}"
        )
    return content


def _cure(name: str) -> str:
    return f"restore it with `git checkout -- data/{name}`"


def cache_folder() -> Path:
    """Return the folder for downloads and built files: `TINYML_CACHE`, or the user's cache."""
    import platformdirs

    return Path(os.environ.get("TINYML_CACHE") or platformdirs.user_cache_path("tinyml-helpers"))
