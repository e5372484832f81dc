"""The audio front end as C: c/micro_frontend.c, and the tables that it reads."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.usecases.keywords import features, fixed_fft, micro_frontend, pcan
from tinyml_helpers.usecases.keywords.micro_frontend import MLPERF, Settings

BEFORE = "keyword_features"
"""The C function that runs before the network: `SAMPLES` int16 in, its int8 input out."""


def c_files(
    scale: float, zero_point: int, settings: Settings = MLPERF, frames: int = features.FRAMES
) -> dict[str, str]:
    """Write the C that turns sound into a network's input; it needs no library.

    Args:
        scale: of the network's int8 input tensor, which takes 0 to 1.
        zero_point: of the same.
        settings: of the front end.
        frames: that the network sees.

    Returns:
        File name -> text: micro_frontend.c, micro_frontend.h and the tables.

    Raises:
        ValueError: settings with noise reduction or gain control, which the C leaves out.
    """
    if settings.noise_reduction or settings.gain_control:
        raise ValueError(f"settings {settings.name!r}: the C has no noise reduction and no gain control")
    kernels = resources.files(__package__) / "c"
    sources = ("micro_frontend.c", "micro_frontend.h", "complex16.h")
    files = {name: (kernels / name).read_text(encoding="utf-8") for name in sources}
    return {
        **files,
        "frontend_tables.h": _tables(settings, frames, features.input_table(scale, zero_point)),
    }


def _tables(settings: Settings, frames: int, inputs: NDArray[np.int8]) -> str:
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
    tables: dict[str, NDArray[Any]] = {
        "int16_t frontend_window": micro_frontend.window(settings),
        "uint8_t frontend_reversed": fixed_fft.digit_reversed(),
        "int16_t frontend_twiddles": fixed_fft.twiddles().T[: 3 * fixed_fft.POINTS // 4],
        "int16_t frontend_split": fixed_fft.split_twiddles().T,
        "uint8_t frontend_channel": filters.channel,
        "uint16_t frontend_rising": filters.rising,
        "uint16_t frontend_falling": filters.falling,
        "uint16_t frontend_log": pcan.log_table(),
        "int8_t frontend_inputs": inputs,
    }
    lines = [
        "/* Written by tinyml_helpers/usecases/keywords/frontend_firmware.py. */",
        "#include <stdint.h>",
        "",
    ]
    lines += [f"#define {name} {number}" for name, number in numbers.items()]
    lines += [line for name, values in tables.items() for line in _table(name, values)]
    return "\n".join([*lines, ""])


def _table(declared: str, values: NDArray[Any]) -> Iterator[str]:
    shape = "".join(f"[{size}]" for size in values.shape)
    pairs = values.ndim == 2
    rows = [f"{{{row[0]}, {row[1]}}}" if pairs else str(row) for row in values.tolist()]
    yield f"\nstatic const {declared}{shape} = {{"
    for i in range(0, len(rows), 10):
        yield "    " + ", ".join(rows[i : i + 10]) + ","
    yield "};"
