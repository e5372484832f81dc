"""Kernels that know one image, called once for each image of a batch."""

from __future__ import annotations

from dataclasses import replace

from tinyml_helpers.mcu.compiler.lowering.context import MOST_CALLS, SCRATCH, Address, Context, Layer


def repeat_for_images(context: Context, layer: Layer) -> Layer:
    """A layer whose kernels know one image, for each image of a batch.

    Raises:
        UnsupportedError: more images than a program should have calls.
    """
    images = context.output.shape[0]
    if images == 1:
        return layer
    if images > MOST_CALLS:
        raise context.refuse(f"{images:,} images: at most {MOST_CALLS}")
    calls = tuple(
        replace(call, arguments=tuple(_moved(context, argument, i) for argument in call.arguments))
        for i in range(images)
        for call in layer.calls
    )
    return replace(layer, calls=calls, in_place=False)


def _moved(context: Context, argument: Address | str | int, image: int) -> Address | str | int:
    if not isinstance(argument, Address) or argument.tensor == SCRATCH:
        return argument
    tensor = context.graph.tensors[argument.tensor]
    return replace(argument, skipped=image * (tensor.size_bytes // tensor.shape[0]))
