"""Compare a firmware with LiteRT, byte by byte, on inputs of noise: its outputs, or every tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers import devices
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.tflite import probe
from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.devices import Device
from tinyml_helpers.mcu.compiler import codegen, graph, lowering
from tinyml_helpers.mcu.firmware import Firmware, build
from tinyml_helpers.mcu.linking import link
from tinyml_helpers.mcu.target import cores


@dataclass(frozen=True)
class Verification:
    """How many bytes of a firmware differ; prints as a sentence.

    Attributes:
        name: of the model.
        wrong: bytes that differ.
        compared: bytes compared.
        inputs: how many inputs were run.
        kernels: of LiteRT, compared with.
        tensors: how many of them were compared, outputs and all that leads to them; 0: outputs only.
    """

    name: str
    wrong: int
    compared: int
    inputs: int
    kernels: str
    tensors: int = 0

    def __repr__(self) -> str:
        """The result in one line."""
        inside = f" in {self.tensors} tensors" if self.tensors else ""
        return (
            f"{self.name}: {self.wrong:,} of {self.compared:,} bytes{inside} differ from LiteRT's "
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

    Noise reaches all int8 values of the input. Kernels other than "reference" round differently here
    and there: they show that the comparison can fail.

    Args:
        model: path of an int8 .tflite of one input and one output, whatever their type.
        device: a device with a Cortex-M or RISC-V core, or its key.
        inputs: how many.
        seed: of the noise.
        kernels: as for `litert.load`.

    Raises:
        GraphError: see `mcu.build`.
        DoesNotFitError: see `mcu.build`.
    """
    path = Path(model)
    firmware = build(path, device)
    g = firmware.program.graph
    real = _noise(g.tensors[g.inputs[0]], inputs, seed)
    expected = litert.load(path, kernels).predict(real)
    wrong = sum(int((firmware.run(x).value != y).sum()) for x, y in zip(real, expected, strict=True))
    return Verification(path.stem, wrong, expected.size, inputs, kernels)


def verify_tensors(
    model: str | Path, device: Device | str = "nano33ble", *, inputs: int = 2, seed: int = 0
) -> Verification:
    """Compare every tensor that an operator writes, so that no error can hide behind a later layer.

    The firmware is built so that all tensors stay: its kernels are the same, but none works in place,
    which only `verify` tries.

    Args:
        model: path of an int8 .tflite of one input, whatever its type.
        device: a device with a Cortex-M or RISC-V core and RAM for all tensors at once, or its key.
        inputs: how many.
        seed: of the noise.

    Raises:
        GraphError: see `mcu.build`.
        DoesNotFitError: see `mcu.build`.
    """
    path = Path(model)
    firmware = _with_all_tensors(path, devices.get(device) if isinstance(device, str) else device)
    g = firmware.program.graph
    real = _noise(g.tensors[g.inputs[0]], inputs, seed)
    reference = litert.load(path, "reference")
    expected = reference.look_inside(reference.quantize(real))
    wrong = compared = 0
    for number, x in enumerate(real):
        for tensor, found in zip(g.outputs, firmware.run(x).outputs, strict=True):
            wrong += int((found.ravel() != expected[tensor][number].ravel()).sum())
            compared += found.size
    return Verification(path.stem, wrong, compared, inputs, "reference", len(g.outputs))


def _with_all_tensors(path: Path, device: Device) -> Firmware:
    source = graph.read(path)
    network = lowering.fold_padding(lowering.strip_float_ends(source))
    written = tuple(i for operator in network.operators for i in operator.outputs)
    dsp = cores.core_of(device).dsp
    program = codegen.generate(replace(network, outputs=written), dsp=dsp, folded=False)
    return Firmware(program, link(program, device, "-O2"), device, source)


def _noise(given: Tensor, inputs: int, seed: int) -> npt.NDArray[Any]:
    """Random int8 values as the real numbers that they stand for."""
    noise = np.random.default_rng(seed).integers(-128, 128, (inputs, *given.shape[1:]))
    return (np.float32(given.scale) * (noise - given.zero_point)).astype(np.float32)
