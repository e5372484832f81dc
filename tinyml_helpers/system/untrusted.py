"""Files that others wrote: how much is read, what may stand in a message, and a process that may crash.

Libraries that decode believe much of what a file says. One number of a damaged file can make them read
from anywhere, divide by zero, claim all memory, or never end. Here none of that reaches you.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tinyml_helpers.system.shipped_files import DataError

MOST_BYTES = 64_000_000
"""A table that is larger is refused: it would take a gigabyte of memory or more."""
MOST_VALUE = 1e13
"""No sensor and no clock gives more; beyond it, sums of squares leave the range of numbers."""
MEMORY_BYTES = 4 * 2**30
"""Of addresses that the process may claim, libraries included; some hundred megabytes are theirs."""


class GuardedError(RuntimeError):
    """The process crashed, or ran out of time; the message says how, as half a sentence."""


class TimeUpError(GuardedError):
    """The process did not end in time."""


def run_isolated(module: str, *arguments: str, content: bytes, seconds: float) -> bytes:
    """Run `python -m module arguments`, and return what it printed.

    Args:
        module: its main part calls `limit_memory` first, and reads its standard input.
        arguments: of the command.
        content: what it reads.
        seconds: after which it is ended.

    Raises:
        TimeUpError: it took longer.
        GuardedError: it crashed, or ended with another code than 0.
    """
    command = [sys.executable, "-m", module, *arguments]
    try:
        child = subprocess.run(command, input=content, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise TimeUpError(f"not done after {seconds} s") from error
    if child.returncode:
        raise GuardedError(_cause(child.returncode))
    return child.stdout


def limit_memory() -> None:
    """Let this process claim `MEMORY_BYTES` at the most, where the system can see to that."""
    if sys.platform != "win32":
        import resource

        with suppress(ValueError, OSError):  # macOS may refuse to limit addresses
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _cause(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit code {code}"


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


def one_line(told: object, most: int = 160) -> str:
    """Return text on one line, of `most` characters, without any that a terminal would act on."""
    # No need to look at all of a file whose first line never ends.
    text = " ".join(str(told)[: 4 * most].split())
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."
