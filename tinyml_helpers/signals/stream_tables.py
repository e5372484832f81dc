"""The whole stream as C: the front end before the network, and the rule after it that reports words."""

from __future__ import annotations

import math
from importlib import resources

from tinyml_helpers.signals import frontend_tables

BEFORE, AFTER = "keyword_hop", "keyword_word"
"""The C functions: what runs before the network, and what runs after it."""


def c_files(
    scale: float,
    zero_point: int,
    *,
    threshold: float,
    classes: int = 12,
    words: int = 10,
    width: int = 3,
    hop: int = 10,
    silent: int = 5,
) -> dict[str, str]:
    """Write the C around a keyword network: `hop` times 320 samples in, the number of a word out, or -1.

    Args:
        scale: of the network's int8 input tensor, which takes 0 to 1.
        zero_point: of the same.
        threshold: least averaged score, 0 to 1; the network ends in a softmax of scale 1/256.
        classes: outputs of the network.
        words: how many of them, from the first, are words to report.
        width: windows that are averaged.
        hop: frames of 20 ms from one window to the next.
        silent: windows from one report to the next, at least.

    Returns:
        File name -> text.

    Raises:
        ValueError: a number out of its range.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold {threshold}: give a score from 0 to 1")
    if not 0 < words <= classes:
        raise ValueError(f"{words} words of {classes} classes: give 1 to {classes}")
    for name, value in {"width": width, "hop": hop, "silent": silent}.items():
        if value < 1:
            raise ValueError(f"a {name} of {value}: give at least 1")
    numbers = {
        "CLASSES": classes,
        "WORDS": words,
        "WIDTH": width,
        "HOP": hop,
        "SILENT": silent,
        "LEAST_TOTAL": math.ceil(threshold * 256 * width - 1e-9),
    }
    lines = ["/* Written by tinyml_helpers/signals/stream_tables.py. */"]
    lines += [f"#define {name} {number}" for name, number in numbers.items()]
    kernels = resources.files(__package__) / "kernels"
    sources = ("keyword_stream.c", "keyword_stream.h")
    files = {name: (kernels / name).read_text(encoding="utf-8") for name in sources}
    front = frontend_tables.c_files(scale, zero_point)
    return {**front, **files, "stream_tables.h": "\n".join([*lines, ""])}
