"""Finished trials, one line each in a file that survives interruption."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tinyml_helpers.search.tasks import Task
from tinyml_helpers.search.trial import Trial, key_of, parse
from tinyml_helpers.system.folders import WriteError
from tinyml_helpers.system.shipped_files import data_folder


@dataclass(frozen=True)
class TrialLog:
    """What a file of trials held: the `trials`, and how many lines were `damaged`."""

    trials: tuple[Trial, ...]
    damaged: int


def read(path: Path) -> TrialLog:
    """Read a file of trials; one that does not exist holds none.

    A line that is damaged, as the last one is where writing was cut off, is counted and left out. Of two
    lines for the same trial the later one counts.
    """
    if not path.exists():
        return TrialLog((), 0)
    found: dict[str, Trial] = {}
    damaged = 0
    for line in path.read_bytes().splitlines():
        if not line.strip():
            continue
        try:
            trial = parse(line.decode("utf-8"))
        except ValueError:
            damaged += 1
        else:
            found[trial.key] = trial
    return TrialLog(tuple(found.values()), damaged)


def append(path: Path, trial: Trial) -> None:
    """Add a finished trial to a file, all of its line at once, and wait until the disk has it.

    Raises:
        WriteError: there is no room; of this line there may be a part, which `read` leaves out.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            # A line that was cut off has no end: close it, so that it damages nothing but itself.
            start = b""
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                start = b"" if file.read(1) == b"\n" else b"\n"
            file.write(start + trial.line().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise WriteError(
            f"a trial was not written to {path} ({error.strerror or error}): make room there and search "
            "again: it goes on with what the file holds"
        ) from error


def load_trials(task: Task) -> tuple[Trial, ...]:
    """Return the trials of a task that ship with the course, none of an older version.

    data/build/search_trials.py made them.
    """
    trials = read(data_folder() / "reference" / "trials.jsonl").trials
    return tuple(one for one in trials if one.key == key_of(task, one.settings))
