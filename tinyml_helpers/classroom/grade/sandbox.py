"""A locked process: started, asked, watched and ended from here.

One kind runs what was handed in, the other judges what comes out of it. Neither can reach the grader.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tinyml_helpers.classroom.grade import lockdown, process_usage
from tinyml_helpers.classroom.grade.codec import MESSAGE_BYTES
from tinyml_helpers.classroom.grade.lockdown import ANSWERS, FILTER, LAYERS, PACKAGE, Limits
from tinyml_helpers.system.folders import cache_folder

SCRATCH = "tinyml-grade-"
"""How the folder of a process begins; one that a killed grader left goes after a day."""
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.05
_SPARE_PROCESSES = 16
_COMMAND = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from tinyml_helpers.classroom.grade import {program}; {program}.main()"
)


class StoppedError(BaseException):
    """The process broke a limit or ended; no check may catch this, so it is no `Exception`."""


class Sandbox:
    """One process; use it in a `with` statement.

    Args:
        limits: what it may take.
        hidden: folders that it must not see.
        program: module of this package that runs there: "worker" runs an answer, "assessor" judges,
            "compiler" compiles and may start a compiler for it.
        closed: folders of the course that it must not see.

    Raises:
        RuntimeError: it cannot be started here.
    """

    def __init__(
        self,
        limits: Limits,
        hidden: Iterable[Path] = (),
        program: str = "worker",
        closed: Iterable[Path] = ANSWERS,
    ) -> None:
        if os.name != "posix":
            raise RuntimeError("grading needs Linux or macOS; on Windows run it in WSL")
        self._limits = _with_processes(limits)
        command = _COMMAND.format(program=program)
        # The real path: a link on the way to it would lead out of the locked view.
        self._scratch = Path(tempfile.mkdtemp(prefix=SCRATCH)).resolve()
        path = [str(PACKAGE.parent), *(entry for entry in sys.path if Path(entry).is_absolute())]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-X", "utf8", "-c", command, json.dumps(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._scratch,
            env=lockdown.environment(self._scratch, _cache(program, self._scratch)),
            start_new_session=True,
        )
        self._pending = bytearray()
        for pipe in (self._stdin, self._stdout):
            os.set_blocking(pipe.fileno(), False)
        self._given_seconds = self._left_seconds = _START_SECONDS
        self._deadline = 0.0
        config = {
            "scratch": str(self._scratch),
            "hidden": [str(folder.resolve()) for folder in hidden],
            "closed": [str(folder) for folder in closed],
            "limits": asdict(self._limits),
            "layers": [one for one in LAYERS if program != "compiler" or one != FILTER],
        }
        try:
            self.locked = self.ask(config)
        except StoppedError as stopped:
            self.close()
            raise RuntimeError(
                f"the process that runs submissions did not start: it {stopped}"
            ) from None
        self.grant(limits.seconds)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def grant(self, seconds: float) -> None:
        """Give it this much time from now on, whatever it has used."""
        self._given_seconds = self._left_seconds = seconds

    def exchange(self, lines: bytes) -> bytes:
        """Send lines and return the one that it answers, unread; only this time counts as its own.

        Raises:
            StoppedError: it broke a limit, or ended.
        """
        self._deadline = time.monotonic() + self._left_seconds
        try:
            self._write(lines + b"\n")
            return self._read_line()
        finally:
            self._left_seconds = self._deadline - time.monotonic()

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send one message and return the answer to it.

        Raises:
            StoppedError: it broke a limit, ended, or said what is no answer.
        """
        line = self.exchange(json.dumps(message).encode())
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise StoppedError("wrote into the grader's channel what is no answer") from error
        if not isinstance(answer, dict):
            raise StoppedError("wrote into the grader's channel what is no answer")
        return answer

    def close(self) -> None:
        """End the process with all that it has started, and remove what it wrote."""
        family = process_usage.list_processes(self._process.pid)
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for process in family:
            with suppress(Exception):
                process.kill()
        for pipe in (self._stdin, self._stdout):
            with suppress(OSError):
                pipe.close()
        self._process.wait()
        with suppress(RecursionError):  # folders nested by the thousand are left to the system
            shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def seconds(self) -> float:
        """What it has used of its time."""
        return self._given_seconds - self._left_seconds

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin  # it was asked for
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout  # it was asked for
        return self._process.stdout

    def _write(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            self._wait(self._stdin, selectors.EVENT_WRITE)
            try:
                rest = rest[os.write(self._stdin.fileno(), rest) :]
            except BlockingIOError:
                continue
            except OSError:
                raise StoppedError(self._how_it_ended()) from None

    def _read_line(self) -> bytes:
        while b"\n" not in self._pending:
            if len(self._pending) > MESSAGE_BYTES:
                raise StoppedError(f"gave an answer of more than {MESSAGE_BYTES >> 20} MiB")
            self._wait(self._stdout, selectors.EVENT_READ)
            try:
                part = os.read(self._stdout.fileno(), 1 << 16)
            except BlockingIOError:
                continue
            if not part:
                raise StoppedError(self._how_it_ended())
            self._pending += part
        line, _, rest = bytes(self._pending).partition(b"\n")
        self._pending = bytearray(rest)
        return line

    def _wait(self, pipe: IO[bytes], event: int) -> None:
        """Wait for a pipe, and look after time, memory and files meanwhile."""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            while True:
                ready = selector.select(_LOOK_SECONDS)
                self._look()
                if ready:
                    return

    def _look(self) -> None:
        if time.monotonic() > self._deadline:
            raise StoppedError(f"was not finished after {self._given_seconds:g} s")
        broken = process_usage.find_broken_limit(self._process.pid, self._scratch, self._limits)
        if broken:
            raise StoppedError(broken)

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(2)
        except subprocess.TimeoutExpired:
            return "closed the grader's channel"
        if code >= 0:
            return f"ended before it was asked to, with exit code {code}"
        return f"was ended by signal {-code} ({signal.strsignal(-code)})"


def _cache(program: str, scratch: Path) -> Path:
    return cache_folder() if program == "assessor" else scratch


def _with_processes(limits: Limits) -> Limits:
    """Where no filter forbids new processes, allow a few more than there are."""
    import psutil

    if sys.platform.startswith("linux"):
        return limits  # threads of all programs would count as well
    return replace(limits, processes=len(psutil.pids()) + _SPARE_PROCESSES)
