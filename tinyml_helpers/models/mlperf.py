"""The four networks of the MLPerf Tiny benchmark, untrained.

Their time and energy on real boards are public, so that estimates can be held against measurements.
Source: mlcommons/tiny, `benchmark/training`. The MACs equal those that the benchmark states, to
the last digit (`PUBLISHED_MACS`).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import nn

from tinyml_helpers.models.spine import Residual, classifier, conv_bn, separable

PUBLISHED_MACS = {
    "keyword spotting": 2_656_768,
    "visual wake words": 7_489_664,
    "image classification": 12_501_632,
    "anomaly detection": 264_192,
}
"""Task -> multiply-accumulates of one inference. Source: mlcommons/tiny, MLPerf Tiny v0.5."""

INPUT_SHAPES: dict[str, tuple[int, ...]] = {
    "keyword spotting": (1, 1, 49, 10),
    "visual wake words": (1, 3, 96, 96),
    "image classification": (1, 3, 32, 32),
    "anomaly detection": (1, 640),
}
"""Task -> shape of one input, batch first: MFCC frames, RGB images, five log-mel frames."""


def build_for(task: str) -> nn.Sequential:
    """Build the MLPerf Tiny network of a task.

    Raises:
        ValueError: unknown task.
    """
    builders: dict[str, Callable[[], nn.Sequential]] = {
        "keyword spotting": ds_cnn,
        "visual wake words": mobilenet,
        "image classification": resnet8,
        "anomaly detection": autoencoder,
    }
    if task not in builders:
        raise ValueError(f"unknown task {task!r}: choose one of {', '.join(builders)}")
    return builders[task]()


def ds_cnn() -> nn.Sequential:
    """Build DS-CNN, the keyword spotter. Input [N, 1, 49, 10], output logits [N, 12].

    Source: Zhang et al., Hello Edge, arXiv 1711.07128, in the size that MLPerf Tiny chose.
    """
    stem = conv_bn(1, 64, stride=2)
    # 10 x 4 taps. Keras pads one row more at the end; the number of outputs is the same.
    stem.conv = nn.Conv2d(1, 64, (10, 4), stride=2, padding=(5, 1), bias=False)
    blocks = [separable(64, 64) for _ in range(4)]
    return classifier(stem, blocks, 64, 12)


def mobilenet() -> nn.Sequential:
    """Build MobileNetV1, the person detector. Input [N, 3, 96, 96], output logits [N, 2].

    Source: Howard et al., MobileNets, arXiv 1704.04861, table 1, at a quarter of the width.
    """
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5]
    plan += [(1024, 2), (1024, 1)]
    channels = [c // 4 for c in (32, *(outputs for outputs, _ in plan))]
    strides = [stride for _, stride in plan]
    blocks = [separable(*c, stride=s) for c, s in zip(pairwise(channels), strides, strict=True)]
    return classifier(conv_bn(3, channels[0], stride=2), blocks, channels[-1], 2)


def resnet8() -> nn.Sequential:
    """Build ResNet-8, the CIFAR-10 classifier. Input [N, 3, 32, 32], output logits [N, 10].

    Source: mlcommons/tiny, `image_classification/keras_model.py`, with 16 filters.
    """
    blocks = [Residual(16, 16), Residual(16, 32, stride=2), Residual(32, 64, stride=2)]
    return classifier(conv_bn(3, 16), blocks, 64, 10)


def autoencoder() -> nn.Sequential:
    """Build the machine-sound autoencoder. Input and output [N, 640].

    Source: mlcommons/tiny, `anomaly_detection/keras_model.py`, after Koizumi et al., ToyADMOS.
    """
    sizes = [640, *[128] * 4, 8, *[128] * 4]
    layers = [nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()) for a, b in pairwise(sizes)]
    return nn.Sequential(*layers, nn.Linear(128, 640))
