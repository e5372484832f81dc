"""What a trial may choose: width, channels removed, zeros, bits of a weight, and a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

BITS = (8, 6, 5, 4, 3, 2)


@dataclass(frozen=True, order=True)
class Settings:
    """One choice for everything that a search may vary.

    Args:
        width: multiplies the channels of the task's network.
        removed: share of those channels that is removed half-way through training, 0 to below 1.
        zeros: share of the weights that is held at zero from then on, 0 to below 1.
        bits: values that a weight may take, as a power of two; they are stored as int8 all the same.
        teacher: learn from the task's teacher too.
        seed: of first weights, order and alterations.

    Raises:
        ValueError: a value out of its range.
    """

    width: float = 1.0
    removed: float = 0.0
    zeros: float = 0.0
    bits: int = 8
    teacher: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.width <= 4:
            raise ValueError(f"width {self.width}: give a factor above 0, at most 4")
        for name in ("removed", "zeros"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)}: give a share from 0 to below 1")
        if self.bits not in BITS:
            raise ValueError(f"{self.bits} bits: choose one of {', '.join(map(str, BITS))}")

    @property
    def design(self) -> Settings:
        """The same without its seed: trials of one design differ by chance alone."""
        return replace(self, seed=0)

    def __str__(self) -> str:
        """The choices that are not the plain ones, in words."""
        words = [f"width {self.width:g}"]
        words += [f"{self.removed:.0%} removed"] if self.removed else []
        words += [f"{self.zeros:.0%} zeros"] if self.zeros else []
        words += [f"{self.bits}-bit weights"] if self.bits != 8 else []
        words += ["taught"] if self.teacher else []
        return ", ".join(words)


def grid(**choices: Sequence[Any]) -> list[Settings]:
    """Return every combination of the choices, in a fixed order.

    Args:
        choices: name of a setting -> values, such as `width=(0.5, 1), bits=(8, 4)`.

    Raises:
        ValueError: no such setting, or a value out of its range.
    """
    known = asdict(Settings())
    if unknown := set(choices) - set(known):
        raise ValueError(f"no setting {sorted(unknown)[0]!r}: choose among {', '.join(known)}")
    names = tuple(choices)
    return [Settings(**dict(zip(names, values, strict=True))) for values in product(*choices.values())]
