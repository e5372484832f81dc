"""A .tflite model in an interpreter: what goes in is checked before the runtime sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from tinyml_helpers.deploy import measure, native, probe
from tinyml_helpers.deploy.graph import Graph, Tensor
from tinyml_helpers.deploy.report import ModelError

_LABELS = {
    "default": "LiteRT, default kernels (XNNPACK)",
    "reference": "LiteRT, reference kernels",
    "tflm": "TFLM",
}


class Model:
    """A loaded .tflite model with one input and one output; made by `litert.load`."""

    def __init__(self, content: bytes, kernels: str, graph: Graph) -> None:
        """Build the interpreter of a checked model."""
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise ModelError(
                f"the model has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs: "
                "only one of each is run here"
            )
        self.content, self.kernels, self.graph = content, kernels, graph
        self.input: Tensor = graph.tensors[graph.inputs[0]]
        self.output: Tensor = graph.tensors[graph.outputs[0]]
        self._build(1)

    def __repr__(self) -> str:
        title = f"{len(self.content):,} bytes of .tflite on {_LABELS[self.kernels]}"
        return f"{title}\n  in:  {_describe(self.input)}\n  out: {_describe(self.output)}"

    def quantize(self, values: ArrayLike) -> NDArray[Any]:
        """Return what the input's integers stand for best: values / scale + zero point, clipped.

        A model with a float input gets them as float32.

        Raises:
            ModelError: values that are not finite.
        """
        reals = np.asarray(values, np.float32)
        if not np.isfinite(reals).all():
            raise ModelError("the input has values that are not finite: find out where they come from")
        if not self.input.scales:
            return reals.astype(self.input.dtype)
        limits = np.iinfo(self.input.dtype)
        steps = np.round(reals / np.float32(self.input.scales[0])) + self.input.zero_points[0]
        return steps.clip(limits.min, limits.max).astype(self.input.dtype)

    def dequantize(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Return the float32 values that the output's integers stand for."""
        if not self.output.scales:
            return raw.astype(np.float32)
        scale, zero_point = np.float32(self.output.scales[0]), self.output.zero_points[0]
        return scale * (raw.astype(np.float32) - zero_point)

    def predict(self, values: ArrayLike, batch_size: int = 100) -> NDArray[np.float32]:
        """Run real inputs [N, ...] through the model, and return real outputs float32 [N, ...].

        Where the model's input and output are integers, they are quantized and dequantized here.

        Raises:
            ModelError: another shape than the model takes, or values that are not finite.
        """
        return self.dequantize(self.run(self.quantize(values), batch_size))

    def run(self, raw: NDArray[Any], batch_size: int = 100) -> NDArray[Any]:
        """Run inputs [N, ...] of the model's own dtype, and return its outputs as they come.

        Args:
            raw: as many inputs as you like, along the first axis.
            batch_size: how many go through at once, where the model lets its batch be resized.

        Raises:
            ModelError: another dtype or shape than the model takes.
        """
        raw = np.asarray(raw)
        self._check(raw)
        size = min(batch_size, len(raw)) if self._resizes(min(batch_size, len(raw))) else 1
        starts = tqdm(range(0, len(raw), size), unit="batch", leave=False, delay=2)
        return np.concatenate([self._run_batch(raw[start : start + size]) for start in starts])

    def look_inside(self, raw: NDArray[Any]) -> dict[int, NDArray[Any]]:
        """Return what LiteRT's reference kernels compute at every step, by number of the tensor.

        Args:
            raw: inputs [N, ...] of the model's own dtype; they go through one by one.

        Raises:
            ModelError: another dtype or shape than the model takes.
        """
        self._check(raw)
        seen: dict[int, list[NDArray[Any]]] = {}
        with native.captured():
            inner = probe.interpreter(self.content, "reference", keep_all=True)
        for single in raw:
            inner.set_tensor(inner.get_input_details()[0]["index"], single[None])
            inner.invoke()
            for index in (i for operator in self.graph.operators for i in operator.outputs):
                seen.setdefault(index, []).append(inner.get_tensor(index))
        return {index: np.concatenate(values) for index, values in seen.items()}

    def latency_ms(self, seconds: float = 0.5) -> float:
        """Return the median time of one inference on this machine, on one thread, in milliseconds."""
        self.run(np.zeros(self.input.shape, self.input.dtype)[:1])
        return measure.median_ms(self._interpreter.invoke, seconds)

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

    def _resizes(self, count: int) -> bool:
        """Try to make room for a batch; a model that fixes its batch stays at one."""
        if self.kernels == "tflm" or self._batch == count:
            return self._batch == count
        try:
            self._build(count)
        except (RuntimeError, ValueError):
            self._build(1)
        return self._batch == count

    def _build(self, batch: int) -> None:
        self._batch = batch
        limit = probe.arena_limit_bytes(self.content) if self.kernels == "tflm" else 0
        with native.captured():
            self._interpreter = probe.interpreter(self.content, self.kernels, limit)
            if batch > 1:
                index = self._interpreter.get_input_details()[0]["index"]
                self._interpreter.resize_tensor_input(index, [batch, *self.input.shape[1:]])
                self._interpreter.allocate_tensors()
        if batch > 1 and self._interpreter.get_output_details()[0]["shape"][0] != batch:
            raise ValueError(f"the output does not grow with a batch of {batch}")

    def _run_batch(self, raw: NDArray[Any]) -> NDArray[Any]:
        if self.kernels == "tflm":
            self._interpreter.set_input(raw, 0)
            self._interpreter.invoke()
            return np.array(self._interpreter.get_output(0))
        if len(raw) < self._batch:
            # The last batch is filled up, and what was filled in is dropped.
            filled = np.concatenate([raw, np.zeros((self._batch - len(raw), *raw.shape[1:]), raw.dtype)])
            return self._run_batch(filled)[: len(raw)]
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], raw)
        self._interpreter.invoke()
        output = self._interpreter.get_output_details()[0]["index"]
        return np.array(self._interpreter.get_tensor(output))


def _describe(port: Tensor) -> str:
    scale = f", scale {port.scales[0]:.6g}, zero point {port.zero_points[0]}" if port.scales else ""
    return f"{port.dtype} {list(port.shape)}{scale}"
