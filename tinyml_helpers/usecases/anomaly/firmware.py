"""The vibration detector as C: c/vibration.c, and the tables that it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.integers import Integers, Scaled
from tinyml_helpers.usecases.anomaly import features as anomaly_features
from tinyml_helpers.usecases.anomaly.detect import Scaling
from tinyml_helpers.usecases.anomaly.features import BANDS, FRAME, HOP

BEFORE, AFTER = "vibration_features", "vibration_score"
"""The C functions: what runs before the network, and what runs after it."""


class Runner(Protocol):
    """An int8 network that can be run, such as one of `deploy.litert`."""

    @property
    def input(self) -> Scaled:
        """The tensor it takes."""

    @property
    def output(self) -> Scaled:
        """The tensor it gives."""

    def run(self, raw: NDArray[np.int8]) -> NDArray[np.int8]:
        """Outputs for inputs [N, F]."""


@dataclass(frozen=True)
class Int8Autoencoder:
    """The int8 network of an autoencoder and the scaling of its features: features -> scores."""

    scaling: Scaling
    network: Runner

    def raw(self, features: NDArray[np.float32]) -> NDArray[np.int8]:
        """The network's input for features [N, F] without their baseline."""
        return Integers.of(self.network.input).store(self.scaling(features))

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score features [N, F] as the microcontroller does."""
        given = self.raw(features)
        rebuilt = Integers.of(self.network.output).read(self.network.run(given))
        return self.scaling.score(Integers.of(self.network.input).read(given), rebuilt)

    def c_files(self, baseline: NDArray[np.float32], samples: int) -> dict[str, str]:
        """Write the C that stands around the network: see the function `c_files`."""
        ends = (Integers.of(self.network.input), Integers.of(self.network.output))
        return c_files(self.scaling, baseline, *ends, samples)


def c_files(
    scaling: Scaling,
    baseline: NDArray[np.float32],
    inputs: Integers,
    outputs: Integers,
    samples: int,
) -> dict[str, str]:
    """Write the C that turns samples into the network's input, and its output into a score.

    Args:
        scaling: of the features, and the weights of the score.
        baseline: float32 [FEATURES], the machine's own healthy features.
        inputs: of the network's input tensor.
        outputs: of its output tensor.
        samples: in one segment, a power of two.

    Returns:
        File name -> text.

    Raises:
        ValueError: the number of samples is no power of two, or less than a frame.
    """
    if samples < FRAME or samples & (samples - 1):
        raise ValueError(f"{samples} samples in a segment: give a power of two from {FRAME} up")
    factor = 1 / (scaling.std * inputs.scale)
    tables = {
        "window": anomaly_features.window(),
        "cosine": np.cos(2 * np.pi * np.arange(FRAME // 2) / FRAME),
        "sine": np.sin(2 * np.pi * np.arange(FRAME // 2) / FRAME),
        "factor": factor,
        "offset": -(baseline + scaling.mean) * factor,
        "weight": scaling.weights,
    }
    numbers: dict[str, object] = {
        "FRAME": FRAME,
        "HOP": HOP,
        "BANDS": BANDS,
        "SAMPLES": samples,
        "SAMPLES_LOG2": samples.bit_length() - 1,
        "FRAMES": (samples - FRAME) // HOP + 1,
        "INPUT_SCALE": _float(inputs.scale),
        "INPUT_ZERO": f"({inputs.zero_point})",
        "OUTPUT_SCALE": _float(outputs.scale),
        "OUTPUT_ZERO": f"({outputs.zero_point})",
    }
    lines = ["/* Written by tinyml_helpers/usecases/anomaly/firmware.py. */", "#include <stdint.h>", ""]
    lines += [f"#define {name} {number}" for name, number in numbers.items()]
    for name, values in tables.items():
        lines += _table(f"float {name}", [_float(value) for value in values])
    lines += _table("uint8_t reversed", [str(place) for place in _reversed(FRAME // 2)])
    lines += _table("uint8_t edges", [str(edge) for edge in anomaly_features.band_edges()])
    return {"vibration_tables.h": "\n".join([*lines, ""]), "vibration.c": anomaly_features.kernel_file()}


def _float(value: float) -> str:
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _reversed(count: int) -> list[int]:
    """Each index with its bits read from the other end."""
    bits = count.bit_length() - 1
    return [int(f"{index:0{bits}b}"[::-1], 2) for index in range(count)]


def _table(declared: str, values: list[str]) -> Iterator[str]:
    yield f"\nstatic const {declared}[{len(values)}] = {{"
    for i in range(0, len(values), 8):
        yield "    " + ", ".join(values[i : i + 8]) + ","
    yield "};"
