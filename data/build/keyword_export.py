"""Make a .tflite of a keyword network, run one by LiteRT's reference kernels, and store its figures."""

import json
import re
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import nn

from tinyml_helpers.deploy import litert
from tinyml_helpers.usecases.keywords import network, own_words


def to_tflite(model: nn.Module, calibration: torch.Tensor) -> bytes:
    """Return the int8 .tflite of a network, a softmax added: int8 in (0 to 1) and out.

    Args:
        model: trained, in evaluation mode.
        calibration: inputs [N, 1, 50, 10].
    """
    return stripped(own_words.to_int8(model, calibration))


def stripped(content: bytes) -> bytes:
    """Return a .tflite without what no kernel reads: names, ranges, scales of the biases, metadata.

    The bias of a convolution has the scale of its input times that of its weights; kernels compute it so
    themselves. Per channel that is 12 bytes. The reference kernels answer the same bytes as before.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    convolutions = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode in convolutions:
            graph.tensors[operator.inputs[2]].quantization = None
    for tensor in graph.tensors:
        tensor.name = None
        if tensor.quantization:
            tensor.quantization.min = tensor.quantization.max = None
    graph.name = model.description = None
    model.metadata = model.metadataBuffer = model.signatureDefs = None
    used = sorted({t.buffer for t in graph.tensors if model.buffers[t.buffer].data is not None})
    # Buffer 0 is the empty one.
    moved = {old: new for new, old in enumerate(used, 1)}
    for tensor in graph.tensors:
        tensor.buffer = moved.get(tensor.buffer, 0)
    model.buffers = [schema.BufferT(), *(model.buffers[old] for old in used)]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_unknown_lowered(model: nn.Sequential, by: float) -> nn.Sequential:
    """Return the network with the unknown class's logit lowered: its operating point."""
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["head.bias"][network.CLASSES - 2] -= by
    return network.from_state(state)


def answers(content: bytes, inputs: torch.Tensor) -> NDArray[np.int64]:
    """Return the class that LiteRT's reference kernels give each input [N, 1, 50, 10]."""
    model = litert.load(content, "reference")
    classes: NDArray[np.int64] = model.predict(inputs.permute(0, 2, 3, 1).numpy()).argmax(1)
    return classes


def write_figures(path: Path, figures: dict[str, Any]) -> None:
    """Write figures as JSON in which a list of plain numbers takes one line."""
    text = json.dumps(figures, indent=2)
    flat = re.sub(r"\[\s+([-\d.,\s]+?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    path.write_text(flat + "\n", "utf-8")
