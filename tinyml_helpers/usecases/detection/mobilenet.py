"""MobileNet V1, and the block of V2, which EfficientNet-Lite is made of; untrained.

torchvision has V2 and V3 whole. Tests hold V1 against its paper, and the block against torchvision's.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import nn

from tinyml_helpers.models.spine import classifier, conv_bn, separable


def whole_eights(channels: float) -> int:
    """Round a number of channels to a multiple of 8, and never down by more than a tenth.

    Source: `make_divisible` in the authors' code for MobileNetV2, github.com/tensorflow/models.
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def activated(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Build convolution, batch norm and ReLU6."""
    block = conv_bn(inputs, outputs, kernel, stride, groups, relu=False)
    block.add_module("activation", nn.ReLU6())
    return block


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow again, with a shortcut between the narrow ends.

    The block of V2; with 5x5 kernels that of EfficientNet-Lite.
    Source: Sandler et al., MobileNetV2, arXiv 1801.04381, section 3.3.
    """

    def __init__(self, inputs: int, outputs: int, *, expanded: int, kernel: int, stride: int) -> None:
        """Build the block; the last convolution has no activation, to lose nothing of what is narrow."""
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        if expanded != inputs:
            parts["expand"] = activated(inputs, expanded)
        parts["depthwise"] = activated(expanded, expanded, kernel, stride, expanded)
        parts["project"] = conv_bn(expanded, outputs, 1, relu=False)
        self.layers = nn.Sequential(parts)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        out: torch.Tensor = self.layers(maps)
        return maps + out if self.shortcut else out


# Output channels and stride of each block behind the stem of 32.
_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def v1(width: float = 1.0) -> nn.Sequential:
    """Build MobileNetV1 for 1,000 classes: depthwise-separable blocks, nothing else.

    Args:
        width: multiplies every number of channels.

    Source: Howard et al., MobileNets, arXiv 1704.04861, table 1.
    """
    channels = [whole_eights(width * c) for c in (32, *(outputs for outputs, _ in _V1))]
    blocks = [
        separable(*ends, stride) for ends, (_, stride) in zip(pairwise(channels), _V1, strict=True)
    ]
    return classifier(conv_bn(3, channels[0], stride=2), blocks, channels[-1], 1000)
