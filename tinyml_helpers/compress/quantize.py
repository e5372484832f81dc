"""Post-training quantization of a network: folding, rounding weights and activations, what to store."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from tqdm.auto import tqdm

from tinyml_helpers import intervals, training
from tinyml_helpers.compress.affine import Affine, binarize, weight_affine
from tinyml_helpers.datasets import ImageSet
from tinyml_helpers.intervals import Interval

Layer = nn.Conv1d | nn.Conv2d | nn.Linear


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """Return a copy in which each batch norm is folded into the convolution before it.

    Works on blocks that name them `conv` and `bn`, as `models.conv_bn` does. What it computes stays
    the same; what is quantized afterwards is what a deployed network stores.
    """
    folded = copy.deepcopy(model).eval()
    for block in folded.modules():
        if isinstance(getattr(block, "bn", None), nn.BatchNorm2d):
            block.conv = fuse_conv_bn_eval(block.conv, block.bn)  # type: ignore[type-var, arg-type]
            block.bn = nn.Identity()
    return folded


def layers(model: nn.Module) -> Iterator[tuple[str, Layer]]:
    """Yield name and module of each convolution and linear layer, in order."""
    for name, module in model.named_modules():
        if isinstance(module, Layer):
            yield name, module


def with_rounded_weights(
    model: nn.Module, bits: int, *, per_channel: bool = True, only: str | None = None
) -> nn.Module:
    """Return a copy whose weights are rounded to `bits` bits (1: binary), activations left in float.

    Args:
        model: its batch norms should be folded first.
        bits: 1 to 16.
        per_channel: one scale per output channel, or one per layer.
        only: the name of the one layer to round; all of them without it.

    Raises:
        ValueError: no layer of that name, or bits out of range.
    """
    rounded = copy.deepcopy(model)
    chosen = {name: layer for name, layer in layers(rounded) if only in (None, name)}
    if not chosen:
        raise ValueError(f"no layer {only!r}: choose one of {[name for name, _ in layers(model)]}")
    for layer in chosen.values():
        weight = layer.weight.data
        layer.weight.data = (
            binarize(weight)
            if bits == 1
            else weight_affine(weight, bits, per_channel=per_channel).round_trip(weight)
        )
    return rounded


def observe(model: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return what flows between layers for `images`: each ReLU's and the last layer's output."""
    seen: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: seen.__setitem__(name, output.detach())

    hooks = [module.register_forward_hook(keep(name)) for name, module in _activations(model).items()]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return seen


def with_rounded_activations(model: nn.Module, maps: Mapping[str, Affine]) -> nn.Module:
    """Return a copy that rounds what `observe` sees, each place by the map of its name."""
    rounded = copy.deepcopy(model)
    for name, module in _activations(rounded).items():
        module.register_forward_hook(
            lambda _module, _inputs, output, by=maps[name]: by.round_trip(output)
        )
    return rounded


def _activations(model: nn.Module) -> dict[str, nn.Module]:
    last = [name for name, _ in layers(model)][-1]
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.ReLU) or n == last}


def sensitivity(model: nn.Module, bits: int, data: ImageSet) -> dict[str, Interval]:
    """Return how many points of accuracy each layer gains (loses: below 0) when it alone is rounded.

    Args:
        model: its batch norms should be folded first.
        bits: of the weights of one layer at a time.
        data: labelled images to score on.
    """
    labels = torch.from_numpy(data.labels)
    before = training.predict(model, data).argmax(1) == labels

    def gained(name: str) -> Interval:
        rounded = with_rounded_weights(model, bits, only=name)
        after = training.predict(rounded, data).argmax(1) == labels
        return intervals.gained(before.numpy(), after.numpy(), "images")

    names = [name for name, _ in layers(model)]
    return {name: gained(name) for name in tqdm(names, unit="layer", leave=False, delay=2)}


def extract_tensors(converted: nn.Module) -> dict[str, torch.Tensor]:
    """Return what a converted torch.ao model has to store, as plain tensors.

    For each layer: `weight` int8, `weight_scale` float32, `bias` float32, and the `scale` float32 and
    `zero_point` uint8 of its output.
    """
    stored: dict[str, torch.Tensor] = {}
    for name, module in converted.named_modules():
        if not callable(getattr(module, "weight", None)):
            continue
        weight, bias = module.weight(), module.bias()
        per_channel = weight.qscheme() == torch.per_channel_affine
        scales = weight.q_per_channel_scales() if per_channel else torch.tensor(weight.q_scale())
        stored |= {
            f"{name}.weight": weight.int_repr(),
            f"{name}.weight_scale": scales.float(),
            f"{name}.bias": bias.detach(),
            f"{name}.scale": torch.tensor(module.scale),
            f"{name}.zero_point": torch.tensor(module.zero_point, dtype=torch.uint8),
        }
    return stored


def bytes_by_part(tensors: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Return where the bytes of a safetensors file go: weights, biases, scales, zero points, header.

    Args:
        tensors: what is stored, by a name whose last part is one of `weight`, `bias`, `weight_scale`,
            `scale` and `zero_point`, as in a folded model's state or in `extract_tensors`.

    Raises:
        ValueError: a name ends otherwise.
    """
    from safetensors.torch import save

    parts = dict.fromkeys(_PARTS.values(), 0)
    for name, tensor in tensors.items():
        kind = name.rsplit(".", 1)[-1]
        if kind not in _PARTS:
            raise ValueError(f"cannot tell what {name!r} is: its name must end in {', '.join(_PARTS)}")
        parts[_PARTS[kind]] += tensor.numel() * tensor.element_size()
    header = len(save(dict(tensors))) - sum(parts.values())
    return {**parts, "header": header}


_PARTS = {
    "weight": "weights",
    "bias": "biases",
    "weight_scale": "scales",
    "scale": "scales",
    "zero_point": "zero points",
}
