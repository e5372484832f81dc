"""Exercises of lesson 02, post-training quantization."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.course import cases, constants
from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(
    right=[(64,), (-64,), (64.0,)],
    wrong=[
        *((point,) for point in (0, 1, 63, 65, -63, -65, 85, 127, 128, -128, 191, 192, 255)),
        (63.75,),
        (-64.25,),
    ],
)
def zero_point(answer: float) -> Verdict:
    """Zero point of the range -1..3 (or as given) in 8 bits: 64 in uint8, and 128 less in int8."""
    point, span = float(answer), 1 + constants.given("zero_point")["right_end"]
    exact = 255 / span
    if point == round(exact):
        return right("Zero is now stored exactly, so padding and ReLU cost no error at all.")
    if point == round(exact) - 128:
        return right(
            "For int8, whose integers go from -128 to 127: that is how TensorFlow Lite stores it. In "
            "uint8, from 0 to 255, everything lies 128 higher. Zero is stored exactly either way, so "
            "padding and ReLU cost no error at all."
        )
    if math.isclose(point, exact) or math.isclose(point, exact - 128):
        return hint("Close: that is where zero falls. The zero point must itself be an integer.")
    if point in (math.floor(255 - exact), math.ceil(255 - exact)):
        return hint("That is counted from the right end. The smallest integer stands for the left end.")
    return hint(f"How many steps of size {span}/255 lie between the left end, -1, and zero?")


def _in_numpy(values: Any, scale: float, zero_point: int) -> Any:
    return np.clip(np.round(values / scale) + zero_point, 0, 255)


def _in_torch(values: Any, scale: float, zero_point: int) -> Any:
    return ((values / scale).round() + zero_point).clamp(0, 255)


def _in_bytes(values: Any, scale: float, zero_point: int) -> Any:
    return np.clip(np.rint(values / scale + zero_point), 0, 255).astype(np.uint8)


def _away_from_zero(values: Any, scale: float, zero_point: int) -> Any:
    steps = values / scale
    return np.clip(np.sign(steps) * np.floor(np.abs(steps) + 0.5) + zero_point, 0, 255)


def _upwards(values: Any, scale: float, zero_point: int) -> Any:
    return np.clip(np.floor(values / scale + 0.5) + zero_point, 0, 255).astype(int)


@exercise(
    right=[(_in_numpy,), (_in_torch,), (_in_bytes,), (_away_from_zero,), (_upwards,)],
    wrong=[
        (lambda values, scale, zero_point: values / scale + zero_point,),
        (lambda values, scale, zero_point: np.round(values / scale),),
        (lambda values, scale, zero_point: np.round(values / scale) + zero_point,),
        (lambda v, s, z: np.clip(np.floor(v / s) + z, 0, 255),),
        (lambda v, s, z: np.clip(np.ceil(v / s) + z, 0, 255),),
        (lambda v, s, z: np.clip(np.trunc(v / s) + z, 0, 255),),
        (lambda v, s, z: np.clip((v / s + z).astype(int), 0, 255),),
        (lambda v, s, z: (np.round(v / s) + z).astype(int).astype(np.uint8),),
        (lambda v, s, z: np.clip(np.round(v / s) + z, 0, 255).astype(np.int8),),
        (lambda v, s, z: np.clip(np.round(v / s), 0, 255) + z,),
        (lambda v, s, z: np.clip(np.round(v / s) + z, 0, 256),),
        (lambda v, s, z: np.clip(np.round(v / s) + z, -128, 127),),
        (lambda v, s, z: np.clip(np.round(v / s) - z, 0, 255),),
        (lambda v, s, z: np.clip(np.round(v / s) + 100, 0, 255),),
        (lambda v, s, z: np.clip(np.round(v / 0.01) + z, 0, 255),),
        (lambda v, s, z: np.clip(np.round(v * s) + z, 0, 255),),
        (lambda v, s, z: _in_numpy(v, s, z).ravel(),),
        (lambda v, s, z: _in_torch(v, s, z).floor() + 1,),
        (lambda v, s, z: np.array([0, 100, 101, 200]),),
        (3,),
    ],
)
def quantize_function(answer: Callable[..., Any]) -> Verdict:
    """A function that rounds, shifts by the zero point, and clips to 0..255."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    wrong = cases.first_difference(answer, _exactly, _maps(), same=_nearest)
    if wrong is None:
        return right(f"Divide, round, shift, clip: that is all of quantizing. {_rounding(answer)}")
    given, said = cases.quote(wrong.given), cases.show(wrong.said)
    return hint(f"{_advice(wrong)} For example, of ({given}) it makes {said}")


