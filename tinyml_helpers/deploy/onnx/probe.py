"""Loads an ONNX file for the first time, in a process of its own that may crash in place of yours.

A file of two hundred bytes can ask for a tensor of many gigabytes, or for a loop without end.
`python -m tinyml_helpers.deploy.onnx.probe [FILE]` loads the model from its standard input, or
from a file that has others beside it, runs it once on zeros, and prints why it was refused, if it was.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy as np

from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.onnx import session as onnx_session
from tinyml_helpers.system import untrusted
from tinyml_helpers.system.untrusted import one_line

SECONDS = 60


@functools.lru_cache(maxsize=64)
def probe(model: str | bytes) -> None:
    """Load a model into ONNX Runtime in a process of its own, and run it once on zeros.

    Args:
        model: the content of a file that was checked, or the path of one with others beside it. It is
            loaded at the level "all", where ONNX Runtime does most with it.

    Raises:
        ModelError: ONNX Runtime refuses it, crashes on it, runs out of memory, or does not end in time.
    """
    place, content = ((), model) if isinstance(model, bytes) else ((model,), b"")
    try:
        said = untrusted.run_isolated(
            "tinyml_helpers.deploy.onnx.probe", *place, content=content, seconds=SECONDS
        )
    except untrusted.TimeUpError as error:
        raise ModelError(f"the model did not finish one inference within {SECONDS} s") from error
    except untrusted.GuardedError as error:
        raise ModelError(
            f"the model crashes ONNX Runtime ({error}): it is damaged; copy or export it again"
        ) from error
    if reason := said.decode("utf-8", "replace").strip():
        raise ModelError(f"ONNX Runtime refuses the model: {one_line(reason, 300)}")


def attempt(model: str | bytes) -> str:
    """Load and run a model in this very process; return why it was refused, "" if it was not."""
    from onnxruntime import InferenceSession

    try:
        session = InferenceSession(
            model, onnx_session.make_options("all"), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime has a dozen, none of them documented
        return str(error) or type(error).__name__
    try:
        zeros = {port.name: _zeros(port) for port in session.get_inputs()}
    except (MemoryError, ValueError) as error:
        return f"no array is as large as its input: {error}"
    try:
        session.run(None, zeros)
    except Exception as error:
        # A model may well not take zeros of the least size; one that asks for all memory is refused.
        told = f"{type(error).__name__}: {error}"
        return told if isinstance(error, MemoryError) or "alloc" in told else ""
    return ""


def _zeros(port: Any) -> Any:
    shape = [size if isinstance(size, int) else 1 for size in port.shape]
    return np.zeros(shape, onnx_session.DTYPES.get(port.type, "float32"))


def _main() -> None:
    untrusted.limit_memory()
    model = sys.argv[1] if sys.argv[1:] else sys.stdin.buffer.read()
    print(" ".join(attempt(model).split()), flush=True)


if __name__ == "__main__":
    _main()
