"""Exercises of lesson 09, keyword spotting."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(
    right=[(-6 * math.log(0.05),), (17.97,), (18,), (18.0,)],
    wrong=[(0,), (6,), (3,), (0.3,), (60,), (0.05,), (0.5,), (114,), (1,)],
)
def rate_not_ruled_out(answer: float) -> Verdict:
    """Rate per hour at which ten quiet minutes (or as given) have a chance of 5 %: -ln(0.05) * 6."""
    minutes = constants.given("rate_not_ruled_out")["minutes"]
    per_hour = 60 / minutes
    if math.isclose(answer, -math.log(0.05) * per_hour, rel_tol=0.02):
        return right(
            "Three divided by the time: statisticians call it the rule of three. To promise less than "
            "one false alarm in a day you have to listen for three days."
        )
    if answer == 0:
        return hint(f"None was heard, but with one every hour, {minutes} minutes are mostly quiet too.")
    if math.isclose(answer, per_hour):
        return hint("At that rate you expect one in this time, and get none in 37 % of the cases.")
    if math.isclose(answer, -math.log(0.05), rel_tol=0.02):
        return hint(f"Right for {minutes} minutes. How many is that in an hour?")
    return hint(
        f"With a rate r per hour, {minutes} minutes are quiet with probability exp(-r / {per_hour:g}). "
        "Set it to 0.05."
    )


def _reported(scores: Sequence[float], threshold: float, silent: int) -> list[int]:
    windows: list[int] = []
    for window, score in enumerate(scores):
        if score >= threshold and (not windows or window - windows[-1] >= silent):
            windows.append(window)
    return windows


def _in_numpy(scores: Sequence[float], threshold: float, silent: int) -> NDArray[np.int64]:
    free, windows = 0, list[int]()
    for window in np.flatnonzero(np.asarray(scores) >= threshold).tolist():
        if window >= free:
            windows.append(window)
            free = window + silent
    return np.array(windows, np.int64)


def _since_the_last_high(scores: Sequence[float], threshold: float, silent: int) -> list[int]:
    high = [window for window, score in enumerate(scores) if score >= threshold]
    gaps = [silent, *np.diff(high)]
    return [window for window, gap in zip(high, gaps, strict=False) if gap >= silent]


def _silent_first(scores: Sequence[float], threshold: float, silent: int) -> list[int]:
    return _reported([0.0] * silent + list(scores), threshold, silent)


def _scenes() -> Iterator[tuple[list[float], float, int]]:
    """Scores in hundredths, so that some lie exactly on the threshold: none, few, many, all alike."""
    draw = cases.rng("report_function")
    yield [], 0.5, 2
    for length in (1, 2, 3, 5, 8, 13, 21, 34, 34, 34, 34, 55, 55, 55, 55, 89, 89, 89):
        scores = draw.integers(0, 101, length)
        tie = int(draw.choice(scores))
        threshold = tie if draw.random() < 0.7 else int(draw.integers(5, 96))
        yield (scores / 100).tolist(), threshold / 100, int(draw.integers(1, 7))
    yield [0.3] * 9, 0.4, 2
    yield [0.3] * 9, 0.3, 4


@exercise(
    right=[
        (_reported,),
        (_in_numpy,),
        (lambda scores, threshold, silent: tuple(_reported(scores, threshold, silent)),),
    ],
    wrong=[
        (lambda scores, threshold, silent: [],),
        (lambda scores, threshold, silent: [i for i, s in enumerate(scores) if s >= threshold],),
        (lambda scores, threshold, silent: _reported(scores, 0.8, silent),),
        (lambda scores, threshold, silent: _reported(scores, threshold, 3),),
        (lambda scores, threshold, silent: _reported(scores, threshold + 1e-9, silent),),
        (lambda scores, threshold, silent: _reported(scores, threshold, silent + 1),),
        (lambda scores, threshold, silent: _reported(scores, threshold, max(silent - 1, 1)),),
        (lambda scores, threshold, silent: _reported(scores, threshold, silent)[:1],),
        (lambda scores, threshold, silent: _in_numpy(scores, threshold, 1)[::silent],),
        (lambda scores, threshold, silent: [scores[i] for i in _reported(scores, threshold, silent)],),
        (_since_the_last_high,),
        (_silent_first,),
        ([1, 5, 9],),
        (7,),
    ],
)
def report_function(answer: Callable[[Sequence[float], float, int], Sequence[int]]) -> Verdict:
    """A function that returns the windows at which a word is reported."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    wrong = cases.first_difference(answer, _reported, _scenes())
    if wrong is None:
        return right(
            "Four lines, and the device no longer shouts a word three times that was said once."
        )
    scores, threshold, silent = wrong.given
    given = f"{scores[:12]}{' ...' if len(scores) > 12 else ''}, {threshold} and {silent}"
    advice = _advice(wrong.said, scores, threshold, silent)
    return hint(f"Of {given} yours makes {cases.show(wrong.said)}. {advice}")


def _advice(said: Any, scores: list[float], threshold: float, silent: int) -> str:
    high = _reported(scores, threshold, 1)
    if cases.agrees(said, high):
        return "A word stays in the window for a second: after a report, `silent` windows must pass."
    if cases.agrees(said, _reported(scores, threshold + 1e-9, silent)):
        return "A score of exactly the threshold reports too."
    if cases.agrees(said, _reported(scores, threshold, silent + 1)):
        return "Count the silence from the last report: `silent` windows after it is not too early."
    if not set(np.ravel(said).tolist()) <= set(high):
        return "Only a window whose score reaches the threshold that was given may report."
    return "Go through the scores in order, and remember the window of the last report."
