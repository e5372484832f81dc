"""A PAD becomes part of the convolution behind it: no copy, and no second image in RAM."""

from __future__ import annotations

from dataclasses import replace

from tinyml_helpers.mcu.graph import Graph, Operator, Tensor

Margins = tuple[tuple[int, int], tuple[int, int]]
"""Pixels (above, below) and (left, right) of an image."""

_CONVOLUTIONS, _VALID = ("CONV_2D", "DEPTHWISE_CONV_2D"), 1


def fold_padding(graph: Graph) -> Graph:
    """Let convolutions read the image before a PAD, and take its margins for their own.

    A PAD writes zero points around an image, and a kernel takes what lies outside of an image for zero
    points: the bytes are the same. Only where all readers of a PAD can do without it, it goes.

    Returns:
        The graph, in which such a convolution has an option `margins`.
    """
    changed: dict[int, Operator] = {}
    gone: set[int] = set()
    for pad in graph.operators:
        margins = _margins(graph, pad)
        if margins is None:
            continue
        readers = [op for op in graph.operators if pad.outputs[0] in op.inputs]
        if readers and all(_can_take(graph, op, pad.outputs[0], margins) for op in readers):
            gone.add(pad.position)
            for op in readers:
                inputs = (pad.inputs[0], *op.inputs[1:])
                changed[op.position] = replace(
                    op, inputs=inputs, options={**op.options, "margins": margins}
                )
    kept = (op for op in graph.operators if op.position not in gone)
    return replace(graph, operators=tuple(changed.get(op.position, op) for op in kept))


def _margins(graph: Graph, op: Operator) -> Margins | None:
    """What a PAD puts around an image, if it is zero points and nothing else needs its output."""
    if op.kind not in ("PAD", "PADV2") or len(op.outputs) != 1 or min(op.inputs) < 0:
        return None
    image, sizes, *value = (graph.tensors[i] for i in op.inputs)
    padded = graph.tensors[op.outputs[0]]
    kept = {*graph.outputs, *graph.variables}
    if padded.index in kept or image.index in graph.variables or not _same_int8(image, padded):
        return None
    if op.kind == "PADV2" and (not value or not _is(value[0], image.zero_point)):
        return None
    if sizes.data is None or sizes.dtype != "int32" or sizes.shape != (4, 2) or len(image.shape) != 4:
        return None
    batch, rows, columns, channels = ((int(a), int(b)) for a, b in sizes.data)
    if batch != (0, 0) or channels != (0, 0) or sizes.data.min() < 0:
        return None
    grown = zip(image.shape, sizes.data, strict=True)
    return (rows, columns) if padded.shape == tuple(n + int(m.sum()) for n, m in grown) else None


def _can_take(graph: Graph, op: Operator, padded: int, margins: Margins) -> bool:
    """Whether a convolution without padding of its own reaches over all of the margins."""
    if op.kind not in _CONVOLUTIONS or op.inputs.count(padded) != 1 or op.inputs[0] != padded:
        return False
    weights = graph.tensors[op.inputs[1]] if len(op.inputs) > 1 else None
    if weights is None or len(weights.shape) != 4 or op.options.get("padding") != _VALID:
        return False
    apart = (op.options.get("dilation_h", 1), op.options.get("dilation_w", 1))
    reaches = ((k - 1) * d + 1 for k, d in zip(weights.shape[1:3], apart, strict=True))
    return all(max(margin) < reach for margin, reach in zip(margins, reaches, strict=True))


def _same_int8(image: Tensor, padded: Tensor) -> bool:
    alike = (image.scales, image.zero_points) == (padded.scales, padded.zero_points)
    kinds = image.dtype == padded.dtype == "int8"
    return alike and kinds and len(image.scales) == 1 and image.data is None


def _is(value: Tensor, number: int) -> bool:
    return value.data is not None and value.dtype == "int8" and set(value.data.ravel()) == {number}
