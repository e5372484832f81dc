"""TFLM, today LiteRT for Microcontrollers, on this machine: its working memory.

The package tflite-micro runs the very code that goes onto a board. It has wheels for Linux only.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tinyml_helpers.deploy.model_file import ModelError, names_the_file, read_model
from tinyml_helpers.deploy.tflite import reader
from tinyml_helpers.deploy.tflite.probe import probe
from tinyml_helpers.system.tables import html_table, text_table

MISSING = "the TFLM interpreter (package tflite-micro) is only there for Linux"
# What the allocator calls its records, and what they are.
_PURPOSES = {
    "TfLiteEvalTensor data": "records of tensors",
    "Persistent TfLiteTensor data": "records of input and output",
    "Persistent TfLiteTensor quantization data": "scales of input and output",
    "Persistent buffer data": "prepared constants of kernels",
    "NodeAndRegistration struct": "records of operators",
}


@dataclass(frozen=True, repr=False)
class Arena:
    """The block of RAM that TFLM works in, by purpose; prints as a table."""

    bytes_by_purpose: Mapping[str, int]

    @property
    def activation_bytes(self) -> int:
        """What holds activations and scratch, reused from operator to operator."""
        return self.bytes_by_purpose["activations"]

    @property
    def total_bytes(self) -> int:
        """Size of the arena."""
        return sum(self.bytes_by_purpose.values())

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[tuple[str, str], list[tuple[str, str]]]:
        rows = [*self.bytes_by_purpose.items(), ("total", self.total_bytes)]
        return ("arena", "bytes"), [(purpose, f"{size:,}") for purpose, size in rows]


def is_available() -> bool:
    """Say whether the TFLM interpreter is installed on this machine."""
    return importlib.util.find_spec("tflite_micro") is not None


@names_the_file
def measure_arena(model: str | Path | bytes) -> Arena:
    """Run a model once in TFLM and return what its allocator gave to whom.

    The records are those of a 64-bit machine; where pointers are half as wide, they are smaller.

    Args:
        model: a .tflite file, or its bytes.

    Raises:
        ModelError: TFLM is not there, or it refuses the model.
    """
    content = read_model(model)
    reader.read(content)
    if not is_available():
        raise ModelError(MISSING)
    return _parse(probe(content, "tflm"))


def _parse(log: str) -> Arena:
    head, tail = (
        int(match[1]) if (match := re.search(rf"Arena allocation {end} (\d+) bytes", log)) else 0
        for end in ("head", "tail")
    )
    found = {name: int(size) for name, size in re.findall(r"'(.+?)' used (\d+) bytes", log)}
    known = {purpose: found.get(name, 0) for name, purpose in _PURPOSES.items()}
    known = {purpose: size for purpose, size in known.items() if size}
    return Arena({"activations": head, **known, "the interpreter itself": tail - sum(known.values())})
