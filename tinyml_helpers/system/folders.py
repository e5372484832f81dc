"""Where the course writes, and how: whole files or none, and another folder where one is closed.

A checkout may be read-only, a home missing, a disk full, and two learners may share one checkout.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from tinyml_helpers.system.shared_folders import sweep

CHECKOUT = Path(__file__).parents[2]


class WriteError(OSError):
    """A file could not be written; the message names it, the reason and the cure."""


def cache_folder() -> Path:
    """Return the folder for downloads and compiled code.

    It is `TINYML_CACHE`, or the user's cache, or a temporary folder where there is no home.
    """
    return configured_folder("TINYML_CACHE") or _first_open(_users_cache(), _temporary)


def _users_cache() -> Path:
    import platformdirs

    try:
        return platformdirs.user_cache_path("tinyml-helpers")
    except RuntimeError:  # a user whom the system does not know
        return Path("~")


def configured_folder(variable: str) -> Path | None:
    """Return the folder that an environment variable names; a relative one begins at the checkout.

    Not at the working directory, which is another one in each notebook.
    """
    name = os.environ.get(variable)
    return CHECKOUT / Path(name).expanduser() if name else None


def build_folder() -> Path:
    """Return the folder for results and pages: `build/` of the checkout.

    In a checkout that cannot be written to, it is a folder for this checkout in the cache.
    """
    digest = hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:8]
    return _first_open(CHECKOUT / "build", lambda: cache_folder() / "checkouts" / digest)


def redirect_to_open_folders() -> None:
    """Tell the programs that we start where they may write, if the usual places are closed."""
    if not os.environ.get("TINYML_CACHE") and _closed(_users_cache()):
        os.environ["TINYML_CACHE"] = str(cache_folder())
        for variable in ("MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
            folder = cache_folder() / variable.lower()
            folder.mkdir(parents=True, exist_ok=True)
            os.environ.setdefault(variable, str(folder))
    if not os.environ.get("TINYML_RESULTS") and _closed(CHECKOUT / "build"):
        os.environ["TINYML_RESULTS"] = str(build_folder() / "results")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it.

    Raises:
        WriteError: no room, or no permission; the old file is as it was.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replace_when_written(path) as partial:
        partial.write_bytes(data)


@contextmanager
def replace_when_written(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of `path` once the block is left.

    Raises:
        WriteError: it cannot be written; nothing half-written is left.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, f".{path.name}.*.partial")
        yield partial
        partial.replace(path)
    except OSError as error:
        raise WriteError(
            f"{path} was not written ({error.strerror or error}): make room there, or choose "
            f"{_instead_of(path.parent)}"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _instead_of(folder: Path) -> str:
    """Name the variable behind a folder of the course, or the folder that somebody chose."""
    usual = {
        "TINYML_RESULTS": configured_folder("TINYML_RESULTS") or CHECKOUT / "build",
        "TINYML_CACHE": configured_folder("TINYML_CACHE") or _users_cache(),
    }
    for variable, ours in usual.items():
        if folder.absolute().is_relative_to(ours):
            return f"a folder that you may write to by {variable}"
    return f"a folder other than {folder} that you may write to"


def _first_open(wanted: Path, instead: Callable[[], Path]) -> Path:
    """Return the wanted folder if it can be written to, else another; say so once."""
    if not (why := _closed(wanted)):
        return wanted
    _tell(f"tinyml: nothing can be written to {wanted} ({why}), so it goes to {(other := instead())}")
    return other


@cache
def _closed(folder: Path) -> str:
    """Say why a folder cannot be written to, or ""; found out by trying."""
    try:
        home = Path.home()
    except RuntimeError:
        home = Path("~")
    if not folder.is_absolute() or (folder.is_relative_to(home) and not home.is_dir()):
        return "there is no home folder"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


@cache
def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)


@cache
def _temporary() -> Path:
    """Return a folder of this user's own among the temporary files, the same each time."""
    user = os.getuid() if hasattr(os, "getuid") else "cache"
    folder = Path(tempfile.gettempdir()) / f"tinyml-helpers-{user}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
    safe = folder.is_dir() and not folder.is_symlink()
    if safe and hasattr(os, "getuid"):
        # Whoever else made it could put compiled code there.
        told = folder.stat()
        safe = told.st_uid == os.getuid() and not told.st_mode & 0o022
    return folder if safe else Path(tempfile.mkdtemp(prefix="tinyml-helpers-"))
