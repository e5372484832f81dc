"""What to say where a disk is full or closed, whoever stumbles over it.

Python names the file at best, and never the cure; a library between wraps the error in its own; a kernel
tells it in a traceback of forty lines. `explain` makes one sentence of all that.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tinyml_helpers.system import folders

NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""No room on the device, no room left to this user, a device that is only read."""
_PROBE_BYTES = 2**20  # less than one page of a lesson needs
_CURE = "make room in"
_VARIABLES = (
    "TINYML_RESULTS for records, TINYML_CACHE for the cache, TMPDIR for temporary files, "
    "HOME for what Jupyter keeps"
)


def explain(error: BaseException) -> str:
    """Return one sentence about an error that a full or closed disk led to, or "" for any other.

    Args:
        error: what was caught; the errors behind it are looked at too.
    """
    for one in _behind(error):
        if isinstance(one, folders.WriteError):
            return f"{one}."
        if reason := _reason(one):
            return f"{reason}." if _CURE in reason else f"{reason}: {cure()}."
    return ""


def cure(full: Sequence[Path] = ()) -> str:
    """Return what to do: where to make room, and how to name other folders.

    Args:
        full: where there is none; found out if it is not given.
    """
    named = " and ".join(map(str, full or find_full_disks()))
    return f"{_CURE} {named or 'the folder'}, or choose another one ({_VARIABLES})"


def find_full_disks(*others: Path) -> list[Path]:
    """Return one folder for each disk that takes no more, found out by trying.

    Args:
        others: folders to try besides those of the course.
    """
    disks = {
        folder.stat().st_dev: folder
        for folder in (*others, *_folders(), Path(tempfile.gettempdir()))
        if folder.is_dir() and not _takes(folder)
    }
    return list(disks.values())


def _folders() -> Iterator[Path]:
    yield from filter(None, map(folders.configured_folder, ("TINYML_RESULTS", "TINYML_CACHE")))
    yield folders.CHECKOUT / "build"
    with suppress(RuntimeError):  # there is no home
        yield Path.home()


def _takes(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
    except OSError as error:  # a closed folder is not in use: another one was chosen
        return error.errno not in (errno.ENOSPC, errno.EDQUOT)
    return True


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that led to it."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield error
        seen.append(error)
        error = error.__cause__ or error.__context__


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in NUMBERS:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    # What another process or a library in C said of it is text.
    told = str(error)
    return told if any(os.strerror(number) in told for number in NUMBERS) else ""
