"""Runs a model for the first time, in a process of its own that may crash in place of yours.

The interpreters check little of what a file says: a damaged number can make them divide by zero, read
anywhere or claim all memory. `python -m tinyml_helpers.deploy.tflite.probe KERNELS` reads a model from
its standard input, runs it once on zeros, and reports as JSON. With `run` for KERNELS it reads a model
and inputs, and writes what TFLM makes of them.
"""

from __future__ import annotations

import functools
import io
import json
import math
import os
import sys
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.system import native_output, untrusted
from tinyml_helpers.system.untrusted import one_line

if TYPE_CHECKING:
    from tinyml_helpers.deploy.tflite.graph import Graph

Kernels = Literal["default", "reference", "tflm"]
KERNELS: tuple[Kernels, ...] = get_args(Kernels)
SECONDS = 60
_REDUCERS = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL")


@functools.lru_cache(maxsize=64)
def probe(content: bytes, kernels: str) -> str:
    """Run a model once on zeros in a process of its own, and return what the interpreter printed.

    Args:
        content: a .tflite file that `tflite.read` has checked.
        kernels: one of `KERNELS`.

    Raises:
        ModelError: the interpreter refuses the model, crashes on it, or takes longer than a minute.
    """
    try:
        said = untrusted.run_isolated(
            "tinyml_helpers.deploy.tflite.probe", kernels, content=content, seconds=SECONDS
        )
    except untrusted.TimeUpError as error:
        raise ModelError(f"the model did not finish one inference within {SECONDS} s") from error
    except untrusted.GuardedError as error:
        raise ModelError(
            f"the model crashes the {kernels} interpreter ({error}): it is damaged, "
            "or uses what this interpreter cannot do; copy or convert it again"
        ) from error
    outcome = json.loads(said)
    if outcome["error"]:
        raise ModelError(
            f"the {kernels} interpreter refuses the model: {one_line(outcome['error'], 500)}"
        )
    return str(outcome["log"])


def run_tflm(content: bytes, raw: NDArray[Any]) -> list[NDArray[Any]]:
    """Run inputs [N, ...] through TFLM in a process of its own, and return each output, [N, ...].

    Raises:
        ModelError: TFLM crashes on the inputs, or is not done with them after ten minutes.
    """
    packed = io.BytesIO()
    np.savez(packed, model=np.frombuffer(content, np.uint8), raw=raw)
    try:
        said = untrusted.run_isolated(
            "tinyml_helpers.deploy.tflite.probe", "run", content=packed.getvalue(), seconds=10 * SECONDS
        )
    except untrusted.GuardedError as error:
        raise ModelError(f"the tflm interpreter fails on this input ({error})") from error
    with np.load(io.BytesIO(said), allow_pickle=False) as outputs:
        return list(outputs.values())


def interpreter(content: bytes, kernels: str, arena_bytes: int = 0, *, keep_all: bool = False) -> Any:
    """Return an interpreter of LiteRT, or of TFLM, that holds the model, on one thread.

    Args:
        content: a .tflite file that has been probed.
        kernels: one of `KERNELS`.
        arena_bytes: what TFLM may work in.
        keep_all: let LiteRT keep every tensor for reading, where it would reuse memory.

    Raises:
        ModelError: an operator would make LiteRT write beyond its memory.
    """
    check_axes(content)
    if kernels == "tflm":
        from tflite_micro import runtime

        return runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_REF if kernels == "reference" else OpResolverType.AUTO
    made = Interpreter(
        model_content=content,
        num_threads=1,
        experimental_op_resolver_type=resolver,
        experimental_preserve_all_tensors=keep_all,
    )
    made.allocate_tensors()
    return made


def check_axes(content: bytes) -> None:
    """Refuse an operator that sums over more axes than there are: LiteRT's kernels write beyond them.

    Raises:
        ModelError: it names the operator.
    """
    from tinyml_helpers.deploy.tflite import reader

    for graph in reader.read(content).graphs:
        for number, operator in enumerate(graph.operators):
            if operator.type in _REDUCERS and len(operator.inputs) > 1 and min(operator.inputs) >= 0:
                summed, axes = (graph.tensors[index] for index in operator.inputs[:2])
                if math.prod(axes.shape) > max(len(summed.shape), 1):
                    raise ModelError(
                        f"{operator.type} (operator {number}) is given {math.prod(axes.shape)} axes of "
                        f"{len(summed.shape)}: the file is damaged; copy or convert it again"
                    )


def arena_limit_bytes(content: bytes) -> int:
    """Return an arena size that surely suffices: room for every tensor at once, and for records.

    Raises:
        ModelError: more than a gigabyte, which is no model for a microcontroller.
    """
    from tinyml_helpers.deploy.tflite import reader

    graphs = reader.read(content).graphs
    tensors = sum(tensor.size_bytes + 512 for graph in graphs for tensor in graph.tensors)
    operators = sum(len(graph.operators) for graph in graphs)
    limit = 2 * tensors + 4096 * operators + 2**17
    if limit > 2**30:
        raise ModelError(f"its tensors take {tensors:,} bytes: too much for TFLM")
    return limit


def _run_once(content: bytes, kernels: str) -> None:
    if kernels == "tflm":
        made = interpreter(content, kernels, arena_limit_bytes(content))
        for index in range(len(_graph(content).inputs)):
            details = made.get_input_details(index)
            made.set_input(np.zeros(details["shape"], details["dtype"]), index)
        made.invoke()
        made.get_output(0)
        made.print_allocations()
        return
    made = interpreter(content, kernels)
    for details in made.get_input_details():
        made.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    made.invoke()
    for details in made.get_output_details():
        made.get_tensor(details["index"])


def _run_all(packed: bytes) -> list[NDArray[Any]]:
    with np.load(io.BytesIO(packed), allow_pickle=False) as given:
        content, raw = given["model"].tobytes(), given["raw"]
    made = interpreter(content, "tflm", arena_limit_bytes(content))
    size, count = made.get_input_details(0)["shape"][0], len(_graph(content).outputs)
    parts = []
    for start in range(0, len(raw), size):
        batch = np.zeros((size, *raw.shape[1:]), raw.dtype)
        batch[: len(raw) - start] = raw[start : start + size]
        made.set_input(batch, 0)
        made.invoke()
        parts.append([np.array(made.get_output(index)) for index in range(count)])
    return [np.concatenate(each)[: len(raw)] for each in zip(*parts, strict=True)]


def _graph(content: bytes) -> Graph:
    from tinyml_helpers.deploy.tflite import reader

    return reader.read(content).graphs[0]


def _main() -> None:
    untrusted.limit_memory()
    content, error = sys.stdin.buffer.read(), ""
    if sys.argv[1] == "run":
        with native_output.capture():
            outputs = _run_all(content)
        packed = io.BytesIO()  # a pipe cannot go back, as a zip file wants to
        np.savez(packed, *outputs)
        sys.stdout.buffer.write(packed.getvalue())
        sys.stdout.flush()
        os._exit(0)
    with native_output.capture() as printed:
        try:
            _run_once(content, sys.argv[1])
        except Exception as raised:
            error = str(raised) or type(raised).__name__
    log = printed.text.replace("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n", "")
    print(
        json.dumps({"error": " ".join([error, *log.split()]) if error else "", "log": log}), flush=True
    )
    # Destructors of a broken model may crash after all is said.
    os._exit(0)


if __name__ == "__main__":
    _main()
