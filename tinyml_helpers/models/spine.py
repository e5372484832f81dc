"""The spine of the course and the pieces that its networks are made of.

The spine is one family of image classifiers for Fashion-MNIST, `large`, `small` and `tiny`, that goes
through every technique. Input: float32 [N, 1, 28, 28] in 0..1. Output: logits float32 [N, 10].
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from tinyml_helpers.datasets import read_verified

CLASSES = 10


def conv_bn(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    stride: int = 1,
    groups: int = 1,
    *,
    relu: bool = True,
) -> nn.Sequential:
    """Build convolution, batch norm and (unless `relu=False`) ReLU, named conv, bn and relu."""
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False
    )
    layers: list[tuple[str, nn.Module]] = [("conv", convolution), ("bn", nn.BatchNorm2d(outputs))]
    if relu:
        layers.append(("relu", nn.ReLU()))
    return nn.Sequential(OrderedDict(layers))


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Build a depthwise-separable block: 3x3 per channel, then 1x1 across channels.

    Source: Howard et al., MobileNets, arXiv 1704.04861, section 3.1.
    """
    return nn.Sequential(
        OrderedDict(
            depthwise=conv_bn(inputs, inputs, stride=stride, groups=inputs),
            pointwise=conv_bn(inputs, outputs, kernel=1),
        )
    )


class Residual(nn.Module):
    """Two 3x3 convolutions with a shortcut around them.

    Source: He et al., Deep residual learning, arXiv 1512.03385, figure 2.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        """Build the block; the shortcut is a 1x1 convolution where the shape changes."""
        super().__init__()
        self.first = conv_bn(inputs, outputs, stride=stride)
        self.second = conv_bn(outputs, outputs, relu=False)
        same_shape = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same_shape else conv_bn(inputs, outputs, 1, stride, relu=False)
        self.relu = nn.ReLU()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        out: torch.Tensor = self.relu(self.second(self.first(images)) + self.shortcut(images))
        return out


def classifier(
    stem: nn.Module, blocks: Sequence[nn.Module], channels: int, classes: int = CLASSES
) -> nn.Sequential:
    """Chain a stem and blocks that end in `channels` maps, average them, and score the classes."""
    return nn.Sequential(
        OrderedDict(
            stem=stem,
            blocks=nn.Sequential(*blocks),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(channels, classes),
        )
    )


# Stem channels, then (output channels, stride) of each block.
_SEPARABLE = {
    "small": (32, ((48, 2), (64, 1), (96, 2), (128, 1), (128, 1))),
    "tiny": (12, ((24, 2), (32, 1), (48, 2), (64, 1))),
}
_RESIDUAL = {"large": (32, ((64, 2), (128, 2), (128, 1)))}
NAMES = (*_RESIDUAL, *_SEPARABLE)


def build(name: str, width: float = 1.0) -> nn.Sequential:
    """Build an untrained network of the spine.

    Args:
        name: "large" (residual), "small" or "tiny" (depthwise separable).
        width: multiplies every number of channels (at least one channel is kept).

    Raises:
        ValueError: unknown name, or a width that is not above zero.
    """
    if name not in NAMES:
        raise ValueError(f"unknown model {name!r}: choose one of {', '.join(NAMES)}")
    if not width > 0:
        raise ValueError(f"width {width} leaves no channels: give a number above zero, such as 0.5")
    stem, plan = _RESIDUAL.get(name) or _SEPARABLE[name]
    channels = [max(1, round(width * c)) for c in (stem, *(outputs for outputs, _ in plan))]
    block = Residual if name in _RESIDUAL else separable
    blocks = [
        block(inputs, outputs, stride)
        for inputs, outputs, (_, stride) in zip(channels, channels[1:], plan, strict=False)
    ]
    return classifier(conv_bn(1, channels[0]), blocks, channels[-1])


def load_trained(name: str, variant: str = "") -> nn.Sequential:
    """Load a trained network of the spine, in evaluation mode.

    The weights come from the scripts in data/build; data/README.md has a card for each.

    Args:
        name: "large", "small" or "tiny".
        variant: "" for the network as first trained, on all 60,000 training images (recipe and result
            in data/models/spine.json), or the compression that it went through, such as "pruned".

    Raises:
        ValueError: unknown name.
        tinyml_helpers.datasets.DataError: there is no such variant, or its file is missing or damaged.
    """
    from safetensors.torch import load

    model = build(name)
    file = "-".join(filter(None, (name, variant)))
    model.load_state_dict(load(read_verified(f"models/{file}.safetensors")))
    return model.eval()
