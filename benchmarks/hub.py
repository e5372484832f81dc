"""A class on one JupyterHub: do all kernels live, how long do people wait, what memory do they take?

    make hub ARGS="[--users 30] [--minutes 14] [--dry]"

A real hub is started with the configuration of the workshop kit; each learner gets a server by the hub's
REST API and runs all cells of a lesson in a kernel, as "Run all" would: lesson 00 all at once, lesson 02
from a random moment within the time that it takes alone. As many take lesson 02 as the minutes allow.
Before, one of them runs each lesson alone, and a kernel is killed: that must be counted, or a class
without deaths would prove nothing. Memory is read out of /proc, for at most a tenth of a core, with
shared pages once for each process (RSS) and in equal parts (PSS). The result goes to
data/reference/hub.json, which the workshop kit reads, and to the page on class servers.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import class_hub
import lessons
import nbformat
import psutil
from hub_memory import MIB, Held, Watch
from tqdm import tqdm

from book import teaching
from tinyml_helpers.classroom.workshop import class_load
from tinyml_helpers.course import machine_load
from tinyml_helpers.datasets import write_manifest

AT_ONCE, STAGGERED = 0, 2
LEFT_FREE_MIB = 1024
DIE = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
POLICY = "import os; print(os.environ.get('OMP_NUM_THREADS'), os.environ.get('OMP_WAIT_POLICY'))"


@dataclass(frozen=True)
class Class:
    """Learners whose servers run, by name; their homes; and who watches them."""

    servers: dict[str, str]
    homes: Path
    watch: Watch

    def run(self, lesson: int, names: list[str], within: float = 0.0) -> list[class_load.Learner]:
        """Have learners run a lesson, each from a random moment within so many seconds."""
        self.watch.forget()
        draw, total = random.Random(lesson), len(names) * len(self.cells(names[0], lesson))
        delays = [draw.uniform(0, within) for _ in names]
        with tqdm(total=total, desc=f"lesson {lesson:02d}, {len(names)} at work", unit="cell") as bar:
            ran = list(together(lambda *one: self.learn(lesson, bar, *one), names, delays))
        peaks = [self.watch.peaks[name] for name in names]
        return [
            class_load.Learner(seconds, peak.rss_mib, peak.pss_mib, died)
            for (seconds, died), peak in zip(ran, peaks, strict=True)
        ]

    def run_alone(self, lesson: int, name: str) -> class_load.Learner:
        """Have one learner run a lesson twice; what the first run compiles is there for all after it."""
        self.run(lesson, [name])
        return self.run(lesson, [name])[0]

    def hold(
        self, lesson: int, names: list[str], within: float, alone: class_load.Learner
    ) -> class_load.ClassRun:
        """Have learners run a lesson beside each other."""
        ran = tuple(self.run(lesson, names, within))
        held = self.watch.together_mib
        return class_load.ClassRun(lesson, lessons.cores(), within, alone, ran, held)

    def learn(self, lesson: int, bar: tqdm, name: str, delay: float) -> tuple[float, bool]:
        """Run a lesson as a learner; return the seconds that it took, and whether it ended early."""
        time.sleep(delay)
        start = time.perf_counter()
        try:
            class_hub.run(self.servers[name], self.cells(name, lesson), bar.update)
        except Exception as error:  # whatever it is, this learner did not come to the end
            tqdm.write(f"{name}, lesson {lesson:02d}: {type(error).__name__}: {error}")
            return time.perf_counter() - start, True
        return time.perf_counter() - start, False

    def cells(self, name: str, lesson: int) -> list[str]:
        """Return the code of the notebook that a learner was handed."""
        path = next((self.homes / name / "lessons").glob(f"{lesson:02d}_*.ipynb"))
        return [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


def together(work: Callable[..., Any], *given: Sequence[Any]) -> Iterator[Any]:
    """Do work for all at once, and give what it returns, in order; interrupted, wait for nobody."""
    pool = ThreadPoolExecutor(len(given[0]))
    try:
        yield from pool.map(work, *given)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def open_servers(address: str, names: list[str]) -> tuple[dict[str, str], float]:
    """Start the servers of learners who ask at once; return their addresses, and the longest wait."""
    start = time.perf_counter()
    opened = together(lambda name: class_hub.open_server(address, name), names)
    servers = list(tqdm(opened, total=len(names), desc="servers", unit="server"))
    return dict(zip(names, servers, strict=True)), time.perf_counter() - start


def check_instruments(server: str) -> None:
    """Refuse to measure where a dead kernel goes unseen, or threads are not as the course promises."""
    try:
        class_hub.run(server, [DIE, "1"])
    except class_hub.KernelDiedError:
        print("a kernel that was killed is seen")
    else:
        sys.exit("a kernel was killed, and nobody saw it: a class without deaths would prove nothing")
    if (policy := class_hub.run(server, [POLICY])[0].split()) != ["1", "PASSIVE"]:
        sys.exit(f"threads and how they wait are {policy}, not ['1', 'PASSIVE']: run `make setup`")


def check_memory(users: int, alone: Held) -> None:
    """Refuse more learners than fit into free memory: what they share once, and what each has alone."""
    free = psutil.virtual_memory().available / MIB - LEFT_FREE_MIB
    fit = 1 + int((free - alone.pss_mib) / alone.own_mib)
    if users > fit:
        sys.exit(f"there is memory for {max(fit, 0)} learners, not for {users}: say --users {fit}")


def hold(users: int, minutes: float) -> class_load.HubLoad:
    """Start a hub, have a class run both lessons, and return what it took."""
    end = time.monotonic() + 60 * minutes
    busy, yardstick = psutil.cpu_percent(5), lessons.yardstick_seconds()
    me, *others = names = [f"learner-{number}" for number in range(1, users + 1)]
    with tempfile.TemporaryDirectory() as folder, class_hub.running(Path(folder)) as hub:
        watch = Watch(hub.process)
        watch.start()
        servers, _ = open_servers(hub.address, [me])
        check_instruments(servers[me])
        people = Class(servers, hub.homes, watch)
        at_once = people.run_alone(AT_ONCE, me)
        check_memory(users, watch.peaks[me])
        staggered = people.run_alone(STAGGERED, me)
        memory = watch.peaks[me]
        more, open_seconds = open_servers(hub.address, others)
        servers |= more
        first = people.hold(AT_ONCE, names, 0.0, at_once)
        # One more learner takes so many seconds of the whole machine.
        one_more = staggered.seconds * first.slowest_seconds / at_once.seconds / users
        count = min(users, int((end - time.monotonic()) / one_more))
        if count < 2:
            sys.exit(f"no time is left for lesson {STAGGERED:02d}: say --minutes {minutes + 5:.0f}")
        check_memory(count, memory)
        within = machine_load.read_load().of(STAGGERED).seconds
        second = people.hold(STAGGERED, names[:count], within, staggered)
        watch.done.set()
        watch.join()
    return class_load.HubLoad(
        runs=(first, second),
        hub_mib=watch.hub_mib,
        open_seconds=open_seconds,
        memory_mib=psutil.virtual_memory().total / MIB,
        swap_mib=watch.swap_mib,
        busy_percent=busy,
        yardstick_seconds=yardstick,
        jupyterhub=version("jupyterhub"),
    )


def main() -> None:
    """Measure, print, store; fail where a kernel died or a learner holds more than the plan says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=14.0, help="how long it may take in all")
    parser.add_argument("--dry", action="store_true", help="print only; store nothing")
    options = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("memory with shared pages in equal parts is known on Linux alone")
    if not 2 <= options.users <= 40:
        sys.exit(f"the kit's hub takes a class of 2 to 40, not of {options.users}")
    # Ended from outside, the hub ends too, as by Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    load = hold(options.users, options.minutes)
    print(*load.runs, load.conditions, sep="\n")
    if not options.dry:
        class_load.store_hub_load(load)
        write_manifest()
        for page, text in teaching.renewed_pages(Path(__file__).parents[1]).items():
            page.write_text(text, "utf-8")
    sys.exit(any(one.deaths or not one.below_plan for one in load.runs))


if __name__ == "__main__":
    main()
