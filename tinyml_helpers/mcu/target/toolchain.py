"""Compile C for a core or for WebAssembly, with the compiler that pip installs (zig's clang).

Nothing here needs a network, root or a C compiler of the system's own.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import string
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from tinyml_helpers.mcu.target.cores import CORES, core_name
from tinyml_helpers.mcu.target.image import Image
from tinyml_helpers.system import disk_full
from tinyml_helpers.system.folders import cache_folder, write_atomically
from tinyml_helpers.system.shared_folders import own_folder, sweep

LEAST_STACK_BYTES = 512
_OPTIMIZE = ("-O0", "-O1", "-O2", "-O3", "-Os", "-Oz")
_C_FLAGS = (
    "-std=c17",
    "-ffreestanding",
    "-fno-sanitize=all",
    "-ffunction-sections",
    "-fdata-sections",
    "-g",  # without it, -Os leaves the symbol table out
    "-Wl,--gc-sections",
    "-Wl,-e,Reset_Handler",
    "-Wl,-T,link.ld",
)
_WASM_FLAGS = (
    "-target",
    "wasm32-freestanding",
    "-O2",
    "-std=c17",
    "-ffreestanding",
    "-fno-sanitize=all",
    "-nostdlib",
    "-Wl,--no-entry",
    "-Wl,--strip-all",
)


class ToolchainError(RuntimeError):
    """The program could not be compiled or linked; the message holds the first errors."""


def compile_c(
    sources: str | Mapping[str, str],
    core: str = "cortex-m4",
    *,
    optimize: str = "-O2",
    flash_bytes: int = 1024 * 1024,
    ram_bytes: int = 256 * 1024,
) -> Image:
    """Compile and link a C program whose work is done by its `main()`.

    Args:
        sources: the C text, or file name -> text for several files and headers.
        core: one of `CORES`, or as a datasheet spells it: "Cortex-M0+", "Cortex-M4F".
        optimize: the compiler's optimisation flag.
        flash_bytes: flash of the device; the program must fit.
        ram_bytes: RAM of the device; the stack takes what variables leave.

    Returns:
        The linked program. The same program is compiled once and then found in the cache.

    Raises:
        ToolchainError: the sources do not compile, do not link or do not fit.
        ValueError: unknown core or flag, or a source name that is not a plain file name.
    """
    core = core_name(core)
    files = {"main.c": sources} if isinstance(sources, str) else dict(sources)
    _check(files, core, optimize)
    target = CORES[core]
    files["_startup.c"] = _asset(target.architecture.startup)
    files["link.ld"] = string.Template(_asset("link.ld")).substitute(
        ram_origin="0x20000000",
        flash_bytes=flash_bytes,
        ram_bytes=ram_bytes,
        least_stack_bytes=LEAST_STACK_BYTES,
    )
    flags = ["-target", target.target, f"-mcpu={target.cpu}", optimize, *target.architecture.flags]
    elf = _build(files, [*flags, *_C_FLAGS], ".elf").read_bytes()
    return Image(elf, core, flash_limit_bytes=flash_bytes, ram_limit_bytes=ram_bytes)


def compile_wasm(sources: Mapping[str, str]) -> bytes:
    """Compile and link C as a WebAssembly module that needs nothing of its page.

    Args:
        sources: file name -> text. Functions with the attribute `export_name` can be called, and the
            memory is visible as `memory`.

    Returns:
        The module.

    Raises:
        ToolchainError: the sources do not compile or do not link.
    """
    return _build(sources, _WASM_FLAGS, ".wasm").read_bytes()


def host_library(sources: str | Mapping[str, str], flags: Sequence[str] = ()) -> Path:
    """Build C as a shared library for the machine we run on.

    Args:
        sources: file name of a C source beside this module, or file name -> text.
        flags: further flags of the compiler.

    Returns:
        Path of the library, in the cache.

    Raises:
        ToolchainError: the compiler failed.
    """
    files = {sources: _asset(sources)} if isinstance(sources, str) else dict(sources)
    checked = any(flag.startswith("-fsanitize") for flag in flags)
    base = ["-shared", "-fPIC", "-O2", "-mcpu=baseline", "-nostdlib"]
    return _build(
        files,
        [*base, *([] if checked else ["-fno-sanitize=all"]), *flags],
        ".dll" if os.name == "nt" else ".so",
    )


def cache_dir() -> Path:
    """Directory for the compiler's cache and compiled programs; `TINYML_CACHE` moves it.

    Returns:
        The directory, created if it was missing.

    Raises:
        ToolchainError: it cannot be created.
    """
    path = cache_folder() / "mcu"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolchainError(
            f"cannot create {path}: set TINYML_CACHE to a directory that you may write to"
        ) from error
    return path


def _check(files: Mapping[str, str], core: str, optimize: str) -> None:
    if core not in CORES:
        raise ValueError(f"unknown core {core!r}: choose one of {', '.join(CORES)}")
    if optimize not in _OPTIMIZE:
        raise ValueError(f"unknown flag {optimize!r}: choose one of {', '.join(_OPTIMIZE)}")
    for name in files:
        if Path(name).name != name or Path(name).suffix not in {".c", ".h"}:
            raise ValueError(f"source name {name!r}: give a plain file name ending in .c or .h")


def _asset(name: str) -> str:
    return (resources.files("tinyml_helpers.mcu") / name).read_text(encoding="utf-8")


def _build(files: Mapping[str, str], flags: Sequence[str], suffix: str) -> Path:
    """Run the compiler, unless the same files and flags were built before."""
    recipe = repr((importlib.metadata.version("ziglang"), flags, sorted(files.items())))
    built = cache_dir() / (hashlib.sha256(recipe.encode()).hexdigest()[:32] + suffix)
    seal = built.with_name(f"{built.name}.sha256")
    if not _is_sound(built, seal):
        try:
            content = _compiled(files, flags, f"built{suffix}")
            write_atomically(built, content)
            write_atomically(seal, hashlib.sha256(content).hexdigest())
        except OSError as error:
            raise ToolchainError(
                f"the C program was not built: {error}; make room in {cache_dir()}, "
                "or set TINYML_CACHE to a directory that has it"
            ) from error
    return built


def _is_sound(built: Path, seal: Path) -> bool:
    """Say whether a program in the cache is the one that was put there."""
    try:
        return hashlib.sha256(built.read_bytes()).hexdigest() == seal.read_text("ascii")
    except (OSError, ValueError):  # not there, or not readable
        return False


def _compiled(files: Mapping[str, str], flags: Sequence[str], name: str) -> bytes:
    sweep(cache_dir(), "work-*")  # of compilers that were killed
    with own_folder(cache_dir(), "work-") as work:
        for file, text in files.items():
            (work / file).write_text(text, encoding="utf-8")
        sources = [file for file in files if file.endswith(".c")]
        _zig([*flags, *sources, "-o", name], str(work))
        return (work / name).read_bytes()


def _zig(arguments: Sequence[str], work: str) -> None:
    own = cache_dir() / "zig"
    done = _run(arguments, work, own)
    # Without a word, over a file in its own cache, or for want of its own routines: that cache is
    # damaged, or another process has just thrown it away. So once more with one that nobody shares.
    broken = "error:" not in done.stderr or str(own) in done.stderr
    if done.returncode and (broken or "undefined symbol: __" in done.stderr):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as fresh:
            done = _run(arguments, work, Path(fresh))
        if not done.returncode:
            shutil.rmtree(own, ignore_errors=True)
    if done.returncode:
        if full := disk_full.find_full_disks(own.parent):  # the compiler stumbles without a word
            raise ToolchainError(f"the C program was not built: {disk_full.cure(full)}")
        lines = done.stderr.splitlines() or [f"the compiler ended with code {done.returncode}"]
        errors = [line for line in lines if "error:" in line] or lines
        raise ToolchainError("\n".join(["the C program was not built:", *errors[:5]]))


def _run(arguments: Sequence[str], work: str, cache: Path) -> subprocess.CompletedProcess[str]:
    zig_cache = str(cache)
    return subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *arguments],
        cwd=work,
        env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": zig_cache, "ZIG_LOCAL_CACHE_DIR": zig_cache},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
