"""The memory of a class: what each learner's server, kernel and their children hold, out of /proc."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 2**20


@dataclass(frozen=True)
class Held:
    """Memory in MiB: all pages, shared ones in equal parts, and those that nobody can share."""

    rss_mib: float = 0.0
    pss_mib: float = 0.0
    own_mib: float = 0.0

    def __add__(self, other: Held) -> Held:
        return Held(
            self.rss_mib + other.rss_mib, self.pss_mib + other.pss_mib, self.own_mib + other.own_mib
        )

    def most(self, other: Held) -> Held:
        """Return the larger of both, number by number."""
        return Held(
            max(self.rss_mib, other.rss_mib),
            max(self.pss_mib, other.pss_mib),
            max(self.own_mib, other.own_mib),
        )


def held(pid: int) -> Held:
    """Return what a process holds, as Linux adds it up.

    Source: proc_pid_smaps_rollup(5).
    """
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return Held(*(kib[name] / 1024 for name in ("Rss", "Pss", "Pss_Anon")))


class Watch(threading.Thread):
    """Watches a hub: its learners since `forget`, `hub_mib` and `swap_mib` since the start."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.owners: dict[psutil.Process, str] = {}
        self.done = threading.Event()
        self.hub_mib = self.swap_mib = 0.0
        self.forget()

    def forget(self) -> None:
        """Begin anew with the learners."""
        self.peaks: dict[str, Held] = defaultdict(Held)
        self.together_mib = 0.0

    def run(self) -> None:
        """Look every second, or so rarely that looking takes a tenth of a core."""
        while self.process.is_running():
            start = time.perf_counter()
            self.look()
            if self.done.wait(max(1.0, 9 * (time.perf_counter() - start))):
                return

    def look(self) -> None:
        """Add up what the processes of each learner hold now."""
        now: dict[str, Held] = defaultdict(Held)
        for process in self.processes():
            with suppress(OSError, IndexError, KeyError, psutil.Error):  # one has just ended
                now[self.owner(process)] += held(process.pid)
        self.hub_mib = max(self.hub_mib, now.pop("", Held()).pss_mib)
        for name, one in now.items():
            self.peaks[name] = self.peaks[name].most(one)
        self.together_mib = max(self.together_mib, sum(one.pss_mib for one in now.values()))
        self.swap_mib = max(self.swap_mib, psutil.swap_memory().used / MIB)

    def processes(self) -> list[psutil.Process]:
        """Return the hub's process and all below it; none once it has ended."""
        try:
            return [self.process, *self.process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def owner(self, process: psutil.Process) -> str:
        """Return the learner whose server started a process, or "" for the hub's own."""
        if process not in self.owners:
            self.owners[process] = process.environ().get("JUPYTERHUB_USER", "")
        return self.owners[process]
