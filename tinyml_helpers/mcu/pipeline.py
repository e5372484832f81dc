"""C before and after a network: raw samples in, an answer out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.mcu.compiler.codegen import Program
from tinyml_helpers.mcu.compiler.headers import FOR_C_PLUS_PLUS

SENSOR = "_sensor_samples"
_DTYPES = {"int8_t": "int8", "uint8_t": "uint8", "int16_t": "int16", "float": "float32"}


@dataclass(frozen=True, eq=False)
class Pipeline:
    """What a product runs around its network.

    Args:
        files: file name -> C text, headers included. The compiler has no C library: no `math.h`.
        before: name of the function that turns samples into the network's input,
            `void before(const int16_t *samples, int8_t *input)`.
        samples: C type of a sample: int8_t, uint8_t, int16_t or float.
        count: how many samples one run takes. They lie in a memory of their own, as the sensor's
            do, and count neither as flash nor as RAM: the C keeps what it needs of them.
        after: name of the function that turns the network's output into an answer,
            `int32_t after(const int8_t *output)`; `None` leaves the output as it is.
        hop: samples from one run to the next where runs share some; 0: as many as a run takes.

    Raises:
        ValueError: a name that C does not take, an unknown type, or no samples.
    """

    files: Mapping[str, str]
    before: str
    samples: str
    count: int
    after: str | None = None
    hop: int = 0

    def __post_init__(self) -> None:
        for name in filter(None, (self.before, self.after)):
            if not name.isidentifier() or not name.isascii():
                raise ValueError(f"function {name!r} is no C identifier: use letters, digits and _")
        if self.samples not in _DTYPES:
            raise ValueError(f"samples of type {self.samples!r}: choose one of {', '.join(_DTYPES)}")
        if self.count < 1:
            raise ValueError(f"{self.count} samples in a run: it takes at least 1")

    @property
    def dtype(self) -> np.dtype[Any]:
        """The samples' type in numpy."""
        return np.dtype(_DTYPES[self.samples])

    def check_samples(self, samples: npt.ArrayLike) -> npt.NDArray[Any]:
        """Give the samples of a run as the C takes them.

        Args:
            samples: `count` values of the right type, or integers that it can hold.

        Raises:
            ValueError: another number of them, or values that do not fit the type.
        """
        array = np.asarray(samples)
        if array.size != self.count:
            raise ValueError(f"{array.size:,} samples given, the pipeline takes {self.count:,}")
        given = array.astype(self.dtype)
        real = self.dtype.kind == "f" and array.dtype.kind in "iuf"
        if not real and (array.dtype.kind not in "iu" or (given != array).any()):
            raise ValueError(f"samples of {array.dtype} do not fit {self.samples}: round and clip them")
        return given.ravel()

    def header(self) -> str:
        """Declare the functions, in C."""
        before, behind = FOR_C_PLUS_PLUS
        lines = [
            "/* What stands around the network. */",
            "#include <stdint.h>",
            f"\n{before}",
            f"void {self.before}(const {self.samples} *samples, int8_t *input);",
        ]
        if self.after:
            lines.append(f"int32_t {self.after}(const int8_t *output);")
        return "\n".join([*lines, f"\n{behind}"])

    def calls(self, name: str, samples: str) -> list[str]:
        """The C statements of one run.

        Args:
            name: prefix of the network's names.
            samples: C expression for the samples' address.

        Returns:
            Statements; where there is an `after`, the last one sets `score`.
        """
        lines = [f"{self.before}({samples}, {name}_input());", f"{name}_invoke();"]
        return [*lines, f"score = {self.after}({name}_output());"] if self.after else lines


def collect_sources_with_main(program: Program, pipeline: Pipeline | None) -> dict[str, str]:
    """Collect all C of a firmware, with a `main` that runs it once.

    Args:
        program: the network as C.
        pipeline: what stands around it.

    Raises:
        ValueError: two files of one name, or a network that no pipeline goes around.
    """
    name = program.name
    lines = [f'#include "{name}.h"']
    if pipeline:
        _check(program, pipeline)
        lines += [
            f'#include "{name}_chain.h"\n',
            f'__attribute__((section(".sensor"))) {pipeline.samples} {SENSOR}[{pipeline.count}];',
            "int32_t score;",
        ]
    body = [f"    {call}" for call in [*run_once(program, pipeline, SENSOR), "return 0;"]]
    main = "\n".join([*lines, "\nint main(void) {", *body, "}", ""])
    return {**collect_sources(program, pipeline), "main.c": main}


def run_once(program: Program, pipeline: Pipeline | None, samples: str) -> list[str]:
    """The C statements of one run; the first of them all forgets what a streaming network remembers.

    Args:
        program: the network as C.
        pipeline: what stands around it.
        samples: C expression for the address of its samples.
    """
    name = program.name
    calls = pipeline.calls(name, samples) if pipeline else [f"{name}_invoke();"]
    if program.graph.variables:
        return ["static int started;", f"if (!started++) {name}_reset();", *calls]
    return calls


def collect_sources(program: Program, pipeline: Pipeline | None) -> dict[str, str]:
    """Collect all C of a firmware but its `main`: file name -> text."""
    if pipeline is None:
        return dict(program.files)
    return {**program.files, **pipeline.files, f"{program.name}_chain.h": pipeline.header()}


def _check(program: Program, pipeline: Pipeline) -> None:
    reserved = {*program.files, f"{program.name}_chain.h", f"{program.name}_test.h", "main.c"}
    if both := sorted(reserved & set(pipeline.files)):
        raise ValueError(f"file {both[0]!r} of the pipeline is one of the network's: rename it")
    graph = program.graph
    ends = [graph.inputs, graph.outputs] if pipeline.after else [graph.inputs]
    if any(len(numbers) != 1 for numbers in ends):
        raise ValueError("a pipeline goes around a network with one input and one output")
    if any(graph.tensors[number].dtype != "int8" for (number,) in ends):
        raise ValueError("a pipeline goes around an int8 network: build it without float_io")
