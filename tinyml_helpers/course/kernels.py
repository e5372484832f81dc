"""Kernels whose last words are kept, so that why one died is told in a line."""

from __future__ import annotations

import logging
import os
import tempfile
from collections import deque
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from tinyml_helpers.system import disk_full

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

logging.getLogger("papermill").addHandler(logging.NullHandler())  # it repeats what is raised


class LastWords:
    """What a kernel writes to standard error before it can answer, kept from the terminal."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=20)
        self._thread = Thread()

    def listen(self, pipe: int) -> None:
        """Read from a pipe until its other end is closed, in a thread."""
        self._thread = Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as lines:
            self._lines.extend(line for line in lines if line.strip())

    def last(self) -> str:
        """Return the last line that was written, or ""; of a traceback it is the error."""
        if self._thread.ident:
            self._thread.join(timeout=1)
        return self._lines[-1].decode("utf-8", "replace").strip() if self._lines else ""

    def manager(self) -> type[AsyncKernelManager]:
        """Return a class of kernels that say their last words here."""
        from jupyter_client.manager import AsyncKernelManager

        words = self

        class Kernel(AsyncKernelManager):  # type: ignore[misc]
            async def start_kernel(self, **options: Any) -> None:
                ours, theirs = os.pipe()
                words.listen(ours)
                try:
                    await super().start_kernel(**{"stderr": theirs, **options})
                finally:
                    os.close(theirs)

        return Kernel

    def why(self, error: RuntimeError) -> str:
        """Say in one sentence why a kernel is gone, and what to do.

        Args:
            error: what its client raised.
        """
        last = self.last()
        told = f"{error}: {last}" if last else f"{error}"
        if any(os.strerror(number) in last for number in disk_full.NUMBERS):
            return f"{told}: {disk_full.cure()}"
        home, other = Path("~").expanduser(), tempfile.gettempdir()
        return f"{told}: free memory (a lesson needs 2 GiB), and room in {home} and {other}"