def _exactly(values: NDArray[np.float32], scale: float, zero_point: int) -> NDArray[np.float64]:
    """Return where the values fall between the integers, clipped but not yet rounded."""
    return np.clip(values.astype(np.float64) / scale + zero_point, 0, 255)


def _maps() -> list[cases.Case]:
    """Return values of several shapes with a scale and a zero point: halves, ends, and far outside."""
    draw = cases.rng("quantize_function")
    tried: list[cases.Case] = [(_TIES.copy(), 0.5, 100), (np.zeros(1, np.float32), 0.25, 7)]
    for shape in [(1,), (2,), (3,), (5,), (8,), (1, 2), (2, 3), (4, 5), (2, 3, 4)] * 2:
        scale = float(draw.choice([0.0078, 0.031, 0.5, 1.7, 40.0]))
        zero_point = int(draw.choice([0, 255, int(draw.integers(1, 255))]))
        steps = draw.integers(-320, 320, shape) + draw.uniform(-0.45, 0.45, shape)
        tried.append((np.asarray(scale * steps, np.float32), scale, zero_point))
    return tried


_TIES = np.array([-1.25, -0.75, -0.25, 0.25, 0.75, 1.25], np.float32)
"""Halves of a step, if the step is 0.5."""


def _nearest(said: Any, exact: Any) -> bool:
    """Tell whether all are whole numbers, as near as can be: on a half both neighbours are."""
    try:
        given = np.asarray(said, np.float64)
    except (TypeError, ValueError):
        return False
    if given.shape != exact.shape or not np.array_equal(given, np.round(given)):
        return False
    return bool((np.abs(given - exact) <= 0.5 + 1e-3).all())


def _rounding(answer: Callable[..., Any]) -> str:
    """Say which way a right answer rounds halves, and who does as it does."""
    found = cases.first_difference(answer, _in_numpy, [(_TIES, 0.5, 100)])
    if found is None:
        return (
            "Yours rounds an exact half to the even neighbour, as numpy, PyTorch, ONNX Runtime and "
            "TensorFlow Lite's fast kernels on a desktop do; its reference kernels and its "
            "microcontroller runtime round it away from zero."
        )
    found = cases.first_difference(answer, _away_from_zero, [(_TIES, 0.5, 100)])
    if found is None:
        return (
            "Yours rounds an exact half away from zero, as TensorFlow Lite's reference kernels and its "
            "microcontroller runtime do; its fast kernels on a desktop, numpy, PyTorch and ONNX Runtime "
            "round it to the even neighbour."
        )
    return (
        "On an exact half runtimes differ: TensorFlow Lite's reference kernels and its microcontroller "
        "runtime round it away from zero; its fast kernels on a desktop, numpy, PyTorch and ONNX "
        "Runtime to the even neighbour. Yours does neither, and is as near."
    )


def _advice(wrong: cases.Difference) -> str:
    """Say what is missing, from the first case that fails."""
    exact = np.asarray(wrong.wanted)
    try:
        said = np.asarray(wrong.said, np.float64)
    except (TypeError, ValueError):
        return "The result should be an array of numbers."
    if said.shape != exact.shape:
        return f"Your result has the shape {said.shape}, the values have {exact.shape}."
    if (said < 0).any() or (said > 255).any():
        return "A byte has room for 0 to 255 only: what happens to values outside the range?"
    if not np.array_equal(said, np.round(said)):
        return "Your results are not whole numbers: round them."
    off = np.abs(said - exact)
    if (off < 1).all():
        return "Round to the nearest integer, not to the next lower or higher one."
    if np.isin(exact[off >= 1], (0, 255)).any():
        return "What lies outside the range belongs at the nearer of its ends."
    return "Divide by the scale, and let zero give the zero point."
