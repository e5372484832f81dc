"""Files that others wrote: how much of them is read, and what of them may stand in a message."""

from __future__ import annotations

from pathlib import Path

from tinyml_helpers.datasets.shipped import DataError

MOST_BYTES = 64_000_000
"""A table that is larger is refused: it would take a gigabyte of memory or more."""
MOST_VALUE = 1e13
"""No sensor and no clock gives more; beyond it, sums of squares leave the range of numbers."""


def check_size(path: Path, most_bytes: int = MOST_BYTES) -> None:
    """Refuse a file that is too large to be read whole.

    Raises:
        DataError: it is; the message names the file.
        OSError: it cannot be looked at.
    """
    size_bytes = path.stat().st_size
    if size_bytes > most_bytes:
        raise DataError(
            f"{path.name} has {size_bytes:,} bytes, more than the {most_bytes:,} that are read at once: "
            "cut it into several files"
        )


def short(told: object, most: int = 160) -> str:
    """Return text on one line, of `most` characters, without any that a terminal would act on."""
    # No need to look at all of a file whose first line never ends.
    text = " ".join(str(told)[: 4 * most].split())
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."
