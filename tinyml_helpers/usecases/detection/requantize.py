"""Quantize a .tflite file that somebody else made, when the network it came from is not at hand."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.deploy.model_file import ModelError, names_the_file, read_model
from tinyml_helpers.deploy.tflite import reader
from tinyml_helpers.deploy.tflite.graph import Graph
from tinyml_helpers.system import native_output

Mode = Literal["weights", "int8"]
_KEY = "serving_default"


@names_the_file
def quantize(
    model: str | Path | bytes,
    mode: Mode,
    images: Iterable[NDArray[np.float32]] = (),
    clip: Mapping[int, tuple[float, float]] | None = None,
) -> bytes:
    """Quantize a float .tflite file with ai-edge-quantizer, now litert-quantizer, scales per channel.

    Args:
        model: path or bytes; weights in float32 or float16.
        mode: "weights" stores int8 weights and computes in float; "int8" computes in integers, input
            and outputs included.
        images: inputs of the model's shape, on which "int8" calibrates.
        clip: for "int8", number of an output -> the range that its integers shall cover at the most;
            values beyond it are clipped. Where few values claim a wide range, the others gain.

    Returns:
        The content of the .tflite file.

    Raises:
        ModelError: not a sound .tflite file.
        ValueError: unknown mode, "int8" without images, or an output that the model has not.
    """
    from ai_edge_quantizer import quantizer, recipe  # type: ignore[import-untyped]

    recipes = {"weights": recipe.weight_only_wi8_afp32, "int8": recipe.static_wi8_ai8}
    wanted = images if mode == "int8" else ()
    calibration = [{"input": np.asarray(image, np.float32)} for image in wanted]
    if mode not in recipes or (mode == "int8" and not calibration):
        raise ValueError(f"mode {mode!r}, {len(calibration)} images: int8 needs some, weights none")
    with tempfile.TemporaryDirectory() as folder, _quietly():
        path, content = Path(folder, "float.tflite"), in_float32(model)
        path.write_bytes(content)
        work = quantizer.Quantizer(str(path), recipes[mode]())
        ranges: Any = work.calibrate({_KEY: calibration}) if calibration else None
        for output, (low, high) in (clip or {}).items() if ranges else ():
            for name in _on_the_way_out(reader.read(content).graphs[0], output):
                for end in ("min", "max"):
                    ranges[name][end] = np.clip(ranges[name][end], low, high)
        return bytes(work.quantize(ranges).quantized_model)


def _on_the_way_out(graph: Graph, output: int) -> Iterator[str]:
    """Yield the names of an output and of all that reaches it unchanged: they share one scale."""
    if output not in range(len(graph.outputs)):
        raise ValueError(f"the model has {len(graph.outputs)} outputs, counted from 0: no {output}")
    makers = {index: maker for maker in graph.operators for index in maker.outputs}
    waiting = [graph.outputs[output]]
    while waiting:
        tensor = waiting.pop()
        yield graph.tensors[tensor].name
        if makers[tensor].type == "RESHAPE":
            waiting.append(makers[tensor].inputs[0])
        elif makers[tensor].type == "CONCATENATION":
            waiting.extend(makers[tensor].inputs)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep progress bars, a summary and the chatter of the runtime off the screen."""
    with (
        native_output.capture(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        # It calibrates with an interpreter that keeps all tensors, and is warned that this is slow.
        warnings.filterwarnings("ignore", ".*experimental_preserve_all_tensors.*", UserWarning)
        yield


@names_the_file
def in_float32(model: str | Path | bytes) -> bytes:
    """Return a .tflite file whose float16 weights have become float32, with named ends.

    A float16 file holds an operator for each weight that widens it at the start; those go. The input
    is named "input" and the outputs "output0", "output1" ..., which the quantizer asks for.

    Channels whose weights are all 0 get one tiny weight: their scale would be next to 0, and their
    bias, counted in steps of it, would not fit into 32 bits.

    Raises:
        ModelError: not a sound .tflite file, or one whose weights are integers already.
    """
    content = read_model(model)
    reader.read(content)
    try:
        return _rebuilt(content)
    except ModelError:
        raise
    except Exception as error:  # the generated reader and writer check nothing
        raise ModelError(f"the model cannot be taken apart ({type(error).__name__}: {error})") from error


def _rebuilt(content: bytes) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    whole = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = whole.subgraphs[0]
    kinds = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in whole.operatorCodes]
    graph.operators = [
        operator
        for operator in graph.operators
        if kinds[operator.opcodeIndex] != schema.BuiltinOperator.DEQUANTIZE
        or not _widened(schema, whole, operator)
    ]
    _drop_unused(graph)
    weighted = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)
    for operator in graph.operators:
        if kinds[operator.opcodeIndex] in weighted and len(operator.inputs) == 3:
            parts = [graph.tensors[i] for i in operator.inputs[1:]]
            if any(part.type != schema.TensorType.FLOAT32 for part in parts):
                raise ModelError(
                    "its weights are integers already: quantize the model that it came from"
                )
            _wake_dead_channels(whole, *parts)
    whole.signatureDefs = [_signature(schema, graph)]
    builder = flatbuffers.Builder(len(content) * 2)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _widened(schema: Any, whole: Any, operator: Any) -> bool:
    """Store as float32 what this operator would widen; False if that is no float16 constant."""
    tensors = whole.subgraphs[0].tensors
    source = tensors[operator.inputs[0]]
    if source.type != schema.TensorType.FLOAT16 or whole.buffers[source.buffer].data is None:
        return False
    wide = _numbers(whole, source, np.float16).astype(np.float32)
    whole.buffers[source.buffer].data = wide.view(np.uint8)
    tensors[operator.outputs[0]].buffer = source.buffer
    return True


def _numbers(whole: Any, tensor: Any, dtype: type[np.floating[Any]]) -> NDArray[Any]:
    return np.asarray(whole.buffers[tensor.buffer].data, np.uint8).view(dtype)


def _drop_unused(graph: Any) -> None:
    """Leave only tensors that an operator names, and number them anew."""
    ends = {*graph.inputs, *graph.outputs}
    named = {i for operator in graph.operators for i in (*operator.inputs, *operator.outputs) if i >= 0}
    used = sorted(named | ends)
    place = {-1: -1} | {old: new for new, old in enumerate(used)}
    graph.tensors = [graph.tensors[i] for i in used]
    for owner in (graph, *graph.operators):
        owner.inputs = np.array([place[i] for i in owner.inputs], np.int32)
        owner.outputs = np.array([place[i] for i in owner.outputs], np.int32)


def _wake_dead_channels(whole: Any, weight: Any, bias: Any) -> None:
    weights, biases = (_numbers(whole, tensor, np.float32).copy() for tensor in (weight, bias))
    # Output channels come first in a plain convolution, last in a depthwise one ([1, h, w, channels]).
    channels = (
        weights.reshape(-1, len(biases)).T if weight.shape[0] == 1 else weights.reshape(len(biases), -1)
    )
    least = 1e-4 * abs(biases)
    dead = abs(channels).max(1) < least
    channels[dead, 0] = least[dead]
    whole.buffers[weight.buffer].data = weights.view(np.uint8)


def _signature(schema: Any, graph: Any) -> Any:
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = _KEY, 0
    names = [("input", i) for i in graph.inputs]
    signature.inputs = [_port(schema, *port) for port in names]
    signature.outputs = [_port(schema, f"output{n}", i) for n, i in enumerate(graph.outputs)]
    return signature


def _port(schema: Any, name: str, tensor: int) -> Any:
    port = schema.TensorMapT()
    port.name, port.tensorIndex = name, int(tensor)
    return port
