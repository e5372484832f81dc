"""A model in ONNX Runtime: what goes in is checked before the runtime sees it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from tinyml_helpers.deploy import benchmark
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.system.untrusted import one_line

Level = Literal["none", "basic", "extended", "all"]
LEVELS: tuple[str, ...] = get_args(Level)
DTYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16",
    "tensor(int8)": "int8", "tensor(uint8)": "uint8", "tensor(int32)": "int32", "tensor(int64)": "int64",
}  # fmt: skip


def make_options(level: str) -> Any:
    """Return the `SessionOptions` of a level, on one thread.

    Raises:
        ValueError: unknown level.
    """
    from onnxruntime import GraphOptimizationLevel, SessionOptions

    if level not in LEVELS:
        raise ValueError(f"unknown level {level!r}: choose one of {', '.join(LEVELS)}")
    names = ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")
    made = SessionOptions()
    made.graph_optimization_level = getattr(GraphOptimizationLevel, names[LEVELS.index(level)])
    made.intra_op_num_threads = made.inter_op_num_threads = 1
    # Errors only: it warns that a graph for this processor may not suit another one.
    made.log_severity_level = 3
    if _overflows():
        made.add_session_config_entry("session.x64quantprecision", "1")
    return made


@functools.cache
def _overflows() -> bool:
    """Try whether this processor adds pairs of int8 products in 16 bits, where large ones overflow.

    x86 processors without VNNI do, by default; a setting of ONNX Runtime avoids it, for some speed.
    Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    """
    from onnx import TensorProto, helper
    from onnxruntime import InferenceSession

    ports = (
        ("a", TensorProto.UINT8, 64, 64),
        ("b", TensorProto.INT8, 64, 64),
        ("c", TensorProto.INT32, 64, 64),
    )
    a, b, c = (helper.make_tensor_value_info(name, kind, size) for name, kind, *size in ports)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["c"])], "probe", [a, b], [c]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    full = {"a": np.full((64, 64), 255, np.uint8), "b": np.full((64, 64), 127, np.int8)}
    return bool((session.run(None, full)[0] != 64 * 255 * 127).any())


class Model:
    """A model in ONNX Runtime with one input and one output; made by `load`."""

    def __init__(self, session: Any, file_bytes: int, level: str) -> None:
        """Wrap a session."""
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"the model has {len(inputs)} inputs and {len(outputs)} outputs: "
                "only one of each is run here"
            )
        self.session, self.file_bytes, self.level = session, file_bytes, level
        self.input_name, self.output_name = str(inputs[0].name), str(outputs[0].name)
        # Sizes that are not fixed are names or None.
        self.input_shape: tuple[int | str | None, ...] = tuple(inputs[0].shape)
        if not {inputs[0].type, outputs[0].type} <= set(DTYPES):
            raise ModelError(
                f"the model takes {inputs[0].type} and gives {outputs[0].type}: only tensors of numbers "
                "are run here"
            )
        if not self.input_shape or 0 in self.input_shape:
            raise ModelError(f"the model takes {list(self.input_shape)}: it has no batch, or no values")
        self.dtype = np.dtype(DTYPES[inputs[0].type])

    def __repr__(self) -> str:
        shape = "x".join(str(size) for size in self.input_shape)
        return (
            f"{self.file_bytes:,} bytes on ONNX Runtime, optimisation level {self.level}, "
            f"takes {self.dtype} {shape}"
        )

    def predict(self, values: ArrayLike, batch_size: int = 100) -> NDArray[Any]:
        """Run inputs [N, ...] of the model's dtype, and return its outputs [N, ...].

        Raises:
            ModelError: another dtype or shape than the model takes, or it fails on the input.
        """
        array = np.ascontiguousarray(values)
        self._check(array)
        size = self.input_shape[0] if isinstance(self.input_shape[0], int) else batch_size
        if len(array) % size and size == self.input_shape[0]:
            raise ModelError(f"the model takes {size} at a time, and {len(array)} do not divide by it")
        parts = list(self._batches(array, size))
        if not all(part.ndim for part in parts):
            raise ModelError("the model gives single numbers: one for each input is wanted")
        return np.concatenate(parts)

    def latency_ms(self, seconds: float = 0.5) -> float:
        """Return the median time of one inference on this machine, on one thread, in milliseconds."""
        shape = [size if isinstance(size, int) else 1 for size in self.input_shape]
        feed = {self.input_name: np.zeros(shape, self.dtype)}
        return benchmark.median_ms(lambda: self.session.run([self.output_name], feed), seconds)

    def _batches(self, array: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
        for start in tqdm(range(0, len(array), size), unit="batch", leave=False, delay=2):
            feed = {self.input_name: array[start : start + size]}
            try:
                yield self.session.run([self.output_name], feed)[0]
            except Exception as error:
                raise ModelError(f"ONNX Runtime fails on this input: {one_line(error, 300)}") from error

    def _check(self, array: NDArray[Any]) -> None:
        wanted = [size if isinstance(size, int) else "any" for size in self.input_shape]
        if array.dtype != self.dtype:
            raise ModelError(
                f"the model takes {self.dtype}, and the array is {array.dtype}: "
                f"convert it with `.astype(np.{self.dtype})`"
            )
        fits = array.ndim == len(wanted) and len(array)
        if not fits or any(
            w not in ("any", s) for w, s in zip(wanted[1:], array.shape[1:], strict=True)
        ):
            raise ModelError(
                f"the model takes {wanted}, and the array is {list(array.shape)}: reshape it; PyTorch "
                "keeps channels before height and width, Keras behind them"
            )
