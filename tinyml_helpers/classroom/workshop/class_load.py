"""What a class takes of one JupyterHub: waiting and memory, as measured by `make hub`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tinyml_helpers.course.machine_load import read_load
from tinyml_helpers.system.folders import CHECKOUT, write_atomically

MOST_TIMES = 5
"""A learner waits at most so many times as long as one who has the machine alone."""
SIZES = (10, 30, 100)
_FILE = CHECKOUT / "data" / "reference" / "hub.json"


@dataclass(frozen=True)
class Learner:
    """One learner's run of a lesson: seconds from its kernel's start to its last cell, memory in MiB.

    `rss_mib` counts a page that learners share once for each of them, `pss_mib` in equal parts; both are
    of server, kernel and their children, at their most. `died`: the lesson did not come to its end.
    """

    seconds: float
    rss_mib: float
    pss_mib: float
    died: bool = False


@dataclass(frozen=True, repr=False)
class ClassRun:
    """A class in one lesson on so many cores, and what one of them took alone just before.

    Each began at random within `start_within_seconds` of the first; 0 is all at once.
    """

    lesson: int
    cores: int
    start_within_seconds: float
    alone: Learner
    learners: tuple[Learner, ...]
    together_mib: float

    @property
    def deaths(self) -> int:
        """How many did not come to the end of their lesson."""
        return sum(one.died for one in self.learners)

    @property
    def slowest_seconds(self) -> float:
        """The longest that a learner waited for all cells of the lesson, in seconds."""
        return max(one.seconds for one in self.learners)

    @property
    def pss_mib(self) -> float:
        """The most that one learner of the class held, in MiB, shared pages in equal parts."""
        return max(one.pss_mib for one in self.learners)

    @property
    def below_plan(self) -> bool:
        """Whether no learner held more than the plan says, which counts all pages for each."""
        return self.pss_mib <= 1024 * read_load().class_gib([self.lesson], 1)

    def cores_for(self, learners: int) -> int:
        """Return the cores with which nobody waits more than `MOST_TIMES` as long as one alone.

        In proportion to what was measured: half as many learners on a core wait half as long.
        """
        core_seconds = self.slowest_seconds * self.cores / len(self.learners)
        return math.ceil(learners * core_seconds / (MOST_TIMES * self.alone.seconds))

    def mib_for(self, learners: int) -> float:
        """Return the memory of so many learners in MiB: what they share once, and what each has alone.

        With m learners one holds p + s / m, where s is shared; alone and the class are two values of m.
        """
        present = len(self.learners)
        alone, each = self.alone.pss_mib, self.pss_mib
        shared = max(0.0, (alone - each) * present / (present - 1)) if present > 1 else 0.0
        return shared + learners * (each - shared / present)

    def __repr__(self) -> str:
        within = f"within {self.start_within_seconds:.0f} s" if self.start_within_seconds else "at once"
        died = f"{self.deaths} of their kernels died" if self.deaths else "nobody's kernel died"
        times = self.slowest_seconds / self.alone.seconds
        return (
            f"{len(self.learners)} learners who started lesson {self.lesson:02d} {within} on "
            f"{self.cores} cores: {died}; the slowest waited {self.slowest_seconds:.0f} s, {times:.1f} "
            f"times as long as one alone ({self.alone.seconds:.0f} s), with "
            f"{len(self.learners) / self.cores:.2g} to a core; together they held at most "
            f"{self.together_mib / 1024:.1f} GiB, one {self.pss_mib:,.0f} MiB with shared pages counted "
            f"in parts, {max(one.rss_mib for one in self.learners):,.0f} MiB with all of them"
        )


@dataclass(frozen=True)
class Need:
    """What learners in a lesson need of a server: cores, and memory in GiB, the hub's own included."""

    learners: int
    lesson: int
    cores: int
    gib: float


@dataclass(frozen=True)
class HubLoad:
    """What `make hub` measured, and on what machine.

    `hub_mib` is the hub and its proxy, `open_seconds` the longest that somebody waited for a server when
    all asked at once. `memory_mib` and `swap_mib` are the machine's memory and the swap in use at its
    most, `busy_percent` what other programs took of its cores before, `yardstick_seconds` its speed, as
    in `LessonLoad`.
    """

    runs: tuple[ClassRun, ...] = ()
    hub_mib: float = 0.0
    open_seconds: float = 0.0
    memory_mib: float = 0.0
    swap_mib: float = 0.0
    busy_percent: float = 0.0
    yardstick_seconds: float = 0.0
    jupyterhub: str = ""

    @property
    def conditions(self) -> str:
        """What else is to be known about the measurement, in a sentence."""
        return (
            f"All servers answered within {self.open_seconds:.0f} s after everybody had asked at once; "
            f"the hub itself held {self.hub_mib:.0f} MiB; the machine has {self.memory_mib / 1024:.0f} "
            f"GiB, and at most {self.swap_mib:.0f} MiB lay in its swap. Before, other programs took "
            f"{self.busy_percent:.0f} % of its cores."
        )

    def needs(self, sizes: Sequence[int]) -> tuple[Need, ...]:
        """Return what classes of such sizes need in each lesson that was measured."""
        return tuple(
            Need(size, one.lesson, one.cores_for(size), (self.hub_mib + one.mib_for(size)) / 1024)
            for size in sizes
            for one in self.runs
        )


def read_hub_load() -> HubLoad:
    """Return what was measured last; no runs before the first `make hub`.

    Raises:
        ValueError: the file is damaged.
    """
    if not _FILE.exists():
        return HubLoad()
    try:
        stored = json.loads(_FILE.read_text("utf-8"))
        runs = tuple(
            ClassRun(
                alone=Learner(**run.pop("alone")),
                learners=tuple(Learner(**one) for one in run.pop("learners")),
                **run,
            )
            for run in stored.pop("runs")
        )
        return HubLoad(runs, **stored)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{_FILE.name} is damaged: run `make hub` again") from error


def store_hub_load(load: HubLoad) -> None:
    """Store what was measured, each number with one digit behind the point."""
    rounded = json.loads(json.dumps(asdict(load)), parse_float=lambda text: round(float(text), 1))
    write_atomically(_FILE, json.dumps(rounded, indent=1) + "\n")
