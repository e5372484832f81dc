"""How fast lessons go on this machine: a bar with the time left, and why it takes so long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import psutil
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from tinyml_helpers.course import machine_load

_SLOW = 1.5
"""So many times the seconds that were measured for the course are told to whoever waits."""
_BUSY = 1.25
"""So many processes for each processor that want one: more than a lesson alone asks for."""
_ENOUGH_SECONDS = 20  # as measured: shorter, and the start of a kernel is most of it
_UNKNOWN_SECONDS = 60.0


@dataclass(frozen=True)
class Pace:
    """Seconds that lessons were `expected` to take, and that those took that have run here.

    `alike` says whether they run as they were measured: the quick profile, on the shipped data.
    """

    expected: Mapping[int, float]
    alike: bool
    taken: Mapping[int, float] = field(default_factory=dict)

    def after(self, lesson: int, seconds: float) -> Pace:
        """Return the pace once a lesson has run."""
        return replace(self, taken={**self.taken, lesson: seconds})

    @property
    def factor(self) -> float:
        """How many times the expected seconds the finished lessons took; 1 before the first."""
        return sum(self.taken.values()) / self._finished if self.taken else 1.0

    @property
    def _finished(self) -> float:
        return sum(self.expected[number] for number in self.taken)

    def left_seconds(self, running: float) -> float:
        """Return how long the lesson that runs and those behind it still take.

        Args:
            running: seconds since that lesson began.
        """
        waiting = [self.factor * s for number, s in self.expected.items() if number not in self.taken]
        return max(waiting[0] - running, 0.0) + sum(waiting[1:]) if waiting else 0.0

    def tell_left(self, running: float) -> str:
        """Return the time left in words."""
        if not self.alike and not self.taken:
            return "time left: known after it"
        left = self.left_seconds(running)
        return f"about {left / 60:.0f} min left" if left >= 90 else "about a minute left"

    def explain_slowness(self, load: float, processors: int) -> str:
        """Say in a sentence that lessons take long here, and why; "" where they do not.

        Args:
            load: processes that want a processor, in the mean over the last minute.
            processors: of the machine.
        """
        if not self.alike or self._finished < _ENOUGH_SECONDS or self.factor < _SLOW:
            return ""
        usual = sum(self.expected.values()) / 60
        cause = (
            f"Other programs are at work: {load:.1f} processes want {processors} processors. "
            "It goes faster once they are done."
            if load > _BUSY * processors
            else "Nothing is wrong: the machine is slower, or gives us fewer cores."
        )
        return (
            f"The lessons take {self.factor:.1f} times as long as where they were measured, so about "
            f"{self.factor * usual:.0f} minutes in place of {usual:.0f}. {cause}"
        )


def begin(lessons: Sequence[int], *, alike: bool) -> Pace:
    """Return the pace before the first lesson, from what `make load` measured.

    Args:
        lessons: their numbers, in order.
        alike: whether they run as they were measured.

    Raises:
        ValueError: the file of what was measured is damaged.
    """
    measured = {one.lesson: one.seconds for one in machine_load.read_load().lessons}
    psutil.getloadavg()  # on Windows the first call begins to measure
    expected = {number: measured.get(number, _UNKNOWN_SECONDS) for number in lessons}
    return Pace(expected, alike and measured.keys() >= expected.keys())


@contextmanager
def show_bar(console: Console, title: str, pace: Pace) -> Iterator[None]:
    """Show a lesson's title, a bar over all lessons and the time left, where somebody looks."""
    begun = time.monotonic()

    def draw() -> Table:
        running = time.monotonic() - begun
        done = sum(pace.taken.values()) + running
        whole = done + pace.left_seconds(running)
        row = Table.grid(padding=(0, 1))
        row.add_row(title, ProgressBar(whole, done, width=20), pace.tell_left(running))
        return row

    with Live(console=console, get_renderable=draw, refresh_per_second=2, transient=True):
        yield
