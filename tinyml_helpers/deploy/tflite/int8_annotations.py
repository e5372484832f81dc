"""Where PT2E puts int8 beyond litert-torch's quantizer, so that a network stays in int8 from end to end.

litert-torch 0.10 looks for sums, products and pools by the Python call that made them. Often a graph of
torch.export no longer names it, and other operators are not in its list. Such steps stay in float
between int8 layers, and an engine without float kernels refuses the file. Here operators are found
by their name in ATen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CLIPS = {"relu", "relu_", "hardtanh", "hardtanh_", "relu6", "clamp"}
"""Clipping that a kernel does while it writes its result."""
CONVOLUTIONS = {"conv1d", "conv2d", "convolution"}
PAIRS = {"add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_"}
FUNCTIONS = {"hardswish", "hardswish_", "leaky_relu", "leaky_relu_", "tanh", "gelu", "exp", "abs"}
MOVES = {"avg_pool2d", "upsample_nearest2d", "upsample_bilinear2d"}
"""Operators whose result has the scale of what they read."""
FIXED = {"sigmoid", "softmax", "_softmax"}
"""Operators whose result lies between 0 and 1: LiteRT's kernels want a scale of 1/256."""


def annotate(graph: torch.fx.GraphModule, config: Any) -> None:
    """Mark what is to be int8 in a graph of ATen operators, before litert-torch marks the rest.

    Args:
        graph: of torch.export, as PT2E hands it to a quantizer.
        config: litert-torch's QuantizationConfig.
    """
    for node in graph.graph.nodes:
        kind = _kind(node)
        if kind in CONVOLUTIONS | {"linear"}:
            _annotate_product(node, config)
        elif kind in PAIRS | FUNCTIONS:
            read = [one for one in node.args if _is_float(one)]
            _mark(node, dict.fromkeys(read, config.input_activation), config.output_activation)
        elif kind in FIXED:
            _mark(node, {node.args[0]: config.input_activation}, config.fixed_qparams)
        elif kind in MOVES:
            _annotate_move(node, config)


def _annotate_product(node: torch.fx.Node, config: Any) -> None:
    """A convolution or dense layer that is clipped: one step, with the scale of the clipped result.

    One that is not clipped is left to litert-torch.
    """
    if _clip(node) is not None:
        read = {node.args[0]: config.input_activation, node.args[1]: config.weight}
        _mark(node, read, config.output_activation)


def _annotate_move(node: torch.fx.Node, config: Any) -> None:
    from torchao.quantization.pt2e.quantizer import SharedQuantizationSpec

    source = node.args[0]
    _mark(node, {source: config.input_activation}, SharedQuantizationSpec((source, node)))


def _mark(node: torch.fx.Node, read: dict[Any, Any], result: Any) -> None:
    """Mark a node; where clips alone follow it, the result is that of the last of them."""
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation

    nodes = [node]
    while (clip := _clip(nodes[-1])) is not None:
        nodes.append(clip)
    for one in nodes:
        one.meta["quantization_annotation"] = QuantizationAnnotation(
            input_qspec_map=read if one is node else {},
            output_qspec=result if one is nodes[-1] else None,
            _annotated=True,
        )


def _clip(node: torch.fx.Node) -> torch.fx.Node | None:
    """The clip that alone reads a node, if there is one."""
    readers = list(node.users)
    return readers[0] if len(readers) == 1 and _kind(readers[0]) in CLIPS else None


def _kind(node: torch.fx.Node) -> str:
    packet = getattr(node.target, "overloadpacket", None)
    return packet.__name__ if node.op == "call_function" and packet is not None else ""


def _is_float(given: Any) -> bool:
    import torch

    value = given.meta.get("val") if isinstance(given, torch.fx.Node) else None
    return isinstance(value, torch.Tensor) and value.is_floating_point()
