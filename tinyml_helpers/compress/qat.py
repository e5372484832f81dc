"""Quantization-aware training: fake quantizers in a network, freezing, and what to store.

Source: Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-
only inference, arXiv 1712.05877, section 3.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load
from torch import nn
from torch.ao import quantization as tq
from torch.ao.nn.intrinsic.qat import freeze_bn_stats
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tinyml_helpers.compress.affine import Affine
from tinyml_helpers.compress.quantize import fold_batch_norm
from tinyml_helpers.datasets import read_verified
from tinyml_helpers.models import build


class StraightThrough(torch.autograd.Function):
    """Rounding to multiples of a scale, whose gradient is 1 within the range and 0 outside.

    `apply(values, scale, low, high)`, the last two being the outermost integers less the zero point.

    Source: Hinton's lectures of 2012, by arXiv 1308.3432; for the 0 outside, arXiv 1602.02830.
    """

    @staticmethod
    def forward(ctx: Any, *given: Any) -> torch.Tensor:
        """Round, and remember which values lie within the range."""
        values, scale, low, high = given
        # Times the inverse, not divided by the scale: PyTorch does it so, to the last bit.
        steps = torch.mul(values, 1 / scale).round_()
        if not ctx.needs_input_grad[0]:
            return steps.clamp_(low, high).mul_(scale)
        kept = steps.clamp(low, high)
        ctx.save_for_backward(kept == steps)
        return kept.mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Hand the gradient through where the value lay within the range."""
        (inside,) = ctx.saved_tensors
        return torch.where(inside, gradients[0], 0.0), None, None, None


class FakeQuantize(tq.FakeQuantize):
    """PyTorch's fake quantizer, with the same results in about half the time."""

    def forward(self, X: torch.Tensor) -> torch.Tensor:  # noqa: N803 - PyTorch's name
        """Watch the range of the values, unless frozen, and round them: float32, any shape."""
        if self.observer_enabled[0]:
            seen = X.detach()
            # Only the extremes count, and amin is many times as fast as the observer's own aminmax.
            super().forward(seen if self.is_per_channel else torch.stack((seen.amin(), seen.amax())))
        scale = self.scale.reshape((-1,) + (1,) * (X.ndim - 1)) if self.is_per_channel else self.scale
        zero_point = int(self.zero_point[0])  # with a scale per channel all are 0
        limits = self.quant_min - zero_point, self.quant_max - zero_point
        return torch.as_tensor(StraightThrough.apply(X, scale, *limits))


def prepare(model: nn.Module, weight_bits: int = 8, activation_bits: int = 8) -> nn.Module:
    """Return a copy that computes with rounded weights and activations, and can be trained.

    Each convolution is fused with the batch norm and ReLU after it, so that what is rounded is the
    folded weight. Weights get symmetric signed integers, a scale for each output channel, and their
    range follows them at each step.
    Activations get unsigned integers over a range that is a moving average of what was seen: after
    each block, each sum of a shortcut, the average pool and the head. Images are bytes already.

    Fake quantizers watch in evaluation mode too: `freeze` the network before you evaluate it.

    Args:
        model: a network of the spine, or one whose blocks name their parts `conv`, `bn` and `relu`.
        weight_bits: 2 to 16.
        activation_bits: 2 to 16.

    Raises:
        ValueError: bits out of range, or a network without such blocks.
    """
    config = _config(weight_bits, activation_bits)
    prepared = copy.deepcopy(model).train()
    blocks = [
        [f"{name}.{part}" for part in ("conv", "bn", "relu") if hasattr(block, part)]
        for name, block in prepared.named_modules()
        if isinstance(getattr(block, "bn", None), nn.BatchNorm2d)
    ]
    if not blocks:
        raise ValueError("no blocks with `conv` and `bn` to fuse: give a network as of models.build")
    tq.fuse_modules_qat(prepared, blocks, inplace=True)
    tq.propagate_qconfig_(prepared, {"": config})
    tq.prepare_qat(prepared, inplace=True)
    # PyTorch rounds what convolutions and linear layers put out. A sum and an average are not among
    # them, and would travel on with more bits than a deployed network has.
    for module in list(prepared.modules()):
        if isinstance(module, nn.ReLU | nn.AdaptiveAvgPool2d):
            module.add_module("activation_post_process", config.activation())
            module.register_forward_hook(_round_output)
    return prepared


def _round_output(module: nn.Module, _inputs: Any, output: torch.Tensor) -> Any:
    return module.get_submodule("activation_post_process")(output)


def _config(weight_bits: int, activation_bits: int) -> tq.QConfig:
    for bits in (weight_bits, activation_bits):
        if not 2 <= bits <= 16:
            raise ValueError(f"{bits} bits: choose 2 to 16")
    top = 2 ** (weight_bits - 1) - 1
    return tq.QConfig(
        activation=FakeQuantize.with_args(
            observer=tq.MovingAverageMinMaxObserver,
            quant_min=0,
            quant_max=2**activation_bits - 1,
            dtype=torch.quint8 if activation_bits <= 8 else torch.qint32,
        ),
        weight=FakeQuantize.with_args(
            # An average over one step: the weights of now, not those of the last hundred steps.
            observer=tq.MovingAveragePerChannelMinMaxObserver.with_args(averaging_constant=1.0),
            quant_min=-top,
            quant_max=top,
            dtype=torch.qint8 if weight_bits <= 8 else torch.qint32,
            qscheme=torch.per_channel_symmetric,
        ),
    )


