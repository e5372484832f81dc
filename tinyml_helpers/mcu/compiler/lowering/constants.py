"""What a layer keeps in flash: arrays and structs, from their values to their C."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from tinyml_helpers.mcu.compiler import c_source

Fields = Mapping[str, Any]
"""Field of a struct -> number, name in C, list of numbers; or, for a struct inside, its own lines."""
CTYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "bool": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "float32": "float",
}
"""Type of a tensor -> that of C."""


@dataclass(frozen=True, eq=False)
class Array:
    """An array of numbers or of structs.

    Args:
        name: in C.
        values: of a type above, of any shape; for structs one row for each.
        struct: C type of an element that is a struct.
    """

    name: str
    values: npt.NDArray[Any]
    struct: str = ""

    def source(self) -> str:
        """Its definition in C."""
        if self.struct:
            rows = [c_source.braces(row) for row in self.values.tolist()]
            return c_source.array(self.struct, self.name, rows)
        ctype = CTYPES[self.values.dtype.name]
        # Weights are loaded as words.
        align_bytes = 4 if ctype == "uint8_t" else 0
        return c_source.array(ctype, self.name, self.values.ravel(), align_bytes=align_bytes)


@dataclass(frozen=True, eq=False)
class Struct:
    """What a kernel must know of its layer, as a struct of kernels/kernels.h.

    Args:
        name: in C.
        ctype: its type.
        lines: its fields, as they are written below one another.
    """

    name: str
    ctype: str
    lines: tuple[Fields, ...]

    def source(self) -> str:
        """Its definition in C."""
        return c_source.struct(self.ctype, self.name, map(_write_line, self.lines))


Constant = Array | Struct


def _write_line(fields: Fields) -> str:
    return ", ".join(_write_field(name, value) for name, value in fields.items())


def _write_field(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return c_source.nested(name, map(_write_line, value))
    return c_source.fields(**{name: c_source.braces(value) if isinstance(value, list) else value})
