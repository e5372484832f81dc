"""What lesson 03 asks to build: a quantizer that learns its step (LSQ), forward and backward.

Source: Esser et al., Learned step size quantization, 2020, arXiv 1902.08153, section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise

Result = tuple[Any, Any, Any]
"""Values, gradient to x, gradient to the step."""
Rule = Callable[[Any, int, int], Any]
"""A function of quotients and of the range of the integers."""


def _inside(quotient: Any, low: int, high: int) -> Any:
    return (low < quotient) & (quotient < high)


def _to_step(quotient: Any, low: int, high: int) -> Any:
    within = _inside(quotient, low, high)
    return np.where(within, np.round(quotient) - quotient, np.clip(quotient, low, high))


def _made_of(
    integers: Rule = lambda quotient, low, high: np.clip(np.round(quotient), low, high),
    inside: Rule = _inside,
    to_step: Rule = _to_step,
    shrunk: Callable[[int, int], float] = lambda count, high: 1 / np.sqrt(count * high),
) -> Callable[..., Result]:
    """Return LSQ made of these parts; those that are left out are right."""

    def lsq(x: Any, step: float, low: int, high: int, gradient: Any) -> Result:
        quotient = x / step
        to_x = gradient * inside(quotient, low, high)
        to_steps = (gradient * to_step(quotient, low, high)).sum()
        return step * integers(quotient, low, high), to_x, to_steps * shrunk(x.size, high)

    return lsq


_in_numpy = _made_of()


def _in_torch(x: Any, step: float, low: int, high: int, gradient: Any) -> Result:
    """Return the same by autograd: what is detached has a value, and no gradient."""
    import torch

    x, learned = x.requires_grad_(), torch.tensor(step, requires_grad=True)
    slower = (x.numel() * high) ** -0.5
    scaled = (learned - learned * slower).detach() + learned * slower
    inside = (x / scaled > low) & (x / scaled < high)
    kept = torch.where(inside, x / scaled, (x / scaled).clamp(low, high).detach())
    values = (kept + (kept.round() - kept).detach()) * scaled
    values.backward(gradient)
    return values.detach(), x.grad, learned.grad


def _one_by_one(x: Any, step: float, low: int, high: int, gradient: Any) -> Result:
    values, to_x, to_step = np.zeros_like(x), np.zeros_like(x), 0.0
    for place, value in np.ndenumerate(x):
        quotient = float(value) / step
        if low < quotient < high:
            integer: float = round(quotient)
            to_x[place] = gradient[place]
            to_step += gradient[place] * (integer - quotient)
        else:
            integer = low if quotient <= low else high
            to_step += gradient[place] * integer
        values[place] = integer * step
    return values, to_x, to_step / np.sqrt(x.size * high)


def _half_up(quotient: Any, low: int, high: int) -> Any:
    return np.clip(np.floor(quotient + 0.5), low, high)


def _rounded_inside(quotient: Any, low: int, high: int) -> Any:
    return (low <= np.round(quotient)) & (np.round(quotient) <= high)


def _with_ends(quotient: Any, low: int, high: int) -> Any:
    return (low <= quotient) & (quotient <= high)


def _to_step_with_ends(quotient: Any, low: int, high: int) -> Any:
    clipped = np.clip(quotient, low, high)
    return np.where(_with_ends(quotient, low, high), np.round(quotient) - quotient, clipped)


def _to_step_half_up(quotient: Any, low: int, high: int) -> Any:
    rounded, clipped = np.floor(quotient + 0.5), np.clip(quotient, low, high)
    return np.where(_inside(quotient, low, high), rounded - quotient, clipped)


def _as_without_rounding(quotient: Any, low: int, high: int) -> Any:
    return np.where(_inside(quotient, low, high), 0, np.clip(quotient, low, high))


SLIPS = (
    building.Slip(
        _made_of(shrunk=lambda count, high: 1),
        "The step's gradient is not scaled yet: divide it by the root of (number of values x high).",
    ),
    building.Slip(
        _made_of(shrunk=lambda count, high: 1 / np.sqrt(count)), "`high` is missing under the root."
    ),
    building.Slip(
        _made_of(shrunk=lambda count, high: 1 / (count * high)),
        "The step's gradient is divided by a root: that of (number of values x high).",
    ),
    building.Slip(
        _made_of(inside=_rounded_inside),
        "The lesson's quantizer rounds first, and asks whether the integer is in the range; LSQ asks "
        "the quotient.",
    ),
    building.Slip(
        _made_of(inside=lambda quotient, low, high: np.ones_like(quotient)),
        "What is clipped lets no gradient through to x.",
    ),
    building.Slip(
        _made_of(inside=_with_ends), "A quotient that is `low` or `high` itself counts as clipped."
    ),
    building.Slip(
        _made_of(inside=_with_ends, to_step=_to_step_with_ends),
        "A quotient that is `low` or `high` itself counts as clipped; `clamp` lets its gradient pass.",
    ),
    building.Slip(
        _made_of(to_step=_as_without_rounding),
        "Inside the range the step has a gradient too: rounded minus not rounded. That is LSQ's own.",
    ),
    building.Slip(
        _made_of(to_step=lambda quotient, low, high: np.clip(np.round(quotient), low, high)),
        "The step stands in the quotient as well: inside, subtract the quotient.",
    ),
    building.Slip(
        _made_of(to_step=lambda quotient, low, high: -_to_step(quotient, low, high)),
        "The step's gradient has the wrong sign.",
    ),
    building.Slip(
        _made_of(to_step=lambda quotient, low, high: np.round(quotient) - quotient),
        "Where x is clipped, the value is `low` or `high` times the step: what is its gradient?",
    ),
    building.Slip(
        _made_of(to_step=lambda *case: np.where(_inside(*case), _to_step(*case), 0)),
        "Where x is clipped, the value still grows with the step, by `low` or `high`.",
    ),
    building.Slip(
        _made_of(integers=_half_up, to_step=_to_step_half_up),
        "A half goes to the even neighbour, as in `round`.",
    ),
    building.Slip(
        _made_of(integers=lambda quotient, low, high: np.round(quotient)), "The values are not clipped."
    ),
    building.Slip(
        lambda x, step, low, high, gradient: _in_numpy(x, step, low, high, np.ones_like(x)),
        "Each gradient is multiplied by the one that arrives, `gradient`.",
    ),
)


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw values in and beyond the range; two bits most of the time."""
    ends = ((-2, 1), (-2, 1), (-1, 1), (0, 3), (-4, 3))
    low, high = ends[int(draw.integers(len(ends)))]
    step = float(draw.uniform(0.2, 1.5))
    shape = (size,) if size % 2 else (2, size)
    x = step * draw.uniform(low - 2, high + 2, shape)
    return x.astype(np.float32), step, low, high, draw.normal(0, 1, shape).astype(np.float32)


