"""Folders that several processes write to: one at a time, and what those that died left is swept."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
    handle = None
    try:
        with suppress(OSError):  # where there are no locks, a day decides
            handle = os.open(work / "new", os.O_RDWR | os.O_CREAT, 0o600)
            _lock_once(handle)
            # Locked before it has the name that is looked for.
            (work / "new").rename(work / _OWNER)
        yield work
    finally:
        if handle is not None:
            os.close(handle)
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
    try:
        handle = os.open(path / _OWNER, os.O_RDWR)
    except OSError:
        return False
    try:
        _lock_once(handle)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder's records meanwhile.

    The system frees the lock when its process ends, however it ends. After ten seconds, or on a file
    system without locks, it goes on without: every file is still written whole.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mode = os.O_RDWR if sys.platform == "win32" else os.O_RDONLY
        handle = os.open(folder / ".lock", mode | os.O_CREAT, 0o666)
    except OSError:
        yield
        return
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            _lock_once(handle)
            return
        except (BlockingIOError, PermissionError):
            time.sleep(0.01)
        except OSError:  # a file system that knows no locks
            return


def _lock_once(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
