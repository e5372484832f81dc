"""A detector for a microcontroller: a grid of centres, and four numbers for the box of each.

The idea is that of FOMO (Edge Impulse) and CenterNet: the image becomes a coarse grid, and a cell says
which class of object has its centre there. FOMO stops at that; this network adds the box.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from tinyml_helpers.datasets import read_verified
from tinyml_helpers.datasets.images.scenes import SCENE_CLASSES
from tinyml_helpers.models.spine import conv_bn, separable
from tinyml_helpers.usecases.detection.grid import CODES

# Output channels and stride of each block behind the stem.
_STEM, _PLAN = 12, ((24, 2), (32, 1), (64, 2), (64, 1), (64, 1), (96, 1))


def tiny_detector() -> nn.Sequential:
    """Build the untrained network.

    Input: float32 [N, 1, 97, 97] in 0..1. Output: float32 [N, 4 + classes, 13, 13], for each cell the
    codes of a box (y, x, height, width, see `vision.boxes.decode`) and a logit for each class.

    Source: Zhou et al., Objects as points, arXiv 1904.07850, for centres; Howard et al., MobileNets,
    arXiv 1704.04861, for the blocks.
    """
    widths = [_STEM, *(outputs for outputs, _ in _PLAN)]
    blocks = [
        separable(inputs, outputs, stride)
        for inputs, (outputs, stride) in zip(widths, _PLAN, strict=False)
    ]
    head = nn.Conv2d(widths[-1], CODES + len(SCENE_CLASSES), 1)
    # Nearly every cell is empty: the network starts from there, at a probability of 1 %.
    nn.init.constant_(head.bias[CODES:], -4.6)  # type: ignore[index]
    return nn.Sequential(
        OrderedDict(stem=conv_bn(1, _STEM, stride=2), blocks=nn.Sequential(*blocks), head=head)
    )


def load_tiny_detector() -> nn.Sequential:
    """Load the detector trained on plain floors, in evaluation mode.

    Raises:
        tinyml_helpers.datasets.DataError: its file is missing or damaged.
    """
    from safetensors.torch import load

    model = tiny_detector()
    model.load_state_dict(load(read_verified("models/tiny_detector.safetensors")))
    return model.eval()
