"""Folders that several processes write to: one at a time, and what those that died left is swept."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock

STALE_SECONDS = 86_400
"""A file or folder that is being written and is older than a day was left by a process that died."""
_PATIENCE_SECONDS = 10.0
_OWNER = ".owner"
"""A file in a folder of `own_folder`, locked by its process; the system frees it when that ends."""


@contextmanager
def own_folder(folder: Path, prefix: str) -> Iterator[Path]:
    """Give a new folder, removed at the end, that `sweep` leaves alone as long as this process lives.

    Args:
        folder: where to make it.
        prefix: of its name.
    """
    work = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    try:
        with ExitStack() as held:
            with suppress(OSError):  # where there are no locks, a day decides
                held.enter_context(_lock(work / "new", 0))
                # Locked before it has the name that is looked for.
                (work / "new").rename(work / _OWNER)
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def sweep(folder: Path, pattern: str) -> None:
    """Remove what processes that died have left: files and folders of that pattern.

    A folder of `own_folder` goes as soon as its process is gone, anything else when it is a day old.
    """
    for path in folder.glob(pattern):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS or _has_no_owner(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _has_no_owner(path: Path) -> bool:
    if not (path / _OWNER).is_file():
        return False
    try:
        with _lock(path / _OWNER, 0):
            return True
    except OSError:
        return False


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder's records meanwhile.

    The system frees the lock when its process ends, however it ends. After ten seconds, or on a file
    system without locks, it goes on without: every file is still written whole.
    """
    with ExitStack() as held:
        with suppress(OSError):  # among them filelock's Timeout
            held.enter_context(_lock(folder / ".lock", _PATIENCE_SECONDS))
        yield


def _lock(path: Path, seconds: float) -> FileLock:
    """Return a lock for a `with`; others may open its file, and a process that died holds none."""
    return FileLock(path, seconds, 0o666, poll_interval=0.01, fallback_to_soft=False)
