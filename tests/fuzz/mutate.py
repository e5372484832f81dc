"""Damage files by the thousand and give them to every reader: no crash, no hang, no memory without end.

    python tests/fuzz/mutate.py --count 100000 --target sound --seed 1

Each target runs in a child process with limits: a crash, a hang or a hunger for memory costs one file,
which is kept as build/fuzz/faults/TARGET-SEED-NUMBER. The same seed and number make it again.
"""

import argparse
import collections
import faulthandler
import json
import mmap
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import seeds
import targets
from mutators import mutate

SECONDS, MEMORY_BYTES, TOO_MUCH_MEMORY = 10, 2 << 30, 9
OUT = seeds.ROOT / "build" / "fuzz"


def main():
    options = parsed()
    if options.worker:
        return work(options)
    names = options.target or list(targets.TARGETS)
    share = options.count / sum(targets.TARGETS[name].parts for name in names)
    total, faults, began = 0, 0, time.time()
    print(
        f"{'reader':18}{'files':>8}{'accepted':>10}{'refused':>9}{'faults':>8}{'seconds':>9}{'MB':>7}",
        flush=True,
    )
    for name in names:
        count = round(share * targets.TARGETS[name].parts)
        found = drive(name, count, options)
        total, faults = total + found["files"], faults + sum(found["faults"].values())
        row = (
            found["accepted"],
            found["refused"],
            sum(found["faults"].values()),
            found["seconds"],
            found["peak_mb"],
        )
        print(
            f"{name:18}{found['files']:8,}" + "{:10,}{:9,}{:8,}{:9,.0f}{:7,.0f}".format(*row), flush=True
        )
        for what, times in found["faults"].most_common(options.show):
            print(f"    {times:5} x {what}   e.g. {found['example'][what]}", flush=True)
    print(f"{total:,} files in {time.time() - began:,.0f} s, {faults:,} faults")
    return 1 if faults else 0


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="files in all")
    parser.add_argument("--target", action="append", choices=list(targets.TARGETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=20, help="kinds of fault listed for each reader")
    parser.add_argument("--only", type=int, help="number of one file, to try again")
    parser.add_argument("--seconds", type=float, default=1e9, help="for each reader at the most")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def drive(name, count, options):
    """Start workers until all files of a target have been tried; what ends one costs one file."""
    result = {
        "files": 0,
        "accepted": 0,
        "refused": 0,
        "faults": collections.Counter(),
        "example": {},
        "peak_mb": 0,
    }
    first, last, began = (
        (0, count, time.time())
        if options.only is None
        else (options.only, options.only + 1, time.time())
    )
    while first < last and time.time() - began < options.seconds:
        command = [
            sys.executable,
            __file__,
            "--worker",
            name,
            "--first",
            str(first),
            "--count",
            str(last),
            "--seed",
            str(options.seed),
        ]
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        first = listen(child, name, first, result, options, began)
    result["seconds"] = time.time() - began
    return result


def listen(child, name, first, result, options, began):
    """Count what a worker tells until it ends; return the number of the next file."""
    at, ended = first - 1, ""
    while True:
        # The first file waits for imports.
        patience = 6 * SECONDS if at < first else 2 * SECONDS
        ready, _, _ = select.select([child.stdout], [], [], patience)
        line = child.stdout.readline() if ready else ""
        if not line:
            ended = "hang" if not ready else ""
            break
        told = json.loads(line)
        at = told["at"]
        result["peak_mb"] = max(result["peak_mb"], told["mb"])
        note(result, told["outcome"], name, options.seed, at)
        if time.time() - began > options.seconds:
            break
    child.kill()
    code = child.wait()
    if ended or code not in (0, TOO_MUCH_MEMORY, -signal.SIGKILL):
        what = (
            "FAULT hang" if ended else f"FAULT crash {signal.Signals(-code).name if code < 0 else code}"
        )
        note(result, what, name, options.seed, at + 1)
        return at + 2
    return at + 1 if code else 1 << 60


def note(result, outcome, name, seed, at):
    result["files"] += 1
    if outcome in ("accepted", "refused"):
        result[outcome] += 1
        return
    kept = OUT / "faults" / f"{name}-{seed}-{at}"
    if outcome not in result["faults"]:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.with_suffix(targets.TARGETS[name].suffix).write_bytes(made(name, seed, at))
        result["example"][outcome] = f"--target {name} --seed {seed} --only {at}"
    result["faults"][outcome] += 1


POOLS = {}


def made(name, seed, at):
    """The damaged file of a number."""
    target = targets.TARGETS[name]
    pool = POOLS.setdefault(name, target.pool()) if name not in POOLS else POOLS[name]
    return mutate(random.Random(f"{name} {seed} {at}"), pool, target.form)


def work(options):
    """In the child: read the files of a range, one line of JSON for each."""
    import resource

    name = options.worker
    target, folder = targets.TARGETS[name], targets.folder()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    faulthandler.disable()
    targets.attempt(
        target, made(name, options.seed, options.first), folder
    )  # imports, outside of the limits
    resource.setrlimit(resource.RLIMIT_AS, (address_bytes() + 4 * MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, too_slow)
    # A sum that overflowed would go on as a wrong result, with a warning beside it.
    warnings.simplefilter("error", RuntimeWarning)
    try:
        for at in range(options.first, options.count):
            content = made(name, options.seed, at)
            outcome, mb = (forked if target.fork else limited)(target, content, folder)
            print(json.dumps({"at": at, "outcome": outcome, "mb": mb}), file=out, flush=True)
            if outcome.startswith("FAULT memory"):
                out.flush()
                os._exit(TOO_MUCH_MEMORY)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def limited(target, content, folder):
    """Read one file with an alarm set, and see how much memory it took."""
    reset_peak()
    before = peak_mb()
    signal.alarm(SECONDS)
    try:
        outcome = targets.attempt(target, content, folder)
    except TimeoutError:
        outcome = f"FAULT takes longer than {SECONDS} s"
    finally:
        signal.alarm(0)
    grown = peak_mb() - before
    if grown > MEMORY_BYTES / 1e6:
        outcome = f"FAULT memory, more than {MEMORY_BYTES / 1e9:.1f} GB"
    return outcome, peak_mb()


def forked(target, content, folder):
    """Read one file in a new process; a crash where the package has a process of its own is no fault."""
    marks = mmap.mmap(-1, 4096)
    targets.in_another_process.marks = marks
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # native code must be ended from outside
        outcome, mb = limited(target, content, folder)
        told = json.dumps([outcome, mb]).encode()[:4000]
        marks[8 : 8 + len(told)] = told
        marks[4:8] = len(told).to_bytes(4, "little")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    size = int.from_bytes(marks[4:8], "little")
    if size:
        outcome, mb = json.loads(marks[8 : 8 + size])
        return ("refused" if marks[0] and outcome.startswith("FAULT") else outcome), mb
    signal_name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else str(status)
    return ("refused" if marks[0] else f"FAULT crash {signal_name}"), 0


def too_slow(*_):
    raise TimeoutError


def reset_peak():
    Path("/proc/self/clear_refs").write_text("5")


def peak_mb():
    return next(int(line.split()[1]) for line in status() if line.startswith("VmHWM")) / 1000


def address_bytes():
    return next(int(line.split()[1]) for line in status() if line.startswith("VmSize")) * 1024


def status():
    return Path("/proc/self/status").read_text().splitlines()


if __name__ == "__main__":
    sys.exit(main())
