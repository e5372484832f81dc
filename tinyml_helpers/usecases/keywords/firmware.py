"""The whole stream as C: the front end before the network, and the rule after it that reports words."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib import resources

from tinyml_helpers.usecases.keywords import features, frontend_firmware

BEFORE, AFTER = "keyword_hop", "keyword_word"
"""The C functions: what runs before the network, and what runs after it."""

WAKE_BEFORE, WAKE_SAMPLES = "wake_hop", 480
"""The C function before a wake word's network, and the samples that it takes: three steps of 10 ms."""


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
    lines = ["/* Written by tinyml_helpers/usecases/keywords/firmware.py. */"]
    lines += [f"#define {name} {number}" for name, number in numbers.items()]
    kernels = resources.files(__package__) / "c"
    sources = ("keyword_stream.c", "keyword_stream.h")
    files = {name: (kernels / name).read_text(encoding="utf-8") for name in sources}
    front = frontend_firmware.c_files(scale, zero_point)
    return {**front, **files, "stream_tables.h": "\n".join([*lines, ""])}


def wake_word_files(scale: float, zero_point: int) -> dict[str, str]:
    """Write the C of a wake word's front end without noise reduction and gain control.

    It serves to count what the rest of the work takes at least: 40 channels, 100 frames a second. What
    it computes is not what the network was trained on.

    Args:
        scale: of the network's int8 input tensor.
        zero_point: of the same.

    Returns:
        File name -> text; the function is `WAKE_BEFORE`.
    """
    plain = replace(features.WAKE_WORD, noise_reduction=False, gain_control=False)
    hop = f"""#include "micro_frontend.h"

void {WAKE_BEFORE}(const int16_t *samples, int8_t *input) {{
    for (int i = 0; i < FRAMES; i++, samples += STEP) frontend_push(samples);
    frontend_input(input);
}}
"""
    return {**frontend_firmware.c_files(scale, zero_point, plain, 3), "wake_hop.c": hop}
