"""What a process takes, seen from outside: its memory, its files, its children."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from tinyml_helpers.classroom.grade.lockdown import Limits

MOST_ENTRIES = 10_000


def list_processes(number: int) -> list[Any]:
    """Return a process and all that it has started, as psutil's processes; none if it has ended."""
    import psutil

    try:
        first = psutil.Process(number)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def find_broken_limit(number: int, folder: Path, limits: Limits) -> str:
    """Say which limit a process has broken, with all that it has started and written; "" if none."""
    memory_bytes, threads = measure(number)
    if memory_bytes > (limits.memory_mib << 20) * 5 // 4:
        return f"took more than {limits.memory_mib:,} MiB of memory"
    if threads > limits.threads:
        return f"started more than {limits.threads:,} threads"
    if size_bytes(folder) > limits.room_mib << 20:
        return f"wrote more than {limits.room_mib:,} MiB of files"
    return ""


def measure(number: int) -> tuple[int, int]:
    """Add up the memory in bytes and the threads of a process and of all that it has started."""
    memory_bytes = threads = 0
    for process in list_processes(number):
        with suppress(Exception), process.oneshot():  # it may just have ended
            memory_bytes += int(process.memory_info().rss)
            threads += int(process.num_threads())
    return memory_bytes, threads


def size_bytes(folder: Path) -> int:
    """Add up a folder's files at any depth; more entries than `MOST_ENTRIES` count as too many bytes."""
    total, seen, waiting = 0, 0, [folder]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                seen += 1
                if seen > MOST_ENTRIES:
                    return 1 << 62
                with suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_size
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
    return total
