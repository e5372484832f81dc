"""Set up .venv with the exact packages of requirements.lock; at once where nothing changed.

    python3.11 bootstrap.py          # in .venv
    python bootstrap.py --here       # in the environment whose Python this is: conda, a hub
    python3.11 bootstrap.py --start  # in .venv, what lesson 00 and JupyterLab need
    python bootstrap.py --here --start

`make` runs the first before each of its commands, `make start` the third. It needs Python alone. After
`--start`, kernels there bring the rest, by `--lessons` or `--here`, when a lesson imports it.
"""

from __future__ import annotations  # so that older Pythons get as far as the check

import hashlib
import importlib
import importlib.machinery
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
# The second has no hashes: PyTorch's builds for CPU and for GPU bear one version, and the one for GPUs
# brings packages of its own. The index that a user chooses decides which comes.
LOCKS = ("requirements.lock", "requirements-torch.lock")
START = ROOT / "requirements-start.txt"
LESSONS = ROOT / "requirements-lessons.txt"
# An option that brings what the small set has not: MB of disk on Linux, and which imports ask for it.
LATE = {
    "--lessons": (
        120,
        {"dask", "distributed", "joblib", "opacus", "pandas", "papermill", "pycocotools", "safetensors"}
        | {"pymicro_features", "sklearn", "soundfile", "torch_pruning", "torchao"},
    ),
    "--here": (
        3_000,
        {"ai_edge_quantizer", "keras", "litert_torch", "onnx", "onnxruntime", "onnxscript", "tensorflow"}
        | {"tflite_micro", "tvm"},
    ),
}
LOG = ROOT / "build" / "setup.log"
LOCK = ROOT / "build" / ".setup.lock"
NEEDED_BYTES = 7 * 10**9
# To compile all modules takes longer than to fetch them, and Python compiles each when it is first
# imported; but where PYTHONDONTWRITEBYTECODE is set, it would do so again in each process.
COMPILED = sys.dont_write_bytecode
PIP = ("-m", "pip", "install", "--disable-pip-version-check", f"--{'' if COMPILED else 'no-'}compile")


def stop(sentence: str) -> None:
    """Leave with one sentence that says what is wrong and what to do."""
    sys.exit(f"Set-up stopped: {sentence}")


def fingerprint() -> str:
    """Return what .venv depends on, as a digest: packages, Python, place."""
    digest = hashlib.sha256(f"{sys.version} {sys.platform} {ROOT}".encode())
    for name in (*LOCKS, "pyproject.toml", "build_backend.py"):
        try:
            digest.update((ROOT / name).read_bytes())
        except OSError as error:
            stop(f"{name} cannot be read ({error.strerror}): restore it with `git checkout -- {name}`.")
    return digest.hexdigest()


def is_ready(stamp: str = ".ready") -> bool:
    """Say whether .venv was completed for exactly this checkout and Python."""
    file = VENV / stamp
    return PYTHON.exists() and file.is_file() and file.read_bytes() == fingerprint().encode()


def check_python() -> None:
    """Stop where the course does not run with this Python."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        found = ".".join(map(str, sys.version_info[:2]))
        stop(
            f"the course needs Python 3.11, 3.12 or 3.13, and this is {found}: "
            "install 3.11 and run it again."
        )


def check_machine() -> None:
    """Stop where Python, its venv module or the disk cannot carry the set-up."""
    check_python()
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        stop("this Python has no ensurepip: install it (on Debian and Ubuntu the package python3-venv).")
    free = shutil.disk_usage(ROOT).free
    if not VENV.exists() and free < NEEDED_BYTES:
        stop(f"the packages need {NEEDED_BYTES / 1e9:.0f} GB of disk, and {free / 1e9:.1f} GB are free.")


def pip(*arguments: str, python: Path = PYTHON, held: tuple[int, ...] = ()) -> None:
    """Install something with that Python's pip, with a bar that counts the packages it has come to."""
    command = [str(python), *PIP, *arguments]
    total = sum("==" in line for line in (ROOT / LOCKS[0]).read_text("utf-8").splitlines())
    lines: list[str] = []
    with LOG.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # It holds the lock too, and so keeps it if this script is killed alone.
            pass_fds=held,
        )
        for line in process.stdout or ():
            log.write(line)
            lines.append(line.strip())
            show_progress(lines, total)
    print(file=sys.stderr)
    if process.wait():
        stop_if_replaced(lines)
        reason = next((line for line in reversed(lines) if "ERROR" in line), "see the log")
        cure = "Make room" if "No space left" in reason else "Check the network"
        stop(
            f"pip could not install the packages ({reason[:200]}). {cure} and run it again: it goes "
            f"on where it stopped. All of pip's output is in {LOG.relative_to(ROOT)}."
        )


