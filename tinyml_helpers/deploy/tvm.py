"""What TVM builds: run it here, or look at what it compiled for another processor.

TVM has no stubs and moves fast: all that the course asks of it beyond its front door stands here.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.deploy import benchmark
from tinyml_helpers.deploy.model_file import ModelError
from tinyml_helpers.system import native_output
from tinyml_helpers.system.tables import html_table, text_table

CONVOLUTION = "conv2d_nchw"  # how TVM names the loops of a convolution over channels


def host_target() -> Any:
    """Return the `tvm.target.Target` of this machine's processor, on one thread."""
    import tvm  # type: ignore[import-untyped]

    cpu = str(tvm.target.codegen.llvm_get_system_cpu())
    return tvm.target.Target({"kind": "llvm", "mcpu": cpu, "num-cores": 1})


class Model:
    """A compiled Relax module with one input and one output, on this machine's processor."""

    def __init__(self, executable: Any, shape: tuple[int, ...]) -> None:
        """Start the virtual machine that calls the kernels; `shape` is that of the float32 input."""
        import tvm
        from tvm import relax

        self.executable, self.shape, self._tensor = executable, shape, tvm.runtime.tensor
        self._machine = relax.VirtualMachine(executable, tvm.cpu())

    def predict(self, values: ArrayLike) -> NDArray[np.float32]:
        """Run float32 inputs [N, ...], as many at a time as was compiled for, and return the outputs.

        Raises:
            ModelError: another dtype or shape than was compiled for.
        """
        array = np.ascontiguousarray(values)
        if array.dtype != np.float32:
            raise ModelError(f"compiled for float32, and the array is {array.dtype}: convert it first")
        if array.shape[1:] != self.shape[1:] or not len(array) or len(array) % self.shape[0]:
            raise ModelError(f"compiled for {list(self.shape)}, and the array is {list(array.shape)}")
        starts = range(0, len(array), self.shape[0])
        return np.concatenate([self._run(array[start : start + self.shape[0]]) for start in starts])

    @property
    def file_bytes(self) -> int:
        """Size of the object files to be linked and shipped: kernels, program and weights."""
        return sum(map(len, read_objects(self.executable).values()))

    def latency_ms(self, seconds: float = 0.5) -> float:
        """Return the median time of one call on this machine, in milliseconds."""
        image = self._tensor(np.zeros(self.shape, np.float32))
        return benchmark.median_ms(lambda: self._machine["main"](image), seconds)

    def _run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(self._machine["main"](self._tensor(batch)).numpy())


def build(module: Any) -> Model:
    """Compile a module that `relax.frontend.onnx.from_onnx` made, for this machine, and load it."""
    import tvm

    shape = tuple(int(size) for size in module["main"].params[0].ty.shape)
    return Model(tvm.compile(module, host_target()), shape)


def compile_object(module: Any, cpu: Mapping[str, object], *, checks: bool = True) -> ObjectReport:
    """Compile a module without weights for another processor, and look into the kernels' object file.

    Args:
        module: of `from_onnx(..., keep_params_in_input=True)`, its weights detached.
        cpu: what `tvm.target.Target` takes.
        checks: whether the kernels check their arguments.
    """
    import tvm
    from tvm import relax

    target = tvm.target.Target(cpu, host=tvm.target.Target(cpu))
    fused = relax.get_pipeline("zero")(module)
    with tvm.transform.PassContext(config={"tirx.disable_assert": not checks}):
        return inspect_object(read_objects(tvm.compile(fused, target))["lib0.o"])


def find_convolutions(module: Any) -> list[str]:
    """Return the names of a module's kernels that convolve over channels (not the depthwise ones)."""
    from tvm import relax

    kernels = (
        (v.name_hint, f) for v, f in module.functions.items() if not isinstance(f, relax.Function)
    )
    return [name for name, kernel in kernels if f'"{CONVOLUTION}"' in kernel.script()]


def tile_channels(module: Any, name: str, tile: int) -> Any:
    """Return a module whose convolution `name` computes `tile` output channels at a time.

    Pixels become the innermost loop: neighbours lie side by side in memory, and fill vector registers.
    """
    import tvm

    schedule = tvm.s_tir.Schedule(module)
    schedule.work_on(name)
    block = schedule.get_sblock(CONVOLUTION)
    image, channel, y, x, *summed = schedule.get_loops(block)
    some, each = schedule.split(channel, [None, tile])
    schedule.reorder(image, some, *summed, each, schedule.fuse(y, x))
    schedule.unroll(each)
    schedule.decompose_reduction(block, summed[0])
    return schedule.mod


