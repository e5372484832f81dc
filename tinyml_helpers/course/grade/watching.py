"""What a process takes, seen from outside: its memory, its files, its children."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any


def family(number: int) -> list[Any]:
    """Return a process and all that it has started, as psutil's processes; none if it has ended."""
    import psutil

    try:
        first = psutil.Process(number)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def memory_bytes(number: int) -> int:
    """Add up the memory of a process and of all that it has started."""
    total = 0
    for process in family(number):
        with suppress(Exception):  # it has just ended
            total += int(process.memory_info().rss)
    return total


def size_bytes(folder: Path) -> int:
    """Add up a folder's files, as far as two levels down; what lies deeper has its own limit."""
    total = 0
    with suppress(OSError):
        for entry in [*folder.glob("*"), *folder.glob("*/*")]:
            with suppress(OSError):
                total += entry.lstat().st_size
    return total
