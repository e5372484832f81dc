"""The C of kernels/: which file defines which kernel, and what a network's calls need of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources

CASTS = ("bool", "int8", "int32", "float32")
"""Types that are cast into one another."""
KERNELS = {
    "casts.c": tuple(f"tm_{a}_to_{b}" for a in CASTS for b in CASTS),
    "choices.c": ("tm_maximum", "tm_minimum", "tm_greater", "tm_equal", "tm_select"),
    "conv_2d.c": ("tm_conv_2d", "tm_conv_2d_tiled"),
    "conv_2d_blocks.c": ("tm_conv_2d_blocks",),
    "conv_2d_general.c": ("tm_conv_2d_general",),
    "conv_2d_int16.c": ("tm_conv_2d_int16",),
    "conv_2d_packed.c": ("tm_conv_2d_packed",),
    "depthwise_channels.c": ("tm_depthwise_conv_2d_channels",),
    "depthwise_conv_2d.c": (
        "tm_depthwise_conv_2d",
        *(f"tm_depthwise_conv_2d_{form}{by}" for form in ("3x3", "5", "7") for by in ("", "_by_2")),
    ),
    "depthwise_packed.c": ("tm_depthwise_unpack",),
    "differences.c": ("tm_sub", "tm_squared_difference", "tm_prelu", "tm_div"),
    "fully_connected.c": ("tm_fully_connected",),
    "fully_connected_blocks.c": ("tm_fully_connected_blocks",),
    "fully_connected_general.c": ("tm_fully_connected_general",),
    "fully_connected_packed.c": ("tm_fully_connected_packed",),
    "indices.c": ("tm_arg_max", "tm_gather"),
    "log_softmax.c": ("tm_log_softmax",),
    "lstm.c": ("tm_lstm",),
    "matrices.c": ("tm_multiply",),
    "mean.c": ("tm_mean_of",),
    "moves.c": ("tm_lookup", "tm_clamp", "tm_pad", "tm_copy", "tm_quantize", "tm_dequantize"),
    "pairs.c": ("tm_add", "tm_add_general", "tm_mul"),
    "pool.c": ("tm_average_pool_2d", "tm_max_pool_2d"),
    "pool_int16.c": ("tm_average_pool_2d_int16", "tm_max_pool_2d_int16", "tm_mean_of_int16"),
    "reduce.c": ("tm_reduce_mean", "tm_reduce_sum", "tm_reduce_max", "tm_reduce_min"),
    "resize.c": ("tm_resize_nearest", "tm_resize_bilinear"),
    "softmax.c": ("tm_softmax",),
    "svdf.c": ("tm_svdf",),
    "transpose_conv.c": ("tm_transpose_conv",),
    "values_int16.c": (
        *(f"tm_{kind}_int16" for kind in ("add", "sub", "mul", "logistic", "tanh", "softmax")),
        *(f"tm_rescale_{ends}" for ends in ("int16_to_int16", "int16_to_int8", "int8_to_int16")),
    ),
}
"""File of kernels/ -> the kernels that it defines."""
_NOT_FREE = {"main", "all", "clean", "help", "install", "test", "package"} | {
    *("assert", "ctype", "errno", "limits", "math", "signal", "stddef", "stdint", "stdio", "stdlib"),
    *("string", "time"),
}
"""Names that CMake keeps to itself, and those of C's own headers, which ours would stand before."""
_UNPACKING = {"tm_conv_2d_packed", "tm_fully_connected_packed", "tm_depthwise_unpack"}
_INCLUDED = re.compile(r'^#include "(\w+\.h)"', re.MULTILINE)


def files_of(called: Iterable[str]) -> tuple[str, ...]:
    """The files that kernels need, headers left out."""
    wanted = set(called)
    files = tuple(file for file, kernels in KERNELS.items() if wanted & set(kernels))
    return (*files, "unpack.c") if wanted & _UNPACKING else files


def check_name(name: str) -> None:
    """Refuse a prefix that C does not take, or whose file would be another's.

    Raises:
        ValueError: with one that would do.
    """
    if not name.isidentifier() or not name.isascii():
        raise ValueError(f"name {name!r} is no C identifier: use letters, digits and _")
    ours = resources.files("tinyml_helpers.mcu") / "kernels"
    taken = {file.name.partition(".")[0] for file in ours.iterdir()} | _NOT_FREE
    if name.lower() in taken:
        raise ValueError(f"name {name!r} is taken by C, by CMake or by a kernel: call it my_{name}")


def read_kernels(called: Iterable[str]) -> dict[str, str]:
    """Read the files that define kernels, and the headers that those include.

    Args:
        called: names of kernels.

    Returns:
        File name -> text.
    """
    folder = resources.files("tinyml_helpers.mcu") / "kernels"
    found: dict[str, str] = {}
    for file in ("kernels.h", "arithmetic.h", *files_of(called)):
        found[file] = (folder / file).read_text("utf-8")
        waiting = _INCLUDED.findall(found[file])
        while waiting:
            header = waiting.pop()
            if header not in found:
                found[header] = (folder / header).read_text("utf-8")
                waiting += _INCLUDED.findall(found[header])
    return found
