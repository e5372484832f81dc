"""Exercises of lesson 08, run it on a microcontroller."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right

CLOCK_HZ, TIMES_A_SECOND, PART = 64_000_000, 4, 0.1
CYCLES, SLOW_FLASH, PER_MAC = 1.5, 1.7, 1.33


@exercise(
    right=[(20_000,), (20_000.0,)],
    wrong=[(26_000,), (12_000,), (16_000,), (10_000,), (8_000,), (20,), (20_480,), (-1,)],
)
def least_arena(answer: float) -> Verdict:
    """Least arena of four layers with a shortcut: A, C and D live while the last one runs."""
    a = constants.given("least_arena")["a_bytes"]
    if answer == a + 12_000:
        return right(
            "While the last layer runs, A, C and D are there. A shortcut keeps its input alive over all "
            "that it jumps: that is what residual networks cost in RAM."
        )
    if answer == a + 18_000:
        return hint("That is the sum of all. Input and B are dead before the last layer runs.")
    if answer in (a + 4_000, 12_000):
        return hint("Input and output of one layer? But layer 3 still wants A: who keeps it until then?")
    if answer == a + 8_000:
        return hint("That is the second fullest moment: layer 2, with A waiting. Go on to layer 3.")
    return hint("Write down, for each layer, what it reads, what it writes, and what waits for later.")


@exercise(
    right=[(471_768,), (471_768.4,), (470_000,), (472_000,)],
    wrong=[(802_005,), (707_652,), (1_887_072,), (1_203_007,), (47_177,), (627_451,), (472,), (0,)],
)
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
        macs * PER_MAC: "That is the number of instructions. Each MAC takes 1.33 of them.",
    }
    if math.isclose(answer, macs, rel_tol=0.02):
        return right(
            "With 617 thousand MACs, `tiny` is over this budget, and by more than its MACs tell: 1.33 "
            "is the keyword network's figure, and layers as small as those of `tiny` take 2.31 "
            "instructions for each MAC. It needs more than twice the time."
        )
    for slip, why in slips.items():
        if math.isclose(answer, slip, rel_tol=0.02):
            return hint(why)
    return hint("Cycles a second, times a tenth, by 4 inferences; then by 1.5, by 1.7 and by 1.33.")


def _whole(share: float, factor: float) -> float:
    return 1 / (1 - share + share / factor)


def _shares_and_factors() -> Iterator[tuple[float, float]]:
    yield from ((0.5, 2.0), (0.0, 3.0), (1.0, 3.0), (0.25, 1.0), (0.25, 4.0), (0.5, 0.5), (0.9, 1e6))
    rng = cases.rng("speedup_of_whole")
    for _ in range(20):
        yield float(rng.uniform(0.01, 0.99)), float(rng.uniform(1.1, 20))


@exercise(
    right=[
        (lambda share, factor: 1 / (1 - share + share / factor),),
        (lambda share, factor: factor / (factor - share * factor + share),),
        (lambda share, factor: 1 / (1 - share * (1 - 1 / factor)),),
    ],
    wrong=[
        (lambda share, factor: factor,),
        (lambda share, factor: share * factor,),
        (lambda share, factor: 1 + share * (factor - 1),),
        (lambda share, factor: 1 - share + share / factor,),
        (lambda share, factor: 1 / (1 - share + share * factor),),
        (lambda share, factor: 1 / (1 - share / 2),),
        (lambda share, factor: round(1 / (1 - share + share / factor), 2),),
        (lambda share, factor: 4 / 3,),
        (lambda share, factor: None,),
        (2,),
    ],
)
def speedup_of_whole(answer: Callable[[float, float], float]) -> Verdict:
    """How many times faster a program is if a share of it becomes `factor` times faster."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    found = cases.first_difference(answer, _whole, _shares_and_factors())
    if found is None:
        return right(
            "Four times faster in a quarter of the work gives little, and however fast it gets, the "
            "three quarters that stay as they are set the limit: look for the long bars first. "
            "(Amdahl's law.)"
        )
    if cases.agrees(found.said, 1 / found.wanted):
        return hint("That is the time that is left. How many times faster is that?")
    share, factor = found.given
    return hint(
        f"Try a share of {share:.3g}, made {factor:.3g} times faster. The rest takes as long as before, "
        "and the share takes a part of what it took. How much time is left of 1?"
    )
