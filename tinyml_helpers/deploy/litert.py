"""Models as .tflite: convert them, look into them, run them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.deploy.model_file import ModelError, names_the_file, read_model
from tinyml_helpers.deploy.model_report import ModelReport
from tinyml_helpers.deploy.tflite import probe, reader, sizes, tflm
from tinyml_helpers.deploy.tflite.comparison import Comparison
from tinyml_helpers.deploy.tflite.interpreter import Model
from tinyml_helpers.system import compat, native_output

if TYPE_CHECKING:
    import keras
    import torch

Mode = Literal["float32", "dynamic", "float16", "int8"]
MODES: tuple[Mode, ...] = ("float32", "dynamic", "float16", "int8")


@names_the_file
def load(model: str | Path | bytes, kernels: probe.Kernels = "default") -> Model:
    """Load a .tflite file into an interpreter, after all that can be checked was checked.

    The file is read and checked here, then run once in a process of its own: a file that crashes the
    interpreter does not crash yours.

    Args:
        model: path or bytes.
        kernels: "default" is LiteRT with the fast kernels of XNNPACK, "reference" LiteRT with its
            plain ones, "tflm" the interpreter of microcontrollers (Linux only).

    Raises:
        ModelError: not a sound .tflite file, or the interpreter cannot run it.
        ValueError: unknown kernels.
    """
    if kernels not in probe.KERNELS:
        raise ValueError(f"unknown kernels {kernels!r}: choose one of {', '.join(probe.KERNELS)}")
    if kernels == "tflm" and not tflm.is_available():
        raise ModelError(tflm.MISSING)
    content = read_model(model)
    graph = reader.read(content).graphs[0]
    probe.probe(content, kernels)
    return Model(content, kernels, graph)


def available_kernels() -> tuple[probe.Kernels, ...]:
    """Return the kernels that `load` can choose from on this machine."""
    return tuple(name for name in probe.KERNELS if name != "tflm" or tflm.is_available())


@names_the_file
def inspect(model: str | Path | bytes) -> ModelReport:
    """Look into a .tflite file without loading it: operators, tensors, bytes, MACs, and its arena.

    Args:
        model: path or bytes.

    Raises:
        ModelError: not a sound .tflite file.
    """
    content = read_model(model)
    file = reader.read(content)
    notes = [f"not counted in MACs: {', '.join(kinds)}"] if (kinds := sizes.find_uncounted(file)) else []
    arena_bytes = None
    try:
        arena_bytes = tflm.measure_arena(content).total_bytes
    except ModelError as error:
        notes += [f"no arena: {error}"]
    return ModelReport(
        format="TFLite",
        operators=Counter(operator.type for graph in file.graphs for operator in graph.operators),
        tensors=tuple(tensor.info for graph in file.graphs for tensor in graph.tensors),
        bytes_by_part=sizes.bytes_by_part(file),
        macs=sizes.macs(file),
        arena_bytes=arena_bytes,
        notes=tuple(notes),
    )


def from_keras(
    model: keras.Model, mode: Mode = "float32", representative: NDArray[np.float32] | None = None
) -> bytes:
    """Convert a Keras model to .tflite with TensorFlow's converter.

    Args:
        model: with one input and fixed sizes besides the batch.
        mode: "float32"; "dynamic" stores int8 weights; "float16" stores float16 weights; "int8"
            computes in integers, input and output included.
        representative: float32 inputs [N, ...] to calibrate on, for "int8".

    Returns:
        The content of the .tflite file.

    Raises:
        ValueError: unknown mode, or "int8" without representative inputs.
    """
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}: choose one of {', '.join(MODES)}")
    tf = compat.import_tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if mode != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode == "int8":
        if representative is None or not len(representative):
            raise ValueError("int8 needs representative inputs: give some hundred training images")
        converter.representative_dataset = one_at_a_time(representative)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    with native_output.capture():
        return bytes(converter.convert())


def one_at_a_time(inputs: NDArray[np.float32]) -> Callable[[], Iterator[list[NDArray[np.float32]]]]:
    """Return the function that the converter asks for: it yields inputs [N, ...] one by one."""
    return lambda: ([single[None]] for single in np.asarray(inputs, np.float32))


def from_torch(
    model: torch.nn.Module,
    example: torch.Tensor,
    *,
    channels_last: bool = False,
    quantizer: Any = None,
    representative: torch.Tensor | None = None,
) -> bytes:
    """Convert a PyTorch model to .tflite with litert-torch.

    Args:
        model: a module in evaluation mode, or a graph that PT2E has quantized.
        example: one input [1, C, H, W]; its shape becomes that of the model.
        channels_last: let the model take [1, H, W, C] in place of it.
        quantizer: the PT2E quantizer that the graph was made with, None for float.
        representative: float32 inputs [N, C, H, W], two at least, to calibrate a float model on, which
            becomes int8 from end to end by that.

    Returns:
        The content of the .tflite file.

    Raises:
        ValueError: a float model in training mode, or a single representative input.
    """
    litert_torch = compat.import_litert_torch()
    from litert_torch.quantize.quant_config import QuantConfig

    if quantizer is None and model.training:
        raise ValueError("the model is in training mode: call its `eval` first")
    if representative is not None:
        if len(representative) < 2:
            raise ValueError("int8 needs representative inputs: give some hundred training images")
        from tinyml_helpers.deploy.tflite import pt2e

        model, quantizer = pt2e.quantize(model, representative)
    if channels_last:
        model = litert_torch.to_channel_last_io(model, args=[0])
        example = example.permute(0, 2, 3, 1).contiguous()
    # A graph that PT2E has converted keeps the flag, whatever its mode: it has nothing to switch.
    model.training = False
    config = QuantConfig(pt2e_quantizer=quantizer) if quantizer else None
    with native_output.capture():
        converted = litert_torch.convert(model, (example,), quant_config=config)
    return bytes(converted.model_content())


@names_the_file
def compare(model: str | Path | bytes, raw: NDArray[Any]) -> Comparison:
    """Run the same inputs on all kernels of this machine, and see how far their outputs lie apart.

    Args:
        model: an int8 .tflite file.
        raw: inputs int8 [N, ...].

    Raises:
        ModelError: as `load` and `Model.run` do, or outputs that are not bytes.
    """
    runners = {name: load(model, name) for name in available_kernels()}
    if runners["reference"].output.dtype not in ("int8", "uint8"):
        raise ModelError(f"its output is {runners['reference'].output.dtype}: compare an int8 model")
    return Comparison({name: runner.run(raw) for name, runner in runners.items()})
