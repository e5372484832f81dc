"""Make a program of a network, and say by how much it is too large if it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from tinyml_helpers.devices import Device
from tinyml_helpers.mcu.compiler.codegen import Program
from tinyml_helpers.mcu.pipeline import Pipeline, collect_sources_with_main
from tinyml_helpers.mcu.target import cores, toolchain
from tinyml_helpers.mcu.target.image import Image
from tinyml_helpers.mcu.target.toolchain import ToolchainError

_NO_LIMIT_BYTES = 64 << 20
Patches = int | Literal["auto"] | None
"""In how many strips of rows the first layers run; "auto": in as few as let RAM suffice."""


class DoesNotFitError(ValueError):
    """The network needs more flash or RAM than the device has: of RAM, by so many bytes."""

    def __init__(self, message: str, missing_ram_bytes: int = 0) -> None:
        super().__init__(message)
        self.missing_ram_bytes = missing_ram_bytes


def link_with_patches(
    write: Callable[[int | None, int | None], Program],
    patches: Patches,
    device: Device,
    optimize: str,
    pipeline: Pipeline | None,
) -> tuple[Program, Image]:
    """Write and link a network with its first layers in strips, if that is asked for.

    Args:
        write: `generate` for the network: takes `patches` and `room_bytes`.
        patches: how many strips.
        device: its core, flash and RAM count.
        optimize: the compiler's flag.
        pipeline: C that runs before and after the network.

    Raises:
        ValueError: patches that are no number of strips; else as `link`.
    """
    if patches != "auto":
        if patches is not None and (not isinstance(patches, int) or patches < 1):
            raise ValueError(f'patches={patches!r}: give a number of strips, "auto", or None for none')
        program = write(patches, None)
        return program, link(program, device, optimize, pipeline)
    program = write(None, None)
    try:
        return program, link(program, device, optimize, pipeline)
    except DoesNotFitError as error:
        if error.missing_ram_bytes <= 0:
            raise
        program = write(None, program.arena.size_bytes - error.missing_ram_bytes)
    return program, link(program, device, optimize, pipeline)


def link(program: Program, device: Device, optimize: str, pipeline: Pipeline | None = None) -> Image:
    """Compile a network and a `main` that runs it once.

    Args:
        program: the network as C.
        device: its core, flash and RAM count.
        optimize: the compiler's flag.
        pipeline: C that runs before and after the network.

    Raises:
        DoesNotFitError: flash or RAM is too small; the message has the numbers.
        ToolchainError: the pipeline's C does not compile or lacks a function.
        ValueError: the pipeline does not go with the network.
    """
    sources = collect_sources_with_main(program, pipeline)

    def compile_for(flash_bytes: int, ram_bytes: int) -> Image:
        return toolchain.compile_c(
            sources, device.core, optimize=optimize, flash_bytes=flash_bytes, ram_bytes=ram_bytes
        )

    try:
        return compile_for(device.flash_bytes - device.system_flash_bytes, device.ram_bytes)
    except ToolchainError as error:
        if "will not fit" not in str(error):
            raise
        image = compile_for(_NO_LIMIT_BYTES, _NO_LIMIT_BYTES)
        raise _does_not_fit(program, image, device) from error


def _does_not_fit(program: Program, image: Image, device: Device) -> DoesNotFitError:
    ram_bytes = image.ram_bytes + toolchain.LEAST_STACK_BYTES
    missing_bytes = ram_bytes - device.ram_bytes
    cure = f"; {program.strips}" if program.strips else ""
    if missing_bytes > 0 and not program.strips:
        cure = '; patches="auto" (--patches auto) runs its first layers in strips, which take less RAM'
    larger = [
        d.key
        for d in cores.emulated_devices()
        if d.flash_bytes - d.system_flash_bytes >= image.flash_bytes and d.ram_bytes >= ram_bytes
    ]
    taken = device.system_flash_bytes
    system = f" (the board's system takes {taken:,} of them)" if taken else ""
    message = (
        f"the network does not fit {device.name}: "
        f"flash {image.flash_bytes:,} of {device.flash_bytes:,} bytes{system}, "
        f"RAM {ram_bytes:,} of {device.ram_bytes:,} bytes with the least stack; "
        f"it fits {', '.join(larger) or 'no device of the catalogue'}{cure}"
    )
    return DoesNotFitError(message, missing_bytes)
