"""Run tests on a copy of the tree that may be spoiled, each time in a process of its own.

The processes are forked from one that has loaded the large packages, but nothing of the course: so a run
begins at once, and begins anew.
"""

import multiprocessing
import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

LOADED = [
    "pytest", "_hypothesis_pytestplugin", "hypothesis.extra.numpy", "torch.ao.quantization",
    "scipy.signal", "sklearn.ensemble", "pandas", "matplotlib.pyplot", "onnx", "onnxruntime",
    "ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated", "safetensors.torch",
    "unicorn", "capstone", "elftools.elf.elffile", "typer.testing", "nbformat", "PIL.Image",
]  # fmt: skip
LEFT_OUT = {".venv", "build", ".git", ".hypothesis", ".ci"}
UNUSED = ("cacheprovider", "nbval", "xdist", "jaxtyping", "anyio")  # plugins that take seconds to load
OPTIONS = ["-rfE", "--tb=line", "--hypothesis-seed=0", *(f"-pno:{name}" for name in UNUSED)]
MEMORY_BYTES = 8 << 30


@dataclass(frozen=True)
class Outcome:
    """How tests ended: pytest's code, or below 0 the signal; None if they took too long or too much."""

    code: int | None
    seconds: float
    said: str


class Bench:
    """A copy of `root` in `folder`; compiled programs are kept in `cache`, beside those of the user."""

    def __init__(self, root, folder, cache, loaded=LOADED):
        self.tree, self.room, self.cache = Path(folder) / "tree", Path(folder) / "room", Path(cache)
        self.tree.mkdir(parents=True)
        for place in set(Path(root).iterdir()):
            if place.name in LEFT_OUT:
                continue
            if place.is_dir():
                shutil.copytree(place, self.tree / place.name, symlinks=True)
            else:
                shutil.copy(place, self.tree)
        if (venv := Path(root) / ".venv").exists():
            (self.tree / ".venv").symlink_to(venv.resolve())
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(loaded)

    def run(self, arguments, seconds, watch=None, cache=None):
        """Run pytest; `watch` is a plugin, called first with `begin()` and last with `end()`."""
        shutil.rmtree(self.room, ignore_errors=True)
        self.room.mkdir()
        given = (self.tree, self.room, cache or self.cache, [*OPTIONS, *arguments], watch)
        child = self.context.Process(target=run_here, args=given)
        start = time.monotonic()
        child.start()
        while child.exitcode is None and time.monotonic() - start < seconds:
            child.join(1.0)
            if memory_bytes(child.pid) > MEMORY_BYTES:  # what is used: the emulator reserves far more
                break
        if unended := child.exitcode is None:
            end_all(child.pid)
            child.join()
        said = (
            (self.room / "said").read_text("utf-8", "replace") if (self.room / "said").exists() else ""
        )
        return Outcome(None if unended else child.exitcode, time.monotonic() - start, said)

    def spoiled(self, mutant, arguments, seconds):
        """Run pytest with a mutant in place of its module."""
        place = self.tree / mutant.module
        text, times = place.read_text("utf-8"), place.stat()
        # A module that keeps things between runs must not keep those of a mutant.
        keeps = "cache_folder" in text
        try:
            place.write_text(mutant.text, "utf-8")
            return self.run(arguments, seconds, cache=self.room / "cache" if keeps else None)
        finally:
            place.write_text(text, "utf-8")
            os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))


def run_here(tree, room, cache, arguments, watch):
    """What the forked process does."""
    os.setsid()
    said = os.open(room / "said", os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(said, stream)
    os.chdir(tree)
    os.environ |= {
        "TINYML_CACHE": str(cache),
        "TINYML_RESULTS": str(room / "results"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(room / "hypothesis"),
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TQDM_DISABLE": "1",
    }
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(tree)]
    import pytest

    if watch:
        watch.begin()
    code = pytest.main([*arguments, f"--basetemp={room / 'tmp'}"], plugins=[watch] if watch else [])
    if watch:
        watch.end()
    sys.stdout.flush()
    os._exit(int(code))  # without waiting for threads


def family(pid):
    """A process that we forked, and all that it began."""
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return []


def memory_bytes(pid):
    with suppress(psutil.NoSuchProcess):
        return sum(one.memory_info().rss for one in family(pid))
    return 0


def end_all(pid):
    for one in family(pid):
        with suppress(psutil.NoSuchProcess):
            one.kill()
