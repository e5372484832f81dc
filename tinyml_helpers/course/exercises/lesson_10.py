"""Exercises of lesson 10, gesture recognition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right

Names = NDArray[np.str_]


@exercise(
    right=[(27,), (27.0,), (np.int64(27),)],
    wrong=[(30,), (26,), (7,), (7.5,), (28,), (30.0,), (26.0,), (26.9,)],
)
def windows_in_recording(answer: float) -> Verdict:
    """Windows of 4 s, one each second, in a recording of 30 s (or as given): (30 - 4) / 1 + 1 = 27."""
    seconds = constants.given("windows_in_recording")["seconds"]
    if answer == seconds - 3:
        return right(
            "The first takes 4 s, each later one only a second more. And so many overlapping windows "
            "of one movement are far from as many independent ones: so the test goes by person."
        )
    if answer == seconds - 4:
        return hint("Nearly: count the window that starts at 0 as well.")
    if answer in (seconds // 4, seconds / 4):
        return hint("So many fit side by side. But a new one starts every second.")
    return hint("The last window must end before the recording does: when may it start at the latest?")


def _split(people: Names, person: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.flatnonzero(people != person), np.flatnonzero(people == person)


def _split_in_torch(people: Names, person: str) -> tuple[Any, Any]:
    import torch

    mine = torch.from_numpy(people == person)
    return (~mine).nonzero().flatten(), mine.nonzero().flatten()


def _split_in_a_loop(people: Names, person: str) -> tuple[list[int], list[int]]:
    train: list[int] = []
    test: list[int] = []
    for number, name in enumerate(people):
        (test if name == person else train).append(number)
    return train, test


def _numbers(part: Any) -> list[int]:
    """Return the numbers of windows in order, also of tensors; a mask and names are refused."""
    found = np.asarray(cases.to_plain(part))
    if found.dtype == bool:
        raise TypeError("a mask of True and False where numbers of windows are asked for")
    if found.dtype.kind in "US":
        raise TypeError("names of people where numbers of windows are asked for")
    return sorted(int(number) for number in found.ravel())


def _same_split(said: Any, wanted: Any) -> bool:
    train, test = said
    return _numbers(train) == _numbers(wanted[0]) and _numbers(test) == _numbers(wanted[1])


def _recordings() -> Iterator[tuple[Names, str]]:
    """Draw whose windows they are, in any order, and who is left out."""
    draw = cases.rng("leave_one_person_out")
    for number in range(20):
        names = draw.permutation(["ann", "bob", "cem", "dia", "eva", "10", "1"])[: 2 + number % 5]
        rest = draw.choice(names, int(draw.integers(0, 3 * len(names))))
        people = draw.permutation(np.concatenate([names, rest]))
        yield people, str(draw.choice(names))


@exercise(
    right=[
        (_split,),
        (_split_in_torch,),
        (_split_in_a_loop,),
        (lambda people, person: (_split(people, person)[0][::-1], _split(people, person)[1].tolist()),),
    ],
    wrong=[
        (lambda people, person: (np.arange(2), np.arange(2, 6)),),
        (lambda people, person: (np.flatnonzero(people == person),) * 2,),
        (lambda people, person: _split(people, person)[::-1],),
        (lambda people, person: _split(people, people[0]),),
        # One window of somebody else's again and again, in place of all of them.
        (lambda people, person: ([_split(people, person)[0][0]] * (people != person).sum(),
                                 _split(people, person)[1]),),
        (lambda people, person: (_split(people, person)[0][1:], _split(people, person)[1]),),
        (lambda people, person: (_split(people, person)[0], _split(people, person)[1][:1]),),
        (lambda people, person: (np.arange(len(people)), _split(people, person)[1]),),
        (lambda people, person: (people != person, people == person),),
        (lambda people, person: _split(people, person)[0],),
        (lambda people, person: (people[people != person], people[people == person]),),
        (lambda people, person: None,),
        (7,),
    ],
)  # fmt: skip
def leave_one_person_out(answer: Callable[..., tuple[Sequence[int], Sequence[int]]]) -> Verdict:
    """A function of people [N] and a person that returns numbers of training and of test windows."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    wrong = cases.first_difference(answer, _split, _recordings(), same=_same_split)
    if wrong is None:
        return right("scikit-learn has it as LeaveOneGroupOut. A group is a person here, or a machine.")
    people, person = wrong.given
    train, test = (_numbers(part) for part in wrong.said)
    given = f"For people {people.tolist()} and person {person!r} it returns {train} and {test}"
    if set(train) & set(test):
        return hint(f"{given}: some windows are on both sides, which is the leak itself.")
    if {people[i] for i in train if i < len(people)} == {person}:
        return hint(f"{given}: the other way round, for who is left out is the test.")
    if len(set(train)) < len(train) or len(set(test)) < len(test):
        return hint(f"{given}: a window is named twice there.")
    return hint(f"{given}: every window belongs to one side, and nobody to both.")
