"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR.

Source: TensorFlow Lite's reference/resize_nearest_neighbor.h and resize_bilinear.h.
"""

from __future__ import annotations

import math

import numpy as np

from tinyml_helpers.mcu.compiler.lowering.batches import repeat_for_images
from tinyml_helpers.mcu.compiler.lowering.constants import Array, Struct
from tinyml_helpers.mcu.compiler.lowering.context import Context, Layer
from tinyml_helpers.mcu.compiler.lowering.moves import check_alike

_ONE = 1 << 10  # a share of one pixel


def lower_resize(context: Context) -> Layer:
    """Translate a resizing of an image."""
    image, output = context.input(0), context.output
    check_alike(context, image, output)
    context.check_int8(image)
    sound = len(image.shape) == len(output.shape) == 4 and not (
        context.option("align_corners") and context.option("half_pixel_centers")
    )
    if not sound or (image.shape[0], image.shape[3]) != (output.shape[0], output.shape[3]):
        raise context.refuse(f"shape {image.shape} to {output.shape}")
    context.check_fields(*image.shape, *output.shape)
    nearest = context.operator.type == "RESIZE_NEAREST_NEIGHBOR"
    place = _nearest if nearest else _between
    names = [f"{context.name}_rows", f"{context.name}_columns"]
    tables = [
        Array(name, np.array([place(context, i, *sizes) for i in range(sizes[1])]), "tm_between")
        for name, sizes in zip(names, zip(image.shape[1:3], output.shape[1:3], strict=True), strict=True)
    ]
    lines = (
        {"height": output.shape[1], "width": output.shape[2]},
        {"input_width": image.shape[2], "channels": image.shape[3]},
        {"rows": names[0], "columns": names[1]},
    )
    layer = context.layer(
        "tm_resize_nearest" if nearest else "tm_resize_bilinear",
        [image],
        (*tables, Struct(context.name, "tm_resize", lines)),
        note=f"{image.dims} -> {output.dims}",
    )
    return repeat_for_images(context, layer)


def _nearest(context: Context, i: int, size: int, wanted: int) -> tuple[int, int, int]:
    align = bool(context.option("align_corners")) and wanted > 1
    scale = np.float32((size - 1) / (wanted - 1)) if align else np.float32(size) / np.float32(wanted)
    centre = np.float32(0.5 if context.option("half_pixel_centers") else 0)
    place = (np.float32(i) + centre) * scale
    chosen = math.floor(place + np.float32(0.5)) if align else math.floor(place)
    return max(min(chosen, size - 1), 0), 0, 0


def _between(context: Context, i: int, size: int, wanted: int) -> tuple[int, int, int]:
    """The pixels on both sides, and the share of the second in 1,024."""
    if context.option("align_corners") and wanted > 1:
        scale = (_ONE * (size - 1) + (wanted - 1) // 2) // (wanted - 1)
    else:
        scale = (_ONE * size + wanted // 2) // wanted
    centre = scale // 2 - _ONE // 2 if context.option("half_pixel_centers") else 0
    place = i * scale + centre
    low = max(int(place / _ONE), 0)
    return low, min(int((place + _ONE - 1) / _ONE), size - 1), place - _ONE * low
