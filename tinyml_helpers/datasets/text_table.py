"""Tables of numbers as phones, boards and spreadsheets write them, whatever separates their columns."""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.untrusted import MOST_VALUE, check_size, one_line

SUFFIXES = (".csv", ".txt", ".tsv", ".log")
"""Names that a table may end in, in lower case."""
# Of two that explain a file equally well, the first: a comma may be either.
_DIALECTS = ((";", "."), (";", ","), ("\t", "."), ("\t", ","), (",", "."), (" ", "."), (" ", ","))
_LOOKED_AT = 100  # lines, to find separator and header
_GARBLED_SHARE = 0.01  # a serial port loses a line now and then; more is no table of numbers


@dataclass(frozen=True, eq=False, repr=False)
class TextTable:
    """Numbers, a column each.

    Args:
        name: of the file.
        header: the columns' names as they stand there; empty where there is none.
        values: float64 [N, columns]; what is no number is NaN, a date is nanoseconds since 1970.
        lines: int64 [N], where each row stands in the file, from 1.
    """

    name: str
    header: tuple[str, ...]
    values: NDArray[np.float64]
    lines: NDArray[np.int64]

    def numbers(self, time: int, others: Iterable[int]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """Return some columns without garbled lines, and what was left out, in words.

        Args:
            time: the column that counts up; it may be large, as nanoseconds since 1970 are.
            others: columns of what was measured.

        Returns:
            float64 [N, 1 + others], all finite, the time first.

        Raises:
            DataError: more than one line in a hundred, apart from the first and the last, does not
                hold such numbers.
        """
        places = [time, *others]
        chosen = self.values[:, places]
        sound = np.isfinite(chosen[:, 0]) & (np.abs(chosen[:, 1:]) <= MOST_VALUE).all(1)
        garbled = self.lines[~sound]
        # A capture begins and ends in the middle of a line.
        inside = garbled[~np.isin(garbled, self.lines[[0, -1]])] if len(garbled) else garbled
        if len(inside) > _GARBLED_SHARE * len(self.lines):
            raise DataError(
                f"{self.name}, line {inside[0]}: it does not hold {len(places)} finite numbers up to "
                f"{MOST_VALUE:.0e}, nor do {len(inside) - 1:,} lines after it: mend or delete them"
            )
        return chosen[sound], ("garbled lines left out",) if len(garbled) else ()


def read_table(path: Path) -> TextTable:
    """Read a table of numbers, whatever parts its columns and its decimals.

    Commas, semicolons, tabs or blanks between columns; a point or a comma before decimals; UTF-8,
    UTF-16 or Windows' own letters; lines before the header are passed over; no header is none.

    Raises:
        DataError: too large, unreadable, or without a line of two numbers; the message names the file.
    """
    try:
        check_size(path)
        lines = _decoded(path.read_bytes()).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path.name} cannot be read ({one_line(error)}): save it as CSV in UTF-8"
        ) from error
    try:
        return _parsed(path.name, lines)
    except csv.Error as error:
        raise DataError(f"{path.name} is no table: {one_line(error)}") from error


def _decoded(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _parsed(name: str, lines: list[str]) -> TextTable:
    filled = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    head = [line for _, line in filled[:_LOOKED_AT]]
    separator, decimal = max(_DIALECTS, key=lambda dialect: _fit(head, *dialect))
    rows = _split(head, separator)
    first, width = _start(rows, decimal)
    if width < 2:
        begins = one_line(lines[0] if lines else "nothing")
        raise DataError(f"{name} holds no columns of numbers, it begins {begins!r}: save it as CSV")
    values, numbers = array("d"), array("q")
    body = _split((line for _, line in filled[first:]), separator)
    for (number, _), fields in zip(filled[first:], body, strict=True):
        whole = len(fields) == width
        values.extend([_number(field, decimal) if whole else np.nan for field in fields[:width]])
        values.extend([np.nan] * (width - len(fields)))
        numbers.append(number)
    header = next((row for row in reversed(rows[:first]) if len(row) == width), [])
    named = tuple(header) if header and not any(_is_number(one, decimal) for one in header) else ()
    return TextTable(name, named, np.array(values).reshape(-1, width), np.array(numbers, np.int64))


def _split(lines: Iterable[str], separator: str) -> list[list[str]]:
    """Part lines into fields; a separator at the end of a line starts no column."""
    if separator == " ":
        return [line.split() for line in lines]
    # One line at a time: a quote that is never closed must not swallow the rest of the file.
    rows = [next(csv.reader([line], delimiter=separator, skipinitialspace=True)) for line in lines]
    for row in rows:
        row[:] = [field.strip() for field in row]
        if len(row) > 1 and not row[-1]:
            row.pop()
    return rows


def _fit(lines: list[str], separator: str, decimal: str) -> float:
    """Tell how well a dialect explains lines: numbers found, times the share of fields that are."""
    fields = [field for row in _split(lines, separator) for field in row]
    found = sum(_is_number(field, decimal) for field in fields)
    return found * found / max(len(fields), 1)


def _start(rows: list[list[str]], decimal: str) -> tuple[int, int]:
    """Return the place of the first row of numbers, and how many fields such rows have."""
    many = [len(row) if 2 * _count(row, decimal) >= len(row) else 0 for row in rows]
    common = Counter(width for width in many if width > 1).most_common(1)
    width = common[0][0] if common else 0
    return (many.index(width) if width else 0), width


def _count(row: list[str], decimal: str) -> int:
    return sum(_is_number(field, decimal) for field in row)


def _is_number(field: str, decimal: str) -> bool:
    return not np.isnan(_number(field, decimal))


def _number(field: str, decimal: str) -> float:
    """Return a number, or a date as nanoseconds since 1970; NaN for anything else."""
    try:
        return float(field.replace(",", ".") if decimal == "," else field)
    except ValueError:
        pass
    if field.count(":") < 2:
        return np.nan
    try:
        date = datetime.fromisoformat(field)
    except ValueError:
        return np.nan
    return 1e9 * (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
