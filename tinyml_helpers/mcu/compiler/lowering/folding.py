"""A PAD becomes part of the convolution behind it: no copy, and no second image in RAM."""

from __future__ import annotations

from dataclasses import replace

from tinyml_helpers.deploy.tflite.graph import Operator
from tinyml_helpers.mcu.compiler.graph import Network, find_readers
from tinyml_helpers.mcu.compiler.lowering import moves
from tinyml_helpers.mcu.compiler.lowering.context import Context, Margins, UnsupportedError

_CONVOLUTIONS, _VALID = ("CONV_2D", "DEPTHWISE_CONV_2D"), 1


def fold_padding(graph: Network) -> Network:
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
        found = find_readers(graph.operators, pad.outputs[0])
        if found and all(_can_take(graph, op, pad.outputs[0], margins) for op in found):
            gone.add(pad.position)
            for op in found:
                inputs = (pad.inputs[0], *op.inputs[1:])
                changed[op.position] = replace(
                    op, inputs=inputs, options={**op.options, "margins": margins}
                )
    kept = (op for op in graph.operators if op.position not in gone)
    return replace(graph, operators=tuple(changed.get(op.position, op) for op in kept))


def _margins(graph: Network, op: Operator) -> Margins | None:
    """What a PAD puts around an image, if it is zero points and nothing else needs its output."""
    if op.type not in ("PAD", "PADV2"):
        return None
    context = Context(graph, op, dsp=False)
    try:
        sizes, value = moves.read_padding(context)
    except UnsupportedError:  # which its translation will say
        return None
    image, padded = context.input(0), context.output
    kept = padded.index in (*graph.outputs, *graph.variables) or image.index in graph.variables
    alike = (image.scale, image.zero_point, value) == (padded.scale, padded.zero_point, image.zero_point)
    if kept or not alike or image.data or len(sizes) != 4 or sizes[[0, 3]].any():
        return None
    (above, below), (left, right) = sizes[1:3].tolist()
    return (above, below), (left, right)


def _can_take(graph: Network, op: Operator, padded: int, margins: Margins) -> bool:
    """Whether a convolution without padding of its own reaches over all of the margins."""
    if op.type not in _CONVOLUTIONS or op.inputs.count(padded) != 1 or op.inputs[0] != padded:
        return False
    context = Context(graph, op, dsp=False)
    weights = context.optional(1)
    if weights is None or len(weights.shape) != 4 or context.option("padding") != _VALID:
        return False
    apart = (context.option("dilation_h", 1), context.option("dilation_w", 1))
    reaches = ((k - 1) * d + 1 for k, d in zip(weights.shape[1:3], apart, strict=True))
    return all(max(margin) < reach for margin, reach in zip(margins, reaches, strict=True))


def fold_tables(graph: Network) -> Network:
    """Let a LOGISTIC or TANH give the steps of the QUANTIZE behind it at once, in one rounding."""
    operators = list(graph.operators)
    for op in graph.operators:
        readers = find_readers(operators, op.outputs[0]) if op.type in ("LOGISTIC", "TANH") else []
        last = len(readers) == 1 and op.outputs[0] not in graph.outputs
        if last and readers[0].type == "QUANTIZE":
            operators[operators.index(op)] = replace(op, outputs=readers[0].outputs)
            operators.remove(readers[0])
    return replace(graph, operators=tuple(operators))
