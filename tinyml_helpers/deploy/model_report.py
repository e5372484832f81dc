"""What a deployed model file holds: operators, tensors, where its bytes go, MACs and working memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TypeVar

from tinyml_helpers.system.tables import html_table, text_table

ROWS_SHOWN = 60
NAME_SHOWN = 48
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a model file.

    Attributes:
        name: as in the file.
        shape: its sizes; one that is only known at run time is a name or -1.
        dtype: such as "float32" or "int8".
        scales: one for the tensor, or one for each channel; none if it is not quantized.
        zero_points: as many as there are scales, or one for all.
        stored_bytes: of its constant value in the file, 0 for what is computed.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    stored_bytes: int = 0

    @property
    def row(self) -> tuple[str, ...]:
        """The tensor as a row of the report: name, shape, dtype, scale, zero point, bytes."""
        scale = _span(self.scales, lambda number: f"{number:.4g}")
        zero_point = _span(self.zero_points, str)
        size = f"{self.stored_bytes:,}" if self.stored_bytes else ""
        return _shorten(self.name), "x".join(map(str, self.shape)), self.dtype, scale, zero_point, size


@dataclass(frozen=True, repr=False)
class ModelReport:
    """A model file, looked into; prints as `tinyml inspect` shows it.

    Attributes:
        format: "TFLite" or "ONNX".
        operators: how many of each type, in order of first appearance.
        tensors: inputs, constants and what is computed in between.
        bytes_by_part: where the bytes of the file go; they add up to `file_bytes`.
        macs: multiply-accumulates of one inference, None where shapes are not known.
        arena_bytes: working memory that the interpreter of microcontrollers needs, None where it
            cannot tell.
        notes: sentences that the reader should not miss.
    """

    format: str
    operators: Mapping[str, int]
    tensors: tuple[TensorInfo, ...]
    bytes_by_part: Mapping[str, int]
    macs: int | None = None
    arena_bytes: int | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return sum(self.bytes_by_part.values())

    def __repr__(self) -> str:
        tables = [text_table(*table) for table in self._tables()]
        return "\n\n".join([self._summary(), *tables, *self._remarks()])

    def _repr_html_(self) -> str:
        tables = [html_table(*table) for table in self._tables()]
        lines = [f"<p>{escape(line)}</p>" for line in (self._summary(), *self._remarks())]
        return "".join([lines[0], *tables, *lines[1:]])

    def _summary(self) -> str:
        parts = [f"{self.format}, {self.file_bytes:,} bytes"]
        parts += [f"{sum(self.operators.values())} operators"]
        parts += [f"{self.macs:,} MACs"] if self.macs is not None else []
        parts += [f"arena {self.arena_bytes:,} bytes"] if self.arena_bytes is not None else []
        return ", ".join(parts)

    def _tables(self) -> list[tuple[Sequence[str], Sequence[Sequence[str]], Sequence[int]]]:
        tensors = [tensor.row for tensor in self.tensors[:ROWS_SHOWN]]
        total = max(self.file_bytes, 1)
        parts = [(k, f"{v:,}", f"{100 * v / total:.1f} %") for k, v in self.bytes_by_part.items()]
        return [
            (("operator", "count"), [(k, f"{v:,}") for k, v in self.operators.items()], (0,)),
            (("bytes of", "bytes", "share"), parts, (0,)),
            (("tensor", "shape", "dtype", "scale", "zero point", "bytes"), tensors, (0, 1, 2)),
        ]

    def _remarks(self) -> list[str]:
        hidden = len(self.tensors) - ROWS_SHOWN
        return [f"... and {hidden} more tensors in .tensors"] * (hidden > 0) + list(self.notes)


def _shorten(name: str) -> str:
    """Keep both ends of a long name: converters join the names of all layers that they fused."""
    return name if len(name) <= NAME_SHOWN else f"{name[: NAME_SHOWN - 21]}...{name[-18:]}"


def _span(numbers: Sequence[Number], show: Callable[[Number], str]) -> str:
    if not numbers:
        return ""
    low, high = show(min(numbers)), show(max(numbers))
    return low if low == high else f"{low} to {high}"
