"""A .tflite model in an interpreter: what goes in is checked before the runtime sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from tinyml_helpers.deploy import benchmark
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.deploy.tflite import probe
from tinyml_helpers.deploy.tflite.graph import BITS, Graph, Tensor
from tinyml_helpers.system import native_output
from tinyml_helpers.system.untrusted import one_line

_LABELS = {
    "default": "LiteRT, default kernels (XNNPACK)",
    "reference": "LiteRT, reference kernels",
    "tflm": "TFLM",
}
_NO_NUMBERS = ("int4", "bfloat16", "complex64", "complex128")  # or none that are exchanged here


class Model:
    """A loaded .tflite model with one input and any number of outputs; made by `litert.load`."""

    def __init__(self, content: bytes, kernels: str, graph: Graph) -> None:
        """Build the interpreter of a checked model."""
        if len(graph.inputs) != 1 or not graph.outputs:
            raise ModelError(
                f"the model has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs: "
                "one input is fed here, and some output is read"
            )
        check_ends(graph)
        self.content, self.kernels, self.graph = content, kernels, graph
        self.input: Tensor = graph.tensors[graph.inputs[0]]
        self.outputs: tuple[Tensor, ...] = tuple(graph.tensors[i] for i in graph.outputs)
        self._own_batch = self._batch = self.input.shape[0]
        if kernels != "tflm":  # which believes shapes that it does not check: it runs in its own process
            try:
                self._build(self._own_batch)
            except (RuntimeError, ValueError) as error:
                raise ModelError(f"the interpreter refuses the model: {one_line(error)}") from error

    def __repr__(self) -> str:
        title = f"{len(self.content):,} bytes of .tflite on {_LABELS[self.kernels]}"
        outputs = "".join(f"\n  out: {_describe(output)}" for output in self.outputs)
        return f"{title}\n  in:  {_describe(self.input)}{outputs}"

    @property
    def output(self) -> Tensor:
        """The output of a model that has only one.

        Raises:
            ModelError: it has several.
        """
        self._refuse_several_outputs()
        return self.outputs[0]

    def quantize(self, values: ArrayLike) -> NDArray[Any]:
        """Return what the input's integers stand for best: values / scale + zero point, clipped.

        A model with a float input gets them as float32.

        Raises:
            ModelError: values that are not finite.
        """
        reals = np.asarray(values, np.float32)
        if not np.isfinite(reals).all():
            raise ModelError("the input has values that are not finite: find out where they come from")
        return self.input.quantized(reals)

    def dequantize(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Return the float32 values that the output's integers stand for."""
        return self.output.real(raw)

    def predict(self, values: ArrayLike, batch_size: int = 100) -> NDArray[np.float32]:
        """Run real inputs [N, ...] through the model, and return real outputs float32 [N, ...].

        Where the model's input and output are integers, they are quantized and dequantized here.

        Raises:
            ModelError: another shape than the model takes, or values that are not finite.
        """
        return self.dequantize(self.run(self.quantize(values), batch_size))

    def predict_all(self, values: ArrayLike) -> tuple[NDArray[np.float32], ...]:
        """Do as `predict` does, and return every output, in the order of `outputs`."""
        found = self._run_all(self.quantize(values))
        return tuple(tensor.real(raw) for tensor, raw in zip(self.outputs, found, strict=True))

    def run(self, raw: NDArray[Any], batch_size: int = 100) -> NDArray[Any]:
        """Run inputs [N, ...] of the model's own dtype, and return its outputs as they come.

        Args:
            raw: as many inputs as you like, along the first axis.
            batch_size: how many go through at once, where the model lets its batch be resized.

        Raises:
            ModelError: another dtype or shape than the model takes, or the interpreter fails on it.
        """
        self._refuse_several_outputs()
        return self._run_all(raw, batch_size)[0]

    def _run_all(self, raw: NDArray[Any], batch_size: int = 100) -> list[NDArray[Any]]:
        raw = np.asarray(raw)
        self._check(raw)
        if self.kernels == "tflm":
            return probe.run_tflm(self.content, raw)
        try:
            self._resize(min(batch_size, len(raw)))
            starts = tqdm(range(0, len(raw), self._batch), unit="batch", leave=False, delay=2)
            parts = [self._run_batch(raw[i : i + self._batch]) for i in starts]
            return [np.concatenate(each) for each in zip(*parts, strict=True)]
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"the interpreter fails on this input: {one_line(error)}") from error

    def look_inside(self, raw: NDArray[Any]) -> dict[int, NDArray[Any]]:
        """Return what LiteRT's reference kernels compute at every step, by number of the tensor.

        Args:
            raw: inputs [N, ...] of the model's own dtype; they go through one by one.

        Raises:
            ModelError: another dtype or shape than the model takes.
        """
        self._check(raw)
        seen: dict[int, list[NDArray[Any]]] = {}
        with native_output.capture():
            inner = probe.interpreter(self.content, "reference", keep_all=True)
        for single in raw:
            inner.set_tensor(inner.get_input_details()[0]["index"], single[None])
            inner.invoke()
            for index in (i for operator in self.graph.operators for i in operator.outputs):
                seen.setdefault(index, []).append(inner.get_tensor(index))
        return {index: np.concatenate(values) for index, values in seen.items()}

    def latency_ms(self, seconds: float = 0.5) -> float:
        """Return the median time of one inference on this machine, on one thread, in milliseconds.

        Raises:
            ModelError: on TFLM, whose plain C says nothing about this machine.
        """
        if self.kernels == "tflm":
            raise ModelError("TFLM is no runtime of this machine: measure it on a microcontroller")
        self._run_all(np.zeros(self.input.shape, self.input.dtype)[:1])
        return benchmark.median_ms(self._interpreter.invoke, seconds)

    def _refuse_several_outputs(self) -> None:
        if len(self.outputs) > 1:
            raise ModelError(f"the model has {len(self.outputs)} outputs: `predict_all` returns them")

    def _check(self, raw: NDArray[Any]) -> None:
        wanted = ", ".join(["N", *map(str, self.input.shape[1:])])
        if raw.dtype != self.input.dtype:
            cure = "`predict` quantizes for you" if self.input.scales else "convert it with `.astype`"
            raise ModelError(f"the model takes {self.input.dtype}, and the array is {raw.dtype}: {cure}")
        if raw.shape[1:] != self.input.shape[1:] or not raw.ndim or not len(raw):
            raise ModelError(
                f"the model takes [{wanted}], and the array is {list(raw.shape)}: reshape it; PyTorch "
                "keeps channels first, TFLite last"
            )

    def _resize(self, count: int) -> None:
        """Try to make room for a batch; a model that fixes its batch keeps it."""
        if self._batch == count:
            return
        try:
            self._build(count)
        except (RuntimeError, ValueError):
            self._build(self._own_batch)

    def _build(self, batch: int) -> None:
        self._batch = batch
        with native_output.capture():
            self._interpreter = probe.interpreter(self.content, self.kernels)
            if batch != self._own_batch:
                index = self._interpreter.get_input_details()[0]["index"]
                self._interpreter.resize_tensor_input(index, [batch, *self.input.shape[1:]])
                self._interpreter.allocate_tensors()
        shapes = [details["shape"] for details in self._interpreter.get_output_details()]
        grown = all(int(shape[0]) == batch if len(shape) else batch == 1 for shape in shapes)
        if batch != self._own_batch and not grown:
            raise ValueError(f"an output does not grow with a batch of {batch}")

    def _run_batch(self, raw: NDArray[Any]) -> list[NDArray[Any]]:
        if len(raw) < self._batch:
            # The last batch is filled up, and what was filled in is dropped.
            filled = np.concatenate([raw, np.zeros((self._batch - len(raw), *raw.shape[1:]), raw.dtype)])
            return [output[: len(raw)] for output in self._run_batch(filled)]
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], raw)
        self._interpreter.invoke()
        outputs = self._interpreter.get_output_details()
        return [np.array(self._interpreter.get_tensor(details["index"])) for details in outputs]


def check_ends(graph: Graph) -> None:
    """Refuse a graph whose inputs or outputs cannot be filled or read as arrays of numbers.

    Raises:
        ModelError: one is empty, has no batch, a scale of 0, or values that NumPy does not know.
    """
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[index]
        if tensor.dtype.upper() not in BITS or tensor.dtype in _NO_NUMBERS:
            raise ModelError(f"input or output {one_line(tensor)}: such values cannot be exchanged here")
        if index in graph.inputs and not (tensor.shape and all(tensor.shape)):
            raise ModelError(f"input {one_line(tensor)}: it has no batch, or no values")
        if tensor.is_quantized and not tensor.scales[0] > 0:
            raise ModelError(f"input or output {one_line(tensor)}: its scale is 0")


def _describe(port: Tensor) -> str:
    scale = f", scale {port.scales[0]:.6g}, zero point {port.zero_point}" if port.scales else ""
    return f"{port.dtype} {list(port.shape)}{scale}"
