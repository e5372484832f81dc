"""A small 1-D network for movements: convolutions over time, plain or depthwise separable.

Input: float32 [N, 6, 1, 100], six axes over 4 s at 25 Hz, from `usecases.gestures.features`.
Output: logits float32 [N, classes]. Time is the width of an image of height 1, because the kernels of
TFLite know images. There is no padding: what the network sees was measured.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tinyml_helpers.datasets import read_json, read_verified

if TYPE_CHECKING:
    import keras

AXES, STEPS = 6, 100

# Output channels, taps and stride of each block.
PLAN = ((24, 7, 2), (28, 5, 2), (36, 5, 2))
SEPARABLE_PLAN = ((24, 7, 2), (32, 5, 2), (48, 5, 1), (64, 3, 2))


def build(
    classes: int = 7, *, axes: int = AXES, plan: Sequence[tuple[int, int, int]] | None = None,
    separable: bool = False, maximum: bool = True,
) -> nn.Sequential:  # fmt: skip
    """Build an untrained network.

    Args:
        classes: movements.
        axes: 6, or 3 for an accelerometer alone.
        plan: output channels, taps and stride of each block; None for `PLAN` or `SEPARABLE_PLAN`.
        separable: blocks after the first are depthwise separable: one filter for each channel, then
            a mix of channels.
        maximum: keep the largest value over time of each channel; False for the mean.
    """
    plan = plan or (SEPARABLE_PLAN if separable else PLAN)
    blocks, channels = [conv_1d(axes, *plan[0])], plan[0][0]
    for outputs, taps, stride in plan[1:]:
        blocks.append((_separable if separable else conv_1d)(channels, outputs, taps, stride))
        channels = outputs
    return nn.Sequential(
        OrderedDict(
            blocks=nn.Sequential(*blocks),
            pool=nn.AdaptiveMaxPool2d(1) if maximum else nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(0.2),
            head=nn.Linear(channels, classes),
        )
    )


def conv_1d(inputs: int, outputs: int, taps: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Build a convolution over time, batch norm and ReLU, named conv, bn and relu."""
    # The stride goes both ways, as Keras' depthwise convolution wants it; the height stays 1.
    convolution = nn.Conv2d(inputs, outputs, (1, taps), stride, groups=groups, bias=False)
    layers = OrderedDict[str, nn.Module](conv=convolution, bn=nn.BatchNorm2d(outputs), relu=nn.ReLU())
    return nn.Sequential(layers)


def _separable(inputs: int, outputs: int, taps: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            depthwise=conv_1d(inputs, inputs, taps, stride, groups=inputs),
            pointwise=conv_1d(inputs, outputs, 1),
        )
    )


def load_trained(person: str | None = None) -> nn.Sequential:
    """Load a trained network, in evaluation mode.

    Args:
        person: the one of the shipped set whose recordings it never saw; None for the network that
            was trained on everybody.

    Raises:
        ValueError: nobody of that name.
        tinyml_helpers.datasets.DataError: the file is missing or damaged.
    """
    from safetensors.torch import load

    stored = load(read_verified("models/gestures.safetensors"))
    name = "everybody" if person is None else f"without-{person}"
    state = {key.split("/")[1]: value for key, value in stored.items() if key.split("/")[0] == name}
    if not state:
        known = sorted({key.split("/")[0] for key in stored})
        raise ValueError(f"no network {name!r}: choose one of {', '.join(known)}")
    network = build()
    network.load_state_dict(state)
    return network.eval()


def embed(network: nn.Sequential, inputs: torch.Tensor) -> NDArray[np.float32]:
    """Return what reaches the last layer: float32 [N, channels], of inputs [N, axes, 1, 100]."""
    with torch.no_grad():
        reached: NDArray[np.float32] = network[:3](inputs).numpy()
    return reached


def results() -> dict[str, Any]:
    """Return what data/build/train_gestures.py measured: data/models/gestures.json."""
    stored: dict[str, Any] = read_json("models/gestures.json")
    return stored


def keras_twin(network: nn.Sequential) -> keras.Model:
    """Build the Keras twin, batch norms folded in: it takes [N, 1, 100, axes], channels last.

    The last layer is a 1x1 convolution, which TFLM and LiteRT's reference kernels round alike.
    """
    from tinyml_helpers.system import compat

    compat.import_tensorflow()
    import keras
    from keras import layers
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    blocks: list[Any] = [block for block in network.eval().modules() if hasattr(block, "conv")]
    x = image = keras.Input((1, STEPS, blocks[0].conv.in_channels), name="motion")
    # Short names: every tensor of the .tflite file is named after all layers that went into it.
    for number, block in enumerate(blocks):
        folded = fuse_conv_bn_eval(block.conv, block.bn)
        x = _carried(layers, folded, x, name=f"c{number}", activation="relu")
    maximum = isinstance(network.pool, nn.AdaptiveMaxPool2d)
    pool = layers.MaxPooling2D if maximum else layers.AveragePooling2D
    head: Any = network.head
    last = nn.Conv2d(head.in_features, head.out_features, 1)
    last.weight, last.bias = nn.Parameter(head.weight[:, :, None, None]), head.bias
    scores = _carried(layers, last, pool(x.shape[1:3], name="p")(x), name="h")
    return keras.Model(image, keras.ops.squeeze(scores, (1, 2)), name="g")


def _carried(layers: Any, convolution: Any, x: Any, **options: Any) -> Any:
    """Apply the counterpart of a convolution without padding, with its weights."""
    options["strides"], size = convolution.stride, convolution.kernel_size
    if convolution.groups > 1:
        layer, order = layers.DepthwiseConv2D(size, **options), (2, 3, 0, 1)
    else:
        layer, order = layers.Conv2D(convolution.out_channels, size, **options), (2, 3, 1, 0)
    out = layer(x)
    parts = (convolution.weight.permute(order), convolution.bias)
    layer.set_weights([part.detach().numpy() for part in parts])
    return out


def parameters(network: nn.Module) -> int:
    """Count what is trained."""
    return sum(torch.numel(p) for p in network.parameters())
