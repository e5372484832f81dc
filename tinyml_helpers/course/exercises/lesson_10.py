"""Exercises of lesson 10, gesture recognition."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(wrong=[(30,), (26,), (7,), (28,), (30.0,), (26.0,)])
def windows_in_recording(answer: float) -> Verdict:
    """Windows of 4 s, one each second, in a recording of 30 s: (30 - 4) / 1 + 1 = 27."""
    if answer == 27:
        return right(
            "The first takes 4 s, each later one only a second more. And 27 overlapping windows of one "
            "movement are far from 27 independent ones: so the test goes by person."
        )
    if answer == 26:
        return hint("Nearly: count the window that starts at 0 as well.")
    if answer == 7:
        return hint("So many fit side by side. But a new one starts every second.")
    return hint("The last window must end before the recording does: when may it start at the latest?")


@exercise(
    wrong=[
        (lambda people, person: (np.arange(2), np.arange(2, 6)),),
        (lambda people, person: (np.flatnonzero(np.array(people) == person),) * 2,),
        (
            lambda people, person: (
                np.flatnonzero(np.array(people) == person), np.flatnonzero(np.array(people) != person)
            ),
        ),
        (7,),
    ]
)  # fmt: skip
def leave_one_person_out(answer: Callable[..., tuple[Sequence[int], Sequence[int]]]) -> Verdict:
    """A function of people [N] and a person that returns numbers of training and of test windows."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    people = ["ann", "bob", "ann", "cem", "bob", "cem", "ann"]
    for person in ("ann", "bob", "cem"):
        train, test = (sorted(int(i) for i in part) for part in answer(people, person))
        if set(train) & set(test):
            return hint("Some windows are on both sides: that is the leak itself.")
        if {people[i] for i in train} == {person}:
            return hint("The other way round: the person who is left out is the test.")
        if person in {people[i] for i in train} or {people[i] for i in test} != {person}:
            return hint("Look at who is where: nobody may be on both sides.")
        if len(train) + len(test) != len(people):
            return hint("Some windows got lost: every one belongs to one of the two sides.")
    return right("scikit-learn has it as LeaveOneGroupOut. A group is a person here, or a machine.")


@exercise(wrong=[(20,), (33.3,), (1.3,), (14.4,), (480,), (11.6,)])
def wearable_days(answer: float) -> Verdict:
    """2,000 J; 1.7 mW for two hours a day and 0.02 mW for 22: 12.24 + 1.584 = 13.82 J, 144.7 days."""
    joules_a_day = 1.7e-3 * 2 * 3600 + 0.02e-3 * 22 * 3600
    days = 2000 / joules_a_day
    if math.isclose(answer, days, rel_tol=0.01):
        return right(
            "Two hours of use still cost eight times as much as 22 hours of waiting: first shorten "
            "what is on, then improve the sleep."
        )
    if math.isclose(answer, 2000 / (1.7e-3 * 86400), rel_tol=0.05):
        return hint("That is with everything on all day. For 22 hours it waits.")
    if math.isclose(answer, joules_a_day, rel_tol=0.05):
        return hint("These are joules a day. How many days do 2,000 J last?")
    return hint("Joules are watts times seconds: add up both parts of a day, then divide.")
