"""The keyword spotters of lesson 09: DS-CNN for a second of sound, whole or with fewer channels.

Input: float32 [N, 1, 50, 10], 50 frames of 10 frequency channels, each a byte over 255. Output: logits
float32 [N, classes], in the order of `datasets.KEYWORD_CLASSES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import nn

from tinyml_helpers.datasets import read_verified
from tinyml_helpers.models.spine import classifier, conv_bn, separable

FRAMES, BANDS, CLASSES = 50, 10, 12
BLOCKS = 4


def ds_cnn(classes: int = CLASSES, channels: int = 64) -> nn.Sequential:
    """Build the DS-CNN that MLPerf Tiny chose, for 50 frames in place of 49.

    Raises:
        ValueError: not a single channel or class.

    Source: Zhang et al., Hello Edge, arXiv 1711.07128; `silabs-mltk` for the 50 frames.
    """
    if channels < 1 or classes < 1:
        raise ValueError(f"{channels} channels, {classes} classes: give at least one of each")
    stem = conv_bn(1, channels, stride=2)
    # Zeros as Keras' "same" puts them, so that the weights of either framework fit the other.
    stem.conv = nn.Conv2d(1, channels, (10, 4), stride=2, padding=(4, 1), bias=False)
    return classifier(stem, [separable(channels, channels) for _ in range(BLOCKS)], channels, classes)


def from_state(state: Mapping[str, torch.Tensor]) -> nn.Sequential:
    """Build the DS-CNN whose weights these are, in evaluation mode; every layer as wide as they say.

    Args:
        state: what `state_dict` of such a network returned, perhaps after channels were removed.
    """
    widths = [len(state["stem.conv.weight"])]
    widths += [len(state[f"blocks.{n}.pointwise.conv.weight"]) for n in range(BLOCKS)]
    model = ds_cnn(len(state["head.bias"]), widths[0])
    model.blocks = nn.Sequential(*(separable(*ends) for ends in pairwise(widths)))
    model.head = nn.Linear(widths[-1], len(state["head.bias"]))
    model.load_state_dict(dict(state))
    return model.eval()


def load_trained(name: str) -> nn.Sequential:
    """Load a trained keyword spotter in float, in evaluation mode.

    Args:
        name: "product" (data/models/kws.safetensors), or what stands behind kws- in the name of another
            file: "small", "synthetic", "start", "teacher". data/README.md has a card for each.

    Raises:
        tinyml_helpers.datasets.DataError: no such file, or it is damaged.
    """
    from safetensors.torch import load

    file = "kws" if name == "product" else f"kws-{name}"
    return from_state(load(read_verified(f"models/{file}.safetensors")))
