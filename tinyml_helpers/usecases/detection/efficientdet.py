"""EfficientDet-Lite, built from its published configuration; untrained.

A backbone sees the image at five scales, a BiFPN lets the scales talk to each other, down and up again,
several times, and two heads, shared by all scales, name classes and boxes. One number, phi, makes all
parts larger together (compound scaling). Tests hold the parameters against those of effdet 0.4.1.

Source: Tan, Pang and Le, EfficientDet, arXiv 1911.09070; github.com/google/automl, efficientdet/
hparams_config.py, for the Lite versions: ReLU6 for swish, plain sums for learnt weights, no
squeeze-and-excite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from tinyml_helpers.usecases.detection.mobilenet import InvertedResidual, activated, whole_eights

LEVELS, ANCHORS, CLASSES = 5, 9, 90
# Kernel, expansion, output channels, repeats and stride of EfficientNet's stages.
_STAGES = (
    (3, 1, 16, 1, 1), (3, 6, 24, 2, 2), (5, 6, 40, 2, 2), (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1), (5, 6, 192, 4, 2), (3, 6, 320, 1, 1),
)  # fmt: skip
# The stages whose output is used: strides 8, 16 and 32.
_USED = (2, 4, 6)


@dataclass(frozen=True)
class Scale:
    """What phi decides.

    Attributes:
        side: of the image, in pixels.
        channels: of the BiFPN.
        layers: rounds of the BiFPN.
        head_layers: filters in each head.
        width: of the backbone, a factor.
        depth: of the backbone, a factor.
    """

    side: int
    channels: int
    layers: int
    head_layers: int
    width: float
    depth: float


LITE = (
    Scale(320, 64, 3, 3, 1.0, 1.0),
    Scale(384, 88, 4, 3, 1.0, 1.1),
    Scale(448, 112, 5, 3, 1.1, 1.2),
    Scale(512, 160, 6, 4, 1.2, 1.4),
    Scale(640, 224, 7, 4, 1.4, 1.8),
)
"""EfficientDet-Lite0 to Lite4."""


class Backbone(nn.Module):
    """EfficientNet-Lite without its classifier: the maps at strides 8, 16 and 32."""

    def __init__(self, width: float = 1.0, depth: float = 1.0) -> None:
        """Build the stages; the stem, and the first and last stage's depth, stay as they are."""
        super().__init__()
        self.stem = activated(3, 32, 3, 2)
        self.stages = nn.ModuleList()
        inputs = 32
        for number, (kernel, factor, channels, repeats, first) in enumerate(_STAGES):
            outputs = whole_eights(channels * width)
            ends = number in (0, len(_STAGES) - 1)
            count = repeats if ends else int(-(-repeats * depth // 1))
            stage = nn.Sequential()
            for stride in (first, *(1,) * (count - 1)):
                expanded = factor * inputs
                stage.append(
                    InvertedResidual(inputs, outputs, expanded=expanded, kernel=kernel, stride=stride)
                )
                inputs = outputs
            self.stages.append(stage)
        self.channels = tuple(whole_eights(_STAGES[i][2] * width) for i in _USED)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Map [N, 3, S, S] to maps of S/8, S/16 and S/32."""
        maps, seen = self.stem(images), []
        for number, stage in enumerate(self.stages):
            maps = stage(maps)
            if number in _USED:
                seen.append(maps)
        return seen


def _separable(channels: int, outputs: int | None = None) -> nn.Sequential:
    """Build 3x3 per channel, then 1x1 with a bias; no batch norm in between, unlike MobileNet."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.Conv2d(channels, outputs or channels, 1),
    )


def _fit(inputs: int, channels: int) -> nn.Module:
    """Build the 1x1 convolution that brings a map to the BiFPN's channels, if it needs one."""
    if inputs == channels:
        return nn.Identity()
    # The published network keeps this bias, though the batch norm behind it cancels it.
    return nn.Sequential(nn.Conv2d(inputs, channels, 1), nn.BatchNorm2d(channels))


class Node(nn.Module):
    """One crossing of a BiFPN: add what comes in, then filter the sum."""

    def __init__(self, inputs: int, channels: int) -> None:
        """Build the crossing for a level that comes in with `inputs` channels."""
        super().__init__()
        self.own = _fit(inputs, channels)
        self.mix = nn.Sequential(nn.ReLU6(), _separable(channels), nn.BatchNorm2d(channels))

    def forward(self, own: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        """Add the level's own map and others of the same size, and filter."""
        total: torch.Tensor = self.own(own)
        for other in others:
            total = total + other
        mixed: torch.Tensor = self.mix(total)
        return mixed


class BiFPN(nn.Module):
    """One round of talk between the scales: coarse to fine, then fine to coarse."""

    def __init__(self, inputs: Sequence[int], channels: int) -> None:
        """Build a round for levels that come in with these numbers of channels, the finest first."""
        super().__init__()
        self.down = nn.ModuleList([Node(wide, channels) for wide in inputs[:-1]])
        self.up = nn.ModuleList([Node(wide, channels) for wide in inputs[1:]])

    def forward(self, levels: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Map levels, the finest first, to as many of the same sizes."""
        down = [levels[-1]]
        for node, level in zip(reversed(self.down), reversed(levels[:-1]), strict=True):
            down.insert(0, node(level, functional.interpolate(down[0], size=level.shape[-2:])))
        out = [down[0]]
        for number, node in enumerate(self.up, start=1):
            others = [down[number]] if number < len(levels) - 1 else []
            out.append(node(levels[number], *others, _halved(out[-1])))
        return out


class Head(nn.Module):
    """Classes or boxes: layers shared by all levels, batch norms of their own for each."""

    def __init__(self, channels: int, layers: int, outputs: int) -> None:
        """Build `layers` filters and one that gives `outputs` numbers a cell."""
        super().__init__()
        self.filters = nn.ModuleList([_separable(channels) for _ in range(layers)])
        self.norms = nn.ModuleList(
            [nn.ModuleList([nn.BatchNorm2d(channels) for _ in range(LEVELS)]) for _ in range(layers)]
        )
        self.last = _separable(channels, outputs)

    def forward(self, levels: Sequence[torch.Tensor]) -> torch.Tensor:
        """Map levels to [N, outputs, cells of all levels]."""
        said = []
        for number, level in enumerate(levels):
            for filters, norms in zip(self.filters, self.norms, strict=True):
                level = functional.relu6(norms[number](filters(level)))  # type: ignore[index]
            said.append(self.last(level).flatten(2))
        return torch.cat(said, 2)


class EfficientDetLite(nn.Module):
    """The whole detector, before its boxes are decoded."""

    def __init__(self, phi: int = 0) -> None:
        """Build Lite0 to Lite4.

        Raises:
            ValueError: another phi.
        """
        super().__init__()
        if phi not in range(len(LITE)):
            raise ValueError(f"EfficientDet-Lite{phi}: choose phi from 0 to {len(LITE) - 1}")
        self.scale = LITE[phi]
        channels = self.scale.channels
        self.backbone = Backbone(self.scale.width, self.scale.depth)
        self.coarser = _fit(self.backbone.channels[-1], channels)
        first = (*self.backbone.channels, channels, channels)
        rounds = [first, *[(channels,) * LEVELS] * (self.scale.layers - 1)]
        self.bifpn = nn.Sequential(*[BiFPN(inputs, channels) for inputs in rounds])
        self.classes = Head(channels, self.scale.head_layers, ANCHORS * CLASSES)
        self.boxes = Head(channels, self.scale.head_layers, ANCHORS * 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map float32 [N, 3, side, side] to logits and codes: [N, 9 x (classes + 4), cells]."""
        levels = self.backbone(images)
        levels.append(_halved(self.coarser(levels[-1])))
        levels.append(_halved(levels[-1]))
        levels = self.bifpn(levels)
        return torch.cat([self.classes(levels), self.boxes(levels)], 1)


def _halved(maps: torch.Tensor) -> torch.Tensor:
    return functional.max_pool2d(maps, 3, 2, padding=1)
