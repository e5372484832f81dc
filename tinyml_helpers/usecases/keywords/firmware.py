"""The whole stream as C: the front end before the network, and the rule after it that reports words."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING

from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.mcu.pipeline import Pipeline
from tinyml_helpers.usecases.keywords import features, fixed_fft, micro_frontend, pcan
from tinyml_helpers.usecases.keywords.micro_frontend import MLPERF, Settings

if TYPE_CHECKING:
    from tinyml_helpers.deploy.tflite.interpreter import Model

_COMMENT = "/* Written by tinyml_helpers/usecases/keywords/firmware.py. */\n"
_KERNELS = ("micro_frontend.c", "micro_frontend.h", "complex16.h")
_STREAM_KERNELS = ("keyword_stream.c", "keyword_stream.h")
_WAKE_FRAMES = 3
_WAKE_HOP = """#include "micro_frontend.h"

void wake_hop(const int16_t *samples, int8_t *input) {
    for (int i = 0; i < FRAMES; i++, samples += STEP) frontend_push(samples);
    frontend_input(input);
}
"""


def pipeline(
    model: Model, *, threshold: float, words: int = 10, width: int = 3, hop: int = 10, silent: int = 5
) -> Pipeline:
    """Put a keyword network into a stream: `hop` times 320 samples in, the number of a word out, or -1.

    Args:
        model: its input takes 0 to 1, its output is a softmax of scale 1/256.
        threshold: least averaged score, 0 to 1.
        words: how many of the classes, from the first, are words to report.
        width: windows that are averaged.
        hop: frames of 20 ms from one window to the next.
        silent: windows from one report to the next, at least.

    Returns:
        int16 samples at 16 kHz -> `keyword_hop` -> network -> `keyword_word`.

    Raises:
        ValueError: a number out of its range.
    """
    classes = model.output.shape[-1]
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
    files = {**_front_end(model, MLPERF, features.FRAMES), **_kernels(_STREAM_KERNELS)}
    files["stream_tables.h"] = _COMMENT + c_source.defines(numbers)
    return Pipeline(files, "keyword_hop", "int16_t", hop * MLPERF.step_samples, "keyword_word")


def wake_word_pipeline(model: Model) -> Pipeline:
    """Put a wake word's front end without noise reduction and gain control before its network.

    It serves to count what the rest of the work takes at least: 40 channels, 100 frames a second. What
    it computes is not what the network was trained on.

    Args:
        model: a streaming network that takes three frames at once.

    Returns:
        480 int16 samples at 16 kHz -> `wake_hop` -> network.
    """
    plain = replace(features.WAKE_WORD, noise_reduction=False, gain_control=False)
    files = {**_front_end(model, plain, _WAKE_FRAMES), "wake_hop.c": _WAKE_HOP}
    return Pipeline(files, "wake_hop", "int16_t", _WAKE_FRAMES * plain.step_samples)


def _kernels(names: tuple[str, ...]) -> dict[str, str]:
    folder = resources.files(__package__) / "c"
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


def _front_end(model: Model, settings: Settings, frames: int) -> dict[str, str]:
    """C that turns sound into a network's input, with neither noise reduction nor gain control."""
    inputs = features.input_table(model.input.scales[0], model.input.zero_point)
    filters = micro_frontend.filters(settings)
    numbers = {
        "WINDOW": settings.window_samples,
        "STEP": settings.step_samples,
        "CHANNELS": settings.channels,
        "FRAMES": frames,
        "LOG_SHIFT": settings.log_shift,
        "FULL_SCALE": features.FULL_SCALE,
        "FIRST_BIN": filters.first,
        "BINS": len(filters.channel),
        "INPUTS": len(inputs),
    }
    tables = (
        ("int16_t", "window", micro_frontend.window(settings)),
        ("uint8_t", "reversed", fixed_fft.reverse_digits()),
        ("int16_t", "twiddles", fixed_fft.twiddles().T[: 3 * fixed_fft.POINTS // 4]),
        ("int16_t", "split", fixed_fft.split_twiddles().T),
        ("uint8_t", "channel", filters.channel),
        ("uint16_t", "rising", filters.rising),
        ("uint16_t", "falling", filters.falling),
        ("uint16_t", "log", pcan.log_table()),
        ("int8_t", "inputs", inputs),
    )
    lines = [_COMMENT + "#include <stdint.h>\n", c_source.defines(numbers)]
    lines += [c_source.array(ctype, f"frontend_{name}", values) for ctype, name, values in tables]
    return {**_kernels(_KERNELS), "frontend_tables.h": "\n".join(lines)}
