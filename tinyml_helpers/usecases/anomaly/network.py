"""The autoencoder that knows healthy vibration, untrained and trained."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from tinyml_helpers.datasets import read_json, read_verified

INPUTS, HIDDEN, BOTTLENECK = 56, 32, 8


def autoencoder(
    inputs: int = INPUTS, hidden: int = HIDDEN, bottleneck: int = BOTTLENECK, *, seed: int | None = None
) -> nn.Sequential:
    """Build an untrained autoencoder: it must pass its input [N, inputs] through a narrow place.

    What it has learnt to rebuild from so few numbers is what healthy machines have in common; what it
    cannot rebuild is new to it.

    Args:
        inputs: features of a segment.
        hidden: width of the layers before and after the narrow one.
        bottleneck: width of the narrow one.
        seed: of the first weights; None takes them from PyTorch's own state.

    Raises:
        ValueError: a bottleneck that is not narrower than the input.
    """
    if not 0 < bottleneck < inputs:
        raise ValueError(f"a bottleneck of {bottleneck} for {inputs} inputs: give 1 to {inputs - 1}")
    if seed is not None:
        torch.manual_seed(seed)
    return nn.Sequential(
        OrderedDict(
            squeeze=nn.Linear(inputs, hidden),
            squeeze_relu=nn.ReLU(),
            narrow=nn.Linear(hidden, bottleneck),
            narrow_relu=nn.ReLU(),
            widen=nn.Linear(bottleneck, hidden),
            widen_relu=nn.ReLU(),
            rebuild=nn.Linear(hidden, inputs),
        )
    )


def load_trained() -> tuple[nn.Sequential, dict[str, torch.Tensor]]:
    """Load the autoencoder that the course stores, and the scaling that it was trained with.

    Returns:
        The network in evaluation mode; "mean", "std" and "residual", each float32 [INPUTS].

    Raises:
        tinyml_helpers.datasets.DataError: the file is missing or damaged.
    """
    from safetensors.torch import load

    tensors = load(read_verified("models/vibration.safetensors"))
    scaling = {name: tensors.pop(f"scaling.{name}") for name in ("mean", "std", "residual")}
    model = autoencoder()
    model.load_state_dict(tensors)
    return model.eval(), scaling


def results() -> dict[str, Any]:
    """Return what data/build/train_vibration.py and data/build/vibration_spread.py measured.

    Raises:
        tinyml_helpers.datasets.DataError: the file is missing or damaged.
    """
    stored: dict[str, Any] = read_json("models/vibration.json")
    return stored
