"""Hold a learner's function against a reference on random cases, in numpy or in torch."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Case = tuple[Any, ...]


@dataclass(frozen=True)
class Difference:
    """A case that an answer gets wrong: what it was `given`, what it `said`, what is `wanted`."""

    given: Case
    said: Any
    wanted: Any


def rng(exercise: str) -> np.random.Generator:
    """Return the random numbers of an exercise: the same for every learner and each verdict."""
    return np.random.default_rng(zlib.crc32(exercise.encode()))


def first_difference(
    answer: Callable[..., Any],
    reference: Callable[..., Any],
    cases: Iterable[Case],
    *,
    same: Callable[[Any, Any], bool] | None = None,
) -> Difference | None:
    """Return the smallest case in which an answer differs from the reference, or None.

    The answer gets copies, so that one which writes into its arguments spoils nothing. It is called
    with numpy arrays; if that raises an error, with torch tensors in their place.

    Args:
        answer: the learner's function.
        reference: returns what is wanted; it gets numpy arrays.
        cases: tuples of arguments: arrays, numbers, lists.
        same: says whether two results agree, the answer's as numpy first; the default is `agrees`.

    Raises:
        Exception: whatever the answer raises on arrays and on tensors alike.
        ValueError: it returns nothing.
    """
    tried = sorted(cases, key=size)
    call = in_numpy_or_torch(answer, tried[0])
    for case in tried:
        said, wanted = to_plain(call(case)), reference(*copied(case))
        if said is None and wanted is not None:
            raise ValueError("your function returns nothing: end it with return")
        if not (same or agrees)(said, wanted):
            return Difference(case, said, wanted)
    return None


def agrees(said: Any, wanted: Any, tolerance: float = 1e-6) -> bool:
    """Tell whether two results have the same shape, and values that differ by rounding at most."""
    try:
        given, truth = np.asarray(said), np.asarray(wanted)
        if given.dtype.kind not in "biuf" or given.shape != truth.shape:
            return False
        if truth.dtype.kind == "b":
            return bool(np.array_equal(given.astype(bool), truth) and np.isin(given, (0, 1)).all())
        return bool(np.allclose(given, truth, rtol=tolerance, atol=tolerance))
    except (TypeError, ValueError):
        return False


def to_plain(value: Any) -> Any:
    """Return torch tensors as numpy arrays, also inside of lists and tuples."""
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    if isinstance(value, list | tuple):
        return type(value)(map(to_plain, value))
    return value


def in_numpy_or_torch(answer: Callable[..., Any], case: Case) -> Callable[[Case], Any]:
    """Return what calls an answer with copies of a case: as numpy arrays, or as tensors.

    Args:
        answer: the learner's function.
        case: a case to find out with; where it fails both ways, it will be called with arrays.
    """

    def in_numpy(case: Case) -> Any:
        return answer(*copied(case))

    def in_torch(case: Case) -> Any:
        return answer(*map(_tensor, copied(case)))

    for call in (in_numpy, in_torch):
        try:
            call(case)
        except Exception:  # whatever a learner's code raises
            continue
        return call
    return in_numpy


def copied(value: Any) -> Any:
    """Return a value with its arrays copied, also inside of lists and tuples; a dict is a new one."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list | tuple):
        return type(value)(map(copied, value))
    return dict(value) if isinstance(value, dict) else value


def _tensor(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        import torch

        return torch.from_numpy(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_tensor, value))
    return value


def size(value: Any) -> int:
    """Return how many numbers a case holds, or words."""
    if isinstance(value, dict):
        return size(list(value.values()))
    if isinstance(value, list | tuple):
        return sum(map(size, value))
    return int(np.size(value))


def show(value: Any) -> str:
    """Return a value as a verdict quotes it: short, with four digits."""
    value = to_plain(value)
    if isinstance(value, list | tuple) and any(isinstance(part, np.ndarray) for part in value):
        return f"({quote(value)})"
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        return repr(value)[:120]
    if array.ndim > 1 and not array.size:
        return f"[] of shape {list(array.shape)}"
    with np.printoptions(precision=4, suppress=True, threshold=8, edgeitems=3):
        return np.array2string(array, separator=", ").replace("\n", "")


def quote(values: Sequence[Any]) -> str:
    """Return arguments as a verdict quotes them."""
    return ", ".join(map(show, values))
