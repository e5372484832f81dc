"""MobileNet V1, V2 and V3, and the blocks that they are made of; untrained.

Input: float32 [N, 3, H, W]. Output: logits float32 [N, classes]. Tests hold the parameters and MACs of
V2 and V3 against torchvision's, and those of V1 against the paper.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from tinyml_helpers.models.spine import classifier, conv_bn, separable

Activation = Callable[[], nn.Module]


def whole_eights(channels: float) -> int:
    """Round a number of channels to a multiple of 8, and never down by more than a tenth.

    Source: `make_divisible` in the authors' code for MobileNetV2, github.com/tensorflow/models.
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def activated(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: Activation | None = nn.ReLU6,
) -> nn.Sequential:
    """Build convolution and batch norm, with the activation that is given (None: none)."""
    block = conv_bn(inputs, outputs, kernel, stride, groups, relu=False)
    if activation:
        block.add_module("activation", activation())
    return block


class SqueezeExcite(nn.Module):
    """Weigh each channel by what the whole image looks like.

    Source: Hu et al., Squeeze-and-excitation networks, arXiv 1709.01507; here with V3's hard sigmoid.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        """Build the two small layers between the average and the weights."""
        super().__init__()
        self.weights = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map [N, channels, H, W] to the same shape."""
        weighed: torch.Tensor = maps * self.weights(maps)
        return weighed


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow again, with a shortcut between the narrow ends.

    The block of V2; with `squeeze` that of V3; with 5x5 kernels that of EfficientNet-Lite.
    Source: Sandler et al., MobileNetV2, arXiv 1801.04381, section 3.3.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        expanded: int,
        kernel: int = 3,
        stride: int = 1,
        squeeze: bool = False,
        activation: Activation = nn.ReLU6,
    ) -> None:
        """Build the block; the last convolution has no activation, to lose nothing of what is narrow."""
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        if expanded != inputs:
            parts["expand"] = activated(inputs, expanded, activation=activation)
        parts["depthwise"] = activated(expanded, expanded, kernel, stride, expanded, activation)
        if squeeze:
            parts["squeeze"] = SqueezeExcite(expanded, whole_eights(expanded // 4))
        parts["project"] = activated(expanded, outputs, activation=None)
        self.layers = nn.Sequential(parts)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        out: torch.Tensor = self.layers(maps)
        return maps + out if self.shortcut else out


# Output channels and stride of each block behind the stem of 32.
_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
# Expansion, output channels, repeats and stride of the first.
_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# Kernel, expanded and output channels, squeeze-excite, hard swish (else ReLU), stride.
_V3 = (
    (3, 16, 16, False, False, 1), (3, 64, 24, False, False, 2), (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2), (5, 120, 40, True, False, 1), (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2), (3, 200, 80, False, True, 1), (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1), (3, 480, 112, True, True, 1), (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2), (5, 960, 160, True, True, 1), (5, 960, 160, True, True, 1),
)  # fmt: skip


def v1(width: float = 1.0, classes: int = 1000) -> nn.Sequential:
    """Build MobileNetV1: depthwise-separable blocks, nothing else.

    Args:
        width: multiplies every number of channels.
        classes: logits.

    Source: Howard et al., MobileNets, arXiv 1704.04861, table 1.
    """
    channels = [whole_eights(width * c) for c in (32, *(outputs for outputs, _ in _V1))]
    blocks = [
        separable(*ends, stride) for ends, (_, stride) in zip(pairwise(channels), _V1, strict=True)
    ]
    return classifier(conv_bn(3, channels[0], stride=2), blocks, channels[-1], classes)


def v2(width: float = 1.0, classes: int = 1000) -> nn.Sequential:
    """Build MobileNetV2: inverted residual blocks with narrow ends.

    Source: Sandler et al., arXiv 1801.04381, table 2.
    """
    inputs = whole_eights(32 * width)
    stem = activated(3, inputs, 3, 2)
    blocks: list[nn.Module] = []
    for factor, wide, repeats, first in _V2:
        outputs = whole_eights(wide * width)
        for stride in (first, *(1,) * (repeats - 1)):
            blocks.append(InvertedResidual(inputs, outputs, expanded=factor * inputs, stride=stride))
            inputs = outputs
    last = whole_eights(1280 * max(1.0, width))
    return classifier(stem, [*blocks, activated(inputs, last)], last, classes)


def v3(width: float = 1.0, classes: int = 1000) -> nn.Sequential:
    """Build MobileNetV3-Large: V2's blocks, with squeeze-and-excite and hard swish where they pay.

    Source: Howard et al., arXiv 1905.02244, table 1.
    """
    inputs = whole_eights(16 * width)
    stem = activated(3, inputs, 3, 2, activation=nn.Hardswish)
    blocks: list[nn.Module] = []
    for kernel, expanded, outputs, squeeze, swish, stride in _V3:
        blocks.append(
            InvertedResidual(
                inputs,
                whole_eights(outputs * width),
                expanded=whole_eights(expanded * width),
                kernel=kernel,
                stride=stride,
                squeeze=squeeze,
                activation=nn.Hardswish if swish else nn.ReLU,
            )
        )
        inputs = whole_eights(outputs * width)
    last = activated(inputs, 6 * inputs, activation=nn.Hardswish)
    network = classifier(stem, [*blocks, last], 6 * inputs, classes)
    network.head = nn.Sequential(nn.Linear(6 * inputs, 1280), nn.Hardswish(), nn.Linear(1280, classes))
    return network
