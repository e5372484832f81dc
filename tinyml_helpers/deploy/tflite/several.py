"""A .tflite model with several outputs, as detectors have them; `litert.load` is for one of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.deploy import benchmark
from tinyml_helpers.deploy.model_file import ModelError, names_the_file, read_model
from tinyml_helpers.deploy.tflite import interpreter, probe, reader
from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.system import native_output


class Network:
    """A model with one input and any number of outputs, in LiteRT on one thread."""

    def __init__(self, content: bytes) -> None:
        """Build the interpreter of a checked model."""
        graph = reader.read(content).graphs[0]
        if len(graph.inputs) != 1:
            raise ModelError(f"the model has {len(graph.inputs)} inputs: only one is fed here")
        interpreter.check_ends(graph)
        self.content = content
        self.input: Tensor = graph.tensors[graph.inputs[0]]
        self.outputs: tuple[Tensor, ...] = tuple(graph.tensors[i] for i in graph.outputs)
        with native_output.captured():
            self._interpreter = probe.interpreter(content, "default")

    def __repr__(self) -> str:
        outputs = "".join(f"\n  out: {tensor}" for tensor in self.outputs)
        return f"{len(self.content):,} bytes of .tflite\n  in:  {self.input}{outputs}"

    def predict(self, values: ArrayLike) -> tuple[NDArray[np.float32], ...]:
        """Run one input, and return every output as float32, in the order of `outputs`.

        Args:
            values: of the input's shape, real numbers; integers inside the model are quantized and
                dequantized here.

        Raises:
            ModelError: another shape than the model takes, or values that are not finite.
        """
        reals = np.asarray(values, np.float32)
        if reals.shape != self.input.shape:
            raise ModelError(
                f"the model takes {list(self.input.shape)}, and the array is {list(reals.shape)}"
            )
        if not np.isfinite(reals).all():
            raise ModelError("the input has values that are not finite: find out where they come from")
        ports = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._interpreter.set_tensor(ports[0][0]["index"], self.input.quantized(reals))
        self._interpreter.invoke()
        raw = (self._interpreter.get_tensor(port["index"]) for port in ports[1])
        return tuple(tensor.real(array) for array, tensor in zip(raw, self.outputs, strict=True))

    def latency_ms(self, seconds: float = 0.5) -> float:
        """Return the median time of one inference on this machine, on one thread, in milliseconds."""
        self.predict(np.zeros(self.input.shape))
        return benchmark.median_ms(self._interpreter.invoke, seconds)


@names_the_file
def load(model: str | Path | bytes) -> Network:
    """Load a .tflite file after all that can be checked was checked, as `litert.load` does.

    Args:
        model: path or bytes.

    Raises:
        ModelError: not a sound .tflite file, or the interpreter cannot run it.
    """
    content = read_model(model)
    reader.read(content)
    probe.probe(content, "default")
    return Network(content)
