"""Lessons under hard conditions: a copy of the checkout, a changed environment, an empty network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_OUT = (".venv", "build", ".git", ".hypothesis", ".*_cache", "__pycache__", ".ipynb_checkpoints")
# A home that nobody can make, not even an administrator.
NO_HOME = "/dev/null/home"


@dataclass(frozen=True)
class Conditions:
    """How lessons are run.

    Attributes:
        offline: without any network but the loopback.
        read_only: the checkout cannot be written to.
        home: whether there is a home folder.
        reverse: the last lesson first.
        umask: permission bits that new files lack.
        environment: variables to set.
    """

    offline: bool = False
    read_only: bool = False
    home: bool = True
    reverse: bool = False
    umask: int = 0o022
    environment: dict[str, str] = field(default_factory=dict)


HOSTILE = Conditions(
    offline=True,
    read_only=True,
    home=False,
    reverse=True,
    umask=0o077,
    environment={"LANG": "C", "LC_ALL": "C", "TZ": "Asia/Kathmandu", "COLUMNS": "40", "LINES": "10"},
)
GERMAN = Conditions(
    environment={
        "LANG": "de_DE.UTF-8",
        "LANGUAGE": "de",
        "TZ": "Pacific/Apia",
        "COLUMNS": "300",
        "OMP_NUM_THREADS": "2",
    }
)


@dataclass(frozen=True)
class Outcome:
    """What a run left: its `folder` of executed notebooks, its `records`, what it said."""

    code: int
    said: str
    folder: Path

    @property
    def records(self) -> Path:
        """The folder of the records."""
        return self.folder / "results"


def why_not() -> str:
    """Say why this system has no namespaces of its own for us, or ""."""
    if not sys.platform.startswith("linux"):
        return "namespaces are a feature of Linux"
    if not shutil.which("unshare") or not shutil.which("mount"):
        return "the commands unshare and mount are missing: install util-linux"
    tried = subprocess.run(["unshare", "-rnm", "true"], capture_output=True, text=True)
    return f"this system forbids them ({tried.stderr.strip()})" if tried.returncode else ""


def copy_checkout(folder: Path) -> Path:
    """Copy the checkout as it stands, without what commands made in it."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    return folder


def start(
    checkout: Path,
    lessons: list[int],
    conditions: Conditions,
    work: Path,
    parameters: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start `tinyml course` on a copy, from a folder that is not the copy.

    What it says goes to `said.txt` in `work`; each of the parameters is `name=value`.
    """
    work.mkdir(parents=True, exist_ok=True)
    temporary = work / "tmp"
    temporary.mkdir(exist_ok=True)
    order = sorted(lessons, reverse=conditions.reverse)
    command = [sys.executable, "-m", "tinyml_helpers.cli", "course"]
    command += [word for number in order for word in ("--lesson", str(number))]
    command += [word for one in parameters for word in ("-p", one)]
    if conditions.offline or conditions.read_only:
        closed = [str(checkout)] if conditions.read_only else []
        inside = [sys.executable, str(Path(__file__).with_name("inside.py")), *closed, "--"]
        command = ["unshare", "-rnm", *inside, *command]
    with (work / "said.txt").open("wb") as said:
        return subprocess.Popen(
            command,
            cwd=work,
            env=_environment(checkout, conditions, temporary),
            stdout=said,
            stderr=subprocess.STDOUT,
            umask=conditions.umask,
        )


def finish(
    process: subprocess.Popen[bytes], checkout: Path, conditions: Conditions, work: Path
) -> Outcome:
    """Wait for a run, and find what it left."""
    code = process.wait()
    said = (work / "said.txt").read_text("utf-8", "replace")
    folder = checkout / "build"
    if conditions.read_only:
        found = sorted((work / "tmp").glob("tinyml-helpers-*/checkouts/*"))
        folder = found[0] if found else work / "nothing"
    return Outcome(code, said, folder)


def run(checkout: Path, lessons: list[int], conditions: Conditions, work: Path) -> Outcome:
    """Run lessons under conditions, to their end."""
    return finish(start(checkout, lessons, conditions, work), checkout, conditions, work)


def _environment(checkout: Path, conditions: Conditions, temporary: Path) -> dict[str, str]:
    """Return what the run finds in its environment: nothing that points to the real checkout."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TINYML_", "XDG_", "LC_"))}
    if not conditions.home:
        # Elsewhere, compiled code of earlier runs may be used again.
        kept |= {"HOME": NO_HOME, "TMPDIR": str(temporary)}
    # The guard finds those who try the network and fall back in silence.
    path = os.pathsep.join([str(checkout), str(checkout / "tests" / "guard")])
    return kept | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path} | conditions.environment
