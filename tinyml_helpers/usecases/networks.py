"""Networks of the course that have several outputs, in LiteRT's interpreter, on one thread."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets import read_verified


class Network:
    """A shipped .tflite network, verified; made by `load`."""

    def __init__(self, name: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.name, self.content = name, read_verified(f"models/{name}.tflite")
        with _silent():
            self._interpreter: Any = Interpreter(model_content=self.content, num_threads=1)
            self._interpreter.allocate_tensors()
        (told,) = self._interpreter.get_input_details()
        self.input_shape = tuple(int(side) for side in told["shape"])
        self._input: int = told["index"]
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]

    def __repr__(self) -> str:
        return f"{self.name}.tflite: {len(self.content):,} bytes, input {list(self.input_shape)}"

    def run(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        """Run one input of the network's own shape, and return its outputs.

        Raises:
            ValueError: another shape.
        """
        if values.shape != self.input_shape:
            raise ValueError(f"{self.name} takes {list(self.input_shape)}, not {list(values.shape)}")
        self._interpreter.set_tensor(self._input, values.astype(np.float32))
        self._interpreter.invoke()
        return [np.array(self._interpreter.get_tensor(index)) for index in self._outputs]


@cache
def load(name: str) -> Network:
    """Load a network from data/models by its name without ending, once.

    Raises:
        DataError: it is not shipped, or damaged.
    """
    return Network(name)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep quiet what the runtime announces from C++ when it is made: which kernels it took."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
