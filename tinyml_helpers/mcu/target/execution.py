"""What one run of a program on an emulated core gave and took, as counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True)
class Span:
    """Instructions from where a watched function begins, or goes on, to where one does so next.

    Args:
        caller: the watched function.
        function: where it went: what it called, or returned to; empty at the end of the run.
        entry: instructions executed before.
        exit: instructions executed when a watched function went on.
    """

    caller: str
    function: str
    entry: int
    exit: int

    @property
    def instructions(self) -> int:
        """Those of the call, and the few that prepare it."""
        return self.exit - self.entry


@dataclass(frozen=True, eq=False, repr=False)
class Execution:
    """What one run of `main()` gave and took.

    Args:
        outputs: name of a variable -> its values when `main()` returned, one-dimensional.
        instructions: executed from the start of `main()` to its return, start-up apart.
        flash_bytes: code and constants.
        ram_bytes: variables, without the stack.
        stack_bytes: the deepest that the stack grew.
        spans: of the watched functions, one after another: a span for each of their calls, and a
            last one to their return.
    """

    outputs: Mapping[str, npt.NDArray[Any]]
    instructions: int
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    spans: tuple[Span, ...] = ()

    def __repr__(self) -> str:
        """Show what the run took; `outputs` has what it gave."""
        rows = [
            ("instructions", f"{self.instructions:,}", "executed by main()"),
            ("flash", f"{self.flash_bytes:,} B", "code and constants"),
            ("RAM", f"{self.ram_bytes:,} B", "variables"),
            ("stack", f"{self.stack_bytes:,} B", "RAM too: the deepest that it grew"),
        ]
        return "\n".join(f"{name:<14}{value:>12}   {note}" for name, value, note in rows)
