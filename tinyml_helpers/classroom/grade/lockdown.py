"""What a process that runs handed-in code does to itself first. It cannot be undone from within."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tinyml_helpers.classroom.grade import landlock, namespaces, seccomp

PACKAGE = Path(__file__).parents[2]
ANSWERS = (PACKAGE / "course" / "exercises", PACKAGE.parent / "notebooks", PACKAGE.parent / "tests")
"""Folders that hold the answers to the exercises: code that is graded cannot read them."""


FILTER = "filtered system calls"
LAYERS = (
    "empty network", "read-only files", "no special rights", "limits", "listed files only", FILTER,
    "guarded sockets",
)  # fmt: skip
"""The last one is put in place only where neither of the two others cuts the network."""


@dataclass(frozen=True)
class Limits:
    """What one exercise of one submission may take.

    Args:
        seconds: from the first to the last of its statements, waiting included.
        memory_mib: private memory.
        room_mib: files that it writes, together.
        processes: of this user at most, where nothing forbids to start one.
        threads: at the same time.
    """

    seconds: float = 60.0
    memory_mib: int = 3072
    room_mib: int = 32
    processes: int = 0
    threads: int = 512


@dataclass
class Locked:
    """What holds: names of layers in `held`, and why the others do not, in `why_not`.

    Only those in `wanted` are attempted.
    """

    wanted: tuple[str, ...] = LAYERS
    held: list[str] = field(default_factory=list)
    why_not: dict[str, str] = field(default_factory=dict)

    def attempt(self, name: str, lock: Callable[[], None]) -> None:
        """Put one layer in place, or note why this system refuses."""
        if name not in self.wanted:
            return
        try:
            lock()
        except (OSError, ValueError, AttributeError, ImportError) as error:
            self.why_not[name] = str(error) or type(error).__name__
        else:
            self.held.append(name)


def lock(
    scratch: Path,
    hidden: list[Path],
    limits: Limits,
    layers: tuple[str, ...],
    closed: tuple[Path, ...] = ANSWERS,
) -> Locked:
    """Lock this process in, in as many layers as the system offers.

    Args:
        scratch: the only folder where it may write.
        hidden: folders that it must not see.
        limits: what it may take.
        layers: those to attempt.
        closed: folders of the course that it must not see.
    """
    locked = Locked(layers)
    room_bytes = limits.room_mib << 20
    locked.attempt("empty network", namespaces.cut_network)
    covered = _without_needed([*hidden, Path.home(), *closed], scratch)
    locked.attempt("read-only files", lambda: namespaces.protect_files(scratch, covered, room_bytes))
    locked.attempt("no special rights", namespaces.drop_rights)
    locked.attempt("limits", lambda: _limit(limits))
    listable, writable = [PACKAGE, PACKAGE / "course"], [scratch, Path("/dev/null")]
    locked.attempt(
        "listed files only", lambda: landlock.restrict_files(_readable(closed), listable, writable)
    )
    locked.attempt(FILTER, seccomp.filter_calls)
    if "empty network" not in locked.held and FILTER not in locked.held:
        locked.attempt("guarded sockets", _guard_sockets)
    return locked


def _limit(limits: Limits) -> None:
    import resource

    memory_bytes, seconds = limits.memory_mib << 20, int(limits.seconds) + 2
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": seconds,
        "RLIMIT_DATA": memory_bytes,
        # Libraries reserve far more addresses than they ever fill.
        "RLIMIT_AS": memory_bytes + (8 << 30),
        "RLIMIT_FSIZE": limits.room_mib << 20,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_NPROC": limits.processes,
    }
    refused = []
    for name, most in wanted.items():
        if name == "RLIMIT_NPROC" and not most:
            continue
        try:
            resource.setrlimit(getattr(resource, name), (most, most))
        except (AttributeError, ValueError, OSError):
            refused.append(name)
    if set(refused) - {"RLIMIT_AS", "RLIMIT_DATA"}:
        raise OSError(f"refused: {', '.join(refused)}")


def _guard_sockets() -> None:
    from tinyml_helpers.system import socket_guard

    guard = socket_guard.cut()
    guard.__enter__()
    _kept.append(guard)


_kept: list[object] = []


def _readable(closed: tuple[Path, ...]) -> Iterator[Path]:
    """Yield what Python and the packages need: of the checkout all but what is closed."""
    yield from map(Path, ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/etc/fonts"))
    yield from map(Path, ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu"))
    yield from map(Path, ("/sys/devices/system/node", "/dev/zero", "/dev/urandom", "/dev/random"))
    yield Path(f"/proc/{os.getpid()}")
    yield from map(Path, (sys.prefix, sys.base_prefix))
    checkout = PACKAGE.parent
    for entry in map(Path, sys.path):
        if entry.is_absolute() and entry != checkout and entry not in checkout.parents:
            yield entry
    apart = {PACKAGE / "course", *closed}
    for folder in (PACKAGE, PACKAGE / "course"):
        yield from (path for path in folder.iterdir() if path not in apart)
    yield Path(os.environ.get("TINYML_DATA", checkout / "data"))


def _without_needed(folders: list[Path], scratch: Path) -> list[Path]:
    """Leave out folders above one that is needed: they cannot be covered."""
    needed = (scratch, PACKAGE, Path(sys.prefix), Path(sys.base_prefix))
    return [folder for folder in folders if not any(one.is_relative_to(folder) for one in needed)]


def environment(scratch: Path, cache: Path) -> dict[str, str]:
    """Return the variables of a locked process: its own folder as home, one thread, no secrets.

    Args:
        scratch: its own folder.
        cache: where it finds compiled code, before it is locked in.
    """
    folders = dict.fromkeys(
        ("HOME", "TMPDIR", "MPLCONFIGDIR", "TINYML_RESULTS", "XDG_CACHE_HOME"),
        str(scratch),
    )
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    kept = {name: os.environ[name] for name in ("TINYML_DATA", "LD_LIBRARY_PATH") if name in os.environ}
    fixed = {
        "TINYML_CACHE": str(cache),
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "TQDM_DISABLE": "1",
    }
    return {**folders, **threads, **kept, **fixed, "KERAS_BACKEND": "torch"}
