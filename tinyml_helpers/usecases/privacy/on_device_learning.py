"""Steps of learning on the virtual microcontroller: the last layer, exactly counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.integers import Integers
from tinyml_helpers.mcu.target import emulator, toolchain
from tinyml_helpers.usecases.privacy import last_layer
from tinyml_helpers.usecases.privacy.last_layer import Layer


@dataclass(frozen=True, repr=False, eq=False)
class Learnt:
    """What a core learnt.

    Args:
        layer: after all steps.
        instructions_per_step: on average.
        layer_bytes: RAM that weights and biases take, in float32.
        example_bytes: that an example takes where it is kept, with its label.
        agrees: whether numpy has learnt the same, within float rounding.
    """

    layer: Layer
    instructions_per_step: int
    layer_bytes: int
    example_bytes: int
    agrees: bool

    def __repr__(self) -> str:
        kept = f"{self.layer_bytes:,} bytes for the layer, {self.example_bytes} for each example kept"
        same = "as numpy" if self.agrees else "unlike numpy"
        return f"{self.instructions_per_step:,} instructions a step; {kept}; it learnt the same {same}"


def learn_on_core(
    layer: Layer, features: NDArray[np.float32], labels: ArrayLike, *, rate: float = 0.01
) -> Learnt:
    """Take a step for each example in C, on a Cortex-M4, with features rounded to bytes.

    Args:
        layer: where to start.
        features: float32 [N, features], not all zero.
        labels: int [N].
        rate: length of a step.

    Raises:
        ValueError: features that are all zero, or what `last_layer.learn` refuses.
    """
    scale = float(np.abs(features).max()) / 127
    if not scale > 0:
        raise ValueError("all features are zero: there is nothing to learn from")
    raw, truth = Integers(scale, 0).store(features), np.asarray(labels)
    expected = last_layer.learn(layer, raw * np.float32(scale), truth, rate=rate)
    classes, width = layer.weights.shape
    source = last_layer.c_program(classes, width, len(raw))
    given: dict[str, NDArray[Any]] = {
        "weights": layer.weights,
        "biases": layer.biases,
        "rate": np.array([rate], np.float32),
        "scale": np.array([scale], np.float32),
        "features": raw,
        "labels": truth.astype(np.uint8),
    }
    machine = emulator.Machine(toolchain.compile_c(source, "cortex-m4"))
    run = machine.run(given, {"weights": "float32", "biases": "float32"})
    weights = run.outputs["weights"].reshape(layer.weights.shape)
    return Learnt(
        layer=Layer(weights, run.outputs["biases"]),
        instructions_per_step=run.instructions // len(raw),
        layer_bytes=layer.weights.nbytes + layer.biases.nbytes,
        example_bytes=raw.shape[1] + 1,
        agrees=bool(np.allclose(weights, expected.weights, atol=1e-3)),
    )
