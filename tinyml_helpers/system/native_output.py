"""What C and C++ code prints while it runs: kept off the screen, and read."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Captured:
    """What was printed; `text` is filled when the block ends."""

    text: str = ""


@contextmanager
def capture() -> Iterator[Captured]:
    """Collect what is written to the standard streams below Python, until the block ends.

    Runtimes and converters print from C++, past `sys.stdout`: settings, progress, and the reasons of
    their errors. This redirects file descriptors 1 and 2 of the whole process for the while.
    """
    result = Captured()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with tempfile.TemporaryFile() as file:
        kept = [os.dup(descriptor) for descriptor in (1, 2)]
        try:
            for descriptor in (1, 2):
                os.dup2(file.fileno(), descriptor)
            yield result
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for descriptor, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)
            file.seek(0)
            result.text = file.read().decode("utf-8", "replace")
