"""Exercises of lesson 08, run it on a microcontroller."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right


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
