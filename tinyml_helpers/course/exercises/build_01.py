"""What lesson 01 asks to build: a planner that puts tensors into one arena, each while it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise

Tensor = tuple[int, int, int]
"""Bytes, first step and last step; it is alive in both of them and between."""


@dataclass(frozen=True, repr=False)
class Wanted:
    """A plan for `tensors` of `most_bytes` at most, where the lesson's takes `lesson_bytes`."""

    tensors: Sequence[Tensor]
    alignment: int
    most_bytes: int
    lesson_bytes: int

    def __repr__(self) -> str:
        return (
            f"a plan without overlaps of at most {self.most_bytes:,} bytes "
            f"(the lesson's takes {self.lesson_bytes:,})"
        )


def _times(factor: int, *tensors: Tensor) -> list[Tensor]:
    return [(factor * size, first, last) for size, first, last in tensors]


REACHABLE: tuple[cases.Case, ...] = (
    (_times(16, (5, 3, 3), (4, 2, 3), (4, 0, 1), (4, 1, 2)), 1),
    (_times(16, (3, 3, 4), (4, 1, 3), (7, 1, 1), (6, 4, 4), (1, 3, 4)), 4),
    (_times(16, (5, 7, 7), (6, 3, 3), (6, 1, 4), (8, 6, 6), (5, 0, 1), (6, 4, 6)), 16),
    (_times(16, (4, 4, 6), (4, 1, 2), (2, 2, 3), (3, 2, 4), (5, 0, 1), (3, 2, 5)), 1),
    (_times(48, (8, 2, 3), (6, 0, 0), (3, 1, 3), (1, 2, 2), (4, 0, 1), (5, 1, 3), (7, 4, 4), (5, 1, 1)),
     16),
    (_times(16, (5, 3, 5), (6, 0, 1), (2, 2, 4), (7, 6, 7), (1, 6, 7), (1, 7, 7), (3, 3, 6), (6, 1, 2),
            (1, 4, 6)), 4),
)  # fmt: skip
"""Tensors and alignments of which the lesson's plan takes more than is alive at once, though one in
five orders does not: `tests/course/test_building.py` counts."""


def _together(one: Tensor, other: Tensor) -> bool:
    return one[1] <= other[2] and other[1] <= one[2]


