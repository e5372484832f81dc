"""Exercises that build: what a learner wrote is run on hidden cases and held against a reference.

The verdict says what was asked, what is right already, which typical slip it looks like, and the
smallest case that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, hint, right

_SIZES, _PER_SIZE = 5, 6


@dataclass(frozen=True)
class Slip:
    """A typical wrong answer: a `function` that makes it, and the `hint` for whoever made it."""

    function: Callable[..., Any]
    hint: str


@dataclass(frozen=True)
class Part:
    """One thing that a result can get right while another is wrong: in words, and how to tell.

    `holds` is given the case, what the answer said and what is wanted.
    """

    words: str
    holds: Callable[[cases.Case, Any, Any], bool]


@dataclass(frozen=True)
class Task:
    """What an exercise asks to build.

    Args:
        asked: one sentence that ends in a full stop.
        arguments: names of the function's arguments, for verdicts.
        reference: the right function, of numpy arrays.
        draw_case: draws arguments of a size from 1, the smallest, to 5.
        slips: typical wrong functions; the first that agrees with an answer in all cases names it.
        parts: what can be right by itself, in the order in which people get there.
        same: says whether two results agree, the answer's first.
        special: cases that chance would seldom draw.
    """

    asked: str
    arguments: tuple[str, ...]
    reference: Callable[..., Any]
    draw_case: Callable[[np.random.Generator, int], cases.Case]
    slips: tuple[Slip, ...]
    parts: tuple[Part, ...]
    same: Callable[[Any, Any], bool]
    special: tuple[cases.Case, ...] = ()


@dataclass(frozen=True)
class Tried:
    """A case, what is wanted, and what the answer said of it or the error with which it stopped."""

    case: cases.Case
    wanted: Any
    said: Any
    error: Exception | None = None


def judge(task: Task, name: str, answer: Any, why: str) -> Verdict:
    """Judge a learner's function.

    Args:
        task: what was asked.
        name: of the exercise: hidden cases are drawn by it, and by whose constants these are.
        answer: the function, in numpy or torch.
        why: what a right answer is told.
    """
    if not callable(answer):
        return hint(f"{task.asked} Give the function itself, without calling it.")
    hidden = sorted([*_draw(task, name), *task.special], key=cases.size)
    call = cases.in_numpy_or_torch(answer, hidden[0])
    tried = [_try(call, task.reference, case) for case in hidden]
    wrong = [one for one in tried if one.error or not task.same(one.said, one.wanted)]
    if not wrong:
        return right(why)
    said = [task.asked, _what_is_right(task, tried), find_slip(task.slips, tried, task.same)]
    said.append(_explain(task, _simplify(task, call, wrong[0])))
    return hint(" ".join(filter(None, said)))


def _draw(task: Task, name: str) -> list[cases.Case]:
    here = constants.seat()
    draw = cases.rng(f"{name} {here.group} {constants.normalize(here.learner)}".strip())
    return [task.draw_case(draw, size) for size in range(1, _SIZES + 1) for _ in range(_PER_SIZE)]


def _try(call: Callable[[cases.Case], Any], reference: Callable[..., Any], case: cases.Case) -> Tried:
    wanted = reference(*cases.copied(case))
    try:
        with np.errstate(all="ignore"):  # what is no number is told in the verdict
            return Tried(case, wanted, cases.to_plain(call(case)))
    except Exception as error:
        return Tried(case, wanted, None, error)


def _what_is_right(task: Task, tried: Sequence[Tried]) -> str:
    """Say which parts hold in every case; nothing where the function stops."""
    if any(one.error for one in tried):
        return ""
    good = [part.words for part in task.parts if all(_holds(part, one) for one in tried)]
    return f"Right already: {'; '.join(good)}." if good else ""


def _holds(part: Part, one: Tried) -> bool:
    try:
        return bool(part.holds(one.case, one.said, one.wanted))
    except Exception:  # of a result of another kind
        return False


def find_slip(slips: Sequence[Slip], tried: Sequence[Tried], same: Callable[[Any, Any], bool]) -> str:
    """Return the hint of the first slip that agrees with an answer in all cases; "" if none does.

    Args:
        slips: in the order of preference.
        tried: cases with what was `said` of them.
        same: says whether two results agree; what is no number agrees with what is none.
    """
    for slip in slips:
        if all(_slips_alike(slip, one, same) for one in tried):
            return slip.hint
    return ""


def _slips_alike(slip: Slip, one: Tried, same: Callable[[Any, Any], bool]) -> bool:
    try:
        with np.errstate(all="ignore"):
            made = cases.to_plain(slip.function(*cases.copied(one.case)))
        return one.error is None and same(_finite(one.said), _finite(made))
    except Exception:  # the slip stops here, and so does the likeness
        return False


def _finite(value: Any) -> Any:
    """Put a number of its own in place of each that is none, so that two of them compare."""
    if isinstance(value, list | tuple):
        return type(value)(map(_finite, value))
    array = np.asarray(value)
    return np.nan_to_num(array, nan=-7e7, posinf=-8e7, neginf=-9e7) if array.dtype.kind == "f" else value


def _simplify(task: Task, call: Callable[[cases.Case], Any], wrong: Tried) -> Tried:
    """Round the values of a case that fails as far as it goes on failing."""
    for digits in (0, 1, 2):
        simple = _try(call, task.reference, tuple(_rounded(part, digits) for part in wrong.case))
        if type(simple.error) is type(wrong.error) and not task.same(simple.said, simple.wanted):
            return simple
    return wrong


def _rounded(value: Any, digits: int) -> Any:
    """Round numbers, but none of them to zero: that would be a case of another kind."""
    array = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    if not array and not isinstance(value, float):
        return value
    rounded = np.round(value, digits)
    return rounded if np.array_equal(rounded == 0, np.equal(value, 0)) else value


def _explain(task: Task, one: Tried) -> str:
    given = quote_named(task.arguments, one.case)
    if one.error:
        told = f"{type(one.error).__name__}: {one.error}"[:200]
        return f"The smallest case that fails: of {given} your function stops with {told}"
    if one.said is None:
        return "Your function returns nothing: end it with return."
    return (
        f"The smallest case that fails: of {given} it makes {cases.show(one.said)}, "
        f"and {cases.show(one.wanted)} is wanted."
    )


def quote_named(names: Sequence[str], case: cases.Case) -> str:
    """Return arguments with their names, as a verdict quotes them."""
    return ", ".join(f"{name} = {cases.show(part)}" for name, part in zip(names, case, strict=True))
