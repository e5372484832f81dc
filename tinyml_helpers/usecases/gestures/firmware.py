"""The C before a gesture network, from a watch's raw samples, and the vote after it."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.mcu.pipeline import Pipeline
from tinyml_helpers.usecases.gestures import features

if TYPE_CHECKING:
    from tinyml_helpers.deploy.tflite.interpreter import Model


def pipeline(model: Model, *, right: bool = False, votes: int = 5, margin: int = 0) -> Pipeline:
    """Put a gesture network between a watch's samples and a vote.

    Args:
        model: int8; its input is what `features.quantized_input` gives.
        right: the watch is worn on the right arm.
        votes: windows whose outputs are added up.
        margin: by how many output steps a window the best class must lead the next one, on
            average; below that the answer is -1, none of the movements.

    Returns:
        1,200 int16 samples -> `motion_features` -> network -> `motion_vote`: the class.
    """
    files = motion_files(
        model.input.scales[0],
        model.input.zero_point,
        right=right,
        votes=votes,
        margin=margin,
        classes=model.output.shape[-1],
    )
    counts = features.WINDOW * 6, features.HOP * 6
    return Pipeline(files, "motion_features", "int16_t", counts[0], "motion_vote", hop=counts[1])


def motion_files(
    scale: float, zero_point: int, *, right: bool, classes: int, votes: int = 5, margin: int = 0
) -> dict[str, str]:
    """Write c/motion.c with its table: file name -> text; see `pipeline` for the arguments."""
    constants = {
        "STEPS": features.STEPS,
        "ZERO_POINT": zero_point,
        "SHIFT": features.GAIN_SHIFT,
        "SLOW_SHARE": features.SLOW_SHARE_256,
        "VOTES": votes,
        "MARGIN": margin,
        "CLASSES": classes,
    }
    lines = [
        "/* Generated: what motion.c needs to know of the network and of the arm. */",
        c_source.defines(constants, "MOTION_"),
        c_source.array("int32_t", "motion_sign", features.MIRROR if right else np.ones(6, int)),
        c_source.array("int32_t", "motion_gain", features.input_gains(scale)),
    ]
    folder = resources.files(__package__) / "c"
    kernel = {name: (folder / name).read_text("utf-8") for name in ("motion.c", "motion.h")}
    return {**kernel, "motion_table.h": "\n".join(lines)}