def _special(quotients: list[float], step: float, low: int, high: int) -> cases.Case:
    gradient = np.arange(1, len(quotients) + 1, dtype=np.float32)
    return np.array(quotients, np.float32) * np.float32(step), step, low, high, gradient


def _agree(one: Any, other: Any) -> bool:
    return cases.agrees(one, other, tolerance=1e-4)


def _same(said: Any, wanted: Any) -> bool:
    three = isinstance(said, list | tuple) and len(said) == 3
    return three and all(map(_agree, said, wanted))


TASK = building.Task(
    asked="lsq(x, step, low, high, gradient) returns the rounded values and both gradients.",
    arguments=("x", "step", "low", "high", "gradient"),
    reference=_in_numpy,
    draw_case=_draw,
    slips=SLIPS,
    parts=(
        building.Part(
            "three results, the first two of the shape of x",
            lambda case, said, _: [np.shape(one) for one in said] == [case[0].shape, case[0].shape, ()],
        ),
        building.Part("the values", lambda _, said, wanted: _agree(said[0], wanted[0])),
        building.Part("the gradient to x", lambda _, said, wanted: _agree(said[1], wanted[1])),
        building.Part("the gradient to the step", lambda _, said, wanted: _agree(said[2], wanted[2])),
    ),
    same=_same,
    special=(
        _special([0.5, -0.5, -1.5], 0.5, -2, 1),  # halves
        _special([1, -2, 0], 0.25, -2, 1),  # the ends themselves
        _special([1.25, -2.25, 0.25], 0.5, -2, 1),  # beyond an end, and rounded to it
        _special([2.5, 0, 3], 0.5, 0, 3),
    ),
)


@exercise(
    right=[(_in_numpy,), (_in_torch,), (_one_by_one,)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda x, step, low, high, gradient: (x, gradient, 0.0),),
        (lambda x, step, low, high, gradient: _in_numpy(x, step, -2, 1, gradient),),
        (lambda x, step, low, high, gradient: _in_numpy(x, 0.5, low, high, gradient),),
        (lambda x, step, low, high, gradient: _in_numpy(x, step, low, high, gradient)[0],),
        (lambda x, step, low, high, gradient: _in_numpy(x, step, low, high, gradient)[::-1],),
        (lambda x, step, low, high, gradient: None,),
        (lambda x, step: x,),
        (3,),
    ],
    slips=[slip.hint for slip in SLIPS],
)
def learned_step(answer: Callable[..., Any]) -> Verdict:
    """A quantizer with a learned step (LSQ): rounded values, gradient to x, gradient to the step."""
    return building.judge(
        TASK,
        "learned_step",
        answer,
        "Clipped values pull the step wider, and values between two levels pull it to where they lie "
        "nearer to a level: training settles what an observer could only guess.",
    )