def freeze(prepared: nn.Module) -> nn.Module:
    """Fix in place the ranges of activations and the statistics of batch norms; return the network.

    For the last part of a training, and before evaluation. The ranges of weights go on following the
    weights. Stopped by PyTorch's `disable_observer`, they would be those of one step before.
    """
    for module in prepared.modules():
        quantizer = getattr(module, "activation_post_process", None)
        if isinstance(quantizer, FakeQuantize):
            quantizer.disable_observer()
    return prepared.apply(freeze_bn_stats)


def calibrate(prepared: nn.Module, images: torch.Tensor) -> nn.Module:
    """Set in place the ranges by one look at `images`, freeze them, and return the network.

    Without any training this is post-training quantization, by the same fake quantizers.

    Args:
        prepared: fresh from `prepare`.
        images: float32 [N, 1, 28, 28] in 0..1.
    """
    prepared.eval()
    with torch.no_grad():
        prepared(images)
    return freeze(prepared)


def export_tensors(prepared: nn.Module) -> dict[str, torch.Tensor]:
    """Return what a deployed network stores, as plain tensors.

    For each layer: `weight` int8 (using as few bits as it was prepared for), `weight_scale` and `bias`
    float32, batch norm folded. For each place where activations are rounded: `scale` float32 and
    `zero_point` uint8.

    Raises:
        ValueError: weights of more than 8 bits, or activations of another number than 8.
    """
    model, stored = copy.deepcopy(prepared).eval(), dict[str, torch.Tensor]()
    for name, quantizer in model.named_modules():
        if not isinstance(quantizer, FakeQuantize):
            continue
        place, _, kind = name.rpartition(".")
        is_weight, top = kind == "weight_fake_quant", quantizer.quant_max
        if top > 127 if is_weight else top != 255:
            raise ValueError(f"{name} has 0..{top}: give weights at most 8 bits, activations just 8")
        if is_weight:
            stored |= _stored_layer(place, model.get_submodule(place), quantizer)
        else:
            stored[f"{place}.scale"] = quantizer.scale.squeeze().clone()
            stored[f"{place}.zero_point"] = quantizer.zero_point.squeeze().to(torch.uint8)
    return stored


def _stored_layer(place: str, layer: Any, quantizer: FakeQuantize) -> dict[str, torch.Tensor]:
    normed = isinstance(getattr(layer, "bn", None), nn.BatchNorm2d)
    folded = fuse_conv_bn_eval(layer, layer.bn) if normed else layer
    rounded, scale = quantizer(folded.weight.detach()), quantizer.scale.squeeze()
    by = Affine(scale, torch.zeros_like(scale, dtype=torch.int32), 8, True)
    return {
        f"{place}.weight": by.quantize(rounded).to(torch.int8),
        f"{place}.weight_scale": scale.clone(),
        f"{place}.bias": folded.bias.detach().clone(),
    }


def assemble(model: nn.Module, stored: Mapping[str, torch.Tensor]) -> nn.Module:
    """Return a copy of `model` that computes with stored integers, in evaluation mode.

    Weights are integers times their scale, batch norm is gone, activations are rounded to bytes, and
    the arithmetic is in float32.

    Args:
        model: the float network, trained or not: only its structure is used.
        stored: what `export_tensors` returned.
    """
    made = fold_batch_norm(model)
    for name, tensor in stored.items():
        place, _, kind = name.rpartition(".")
        layer: Any = made.get_submodule(place)
        if kind == "weight":
            scale = stored[f"{place}.weight_scale"]
            layer.weight.data = Affine(scale, torch.zeros_like(scale), 8, True).dequantize(tensor)
            layer.bias.data = stored[f"{place}.bias"]
        elif kind == "scale":
            # Clipping at zero comes before the block's ReLU, and leaves it nothing to do.
            by = Affine(tensor, stored[f"{place}.zero_point"].int(), 8, False)
            layer.register_forward_hook(lambda _layer, _inputs, output, by=by: by.round_trip(output))
    return made


def load_trained(name: str, variant: str = "qat4") -> nn.Module:
    """Load a network of the spine that was trained with fake quantizers, in evaluation mode.

    Args:
        name: "large", "small" or "tiny".
        variant: "qat4" has weights of 4 bits and activations of 8 (data/build/train_qat.py).

    Raises:
        ValueError: unknown name.
        tinyml_helpers.datasets.DataError: there is no such variant, or its file is missing or damaged.
    """
    return assemble(build(name), load(read_verified(f"models/{name}-{variant}.safetensors")))