def stop_if_replaced(lines: list[str]) -> None:
    """Stop with a sentence of its own if a file was not the one whose hash is in the lock."""
    told = (place for place, line in enumerate(lines) if "DO NOT MATCH THE HASHES" in line)
    place = next(told, len(lines))
    named = "".join(lines[place + 1 : place + 2]).split()
    if named:
        stop(
            f"the file that came for {named[0].rstrip(':')} is not the one that was locked (its "
            "SHA-256 is not in requirements.lock), and was not installed: it was damaged on the way, or "
            "replaced. Run it again; if it says so again, trust neither the file nor the index "
            f"(`pip config list`). All of pip's output is in {LOG.relative_to(ROOT)}."
        )


def show_progress(lines: list[str], total: int) -> None:
    """Draw the bar for pip's output so far."""
    if not sys.stderr.isatty():
        return
    seen = sum(line.startswith(("Collecting", "Requirement already")) for line in lines)
    text = lines[-1]
    if text.startswith("Installing collected"):
        text = "unpacking, about a minute"
    bar = ("#" * (30 * min(seen, total) // max(total, 1))).ljust(30, ".")
    print(f"\r[{bar}] {text[:44]:<44}", end="", file=sys.stderr, flush=True)


def take_lock() -> tuple[int, ...]:
    """Wait until no other set-up works on this checkout; the system frees the lock however we end."""
    LOCK.parent.mkdir(exist_ok=True)
    if sys.platform == "win32":
        return ()
    import fcntl

    handle = os.open(LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another set-up is at work in this checkout: waiting for its end.", file=sys.stderr)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        pass  # a file system that knows no locks
    return (handle,)


def half_packages() -> list[Path]:
    """Return what an interrupted pip left in .venv, and would take for installed.

    pip writes INSTALLER once all files of a package are there, and puts a `~` before the name of what
    it is about to replace.
    """
    halves, replaced = (
        [*VENV.glob(f"lib/python*/*/{pattern}"), *VENV.glob(f"Lib/*/{pattern}")]
        for pattern in ("*.dist-info", "~*")
    )
    return [*(info for info in halves if not (info / "INSTALLER").exists()), *replaced]


def has_pip() -> bool:
    """Say whether there is a .venv with a whole pip, which can mend the rest."""
    if not PYTHON.exists() or any(left.name.startswith("pip-") for left in half_packages()):
        return False
    try:
        run = subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True)
    except OSError:  # half a program
        return False
    return not run.returncode


def set_up(stamp: str = ".ready") -> None:
    """Create .venv, or go on with one that was left half-made."""
    check_machine()
    held = take_lock()
    if is_ready() or is_ready(stamp):  # meanwhile
        return
    took = "a minute or two and 5 GB" if stamp == ".ready" else "about a minute and 2 GB"
    print(f"Setting up .venv: {took}, once.", file=sys.stderr)
    for old in (".ready", ".ready.start"):
        (VENV / old).unlink(missing_ok=True)
    whole = has_pip()
    venv.create(VENV, with_pip=True, clear=not whole)
    for left in half_packages():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    install(VENV, PYTHON, held, whole=stamp == ".ready")
    partial = VENV / ".ready.partial"
    partial.write_text(fingerprint(), "utf-8")
    partial.replace(VENV / stamp)


def install(folder: Path, python: Path, held: tuple[int, ...] = (), *, whole: bool = True) -> None:
    """Install what is locked, PyTorch, and the course itself in the environment in that folder."""
    lock = ROOT / LOCKS[0] if whole else part_of_lock("start", START.read_text("utf-8").splitlines())
    fast = install_locked(lock, python, held)
    install_torch(python, held, fast)
    pip("--no-deps", "--no-build-isolation", "--editable", str(ROOT), python=python, held=held)
    # Not by pip: an editable installation leaves out what lies outside of the package.
    extension = ROOT / "tinyml_helpers" / "course" / "jupyter"
    shutil.copytree(extension, folder / "share" / "jupyter", dirs_exist_ok=True)
    watch_lessons(folder, whole=whole)


def install_locked(lock: Path, python: Path, held: tuple[int, ...]) -> bool:
    """Install what a lock names, if its hashes agree; say whether uv could."""
    # Without dependencies, because all of them are in the lock, and PyTorch, which some want, is not.
    locked = ("--require-hashes", "--no-deps", "-r", str(lock))
    fast = get_uv(python, held) and uv("install", *locked, python=python, held=held)
    if not fast:
        print("uv could not install the packages; pip can, and takes longer.", file=sys.stderr)
        pip(*locked, python=python, held=held)
    return fast


def install_torch(python: Path, held: tuple[int, ...], fast: bool) -> None:
    """Install PyTorch: without what GPUs need where its own index answers uv, else as pip finds it."""
    lock, build = str(ROOT / LOCKS[1]), ("--torch-backend=cpu", "--no-deps")
    # It has no index of its own for macOS, where PyPI's build brings nothing for GPUs.
    if fast and sys.platform != "darwin":
        asked = uv("compile", "--quiet", *build, lock, python=python, held=held)
        if asked and uv("install", *build, "-r", lock, python=python, held=held):
            print("PyTorch: the build for processors, from its own index.", file=sys.stderr)
            return
    print("PyTorch: from the index that pip is set to, PyPI unless you chose another.", file=sys.stderr)
    pip("-r", lock, python=python, held=held)


def part_of_lock(title: str, names: list[str]) -> Path:
    """Write what the lock says of these packages into a file under build/; return it."""
    text = (ROOT / LOCKS[0]).read_text("utf-8")
    blocks = re.findall(r"^[\w.-]+==.*(?:\n .*)*", text, re.MULTILINE)
    chosen = [one for one in blocks if re.sub("[-_.]+", "-", one.split("==")[0]).lower() in names]
    part = LOG.with_name(f"{title}.lock")
    part.write_text("\n".join(chosen), "utf-8")
    return part


def get_uv(python: Path, held: tuple[int, ...]) -> bool:
    """Say whether the uv of the lock is in that Python's environment now."""
    part = part_of_lock("uv", ["uv"])
    if not part.read_text("utf-8"):
        return False
    command = [*PIP, "--require-hashes", "--no-deps", "-r", str(part)]
    with LOG.open("a", encoding="utf-8") as log:
        return not subprocess.run([python, *command], stdout=log, stderr=log, pass_fds=held).returncode


def uv(task: str, *arguments: str, python: Path, held: tuple[int, ...]) -> bool:
    """Say whether uv did a task in that Python's environment; a terminal gets its bars."""
    command = [str(python), "-m", "uv", "pip", task, "--python", str(python), *arguments]
    asks = task == "compile"
    # An index that is silent for five seconds does not answer.
    settings = {"UV_HTTP_TIMEOUT": "5", "UV_HTTP_RETRIES": "0"} if asks else {}
    settings = {**os.environ, **settings, "UV_COMPILE_BYTECODE": str(int(COMPILED))}
    with LOG.open("a", encoding="utf-8") as log:
        words = None if sys.stderr.isatty() and not asks else log
        done = subprocess.run(command, stdout=log, stderr=words, env=settings, pass_fds=held)
    return not done.returncode


def watch_lessons(folder: Path, *, whole: bool) -> None:
    """Let the kernels of an environment bring what lessons lack, unless all of it is there."""
    file = folder / "etc" / "ipython" / "ipython_config.py"
    text = f"import runpy\n\nrunpy.run_path({str(Path(__file__).resolve())!r})['LatePackages'].watch()\n"
    if not whole:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    elif file.is_file() and file.read_text("utf-8") == text:
        file.unlink()


class LatePackages:
    """What a kernel asks for a module that nobody else found: it brings those of the lessons."""

    @classmethod
    def watch(cls) -> None:
        """Be asked last, so that nothing happens where all packages are there."""
        sys.meta_path.append(cls())

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """Return where a module of LATE is once it was brought; None for all others."""
        option = next((one for one, (_, names) in LATE.items() if name in names), "")
        if not option or os.environ.get("CI") or not is_for_a_lesson():
            return None
        bring(name, option)
        importlib.invalidate_caches()
        found = importlib.machinery.PathFinder.find_spec(name)
        if found is None:
            raise ModuleNotFoundError(
                f"{name} is installed now: restart the kernel and run the lesson again.", name=name
            )
        return found


def is_for_a_lesson() -> bool:
    """Say whether a cell or the course imports it: other packages try what they can do without."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "importlib":
        if frame.f_globals["__name__"] == "importlib.util":
            return False  # it asks whether a package is there
        frame = frame.f_back
    return frame.f_globals.get("__name__", "").partition(".")[0] in ("__main__", "tinyml_helpers")


def bring(name: str, option: str) -> None:
    """Install what a lesson lacks in this environment, with a sentence before and a bar meanwhile.

    Raises:
        ModuleNotFoundError: it could not be installed, with the reason and what to do.
    """
    from tqdm.auto import tqdm  # the small set has it

    megabytes = LATE[option][0]
    print(
        f"This lesson needs {name}, which `make start` left out. It comes now, with others like it: "
        f"about {megabytes:,} MB, once, into {sys.prefix}.",
        flush=True,
    )
    free = shutil.disk_usage(sys.prefix).free
    command = [sys.executable, str(Path(__file__).resolve()), option]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = None
    with tqdm(total=megabytes, unit="MB", desc="packages") as bar:
        while said is None:
            try:
                said = process.communicate(timeout=0.5)[0]
            except subprocess.TimeoutExpired:
                written = int(free - shutil.disk_usage(sys.prefix).free) // 10**6
                bar.update(max(0, min(written, megabytes - 1) - bar.n))
        bar.update(0 if process.returncode else megabytes - bar.n)
    if process.returncode:
        reason = (said.splitlines() or ["no reason was given."])[-1]
        raise ModuleNotFoundError(
            f"{name} could not be brought. {reason} Then run this cell again.", name=name
        )


def main(arguments: list[str]) -> None:
    """Set up .venv, or its small set, or with `--here` the environment that this Python belongs to."""
    if arguments[:1] == ["--here"] and arguments[1:] in ([], ["--start"]):
        check_python()
        install(Path(sys.prefix), Path(sys.executable), take_lock(), whole=not arguments[1:])
    elif arguments == ["--lessons"]:
        part, held = LESSONS.read_text("utf-8").splitlines(), take_lock()
        install_locked(part_of_lock("lessons", part), Path(sys.executable), held)
    elif arguments == ["--start"]:
        if not is_ready() and not is_ready(".ready.start"):
            set_up(".ready.start")
    elif arguments:
        known = "--here, --start, --here --start and --lessons"
        stop(f"it knows {known} and nothing else, and was given {' '.join(arguments)}.")
    elif not is_ready():
        set_up()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        stop("interrupted. Run it again: it goes on where it stopped.")
    except (OSError, subprocess.CalledProcessError) as error:
        stop(f"{error}. Make room, or make the folder writable, and run it again.")
