"""Files that ship with the course, verified each time they are read.

Every file under `data/` is listed in `data/manifest.json` with its size and SHA-256, and the list is
sealed by a SHA-256 of its own. A file that does not match is never used: the error names the file
and says how to restore it.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from tinyml_helpers.system.folders import CHECKOUT, cache_folder, configured_folder, write_atomically

__all__ = [
    "DataError",
    "cache_folder",
    "data_folder",
    "manifest",
    "read_file",
    "read_json",
    "read_verified",
    "write_manifest",
]
MANIFEST = "manifest.json"
_BROUGHT = CHECKOUT / "tinyml_helpers" / "data"  # by a wheel, for `tinyml live drawing`
_UNLISTED = {"README.md", MANIFEST}  # and the scripts in build/


class DataError(RuntimeError):
    """A file of the course is missing or damaged, or a download did not succeed."""


def data_folder() -> Path:
    """Return the folder of the shipped data: `TINYML_DATA`, or `data/` beside the package, or in it.

    Raises:
        DataError: there is no manifest in it.
    """
    folder = _folder()
    if not (folder / MANIFEST).is_file():
        raise DataError(
            f"no {MANIFEST} in {folder}: {_cure(MANIFEST)} in a checkout of the course, "
            "or set TINYML_DATA to its data folder"
        )
    return folder


def _folder() -> Path:
    usual = _BROUGHT if (_BROUGHT / MANIFEST).is_file() else CHECKOUT / "data"
    return configured_folder("TINYML_DATA") or usual


@cache
def _manifest(path: Path, modified_ns: int) -> dict[str, dict[str, str | int]]:
    try:
        stored = json.loads(path.read_text("utf-8"))
        files: dict[str, dict[str, str | int]] = stored["files"]
        if stored["sha256"] != _seal(files):
            raise ValueError("its seal is broken")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"data/{MANIFEST} is damaged: {_cure(MANIFEST)}") from error
    return files


def _seal(files: dict[str, dict[str, str | int]]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def manifest() -> dict[str, dict[str, str | int]]:
    """Return the manifest: relative file name -> {"bytes": size, "sha256": hex digest}.

    Raises:
        DataError: the manifest is missing or damaged.
    """
    path = data_folder() / MANIFEST
    return _manifest(path, path.stat().st_mtime_ns)


def write_manifest() -> Path:
    """List and seal every file under `data/` anew, and return the path of the list."""
    folder = _folder()
    names = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    files: dict[str, dict[str, str | int]] = {
        name.as_posix(): _entry((folder / name).read_bytes())
        for name in names
        if name.name[0] != "." and name.parts[0] not in {*_UNLISTED, "build"}
    }
    text = json.dumps({"files": files, "sha256": _seal(files)}, indent=2) + "\n"
    write_atomically(folder / MANIFEST, text)
    return folder / MANIFEST


def _entry(content: bytes) -> dict[str, str | int]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def read_verified(name: str) -> bytes:
    """Return the bytes of a shipped file after checking them against the manifest.

    Args:
        name: path below `data/`, e.g. "models/small.safetensors".

    Raises:
        DataError: the file is not listed, missing, unreadable or damaged.
    """
    if name not in manifest():
        if data_folder() == _BROUGHT:
            raise DataError(
                f"data/{name} does not come with the package alone: work in a checkout of the "
                "course, or set TINYML_DATA to its data folder"
            )
        raise DataError(f"data/{name} is not in data/manifest.json: choose one of {sorted(manifest())}")
    try:
        content = (data_folder() / name).read_bytes()
    except OSError as error:
        raise DataError(f"data/{name} cannot be read ({error.strerror}): {_cure(name)}") from error
    expected = manifest()[name]
    if _entry(content) != expected:
        raise DataError(
            f"data/{name} is damaged ({len(content):,} bytes whose SHA-256 is not the one of the "
            f"{expected['bytes']:,} bytes in data/manifest.json): {_cure(name)}"
        )
    return content


def read_json(name: str) -> Any:
    """Return what a shipped .json file holds, verified as in `read_verified`."""
    return json.loads(read_verified(name))


def read_file(path: str | Path) -> bytes:
    """Return the bytes of any file; one that ships with the course is verified first.

    Raises:
        DataError: it ships with the course, and is missing, unreadable or damaged.
        OSError: another file cannot be read.
    """
    path = Path(path)
    folder, home = _folder().resolve(), path.parent.resolve()
    if home.is_relative_to(folder):
        name = (home / path.name).relative_to(folder).as_posix()
        if name in manifest():
            return read_verified(name)
    return path.read_bytes()


def _cure(name: str) -> str:
    return f"restore it with `git checkout -- data/{name}`"
