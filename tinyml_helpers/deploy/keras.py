"""The Keras twin of a PyTorch network: the same layers, the same weights, channels last."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from tinyml_helpers.models import Residual
from tinyml_helpers.system import compat

if TYPE_CHECKING:
    import keras
    from torch import Tensor

# A Keras tensor on its way through the layers; Keras gives it no public type.
Symbol = Any


def from_torch(
    model: nn.Module, input_shape: tuple[int, ...] = (1, 28, 28), *, lean: bool = False
) -> keras.Model:
    """Build the Keras twin of a network of the spine, and carry the weights over.

    The twin takes images [N, H, W, C] where PyTorch takes [N, C, H, W], and returns the same logits
    up to rounding. Each batch norm stays a layer of its own: folding is the converter's work.

    A lean twin asks less of a microcontroller. It takes its images turned by half, `[:, ::-1, ::-1]`,
    and all its kernels are turned too: what PyTorch pads at the top of an image lies at the bottom
    then, where Keras' "same" pads by itself, and no padded copy is needed. Its linear layer is a 1x1
    convolution, which TFLM and LiteRT's reference kernels round alike.

    Args:
        model: made of convolutions (plain or depthwise), batch norms, ReLUs, residual blocks, a
            global average pool and linear layers. Its statistics are those of evaluation.
        input_shape: channels, height, width; or the number of features.
        lean: build the lean twin.

    Raises:
        ValueError: a layer that has no counterpart here, with its name.
    """
    if "keras" not in sys.modules:
        compat.import_tensorflow()
    import keras

    image = keras.Input((*input_shape[1:], input_shape[0]), name="image")
    return keras.Model(image, _Twin(lean).carry("", model, image), name=type(model).__name__.lower())


@dataclass(frozen=True)
class _Twin:
    """Builds the counterpart of each module."""

    lean: bool

    def carry(self, name: str, module: nn.Module, x: Symbol) -> Symbol:
        """Apply the counterpart of `module` to a Keras tensor."""
        if isinstance(module, nn.Sequential):
            for child_name, child in module.named_children():
                x = self.carry(f"{name}_{child_name}".lstrip("_"), child, x)
            return x
        for kind, build in _BUILDERS.items():
            if isinstance(module, kind):
                return build(self, name, module, x)
        raise ValueError(
            f"cannot carry {type(module).__name__} ({name or 'the model itself'}) over to Keras: "
            f"known are {', '.join(kind.__name__ for kind in _BUILDERS)} and Sequential"
        )

    def convolution(self, name: str, module: nn.Conv2d, x: Symbol) -> Symbol:
        """Build a plain or depthwise convolution, padded as PyTorch pads."""
        from keras import layers

        depthwise = module.groups == module.in_channels == module.out_channels and module.groups > 1
        if not (depthwise or module.groups == 1):
            raise ValueError(f"{name}: {module.groups} groups; carried are 1 or one for each channel")
        padding, x = self._pad(name, module, x)
        options = {
            "strides": module.stride,
            "padding": padding,
            "dilation_rate": module.dilation,
            "use_bias": module.bias is not None,
            "name": name,
        }
        weight = module.weight.flip(2, 3) if self.lean else module.weight
        if depthwise:
            layer = layers.DepthwiseConv2D(module.kernel_size, **options)
            return _with_weights(layer, x, weight.permute(2, 3, 0, 1), module.bias)
        layer = layers.Conv2D(module.out_channels, module.kernel_size, **options)
        return _with_weights(layer, x, weight.permute(2, 3, 1, 0), module.bias)

    def _pad(self, name: str, module: nn.Conv2d, x: Symbol) -> tuple[str, Symbol]:
        """Choose Keras' own padding where it is PyTorch's, and pad explicitly elsewhere."""
        from keras import layers

        if isinstance(module.padding, str) or module.padding_mode != "zeros":
            raise ValueError(f"{name}: give the padding of a convolution as numbers of zeros")
        axes = [
            _pads(*axis)
            for axis in zip(
                x.shape[1:3],
                module.kernel_size,
                module.stride,
                module.dilation,
                module.padding,
                strict=True,
            )
        ]
        ours = [axis.pytorch[::-1] if self.lean else axis.pytorch for axis in axes]
        if ours == [axis.same for axis in axes]:
            return "same", x
        if min(before for before, _ in ours) < 0:
            raise ValueError(f"{name} skips the last pixels, and turned by half the first: not lean")
        exact = [(before, max(after, 0)) for before, after in ours]
        widths = exact if self.lean else module.padding
        return "valid", layers.ZeroPadding2D(widths, name=f"{name}_pad")(x) if any(module.padding) else x

    def batch_norm(self, name: str, module: nn.BatchNorm2d, x: Symbol) -> Symbol:
        """Build a batch norm with its statistics."""
        from keras import layers

        layer = layers.BatchNormalization(epsilon=module.eps, name=name)
        statistics = (module.weight, module.bias, module.running_mean, module.running_var)
        return _with_weights(layer, x, *statistics)

    def linear(self, name: str, module: nn.Linear, x: Symbol) -> Symbol:
        """Build a full connection; a lean one is a 1x1 convolution."""
        from keras import layers, ops

        options = {"use_bias": module.bias is not None, "name": name}
        if len(x.shape) == 2:
            layer = layers.Dense(module.out_features, **options)
            return _with_weights(layer, x, module.weight.T, module.bias)
        layer = layers.Conv2D(module.out_features, 1, **options)
        return ops.squeeze(_with_weights(layer, x, module.weight.T[None, None], module.bias), (1, 2))

    def relu(self, name: str, _module: nn.ReLU, x: Symbol) -> Symbol:
        """Build a ReLU."""
        from keras import layers

        return layers.ReLU(name=name)(x)

    def pool(self, name: str, module: nn.AdaptiveAvgPool2d, x: Symbol) -> Symbol:
        """Build a global average pool."""
        from keras import layers

        if module.output_size not in (1, (1, 1)):
            raise ValueError(f"{name}: average pooling to {module.output_size}; only to 1 is carried")
        return layers.GlobalAveragePooling2D(keepdims=self.lean, name=name)(x)

    def flatten(self, name: str, _module: nn.Flatten, x: Symbol) -> Symbol:
        """Check that there is nothing left to flatten."""
        if len(x.shape) > 2 and x.shape[1:3] != (1, 1):
            raise ValueError(f"{name}: flattening {x.shape[1:]} would order the values differently")
        return x

    def residual(self, name: str, module: Residual, x: Symbol) -> Symbol:
        """Build both branches and their sum."""
        from keras import layers

        first = self.carry(f"{name}_first", module.first, x)
        second = self.carry(f"{name}_second", module.second, first)
        shortcut = self.carry(f"{name}_shortcut", module.shortcut, x)
        return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([second, shortcut]))

    def identity(self, _name: str, _module: nn.Identity, x: Symbol) -> Symbol:
        """Pass the tensor on."""
        return x


@dataclass(frozen=True)
class _Pads:
    """Zeros before and after one axis: what PyTorch's windows reach, and what Keras' "same" adds."""

    pytorch: tuple[int, int]
    same: tuple[int, int]


def _pads(size: int, window: int, stride: int, dilation: int, padding: int) -> _Pads:
    span = dilation * (window - 1) + 1
    last = (size + 2 * padding - span) // stride * stride
    # Below zero: pixels at the end that no window reaches.
    reached = (padding, last + span - size - padding)
    least = max(((size - 1) // stride) * stride + span - size, 0)
    return _Pads(reached, (least // 2, least - least // 2))


def _with_weights(layer: Any, x: Symbol, *weights: Tensor | None) -> Symbol:
    out = layer(x)
    layer.set_weights([weight.detach().numpy() for weight in weights if weight is not None])
    return out


_BUILDERS: dict[type[nn.Module], Callable[[_Twin, str, Any, Symbol], Symbol]] = {
    nn.Conv2d: _Twin.convolution,
    nn.BatchNorm2d: _Twin.batch_norm,
    nn.ReLU: _Twin.relu,
    nn.AdaptiveAvgPool2d: _Twin.pool,
    nn.Flatten: _Twin.flatten,
    nn.Linear: _Twin.linear,
    nn.Identity: _Twin.identity,
    Residual: _Twin.residual,
}
