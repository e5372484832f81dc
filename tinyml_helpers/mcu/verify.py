"""Compare a firmware with LiteRT, output byte by output byte, on inputs of noise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyml_helpers.deploy import litert, probe
from tinyml_helpers.devices import Device
from tinyml_helpers.mcu.firmware import build


@dataclass(frozen=True)
class Verification:
    """How many output bytes of a firmware differ; prints as a sentence.

    Attributes:
        name: of the model.
        wrong: bytes that differ.
        compared: bytes of all outputs.
        inputs: how many inputs were run.
        kernels: of LiteRT, compared with.
    """

    name: str
    wrong: int
    compared: int
    inputs: int
    kernels: str

    def __repr__(self) -> str:
        """The result in one line."""
        return (
            f"{self.name}: {self.wrong:,} of {self.compared:,} bytes differ from LiteRT's "
            f"{self.kernels} kernels ({self.inputs} inputs)"
        )


def verify(
    model: str | Path,
    device: Device | str = "nano33ble",
    *,
    inputs: int = 20,
    seed: int = 0,
    kernels: probe.Kernels = "reference",
) -> Verification:
    """Run a network on the virtual microcontroller and in LiteRT, on the same noise.

    Noise of all int8 values tests more than photos or sounds do. Kernels other than "reference" round
    differently here and there: they show that the comparison can fail.

    Args:
        model: path of an int8 .tflite of one input and one output, whatever their type.
        device: a device with a Cortex-M core, or its key.
        inputs: how many.
        seed: of the noise.
        kernels: as for `litert.load`.

    Raises:
        GraphError: see `mcu.build`.
        DoesNotFitError: see `mcu.build`.
    """
    path = Path(model)
    firmware = build(path, device)
    graph = firmware.program.graph
    given = graph.tensors[graph.inputs[0]]
    noise = np.random.default_rng(seed).integers(-128, 128, (inputs, *given.shape[1:]))
    real = (np.float32(given.scale) * (noise - given.zero_point)).astype(np.float32)
    expected = litert.load(path, kernels).predict(real)
    wrong = sum(int((firmware.run(x).value != y).sum()) for x, y in zip(real, expected, strict=True))
    return Verification(path.stem, wrong, expected.size, inputs, kernels)
