"""Build an int8 network for a microcontroller and run it there, without a board."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers import devices
from tinyml_helpers.deploy.model_file import names_the_file
from tinyml_helpers.devices import Device
from tinyml_helpers.mcu.compiler import codegen, graph, lowering
from tinyml_helpers.mcu.compiler.codegen import Program
from tinyml_helpers.mcu.linking import Patches, link_with_patches
from tinyml_helpers.mcu.pipeline import SENSOR, Pipeline
from tinyml_helpers.mcu.quantized_io import quantize_input
from tinyml_helpers.mcu.run import Profile, Run, attribute
from tinyml_helpers.mcu.target import cores
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.image import Image
from tinyml_helpers.mcu.target.timer import Timer
from tinyml_helpers.system.tables import text_table


@dataclass(frozen=True, eq=False, repr=False)
class Firmware:
    """A network compiled for a device; prints as a table of where its bytes go.

    Args:
        program: the C.
        image: the program that the compiler made of it.
        device: what it was built for.
        source: the graph as the file has it, float inputs and all.
        pipeline: what runs before and after the network.
    """

    program: Program
    image: Image
    device: Device
    source: graph.Network
    pipeline: Pipeline | None = None

    @property
    def flash_bytes(self) -> int:
        """Code and constants."""
        return self.image.flash_bytes

    @property
    def code_bytes(self) -> int:
        """Instructions, start-up included."""
        return self.image.code_bytes

    @property
    def constant_bytes(self) -> int:
        """Weights, biases, scales and tables."""
        return self.image.constant_bytes

    @property
    def ram_bytes(self) -> int:
        """The arena and other variables; the stack, which a run measures, comes on top."""
        return self.image.ram_bytes

    @property
    def macs(self) -> int:
        """Multiplications with a weight in one run."""
        return self.program.macs

    def run(self, *inputs: npt.ArrayLike, limit: int = 10_000_000_000) -> Run:
        """Run the network once, from reset.

        Args:
            inputs: one array for each input, of its shape or size: int8, or real numbers, which are
                quantized as TensorFlow Lite does. With a pipeline: its samples.
            limit: give up after this many instructions.

        Returns:
            Outputs, and what the run took.

        Raises:
            ValueError: the wrong number of inputs, a wrong size or type, or a value that is no number.
            EmulatorError: the stack overflowed, or the limit was reached.
        """
        return self._run(self._machine, inputs, fresh=True, limit=limit)

    def stream(
        self, steps: Iterable[npt.ArrayLike | Sequence[npt.ArrayLike]], *, limit: int = 10_000_000_000
    ) -> Iterator[Run]:
        """Run once for each step, without a reset between: variables keep what they hold.

        Args:
            steps: what `run` takes, for each step; a tuple where the network has several inputs.
            limit: give up after this many instructions in a step.

        Yields:
            The run of each step.

        Raises:
            ValueError, EmulatorError: as `run`.
        """
        machine = Machine(self.image)
        for number, step in enumerate(steps):
            inputs = step if isinstance(step, tuple) else (step,)
            yield self._run(machine, inputs, fresh=number == 0, limit=limit)

    def _run(self, machine: Machine, inputs: Sequence[npt.ArrayLike], *, fresh: bool, limit: int) -> Run:
        g, name = self.program.graph, self.program.name
        if len(inputs) != len(g.inputs):
            raise ValueError(f"{len(inputs)} inputs given, the network takes {len(g.inputs)}")
        writes = self._writes(inputs)
        reads: dict[str, npt.DTypeLike] = {self._place(i): g.tensors[i].dtype for i in g.outputs}
        reads |= {"score": np.int32} if self.pipeline and self.pipeline.after else {}
        found = None if fresh else machine.variables()
        main = machine.run(writes, reads, watch=("main", f"{name}_invoke"), fresh=fresh, limit=limit)
        outputs = [main.outputs[self._place(i)].reshape(g.tensors[i].shape) for i in g.outputs]
        return Run(
            outputs=tuple(outputs),
            values=tuple(g.tensors[i].real(x) for x, i in zip(outputs, g.outputs, strict=True)),
            instructions=main.instructions,
            timer=Timer(self.image, self.device, machine.blocks(), writes, found),
            profile=Profile(tuple(attribute(self.program, self.pipeline, main.spans))),
            stack_bytes=main.stack_bytes,
            ram_bytes=self.ram_bytes + main.stack_bytes,
            device=self.device,
            score=int(main.outputs["score"][0]) if "score" in reads else None,
        )

    def export(
        self, folder: str | Path, run: Run | None = None, toolchain: str = "c", sensor: str = ""
    ) -> Path:
        """Write a project for a real board: see `tinyml_helpers.mcu.export`."""
        from tinyml_helpers.mcu.export import export

        return export(self, Path(folder), run, toolchain, sensor)

    def wasm(self) -> bytes:
        """The network and what is around it as a WebAssembly module: see `tinyml_helpers.mcu.wasm`."""
        from tinyml_helpers.mcu import wasm

        return wasm.compile_module(self.program, self.pipeline)

    def __repr__(self) -> str:
        """Where the bytes go."""
        d = self.device
        rows = [
            ("code", f"{self.code_bytes:,}", "flash"),
            ("constants", f"{self.constant_bytes:,}", "flash: weights, scales, tables"),
            ("flash", f"{self.flash_bytes:,}", f"{self.flash_bytes / d.flash_bytes:.1%} of the device"),
            ("RAM", f"{self.ram_bytes:,}", f"{self.ram_bytes / d.ram_bytes:.1%} of the device, + stack"),
        ]
        around = f", behind {self.pipeline.before}" if self.pipeline else ""
        head = f"{self.program.layer_count} layers{around}, {self.macs:,} MACs on {d.name} ({d.core})"
        table = text_table(("", "bytes", ""), rows, names=(0, 2))
        packed = self.program.packed_layers
        return f"{head}{self.program.remarks}\n{table}" + (f"\n\n{packed}" if packed.layers else "")

    @cached_property
    def _machine(self) -> Machine:
        return Machine(self.image)

    def _place(self, tensor: int) -> str:
        start = self.program.arena.offset(tensor)
        end = start + self.program.graph.tensors[tensor].size_bytes
        return f"{self.program.name}_arena[{start}:{end}]"

    def _writes(self, inputs: Sequence[npt.ArrayLike]) -> Mapping[str, npt.NDArray[Any]]:
        if self.pipeline:
            return {SENSOR: self.pipeline.check_samples(inputs[0])}
        g = self.program.graph
        given = zip(g.inputs, self.source.inputs, inputs, strict=True)
        return {
            self._place(i): quantize_input(np.asarray(x), g.tensors[i], self.source.tensors[asked].dtype)
            for i, asked, x in given
        }


@names_the_file
def build(
    tflite: str | Path | bytes,
    device: Device | str = "nano33ble",
    *,
    name: str = "model",
    optimize: str = "-O2",
    float_io: bool = False,
    folded: bool = True,
    trimmed: bool = True,
    packed: bool = False,
    rounding: graph.Rounding | None = None,
    patches: Patches = None,
    pipeline: Pipeline | None = None,
) -> Firmware:
    """Compile an int8 .tflite, or an ONNX file in QDQ form, for a microcontroller.

    Args:
        tflite: the file's path or its bytes.
        device: one with a Cortex-M or RISC-V core, or its key.
        name: prefix of the C names.
        optimize: the compiler's flag, "-O2" or "-Os".
        float_io: keep QUANTIZE and DEQUANTIZE at float ends; left out, ends are int8 and `run` converts.
        folded: make each PAD part of the convolution behind it, where possible; the bytes are the same.
        trimmed: leave out channels that are constant or unread; the bytes are the same.
        packed: store weights of few values in fewer bits and leave out zeros, where that saves flash.
        rounding: whose bytes: "litert", "tflm" or "onnx"; left out, those of the file's own runtime.
        patches: run the first layers in so many strips of rows; "auto": in as few as let it fit.
        pipeline: C that turns raw samples into the input, and the output into an answer.

    Returns:
        The firmware.

    Raises:
        ModelError: the file is missing, damaged or neither; as `UnsupportedError`, names an operator.
        DoesNotFitError: the device has too little flash or RAM; the message has the numbers.
        ValueError: an unknown device, one that is not emulated, a pipeline or patches that do not fit.
        ToolchainError: the pipeline's C does not compile or lacks a function.
    """
    chosen = devices.get(device) if isinstance(device, str) else device
    core = cores.core_of(chosen)
    source = graph.read(tflite)
    lowering.check(source)
    network = source if float_io else lowering.strip_float_ends(source)

    def write(count: int | None, room_bytes: int | None) -> Program:
        return codegen.generate(
            network,
            name,
            dsp=core.dsp,
            folded=folded,
            trimmed=trimmed,
            packed=packed,
            rounding=rounding,
            patches=count,
            room_bytes=room_bytes,
        )

    program, image = link_with_patches(write, patches, chosen, optimize, pipeline)
    return Firmware(program, image, chosen, source, pipeline)
