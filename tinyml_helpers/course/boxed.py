"""Run a learner's code so that it may hang, crash or eat memory, and take no kernel along.

On Linux it runs in a copy of this process: it finds all that the notebook has made, and changes nothing
of it. Elsewhere a copy is not safe; there it runs in this process, and only its time is held.
"""

from __future__ import annotations

import _thread
import faulthandler
import gc
import io
import json
import os
import select
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

SECONDS = 30.0
"""Longest time for one answer, waiting and a compiler included."""
MEMORY_BYTES = 2 << 30
"""What an answer may take beyond what the notebook has."""
_MOST_SAID_BYTES = 1 << 20


class StoppedError(RuntimeError):
    """The code came to no end of its own; the message goes on after "Your code"."""


def run_apart(work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Do some work apart from this process, and return what came of it.

    Args:
        work: returns what JSON can hold, at most 1 MiB of it.

    Raises:
        StoppedError: it was not finished in time, took too much memory, or ended its process.
    """
    return _in_a_copy(work) if sys.platform.startswith("linux") else _here(work)


def _in_a_copy(work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        # Of threads that a copy lacks, by Python and by JAX: it starts none, and leaves by os._exit.
        for kind in (DeprecationWarning, RuntimeWarning):
            warnings.simplefilter("ignore", kind)
        child = os.fork()
    if not child:
        os.close(ours)
        _work_and_end(work, theirs)
    os.close(theirs)
    said, status = bytearray(), 0
    try:
        _receive(ours, said)
    finally:
        os.close(ours)
        with suppress(OSError):  # with all that it has started
            os.killpg(child, signal.SIGKILL)
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    try:
        return dict(json.loads(said))
    except (ValueError, TypeError):
        raise StoppedError(_why_it_ended(status)) from None


def _receive(pipe: int, said: bytearray) -> None:
    """Read until the other end is closed.

    Raises:
        StoppedError: not in time, or too much.
    """
    deadline = time.monotonic() + SECONDS
    while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(pipe, 1 << 16)
        said += part
        if not part:
            return
        if len(said) > _MOST_SAID_BYTES:
            raise StoppedError("said far too much")
    raise StoppedError(_not_in_time())


def _work_and_end(work: Callable[[], Mapping[str, Any]], pipe: int) -> NoReturn:
    """Do the work in the copy, hand over what came of it, and end without a trace."""
    try:
        os.setsid()  # Ctrl-C is for the notebook, and what is started here ends together
        gc.disable()  # what the notebook owns is not cleared away here
        _go_silent()
        _limit()
        try:
            said = json.dumps(dict(work())).encode()
        except MemoryError:
            said = b""
        rest = memoryview(said)
        while rest:
            rest = rest[os.write(pipe, rest) :]
    finally:
        os._exit(0)


def _go_silent() -> None:
    faulthandler.disable()  # what crashed is told in the verdict
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()


def _limit() -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text("ascii").split()[5])  # private and writable
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if "torch" in sys.modules:
        # A copy has none of the threads that the libraries believe in.
        sys.modules["torch"].set_num_threads(1)


def _why_it_ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"crashed: its process was ended by signal {number} ({signal.strsignal(number)})"
    return f"ended its process, or took more than {MEMORY_BYTES >> 30} GiB of memory"


def _not_in_time() -> str:
    return f"was not finished after {SECONDS:g} s, as when a loop never ends"


def _here(work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Do the work in this process, and interrupt it as Ctrl-C would when its time is over."""
    over = threading.Event()

    def stop() -> None:
        over.set()
        _thread.interrupt_main()

    timer = threading.Timer(SECONDS, stop)
    # What a shell starts in the background ignores Ctrl-C, and would never be interrupted.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer.start()
    try:
        return dict(work())
    except KeyboardInterrupt:
        if over.is_set():
            raise StoppedError(_not_in_time()) from None
        raise
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
