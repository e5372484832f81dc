"""What PyTorch's operators cost. Imported by `trace` only, because it needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# PyTorch tags element-wise operators and reductions; these have no tag and do no MACs either.
# An operator that is in neither set is reported, never taken for free.
_NO_MACS = _names("""
    native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training
    native_layer_norm native_group_norm _fused_rms_norm _softmax _safe_softmax _log_softmax
    hardswish max_pool2d_with_indices max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d mean
    _adaptive_avg_pool2d adaptive_max_pool2d upsample_nearest1d upsample_nearest2d
    upsample_bilinear2d pixel_shuffle channel_shuffle embedding cat stack constant_pad_nd
    reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d _to_copy copy
    _reshape_copy index_select gather index _unsafe_index slice_scatter select_scatter topk sort
    argmax argmin roll flip repeat tril triu resize masked_fill zeros_like ones_like full_like
    empty_like new_zeros new_empty
""")
# What every engine computes while it still holds the output of the layer before in registers.
_FUSED = _names("""
    native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training relu
    leaky_relu hardtanh clamp clamp_min hardswish hardsigmoid sigmoid tanh silu gelu elu mish
    softplus
""")
# Other names of memory that exists already; PyTorch marks most views itself.
_VIEWS = _names("""
    _unsafe_view detach alias unsafe_split unsafe_chunk as_strided_ squeeze_ unsqueeze_ transpose_ t_
""")
_CONVOLUTIONS = _names("convolution _convolution convolution_overrideable")


def name_of(operator: torch._ops.OpOverload) -> str:
    """Name without overload and without the underscore of the in-place form."""
    return operator._overloadpacket.__name__.rstrip("_")


def is_view(operator: torch._ops.OpOverload) -> bool:
    """True if the result is another name for memory that exists already."""
    return bool(operator.is_view) or operator._overloadpacket.__name__ in _VIEWS


def is_fused(operator: torch._ops.OpOverload) -> bool:
    """True for batch norm and activation functions."""
    return name_of(operator) in _FUSED


def is_known(operator: torch._ops.OpOverload) -> bool:
    """True if the operator's MACs are known, be they 0."""
    tagged = torch.Tag.pointwise in operator.tags or torch.Tag.reduction in operator.tags
    has_formula = operator._overloadpacket in flop_registry
    return tagged or has_formula or name_of(operator) in _NO_MACS


def count_macs(
    operator: torch._ops.OpOverload,
    args: Sequence[object],
    out: object,
    is_activation: Callable[[Tensor], bool],
) -> tuple[str, int]:
    """Kind and MACs of one call; an operator without products is its own kind, with 0 MACs.

    Source: the formulas of `torch.utils.flop_counter`, two operations to a MAC.
    """
    formula = flop_registry.get(operator._overloadpacket)
    if formula is None:
        return name_of(operator), 0
    return _kind(name_of(operator), args, is_activation), formula(*args, out_val=out) // 2


def tensors(tree: object) -> list[Tensor]:
    """Every tensor in nested arguments or results."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _kind(name: str, args: Sequence[object], is_activation: Callable[[Tensor], bool]) -> str:
    if name in _CONVOLUTIONS:
        images, groups = tensors(args)[0], args[8]
        return "depthwise" if groups == images.shape[1] > 1 else "convolution"
    # Bias first, factors last; attention has activations on every side.
    both_change = all(is_activation(factor) for factor in tensors(args)[-2:])
    return "matmul" if both_change or "attention" in name else "fully connected"
