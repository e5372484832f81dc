"""Memory and time of every lesson: what one learner takes, so that a class can be planned.

    make load ARGS="[--lesson 0 --lesson 2] [--dry]"

Each lesson runs alone, in the quick profile, in a kernel of its own. Ten times a second the resident
memory of the kernel and all its children is added up (memory that they share counts once for each).
Then it runs again beside a process that keeps one core busy, as a neighbour on the same machine would.
Before and after each lesson the machine itself is measured, by thirty training steps: a promise in
seconds means something only for a machine of known speed. Each lesson is stored as soon as it is
measured. The result goes to data/reference/memory.json, which the workshop kit reads, and to the README.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from book import readme_results
from tinyml_helpers import datasets
from tinyml_helpers.course import machine_load, runner, scoreboard, syllabus

MIB = 2**20


class Watch(threading.Thread):
    """Watches the children of a process; `peak_mib` is the most that they held at one moment."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.peak_mib = 0.0
        self.done = threading.Event()

    def run(self) -> None:
        """Look ten times a second, until `done` is set."""
        while not self.done.wait(0.1):
            self.peak_mib = max(self.peak_mib, resident_mib(self.process.children(recursive=True)))


def resident_mib(processes: list[psutil.Process]) -> float:
    """Return the memory that processes hold together, in MiB; one that has ended counts nothing."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / MIB


def measure(lesson: syllabus.Lesson, folder: Path) -> machine_load.LessonLoad:
    """Run a lesson alone and beside a busy process, and return what it took."""
    before = yardstick_seconds()
    watch = Watch(psutil.Process())
    watch.start()
    try:
        seconds = run(lesson, folder)
    finally:
        watch.done.set()
        watch.join()
    yardstick = (before + yardstick_seconds()) / 2
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        busy_seconds = run(lesson, folder)
    finally:
        neighbour.kill()
        neighbour.wait()
    return machine_load.LessonLoad(lesson.number, watch.peak_mib, seconds, busy_seconds, yardstick)


def run(lesson: syllabus.Lesson, folder: Path) -> float:
    """Run a lesson and return the seconds that it took."""
    start = time.perf_counter()
    runner.run(lesson, {"profile": "quick"}, folder, progress=sys.stderr.isatty())
    return time.perf_counter() - start


def yardstick_seconds() -> float:
    """Return the time of thirty training steps of `small` on batches of 128, in a process of its own."""
    code = (
        "import time, torch; from tinyml_helpers import models; from torch.nn import functional as f\n"
        "network, x, y = models.build('small'), torch.randn(128, 1, 28, 28), torch.arange(128) % 10\n"
        "step = lambda: f.cross_entropy(network(x), y).backward()\n"
        "for _ in range(3): step()\n"
        "start = time.perf_counter()\n"
        "for _ in range(30): step()\n"
        "print(time.perf_counter() - start)"
    )
    return float(subprocess.check_output([sys.executable, "-c", code], text=True))


def server_mib() -> float:
    """Return the memory of a Jupyter server that has opened its first page, in MiB."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--allow-root"]
        environment = {**os.environ, "HOME": home, "JUPYTER_RUNTIME_DIR": f"{home}/runtime"}
        server = subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return settled_mib(psutil.Process(server.pid))
        finally:
            server.terminate()
            server.wait(30)


def settled_mib(process: psutil.Process) -> float:
    """Return a process's memory once it has stopped growing, in MiB; at the latest after a minute."""
    before, until = 0.0, time.monotonic() + 60
    while time.monotonic() < until:
        time.sleep(3)
        now = resident_mib([process, *process.children(recursive=True)])
        if before and now < before * 1.01:
            return now
        before = now
    return before


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def store(measured: machine_load.Load) -> None:
    """Store what was measured, and renew the README once every lesson has been."""
    machine_load.store_load(measured)
    datasets.write_manifest()
    whole = machine_load.read_load()
    if {one.lesson for one in whole.lessons} == {lesson.number for lesson in syllabus.lessons()}:
        readme_results.publish(scoreboard.Scoreboard(whole.records))


def main() -> None:
    """Measure, print, store; fail where a lesson takes more than the course promises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lesson", type=int, action="append", default=[])
    parser.add_argument("--dry", action="store_true", help="print only; store nothing")
    options = parser.parse_args()
    server, found = server_mib(), []
    print(f"a learner's server: {server:,.0f} MiB")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TINYML_RESULTS"] = folder
        for lesson in syllabus.select(options.lesson):
            one = measure(lesson, Path(folder))
            found.append(one)
            print(
                f"{lesson.number:02d}  {one.peak_mib:6,.0f} MiB  {one.seconds:4.0f} s  beside a busy "
                f"process {one.busy_seconds:4.0f} s, yardstick {one.yardstick_seconds:.1f} s: the "
                f"promise holds for {one.times_slower:.1f} times as long",
                flush=True,
            )
            if not options.dry:
                store(machine_load.Load((one,), server, cores()))
    measured = machine_load.Load(tuple(found), server, cores())
    for one in measured.too_much:
        print(
            f"lesson {one.lesson:02d} takes more than {machine_load.MOST_MIB} MiB, "
            f"{one.times_slower * machine_load.MOST_SECONDS:.0f} s, "
            f"or {one.times_slower * machine_load.MOST_BUSY_SECONDS:.0f} s beside a busy process"
        )
    sys.exit(bool(measured.too_much))


if __name__ == "__main__":
    main()
