"""A process of its own for C and C++ code that reads what others wrote: it may crash in place of yours.

Libraries that decode believe much of what a file says. One number of a damaged file can make them read
from anywhere, divide by zero, claim all memory, or never end. Here none of that reaches you.
"""

from __future__ import annotations

import signal
import subprocess
import sys

MEMORY_BYTES = 4 * 2**30
"""Of addresses that the process may claim, libraries included; some hundred megabytes are theirs."""


class GuardedError(RuntimeError):
    """The process crashed, or ran out of time; the message says how, as half a sentence."""


class TimeUpError(GuardedError):
    """The process did not end in time."""


def run(module: str, *arguments: str, content: bytes, seconds: float) -> bytes:
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

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _cause(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit code {code}"
