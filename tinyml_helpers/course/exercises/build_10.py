"""What lesson 10 asks to build: a split into training and test that leaks nothing and misses nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise, hint, right

Split = tuple[Any, Any]
LEAST, MOST = 0.15, 0.45
"""Which share of each movement's windows may be held back."""
_ASKED = (
    "split(people, recordings, movements) returns numbers of windows to train on and numbers to test "
    "on: nobody is on both sides, and of each movement 15 to 45 % of the windows are in the test."
)


def _by_mask(test: Any) -> Split:
    return np.flatnonzero(~np.asarray(test)), np.flatnonzero(test)


def _shares(test: Any, movements: Any) -> dict[str, float]:
    return {str(one): float(np.mean(np.asarray(test)[movements == one])) for one in np.unique(movements)}


def _is_fair(test: Any, movements: Any) -> bool:
    return all(LEAST <= share <= MOST for share in _shares(test, movements).values())


def _every_choice(people: Any, recordings: Any, movements: Any) -> Split:
    everybody = np.unique(people)
    for count in range(1, len(everybody)):
        for chosen in itertools.combinations(everybody, count):
            if _is_fair(np.isin(people, chosen), movements):
                return _by_mask(np.isin(people, chosen))
    raise ValueError("no choice of people is fair")


def _by_lot(people: Any, recordings: Any, movements: Any) -> Split:
    draw = np.random.default_rng(1)
    while True:
        test = np.isin(people, [one for one in np.unique(people) if draw.random() < 0.3])
        if _is_fair(test, movements):
            return _by_mask(test)


def _in_torch(people: Any, recordings: Any, movements: Any) -> Any:
    import torch

    train, test = _every_choice(people, recordings, movements)
    return torch.from_numpy(train), torch.from_numpy(test)


def _random_windows(people: Any, recordings: Any, movements: Any) -> Split:
    return _by_mask(np.random.default_rng(0).random(len(people)) < 0.3)


def _every_third(people: Any, recordings: Any, movements: Any) -> Split:
    return _by_mask(np.arange(len(people)) % 3 == 0)


def _last_quarter(people: Any, recordings: Any, movements: Any) -> Split:
    return _by_mask(np.arange(len(people)) >= 0.75 * len(people))


def _last_part_of_each_movement(people: Any, recordings: Any, movements: Any) -> Split:
    test = np.zeros(len(people), bool)
    for one in np.unique(movements):
        windows = np.flatnonzero(movements == one)
        test[windows[-max(1, round(0.3 * len(windows))) :]] = True
    return _by_mask(test)


def _by_recording(people: Any, recordings: Any, movements: Any) -> Split:
    return _by_mask(np.isin(recordings, np.unique(recordings)[::3]))


def _last_person(people: Any, recordings: Any, movements: Any) -> Split:
    return _by_mask(people == np.unique(people)[-1])


def _third_of_the_people(people: Any, recordings: Any, movements: Any) -> Split:
    return _by_mask(np.isin(people, np.unique(people)[::3]))


def _all_but_one_person(people: Any, recordings: Any, movements: Any) -> Split:
    return _by_mask(people != np.unique(people)[0])


def _exchanged(people: Any, recordings: Any, movements: Any) -> Split:
    train, test = _every_choice(people, recordings, movements)
    return test, train


_ON_BOTH_SIDES, _IN_THE_TEST = " is on both sides.", " in the test."
_LEAK = "Windows of one person are on both sides: the test then asks who was seen, not what is known."
_MISSED = "Nobody is on both sides. But not everybody did every movement: choose people until it fits."
SLIPS = (
    building.Slip(_random_windows, f"That draws windows, one by one. {_LEAK}"),
    building.Slip(_every_third, f"Every third window overlaps its neighbours. {_LEAK}"),
    building.Slip(_last_quarter, f"That cuts the list by its length. {_LEAK}"),
    building.Slip(_last_part_of_each_movement, f"Each movement has its share. {_LEAK}"),
    building.Slip(_by_recording, f"Whole recordings, but one person made several. {_LEAK}"),
    building.Slip(_last_person, f"One person is held back. {_MISSED}"),
    building.Slip(_third_of_the_people, f"A third of the people is held back. {_MISSED}"),
    building.Slip(_all_but_one_person, "You train on one person and test on all others."),
    building.Slip(_exchanged, "The other way round: the larger part, to train on, comes first."),
)


