"""Linux: an empty network and a read-only view of all files, for this process only.

Source: man 7 user_namespaces, network_namespaces, mount_namespaces; man 2 mount_setattr.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_NEW_USER, _NEW_NETWORK, _NEW_MOUNTS = 0x10000000, 0x40000000, 0x00020000
_NEW_IPC, _NEW_UTS = 0x08000000, 0x04000000
_PRIVATE, _NO_SETUID, _NO_DEVICES, _READ_ONLY = (1 << 18) | (1 << 14), 2, 4, 1
_MOUNT_SETATTR, _HERE, _RECURSIVE = 442, -100, 0x8000
_NO_NEW_PRIVILEGES, _DROP_FROM_BOUND, _CAPABILITIES_3 = 38, 24, 0x20080522


class _MountChange(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("add", "remove", "spread", "users"))


def cut_network() -> None:
    """Give this process a user namespace of its own, and in it a network without any interface.

    Raises:
        OSError: this system does not allow it.
    """
    if not sys.platform.startswith("linux"):
        raise OSError("namespaces are a part of Linux")
    user, group = os.geteuid(), os.getegid()
    _must("unshare", _NEW_USER)
    with suppress(OSError):  # without these lines it is nobody there, which does as well
        Path("/proc/self/setgroups").write_text("deny", "utf-8")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", "utf-8")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", "utf-8")
    _must("unshare", _NEW_NETWORK | _NEW_IPC | _NEW_UTS)


def protect_files(scratch: Path, hidden: Iterable[Path], room_bytes: int) -> None:
    """Make every file read-only, hide folders, and give a small folder in memory to write to.

    Args:
        scratch: the folder that becomes writable, and is empty.
        hidden: folders that become empty.
        room_bytes: what fits into `scratch`.

    Raises:
        OSError: this system does not allow it.
    """
    _must("unshare", _NEW_MOUNTS)
    _must("mount", b"none", b"/", None, _PRIVATE, None)
    for folder in hidden:
        if folder.is_dir():
            _empty(folder, "size=4k,mode=755")
    _empty(scratch, f"size={room_bytes},nr_inodes=2048,mode=700")
    _change(b"/", _RECURSIVE, add=_READ_ONLY)
    _change(os.fsencode(scratch), 0, remove=_READ_ONLY)
    os.chdir(scratch)


def drop_rights() -> None:
    """Give up every special right of this process, those over its own namespaces included.

    Raises:
        OSError: this system has no such rights, or keeps them.
    """
    if not sys.platform.startswith("linux"):
        raise OSError("capabilities are a part of Linux")
    libc = ctypes.CDLL(None, use_errno=True)
    _must("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    for number in range(64):
        if libc.prctl(_DROP_FROM_BOUND, number, 0, 0, 0):
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0)
    _must("capset", header, (ctypes.c_uint32 * 6)())


def _empty(folder: Path, options: str) -> None:
    flags = _NO_SETUID | _NO_DEVICES
    _must("mount", b"none", os.fsencode(folder), b"tmpfs", flags, options.encode())


def _change(path: bytes, flags: int, add: int = 0, remove: int = 0) -> None:
    change = _MountChange(add, remove, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(change))
    _must("syscall", _MOUNT_SETATTR, _HERE, path, flags, ctypes.byref(change), size)


def _must(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
