"""Count objects by the peaks of a grid of centres: in numpy, and as C for a microcontroller.

Where only the number of objects matters, no box has to be decoded: FOMO's idea.
"""

from __future__ import annotations

from importlib import resources

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.images.scenes import SCENE_CLASSES, SIDE
from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.mcu.pipeline import Pipeline
from tinyml_helpers.usecases.detection.grid import CELLS, CODES

_BITS = 6  # of each class's count in the answer of the C; five classes fit into 32


def logit_threshold(score: float, scale: float, zero_point: int) -> int:
    """Return the int8 logit from which on a cell scores `score` or more.

    Args:
        score: 0 to 1, both excluded.
        scale: of the network's int8 output.
        zero_point: of the network's int8 output.

    Raises:
        ValueError: a score that no logit stands for.
    """
    if not 0 < score < 1:
        raise ValueError(f"score {score}: give one above 0 and below 1")
    logit = np.log(score / (1 - score))
    return int(np.clip(np.ceil(logit / scale + zero_point), -128, 127))


def count_peaks(outputs: NDArray[np.int8], least: int) -> NDArray[np.int64]:
    """Count the objects of each class: int64 [N, classes].

    Args:
        outputs: int8 [N, 13, 13, 4 + classes] of the tiny detector.
        least: the logit that a peak needs at the least, see `logit_threshold`.
    """
    logits = outputs[..., CODES:].astype(np.int16)
    best, labels = logits.max(-1), logits.argmax(-1)
    edged = np.pad(best, ((0, 0), (1, 1), (1, 1)), constant_values=-(2**15))
    peaks = best >= least
    for down, right in np.ndindex(3, 3):
        other = edged[:, down : down + CELLS, right : right + CELLS]
        # Of two equal neighbours the first in the picture stands for both.
        peaks &= other < best if (down, right) < (1, 1) else other <= best
    return np.stack([(peaks & (labels == i)).sum((1, 2)) for i in range(logits.shape[-1])], 1)


def pipeline(least: int) -> Pipeline:
    """Put the tiny detector between a picture and its counts.

    Args:
        least: the logit that a peak needs at the least, see `logit_threshold`.

    Returns:
        SIDE x SIDE pixels uint8 -> `peaks_pixels` -> network -> `peaks_count`: see `unpack`.
    """
    sizes = {
        "PIXELS": SIDE**2,
        "CELLS": CELLS,
        "CODES": CODES,
        "CLASSES": len(SCENE_CLASSES),
        "THRESHOLD": least,
    }
    code = (resources.files(__package__) / "c" / "peaks.c").read_text("utf-8")
    files = {"peaks.c": code, "peaks_sizes.h": "#pragma once\n" + c_source.defines(sizes, "PEAKS_")}
    return Pipeline(files, "peaks_pixels", "uint8_t", SIDE**2, "peaks_count")


def unpack(answer: int) -> dict[str, int]:
    """Return the counts in the answer of `peaks_count`, by class, those that are not 0."""
    counts = {name: answer >> _BITS * i & 2**_BITS - 1 for i, name in enumerate(SCENE_CLASSES)}
    return {name: number for name, number in counts.items() if number}
