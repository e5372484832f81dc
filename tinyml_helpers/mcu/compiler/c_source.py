"""Data as C: every number, array, struct and define that the course generates is written here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_COLUMNS = 100


def literal(value: float | str) -> str:
    """Write a number; a text is C already and stays as it is.

    >>> literal(-128), literal(-(2**31)), literal("weights")
    ('-128', '(-2147483647 - 1)', 'weights')
    >>> literal(1.0), literal(0.1), literal(1e-9)  # a compiler reads the same float32 back
    ('1.0f', '0.100000001f', '9.99999972e-10f')

    Raises:
        ValueError: a float that is no number or beyond float32.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, float | np.floating):
        return "(-2147483647 - 1)" if value == -(2**31) else str(value)
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if not np.isfinite(single):
        raise ValueError(f"{value} cannot be written as a float of C")
    text = f"{single:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def braces(values: Iterable[Any]) -> str:
    """Write an initialiser; what lies deeper gets braces of its own.

    >>> braces([1, 2.5]), braces([[1, 2], [3, 4]])
    ('{1, 2.5f}', '{{1, 2}, {3, 4}}')
    """
    return "{" + ", ".join(map(_item, values)) + "}"


def fields(**values: float | str) -> str:
    """Write fields of a struct by their names.

    >>> fields(rows=1, scale=0.5, weights="dense_0_weights")
    '.rows = 1, .scale = 0.5f, .weights = dense_0_weights'
    """
    return ", ".join(f".{name} = {literal(value)}" for name, value in values.items())


def nested(name: str, lines: Iterable[str]) -> str:
    """Write a field that is a struct itself from lines of `fields`, as it stands in `struct`.

    >>> print(nested("window", [fields(height=3, width=1), fields(stride=2)]))
    .window = {.height = 3, .width = 1,
                   .stride = 2}
    """
    head = f".{name} = {{"
    return head + f",\n{' ' * (4 + len(head))}".join(lines) + "}"


def struct(ctype: str, name: str, lines: Iterable[str]) -> str:
    """Define a struct in flash from lines of `fields`.

    >>> print(struct("tm_pool", "pool_3", [fields(least=-128, most=127), fields(inputs=64)]), end="")
    static const tm_pool pool_3 = {
        .least = -128, .most = 127,
        .inputs = 64,
    };
    """
    return "\n".join([f"static const {ctype} {name} = {{", *(f"    {line}," for line in lines), "};\n"])


def array(ctype: str, name: str, values: npt.ArrayLike, *, align_bytes: int = 0) -> str:
    """Define an array in flash, as many-dimensional as its values.

    Args:
        ctype: of an element. For an array of structs the values are texts of `braces`.
        name: in C.
        values: numbers or texts.
        align_bytes: 0 leaves it to the type.

    >>> print(array("int16_t", "turns", [[1, 2], [3, 4]], align_bytes=4), end="")
    static const _Alignas(4) int16_t turns[2][2] = {
        {1, 2}, {3, 4},
    };
    """
    whole = np.asarray(values)
    aligned = f"_Alignas({align_bytes}) " if align_bytes else ""
    shape = "".join(f"[{size}]" for size in whole.shape)
    head = f"static const {aligned}{ctype} {name}{shape} = {{"
    return "\n".join([head, *_wrapped(map(_item, whole.tolist())), "};\n"])


def defines(values: Mapping[str, float | str], prefix: str = "") -> str:
    """Define constants of the preprocessor, one a line.

    >>> print(defines({"STEPS": 100, "SCALE": 0.5}, prefix="MOTION_"), end="")
    #define MOTION_STEPS 100
    #define MOTION_SCALE 0.5f
    """
    return "".join(f"#define {prefix}{name} {literal(value)}\n" for name, value in values.items())


def _item(value: Any) -> str:
    return braces(value) if isinstance(value, list | tuple | np.ndarray) else literal(value)


def _wrapped(items: Iterable[str]) -> Iterator[str]:
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > _COLUMNS:
            yield line
            line = "   "
        line += f" {item},"
    yield line