def _hidden() -> Iterator[cases.Case]:
    """Draw who did what: nobody all of it, and always some choice of people that is fair."""
    draw = cases.rng("split_without_leak")
    for size in (1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4):
        found = None
        while found is None:
            case = _draw(draw, size)
            fair = any(_fair_choices(case))
            one, third = (
                _shares_fair(slip(*case), case[2]) for slip in (_last_person, _third_of_the_people)
            )
            found = case if fair and not one and not third else None
        yield found


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    kinds = ("circle", "wave", "lift")[: 1 + min(size, 2)]
    rows: list[tuple[str, str, str]] = []
    for person in draw.permutation(["ann", "bob", "cem", "dia", "eva", "fay", "gus"])[: 3 + size]:
        did = [kind for kind in kinds if draw.random() < 0.6] or [str(draw.choice(kinds))]
        for kind in did * 2:
            name = f"r{len({row[1] for row in rows}):02d}"
            rows += [(str(person), name, kind)] * int(draw.integers(1, 4))
    people, recordings, movements = np.array(rows).T
    return people, recordings, movements


def _fair_choices(case: cases.Case) -> Iterator[bool]:
    people, _, movements = case
    everybody = np.unique(people)
    for bits in itertools.product((False, True), repeat=len(everybody)):
        yield _is_fair(np.isin(people, everybody[np.array(bits)]), movements)


def _shares_fair(split: Split, movements: Any) -> bool:
    test = np.isin(np.arange(len(movements)), split[1])
    return _is_fair(test, movements)


def _numbers(part: Any) -> list[int]:
    found = np.asarray(part)
    if found.dtype.kind not in "iu" and found.size:
        raise TypeError(f"{found.dtype} where whole numbers of windows are asked for")
    return sorted(found.ravel().tolist())


def _complaint(case: cases.Case, said: Any) -> str:
    """Return what is wrong with a split, "" if nothing."""
    people, _, movements = case
    if said is None:
        return "Your function returns nothing: end it with return, and search until a choice fits."
    if not isinstance(said, list | tuple) or len(said) != 2:
        return "Return two things: numbers to train on, and numbers to test on."
    train, test = (_numbers(part) for part in said)
    if set(train) & set(test):
        return "Some windows are on both sides, which is the leak itself."
    if sorted(train + test) != list(range(len(people))):
        return "Each window belongs to one side, once: some are missing, twice there, or do not exist."
    both = sorted(set(people[train]) & set(people[test]))
    if both:
        return f"{both[0]}{_ON_BOTH_SIDES}"
    shares = _shares(np.isin(np.arange(len(people)), test), movements)
    unfair = [one for one, share in shares.items() if not LEAST <= share <= MOST]
    return " and ".join(f"{100 * shares[one]:.0f} % of {one}" for one in unfair) + _IN_THE_TEST * bool(
        unfair
    )


def _advise(complaint: str) -> str:
    """Say why it matters, where no slip is known."""
    if complaint.endswith(_ON_BOTH_SIDES):
        return _LEAK
    return _MISSED if complaint.endswith(_IN_THE_TEST) else ""


def _same(said: Any, made: Any) -> bool:
    return [_numbers(part) for part in said] == [_numbers(part) for part in made]


@exercise(
    right=[(_every_choice,), (_by_lot,), (_in_torch,)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda people, recordings, movements: ([0, 1], [2, 3]),),
        (lambda people, recordings, movements: ([], np.arange(len(people))),),
        (lambda people, recordings, movements: (np.arange(len(people)), [0]),),
        (lambda people, recordings, movements: _every_choice(people, people, movements)[1],),
        (lambda people, recordings, movements: (people == people[0], people != people[0]),),
        (lambda people, recordings, movements: (np.unique(people)[1:], np.unique(people)[:1]),),
        (lambda people, recordings, movements: None,),
        (lambda people: people,),
        (0.25,),
    ],
    slips=[slip.hint for slip in SLIPS],
)
def split_without_leak(answer: Callable[..., Split]) -> Verdict:
    """A split by person in which each movement is on both sides; any that is fair is right."""
    if not callable(answer):
        return hint(f"{_ASKED} Give the function itself, without calling it.")
    tried, wrong = [], []
    for case in _hidden():
        try:
            said = cases.to_plain(answer(*cases.copied(case)))
            complaint, error = _complaint(case, said), None
        except Exception as raised:
            said, error = None, raised
            complaint = f"Your function stops, or makes no split: {type(raised).__name__}: {raised}."[
                :200
            ]
        tried.append(building.Tried(case, None, said, error))
        wrong += [(case, complaint)] if complaint else []
    if not wrong:
        return right(
            "scikit-learn has StratifiedGroupKFold for this, which tries to be fair and does not "
            "promise it: count the movements on both sides of whatever split you are given."
        )
    (people, _, movements), complaint = wrong[0]
    who = ", ".join(f"{person}: {'/'.join(sorted(set(movements[people == person])))}"
                    for person in np.unique(people))  # fmt: skip
    advice = building.find_slip(SLIPS, tried, _same) or _advise(complaint)
    parts = (_ASKED, advice, f"Of {len(people)} windows ({who}):", complaint)
    return hint(" ".join(filter(None, parts)))
