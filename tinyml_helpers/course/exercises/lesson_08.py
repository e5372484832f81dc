"""Exercises of lesson 08, run it on a microcontroller."""

from __future__ import annotations

import math
from collections.abc import Callable

from tinyml_helpers.course.check import Verdict, exercise, hint, right

CLOCK_HZ, TIMES_A_SECOND, PART = 64_000_000, 4, 0.1
CYCLES, SLOW_FLASH, PER_MAC = 1.5, 1.7, 1.33


@exercise(wrong=[(26_000,), (12_000,), (16_000,), (10_000,), (8_000,), (-1,)])
def least_arena(answer: float) -> Verdict:
    """Least arena of four layers with a shortcut: A, C and D live while the last one runs."""
    if answer == 20_000:
        return right(
            "While the last layer runs, A, C and D are there. A shortcut keeps its input alive over all "
            "that it jumps: that is what residual networks cost in RAM."
        )
    if answer == 26_000:
        return hint("That is the sum of all. Input and B are dead before the last layer runs.")
    if answer == 12_000:
        return hint("Input and output of one layer? But layer 3 still wants A: who keeps it until then?")
    if answer == 16_000:
        return hint("That is the second fullest moment: layer 2, with A waiting. Go on to layer 3.")
    return hint("Write down, for each layer, what it reads, what it writes, and what waits for later.")


@exercise(wrong=[(802_005,), (707_652,), (1_887_072,), (1_203_007,), (47_177,), (0,)])
def macs_in_budget(answer: float) -> Verdict:
    """MACs that fit into a tenth of the time, on the slow side of the band."""
    budget = CLOCK_HZ * PART / TIMES_A_SECOND
    macs = budget / CYCLES / SLOW_FLASH / PER_MAC
    slips = {
        macs * SLOW_FLASH: "That is for memory without wait states. Plan for the slow side.",
        macs * CYCLES: "An instruction is not a cycle: divide by 1.5 as well.",
        macs * SLOW_FLASH * CYCLES: "That counts instructions as cycles: divide by 1.5, and by 1.7.",
        macs * TIMES_A_SECOND: "That is what a whole second allows; four inferences share it.",
        macs * PART: "The tenth came in twice.",
    }
    if math.isclose(answer, macs, rel_tol=0.02):
        return right(
            f"About {macs / 1000:,.0f} thousand. `tiny`, with 617 thousand, is over this budget, and "
            "now you know it before you train anything."
        )
    for slip, why in slips.items():
        if math.isclose(answer, slip, rel_tol=0.02):
            return hint(why)
    return hint("Cycles a second, times a tenth, by 4 inferences; then by 1.5, by 1.7 and by 1.33.")


@exercise(
    wrong=[
        (lambda share, factor: factor,),
        (lambda share, factor: share * factor,),
        (lambda share, factor: 1 + share * (factor - 1),),
        (lambda share, factor: 1 - share + share / factor,),
        (2,),
    ]
)
def speedup_of_whole(answer: Callable[[float, float], float]) -> Verdict:
    """How many times faster a program is if a share of it becomes `factor` times faster."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    given = [float(answer(0.5, 2.0)), float(answer(0.25, 4.0)), float(answer(1.0, 3.0))]
    wanted = [1 / 0.75, 1 / (0.75 + 0.0625), 3.0]
    if all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(given, wanted, strict=True)):
        return right(
            f"A quarter of the work, four times faster, gives {wanted[1]:.2f}. However fast it gets, "
            "the whole stays below 1.33: look for the long bars first. (Amdahl's law.)"
        )
    if math.isclose(given[0], 0.75):
        return hint("That is the time that is left. How many times faster is that?")
    return hint("Half of the time, twice as fast: 0.5 + 0.25 of the time is left. So how much faster?")
