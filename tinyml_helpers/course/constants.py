"""Constants of exercises: the same for everybody, or, in a class, each learner's own.

Only what an answer needs to know stands here, and nothing of an answer: the process that runs what was
handed in reads this file too.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

CONSTANTS: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "first_network_macs": {"hidden": (32, 24, 28, 36, 40, 44, 48, 56)},
    "depthwise_macs": {"channels": (64, 40, 48, 56, 72, 80, 96, 112)},
    "zero_point": {"right_end": (3, 2, 4, 6, 7, 8, 10, 11)},
    "folded_integer": {"gamma": (1.5, 0.75, 1.25, 1.75, 2.25, 2.5, 2.75, 3.5)},
    "scores_for_pruning": {"percent": (70, 66, 67, 68, 69, 71, 72)},
    "macs_left": {"removed_percent": (25, 10, 20, 30, 40, 60, 70)},
    "paired_error": {"last_twin": (79.8, 78.9, 80.2, 80.4, 80.6)},
    "rounded_twice": {"sum": (83.4994, 31.4994, 47.4994, 52.4994, 68.4994, 76.4994, 95.4994)},
    "least_arena": {"a_bytes": (8_000, 7_000, 7_500, 8_500, 9_000, 9_500, 10_500)},
    "dot_product": {"offset": (128, *range(101, 128))},
    "rate_not_ruled_out": {"minutes": (10, 5, 12, 15, 20, 30)},
    "windows_in_recording": {"seconds": (30, 24, 26, 28, 33, 35, 40, 45)},
    "false_alarm_shares": {"every_minutes": (1, 2, 3, 4, 5, 6, 8, 10)},
    "separable_saving": {"outputs": (256, 64, 96, 160, 192)},
    "stranger_gets_in": {"strangers": (20, 10, 15, 25, 30, 40, 50)},
    "tightest_budget": {"flash_kib": (64, 15, 16, 17, 18, 20, 22)},
}
"""Exercise -> constant -> everybody's value, then those among which a class's learners get theirs."""


@dataclass(frozen=True, repr=False)
class Seat:
    """Who works here: the name of a class, and the name under which a learner hands in; "" for none."""

    group: str = ""
    learner: str = ""

    @property
    def lacks_name(self) -> bool:
        """Whether constants cannot be drawn, because a class is named and the learner is not."""
        return bool(self.group and not normalize(self.learner))

    def __repr__(self) -> str:
        if not self.group:
            return "No class: constants of exercises are those of everybody."
        if self.lacks_name:
            return f"Class {self.group}: put the name under which you hand in in place of None."
        return f"Class {self.group}: constants of exercises are those of {self.learner}."


_seats = [Seat()]


def join(group: str, learner: str | None = None) -> Seat:
    """Take a seat: from now on constants are those of this learner in this class.

    Args:
        group: the name of the class, from whoever teaches it; "" leaves it.
        learner: the name under which the notebooks are handed in. Case, spaces and signs do not count.
    """
    _seats[0] = Seat(group.strip(), (learner or "").strip())
    return _seats[0]


def seat() -> Seat:
    """Return the seat that was taken last."""
    return _seats[0]


def given(exercise: str) -> dict[str, float]:
    """Return the constants of an exercise, by name.

    Raises:
        ValueError: the exercise has none.
    """
    if exercise not in CONSTANTS:
        known = ", ".join(sorted(CONSTANTS))
        raise ValueError(f"exercise {exercise!r} has no constants: those of {known} have")
    return {name: _draw(f"{exercise}.{name}", values) for name, values in CONSTANTS[exercise].items()}


def _draw(what: str, values: tuple[float, ...]) -> float:
    """Choose one value; no learner of a class gets everybody's, whose solution is printed."""
    here = seat()
    if not here.group or here.lacks_name:
        return values[0]
    drawn = hashlib.sha256("\0".join((here.group, normalize(here.learner), what)).encode()).digest()
    others = values[1:]
    return others[int.from_bytes(drawn[:8], "big") % len(others)]


def normalize(name: str) -> str:
    """Return a name as it counts: "Ann Smith", "ann_smith" and "ANN-SMITH" are one."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(sign for sign in folded if sign.isalnum())