def _place(
    tensors: Sequence[Tensor],
    alignment: int,
    order: Sequence[int],
    together: Callable[[Tensor, Tensor], bool] = _together,
) -> list[int]:
    """Put one after the other at the lowest offset that is free while it lives."""
    offsets: dict[int, int] = {}
    for index in order:
        size, offset = tensors[index][0], 0
        for other in sorted(offsets, key=offsets.__getitem__):
            if together(tensors[index], tensors[other]) and offset + size > offsets[other]:
                end = max(offset, offsets[other] + tensors[other][0])
                offset = -(-end // alignment) * alignment
        offsets[index] = offset
    return [offsets[index] for index in range(len(tensors))]


def _height(tensors: Sequence[Tensor], offsets: Sequence[int]) -> int:
    return max(int(offset) + size for offset, (size, _, _) in zip(offsets, tensors, strict=True))


def _alive(tensors: Sequence[Tensor]) -> int:
    """Return the most bytes that are alive at once: no plan is lower."""
    return max(
        sum(size for size, first, last in tensors if first <= step <= last)
        for step in range(max(last for _, _, last in tensors) + 1)
    )


def _sorted(tensors: Sequence[Tensor], key: Callable[[Tensor], Any]) -> list[int]:
    return sorted(range(len(tensors)), key=lambda index: key(tensors[index]))


def _largest_first(tensors: Sequence[Tensor]) -> list[int]:
    return _sorted(tensors, lambda tensor: -tensor[0])


def _lessons(tensors: Sequence[Tensor], alignment: int) -> list[int]:
    return _place(tensors, alignment, _largest_first(tensors))


def _lowest(tensors: Sequence[Tensor], plans: Sequence[list[int]]) -> list[int]:
    return min(plans, key=lambda offsets: _height(tensors, offsets))


def _shuffled(tensors: Sequence[Tensor], alignment: int) -> list[int]:
    """Return the lowest plan of the lesson's order and two hundred of chance."""
    draw = np.random.default_rng(0)
    orders = [_largest_first(tensors), *(draw.permutation(len(tensors)).tolist() for _ in range(200))]
    return _lowest(tensors, [_place(tensors, alignment, order) for order in orders])


def _fullest_step_first(tensors: Sequence[Tensor], alignment: int) -> list[int]:
    """Return the lowest plan of those that begin with what is alive in one of the steps."""
    plans, largest = [_lessons(tensors, alignment)], _largest_first(tensors)
    for step in range(max(last for _, _, last in tensors) + 1):
        there = [i for i in largest if tensors[i][1] <= step <= tensors[i][2]]
        rest = [i for i in largest if i not in there]
        plans.append(_place(tensors, alignment, there + rest))
    return _lowest(tensors, plans)


def _wanted(tensors: Sequence[Tensor], alignment: int) -> Wanted:
    lesson_bytes = _height(tensors, _lessons(tensors, alignment))
    reachable = any(tensors == one for one, _ in REACHABLE)
    return Wanted(tensors, alignment, _alive(tensors) if reachable else lesson_bytes, lesson_bytes)


def _in_order_of(key: Callable[[Tensor], Any], alignment: int | None = None) -> Callable[..., list[int]]:
    return lambda tensors, asked: _place(tensors, alignment or asked, _sorted(tensors, key))


SLIPS = (
    building.Slip(_lessons, "That is the lesson's plan. Try more than one order, and keep the lowest."),
    building.Slip(_in_order_of(lambda one: 0), "The order of arrival is one order; which are better?"),
    building.Slip(_in_order_of(lambda one: one[0]), "With the smallest first, they are in the way."),
    building.Slip(_in_order_of(lambda one: one[1] - one[2]), "Longest life first is but one order."),
    building.Slip(lambda tensors, alignment: _place(
        tensors, alignment, range(len(tensors)), lambda one, other: True
    ), "Nothing is used twice: what is dead may be overwritten."),
    building.Slip(lambda tensors, alignment: _place(tensors, alignment, _largest_first(tensors), (
        lambda one, other: one[1] < other[2] and other[1] < one[2])
    ), "A tensor is still needed in its last step."),
    building.Slip(_in_order_of(lambda one: -one[0], 1), "Round each offset up to the alignment."),
    building.Slip(lambda tensors, alignment: [
        offset // alignment * alignment for offset in _lessons(tensors, 1)
    ], "Rounding down runs into what lies below: round offsets up."),
    building.Slip(lambda tensors, alignment: [0] * len(tensors), "All lie at the same place."),
)  # fmt: skip


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw a few tensors more than `size`, most of which live for two steps."""
    tensors = []
    for _ in range(size + 2):
        first = int(draw.integers(0, size + 3))
        last = min(first + int(draw.choice((0, 1, 1, 1, 2, 3))), size + 3)
        tensors.append((int(draw.integers(1, 200)), first, last))
    return tensors, int(draw.choice((1, 4, 16)))


def _whole(said: Any, wanted: Wanted) -> list[int]:
    """Return offsets as numbers.

    Raises:
        ValueError: it is no list of one whole number for each tensor.
    """
    given = np.asarray(said)
    if given.shape != (len(wanted.tensors),) or given.dtype.kind not in "iuf" or (given % 1).any():
        raise ValueError(f"{said!r} is no list of {len(wanted.tensors)} whole numbers")
    return [int(offset) for offset in given]


def _apart(said: Any, wanted: Wanted) -> bool:
    given = list(zip(_whole(said, wanted), wanted.tensors, strict=True))
    return not any(
        _together(one, other) and low < high + other[0] and high < low + one[0]
        for index, (low, one) in enumerate(given)
        for high, other in given[:index]
    )


PARTS = (
    building.Part("a whole number for each tensor", lambda _, said, wanted: bool(_whole(said, wanted))),
    building.Part("none is negative", lambda _, said, wanted: min(_whole(said, wanted)) >= 0),
    building.Part(
        "all are multiples of the alignment",
        lambda _, said, wanted: not any(one % wanted.alignment for one in _whole(said, wanted)),
    ),
    building.Part("none overlap that live together", lambda _, said, wanted: _apart(said, wanted)),
    building.Part(
        "no plan is higher than the lesson's",
        lambda _, said, wanted: _height(wanted.tensors, _whole(said, wanted)) <= wanted.lesson_bytes,
    ),
)


def _same(said: Any, wanted: Any) -> bool:
    """Tell whether a plan is as wanted; or, of two plans, whether they are one."""
    if not isinstance(wanted, Wanted):
        return bool(np.array_equal(said, wanted))
    try:
        low = _height(wanted.tensors, _whole(said, wanted)) <= wanted.most_bytes
        return low and all(part.holds((), said, wanted) for part in PARTS)
    except (TypeError, ValueError):
        return False


TASK = building.Task(
    asked="plan(tensors, alignment) returns a list: the offset of each tensor, in a low arena.",
    arguments=("tensors", "alignment"),
    reference=_wanted,
    draw_case=_draw,
    slips=SLIPS,
    parts=PARTS,
    same=_same,
    special=REACHABLE,
)


@exercise(
    right=[(_shuffled,), (_fullest_step_first,), (lambda *case: np.array(_shuffled(*case)),)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda tensors, alignment: [-size for size, _, _ in tensors],),
        (lambda tensors, alignment: _shuffled(tensors, alignment)[1:],),
        (lambda tensors, alignment: [offset + 0.5 for offset in _shuffled(tensors, alignment)],),
        (lambda tensors, alignment: _shuffled(tensors, 1),),
        (lambda tensors, alignment: {tensor: 0 for tensor in tensors},),
        (lambda tensors, alignment: None,),
        (3,),
    ],
    slips=[slip.hint for slip in SLIPS],
)
def arena_plan(answer: Callable[..., Any]) -> Verdict:
    """A planner of an arena: no overlaps, aligned, as low as the lesson's and lower where it can be."""
    return building.judge(
        TASK,
        "arena_plan",
        answer,
        "In the last cases your plan is as low as what is alive at once, which nothing can beat; the "
        "lesson's was up to 44 % higher. No quick method finds the lowest plan every time. The course's "
        "compiler, too, keeps the best of a few orders; it plans once, before the program runs.",
    )