def extract_kernel(module: Any, name: str) -> Any:
    """Return a module with one kernel of another module, under the name "main"."""
    import tvm

    return tvm.IRModule({"main": module[name].with_attr("global_symbol", "main")})


def kernel_latency_ms(kernel: Any, seconds: float = 0.2) -> float:
    """Compile a module with one kernel for this machine, and return its median time in milliseconds."""
    import tvm

    library = tvm.compile(kernel, host_target())
    shapes = [[int(size) for size in parameter.shape] for parameter in kernel["main"].params]
    arguments = [tvm.runtime.tensor(np.zeros(shape, np.float32)) for shape in shapes]
    return benchmark.median_ms(lambda: library["main"](*arguments), seconds)


@dataclass(frozen=True, repr=False)
class ObjectReport:
    """An object file, looked into; prints as a table.

    Attributes:
        parts: bytes by what they are, in the object file.
        functions: the functions that it offers to others.
        undefined: the functions that it calls and does not contain.
    """

    parts: Mapping[str, int]
    functions: tuple[str, ...]
    undefined: tuple[str, ...]

    @property
    def flash_bytes(self) -> int:
        """What would stay on a device: code, constants and unwinding tables, before linking."""
        return sum(self.parts.get(part, 0) for part in _IN_FLASH)

    def __repr__(self) -> str:
        return f"{text_table(*self._table())}\n\n{self._remarks()}"

    def _repr_html_(self) -> str:
        return html_table(*self._table()) + f"<p>{self._remarks()}</p>"

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        rows: list[tuple[str, ...]] = [
            (k, f"{v:,}", "yes" if k in _IN_FLASH else "no") for k, v in self.parts.items()
        ]
        return ("part", "bytes", "on the device"), rows

    def _remarks(self) -> str:
        missing = ", ".join(self.undefined) or "nothing"
        return f"{self.flash_bytes:,} bytes for the device. Calls and does not contain: {missing}"


_IN_FLASH = ("code", "constants", "unwinding tables")


def inspect_object(content: bytes) -> ObjectReport:
    """Look into an ELF object file.

    Raises:
        ModelError: not an ELF file, or a damaged one.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    try:
        elf, parts, functions, undefined = ELFFile(io.BytesIO(content)), Counter[str](), [], []
        for section in elf.iter_sections():
            if section["sh_type"] not in ("SHT_NOBITS", "SHT_NULL"):
                parts[_part(section)] += section["sh_size"]
            if isinstance(section, SymbolTableSection):
                for symbol in section.iter_symbols():
                    shared = symbol.name and symbol["st_info"]["bind"] == "STB_GLOBAL"
                    if shared and symbol["st_shndx"] == "SHN_UNDEF":
                        undefined.append(symbol.name)
                    elif shared and symbol["st_info"]["type"] == "STT_FUNC":
                        functions.append(symbol.name)
    except (ELFError, KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ModelError(f"not an ELF object file, or a damaged one ({len(content):,} bytes)") from error
    parts["headers"] = len(content) - parts.total()
    return ObjectReport(dict(parts.most_common()), tuple(sorted(functions)), tuple(sorted(undefined)))


def _part(section: Any) -> str:
    name, allocated, runs = section.name, section["sh_flags"] & 2, section["sh_flags"] & 4
    if name.startswith(".ARM.exidx"):
        return "unwinding tables"
    if allocated:
        return "code" if runs else "constants"
    if section["sh_type"] in ("SHT_REL", "SHT_RELA"):
        return "relocations, for the linker"
    return "for the debugger" if name.startswith(".debug") else "names of symbols, and notes"


def read_objects(executable: Any) -> dict[str, bytes]:
    """Return the object files that TVM compiled, by name.

    "lib0.o" holds the kernels; "devc.o" the program, in TVM's own byte code, that calls them in order
    (and the weights, unless they were taken out of the module).
    """
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "objects.tar"))
        with native_output.capture():  # it announces every constant that it stores
            executable.export_library(path)
        with tarfile.open(path) as archive:
            members = {member.name: archive.extractfile(member) for member in archive.getmembers()}
            return {name: file.read() for name, file in members.items() if file}
