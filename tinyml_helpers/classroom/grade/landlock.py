"""Linux: this process may read what it needs to run, write into one folder, and see no other file.

Source: Documentation/userspace-api/landlock.rst of the Linux kernel.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # system calls, of the same number everywhere
_VERSION, _PATH_BENEATH, _NO_NEW_PRIVILEGES = 1, 1, 38
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
_TRUNCATE, _DEVICE_CONTROL = 1 << 14, 1 << 15
_FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | _DEVICE_CONTROL
# How many rights on files a version of Landlock knows.
_RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}
_MOST_RIGHTS = 16
_TCP, _SCOPES = 3, 3  # bind and connect; abstract sockets and signals


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def restrict_files(readable: Iterable[Path], listable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Confine this process and all that it starts, for good.

    Args:
        readable: files and folders that it may read and run, with all that is in them.
        listable: folders whose names it may list, without reading a file.
        writable: files and folders that it may change.

    Raises:
        OSError: this kernel has no Landlock, or it is switched off.
    """
    if not sys.platform.startswith("linux"):
        raise OSError("Landlock is a part of Linux")
    version = _call(_CREATE, None, 0, _VERSION)
    known = (1 << _RIGHTS_BY_VERSION.get(version, _MOST_RIGHTS)) - 1
    attributes = _Ruleset(known, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _call(_CREATE, ctypes.byref(attributes), size, 0)
    reading = EXECUTE | READ_FILE | READ_DIR
    for paths, rights in ((readable, reading), (listable, READ_DIR), (writable, known)):
        for path in paths:
            _allow(ruleset, path, rights & known)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _call(_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    with suppress(OSError):  # what is not there needs no right
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined, unused-ignore]
        if not path.is_dir():
            rights &= _FILE_RIGHTS
        rule = _Rule(rights, handle)
        _call(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
        os.close(handle)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    answer = int(libc.syscall(number, *arguments))
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer
