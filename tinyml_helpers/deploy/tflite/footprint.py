"""What a .tflite file needs of a chip: its bytes in flash, and in RAM what is alive at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from tinyml_helpers.cost.liveness import Block, Step, lifetimes
from tinyml_helpers.deploy.model_file import ModelError, read_model
from tinyml_helpers.deploy.tflite import reader
from tinyml_helpers.deploy.tflite.graph import BITS, Graph, Tensor


@dataclass(frozen=True)
class Footprint:
    """Flash and RAM of a model file, as `devices.fits` takes them.

    Attributes:
        flash_bytes: of the file.
        ram_bytes: of the tensors that are alive together at the fullest moment: what an arena must hold
            at the least. Buffers of kernels are not included.
    """

    flash_bytes: int
    ram_bytes: int


def footprint(model: str | Path | bytes, float_bits: int = 32) -> Footprint:
    """Work out the flash and the RAM of a .tflite file from its graph.

    It takes files that no engine for microcontrollers runs, such as networks with weights in int8 and
    activations in float: TFLM calls those hybrid, and refuses them.

    Args:
        model: path or bytes.
        float_bits: width of a float activation: 8 tells what the file would need if int8 stood there.

    Raises:
        ModelError: not a sound .tflite file, or one of several graphs.
    """
    content = read_model(model)
    graphs = reader.read(content).graphs
    if len(graphs) != 1:
        raise ModelError(
            f"the file has {len(graphs)} graphs: its working memory cannot be told from one"
        )
    return Footprint(len(content), _most_alive(graphs[0], float_bits))


def _most_alive(graph: Graph, float_bits: int) -> int:
    computed = {key for operator in graph.operators for key in operator.outputs} | set(graph.inputs)
    blocks = {
        key: Block(
            graph.tensors[key].name, math.prod(graph.tensors[key].shape), _bits(graph.tensors[key])
        )
        for key in computed
    }
    steps = [
        Step(
            operator.type,
            tuple(key for key in operator.inputs if key in blocks),
            operator.outputs,
            False,
        )
        for operator in graph.operators
    ]
    names, alive = lifetimes(blocks, steps, graph.outputs)
    return max(
        sum(one.size_bytes(float_bits) for one in alive if one.first_step <= step <= one.last_step)
        for step in range(len(names))
    )


def _bits(tensor: Tensor) -> int | None:
    """The width of an integer; None for a float, whose width is asked for."""
    return None if tensor.dtype.startswith("float") else BITS.get(tensor.dtype.upper(), 8)
