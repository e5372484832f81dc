"""What a system or a missing tool takes from the course, and what is done instead there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Lack:
    """What does not work here: its `subject`, what is `missing`, and what is done `instead`."""

    subject: str
    missing: str
    instead: str


def find_lacks(system: str, machine: str, has: Callable[[str], object]) -> list[Lack]:
    """Return all that this system lacks; most is there on Linux alone.

    Args:
        system: as sys.platform calls it, such as "win32", "darwin" or "linux".
        machine: as platform.machine() does, such as "x86_64" or "arm64".
        has: says whether there is a program of that name.
    """
    windows, linux = system == "win32", system.startswith("linux")
    intel = machine.lower() in ("x86_64", "amd64")
    lacks = [
        (windows and not has("make"), _MAKE),
        (not linux, _EXERCISES),
        (not linux, _MEMORY),
        (windows or (linux and not intel), _LITERT_TORCH),
        (not linux or not intel, _TFLM),
        (not linux or not has("unshare"), _NETWORK if linux else _OTHER_NETWORK),
        (not has({"win32": "cl", "darwin": "clang++"}.get(system, "g++")), _COMPILER),
        (windows, _GRADE_WINDOWS),
        (not linux and not windows, _GRADE_MAC),
        (windows, _HUB),
        (not has("espeak-ng"), _VOICES),
        (not has("git"), _GIT),
    ]
    return [lack for is_missing, lack in lacks if is_missing]


_MAKE = Lack(
    "make", "there is no make", r"`py -3.11 bootstrap.py` sets up, `.venv\Scripts\tinyml course` runs"
)
_EXERCISES = Lack(
    "exercises",
    "an answer runs in the notebook's own process, where a crash or a hunger for memory ends the kernel",
    "restart it; a loop without an end is stopped after 30 s, as on Linux",
)
_MEMORY = Lack(
    "files",
    "models of strangers are read in a process whose memory may not be limited (on Windows it is not)",
    "its time is limited, and a crash there harms nothing; close other programs first",
)
_LITERT_TORCH = Lack(
    "litert-torch",
    "is not published for this system: lessons 06 and 07 stop where PyTorch becomes a .tflite file",
    "they run on Linux with an x86-64 processor, such as WSL on Windows; all other lessons run here",
)
_TFLM = Lack(
    "tflite-micro",
    "the interpreter of microcontrollers is there for Linux on x86-64 alone",
    "lesson 06 says so and compares the other interpreters",
)
_NETWORK = Lack(
    "network",
    "lesson 14 cannot count what a network sends: the command unshare is missing",
    "install util-linux; until then the cell says why, and the lesson goes on",
)
_OTHER_NETWORK = Lack(
    "network",
    "lesson 14 cannot count what a network sends: a network of one's own is a feature of Linux",
    "the cell says why, and the lesson goes on; Python's sockets are guarded here, too",
)
_COMPILER = Lack(
    "compiler",
    "torch.compile, a row of lesson 07 in the full profile, finds no C++ compiler",
    "the row is left out; firmware needs none, its compiler comes with pip (g++, Xcode's command line "
    "tools or Visual Studio's build tools bring one)",
)
_GRADE_WINDOWS = Lack("grading", "`tinyml grade` does not run", "run it in WSL, which is Linux")
_GRADE_MAC = Lack(
    "grading",
    "`tinyml grade` has no network cut, no locked files and no filter of system calls",
    "it guards sockets, limits time and says what held; grade people whom you trust, or on Linux",
)
_HUB = Lack(
    "JupyterHub", "does not run on Windows", "a class needs a Linux server, or a computer for each"
)
_VOICES = Lack(
    "espeak-ng",
    "`tinyml words --voices` can add no synthetic voices",
    "record more people, or install it: `apt install espeak-ng`, `brew install espeak-ng`, or its "
    "installer for Windows",
)
_GIT = Lack(
    "git",
    "a changed lesson or data file cannot be restored by `git checkout`, no hub can hand out lessons",
    "install git, or download the course again",
)
