"""Post-training quantization of a network: folding, equalizing, rounding, and what to store."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tinyml_helpers.compress.affine import Method, affine, binarize, choose_range, weight_affine

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
    model: nn.Module, bits: int | Mapping[str, int], *, per_channel: bool = True
) -> nn.Module:
    """Return a copy whose weights are rounded to `bits` bits (1: binary), activations left in float.

    Args:
        model: its batch norms should be folded first.
        bits: 1 to 16 for all layers, or for each by its name; one that is not named stays as it is.
        per_channel: one scale per output channel, or one per layer.

    Raises:
        ValueError: no layer of that name, or bits out of range.
    """
    rounded = copy.deepcopy(model)
    there = dict(layers(rounded))
    widths = dict(bits) if isinstance(bits, Mapping) else dict.fromkeys(there, bits)
    if unknown := set(widths) - set(there):
        raise ValueError(f"no layer {', '.join(sorted(unknown))}: choose of {', '.join(there)}")
    for name, width in widths.items():
        weight = there[name].weight.data
        there[name].weight.data = (
            binarize(weight)
            if width == 1
            else weight_affine(weight, width, per_channel=per_channel).round_trip(weight)
        )
    return rounded


def equalize(model: nn.Module) -> nn.Module:
    """Return a copy in which neighbouring layers share their ranges fairly, channel by channel.

    A channel is divided by a factor in the layer that makes it, and multiplied by it in the layer that
    reads it; ReLU and mean let a positive factor through, so the outputs stay as they were, but for
    rounding in float32. A layer has neighbours on both sides, so the chain is gone through again and
    again until no channel moves by more than a hundredth.

    Args:
        model: a chain of layers with batch norms folded, as `small` and `tiny` are.

    Raises:
        ValueError: it is no such chain.

    Source: Nagel et al., Data-free quantization through weight equalization and bias correction,
        arXiv 1906.04721, section 4.1.
    """
    for name, module in model.named_modules():
        if type(module) not in _LETS_FACTORS_THROUGH:
            raise ValueError(
                f"{name or 'the network'} is a {type(module).__name__}: give a chain of convolutions "
                "and linear layers with ReLUs between them, batch norms folded"
            )
    equal = copy.deepcopy(model)
    chain = [layer for _, layer in layers(equal)]
    for _ in range(_MOST_SWEEPS):
        moved = [_share_range(first, second) for first, second in itertools.pairwise(chain)]
        if max(moved, default=1.0) < 1.01:
            break
    return equal


_LETS_FACTORS_THROUGH = (
    nn.Sequential, nn.Conv2d, nn.Linear, nn.ReLU, nn.Identity, nn.AdaptiveAvgPool2d, nn.Flatten,
)  # fmt: skip
_MOST_SWEEPS = 100


def _share_range(first: Layer, second: Layer) -> float:
    """Give each channel between two layers the same range in both; return the largest factor."""
    # A depthwise layer reads channel i with its filter i, as it makes it.
    depthwise = isinstance(second, nn.Conv2d) and second.groups == second.out_channels > 1
    made = first.weight.data
    read = second.weight.data if depthwise else second.weight.data.transpose(0, 1)
    before, after = (side.abs().flatten(1).amax(1) for side in (made, read))
    factor = torch.where((before > 0) & (after > 0), (before / after).sqrt(), 1.0)
    made.div_(factor.reshape((-1,) + (1,) * (made.ndim - 1)))
    if first.bias is not None:
        first.bias.data.div_(factor)
    read.mul_(factor.reshape((-1,) + (1,) * (read.ndim - 1)))
    return float(torch.maximum(factor, 1 / factor).max())


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


def with_rounded_activations(
    model: nn.Module, seen: Mapping[str, torch.Tensor], method: Method, bits: int
) -> nn.Module:
    """Return a copy that rounds its activations, each over a range chosen from what was seen of it.

    Args:
        model: its batch norms should be folded first.
        seen: by place, what `observe` saw.
        method: of `affine.choose_range`.
        bits: 2 to 16.
    """
    rounded = copy.deepcopy(model)
    for name, module in _activations(rounded).items():
        fit = affine(*choose_range(seen[name], method, bits), bits)
        module.register_forward_hook(lambda _module, _inputs, output, by=fit: by.round_trip(output))
    return rounded


def _activations(model: nn.Module) -> dict[str, nn.Module]:
    last = [name for name, _ in layers(model)][-1]
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.ReLU) or n == last}


def convert_eagerly(model: nn.Module, images: torch.Tensor, backend: str) -> nn.Module:
    """Return the network in int8, by PyTorch's older flow: fuse, prepare, calibrate, convert.

    Args:
        model: batch norms folded, in blocks that name their parts `conv` and `relu`.
        images: to calibrate on, float32 [N, ...].
        backend: one of `torch.backends.quantized.supported_engines`; it becomes the one that runs.
    """
    from torch.ao import quantization as tq

    torch.backends.quantized.engine = backend
    wrapped = tq.QuantWrapper(copy.deepcopy(model)).eval()
    blocks = [name for name, block in wrapped.named_modules() if hasattr(block, "conv")]
    fused = tq.fuse_modules(wrapped, [[f"{name}.conv", f"{name}.relu"] for name in blocks])
    fused.qconfig = tq.get_default_qconfig(backend)
    prepared = tq.prepare(fused)
    prepared(images)
    converted: nn.Module = tq.convert(prepared)
    return converted


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
