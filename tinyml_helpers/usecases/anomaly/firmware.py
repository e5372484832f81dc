"""The vibration detector on a chip: its int8 network, and the C around it with the tables it reads."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.mcu.pipeline import Pipeline
from tinyml_helpers.usecases.anomaly import features as anomaly_features
from tinyml_helpers.usecases.anomaly.detect import Scaling
from tinyml_helpers.usecases.anomaly.features import BANDS, FRAME, HOP

if TYPE_CHECKING:
    from tinyml_helpers.deploy.tflite.interpreter import Model


@dataclass(frozen=True)
class Int8Autoencoder:
    """The int8 network of an autoencoder and the scaling of its features: features -> scores."""

    scaling: Scaling
    network: Model

    def raw(self, features: NDArray[np.float32]) -> NDArray[np.int8]:
        """The network's input for features [N, F] without their baseline."""
        return self.network.quantize(self.scaling(features))

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score features [N, F] as the microcontroller does."""
        given = self.raw(features)
        rebuilt = self.network.dequantize(self.network.run(given))
        return self.scaling.score(self.network.input.real(given), rebuilt)


def pipeline(detector: Int8Autoencoder, baseline: NDArray[np.float32], samples: int) -> Pipeline:
    """Put the detector between the samples of one machine and a score in thousandths.

    Args:
        detector: the network, with the scaling of the features and the weights of the score.
        baseline: float32 [FEATURES], the machine's own healthy features.
        samples: in one segment, a power of two.

    Returns:
        int16 samples -> `vibration_features` -> network -> `vibration_score`.

    Raises:
        ValueError: the number of samples is no power of two, or less than a frame.
    """
    if samples < FRAME or samples & (samples - 1):
        raise ValueError(f"{samples} samples in a segment: give a power of two from {FRAME} up")
    kernel = (resources.files(__package__) / "c" / "vibration.c").read_text(encoding="utf-8")
    files = {"vibration_tables.h": _tables(detector, baseline, samples), "vibration.c": kernel}
    return Pipeline(files, "vibration_features", "int16_t", samples, "vibration_score")


def _tables(detector: Int8Autoencoder, baseline: NDArray[np.float32], samples: int) -> str:
    scaling, ends = detector.scaling, detector.network
    numbers: dict[str, float] = {
        "FRAME": FRAME,
        "HOP": HOP,
        "BANDS": BANDS,
        "SAMPLES": samples,
        "SAMPLES_LOG2": samples.bit_length() - 1,
        "FRAMES": (samples - FRAME) // HOP + 1,
        "INPUT_SCALE": ends.input.scales[0],
        "INPUT_ZERO": ends.input.zero_point,
        "OUTPUT_SCALE": ends.output.scales[0],
        "OUTPUT_ZERO": ends.output.zero_point,
    }
    angle = 2 * np.pi * np.arange(FRAME // 2) / FRAME
    factor = 1 / (scaling.std * ends.input.scales[0])
    tables = {
        "window": anomaly_features.window(),
        "cosine": np.cos(angle),
        "sine": np.sin(angle),
        "factor": factor,
        "offset": -(baseline + scaling.mean) * factor,
        "weight": scaling.weights,
    }
    lines = ["/* Written by tinyml_helpers/usecases/anomaly/firmware.py. */\n#include <stdint.h>\n"]
    lines += [c_source.defines(numbers)]
    lines += [c_source.array("float", name, values) for name, values in tables.items()]
    lines += [c_source.array("uint8_t", "reversed", _reversed(FRAME // 2))]
    lines += [c_source.array("uint8_t", "edges", anomaly_features.band_edges())]
    return "\n".join(lines)


def _reversed(count: int) -> list[int]:
    """Each index with its bits read from the other end."""
    bits = count.bit_length() - 1
    return [int(f"{index:0{bits}b}"[::-1], 2) for index in range(count)]
