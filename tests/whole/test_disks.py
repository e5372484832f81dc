"""Real disks that are full, real shared memory that is missing, real runs that are killed.

Each in a mount namespace of its own, where a small disk in memory lies over what is written to.
"""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import conditions
import psutil
import pytest

ROOT = conditions.ROOT
TINYML = f"{sys.executable} -m tinyml_helpers.cli"
pytestmark = pytest.mark.skipif(bool(conditions.why_not()), reason=conditions.why_not() or "-")

# $1 is an empty folder, $2 how many KiB stay free of a disk of 4 MiB, $3 the command.
ON_A_FULL_DISK = r"""
set -e
mount -t tmpfs -o size=4m tmpfs "$1"
mkdir "$1"/home "$1"/cache "$1"/tmp "$1"/results "$1"/build
mount --bind "$1/build" build
head -c $(( (4096 - $2) * 1024 )) /dev/zero > "$1/filler" 2>/dev/null || true
export HOME="$1/home" TINYML_CACHE="$1/cache" TMPDIR="$1/tmp" TINYML_RESULTS="$1/results"
set +e
sh -c "$3"
code=$?
cd "$1"
echo "left: $(find . -name '.running-*' -o -name '*.partial' -o -name '*.ipynb' | tr '\n' ' ')"
exit $code
"""


def on_a_full_disk(folder, free_kib, command):
    """Run a command where everything that the course writes to is nearly full; return code and words."""
    script = ["unshare", "-rm", "sh", "-c", ON_A_FULL_DISK, "sh", str(folder), str(free_kib), command]
    (ROOT / "build").mkdir(exist_ok=True)
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout + done.stderr


def notebooks():
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in ROOT.glob("notebooks/*.ipynb")}


@pytest.mark.parametrize("free_kib", [0, 4, 60, 340])
@pytest.mark.parametrize(
    "command",
    [
        f"{TINYML} course --lesson 0",
        f"{sys.executable} -m book.outputs --lesson 0",
        f"{TINYML} workshop --lessons 0 --out $HOME/kit",
        f"{TINYML} deploy data/models/tiny.tflite --export $HOME/board",
        f"{sys.executable} -m book --lesson 0 --out $HOME/book",
    ],
    ids=["course", "outputs", "workshop", "deploy", "book"],
)
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(command, free_kib, tmp_path):
    before = notebooks()
    code, said = on_a_full_disk(tmp_path, free_kib, command)
    assert code == 1, said
    assert said.count("make room") == 1, said
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    (left,) = re.findall(r"^left:(.*)$", said, re.MULTILINE)
    # The book's sources hold notebooks; they are made anew each time.
    assert not [name for name in left.split() if "book-source" not in name]
    assert notebooks() == before


def test_the_doctor_says_which_disk_is_full(tmp_path):
    code, said = on_a_full_disk(tmp_path, 0, f"COLUMNS=200 {TINYML} doctor")
    assert code == 1
    assert f"no room in {tmp_path}" in said
    assert "make room in" in said


SEARCH = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests" / "search")!r}]
from dataclasses import replace
from pathlib import Path
import test_search_running as here
from tinyml_helpers import search

here.trial.run_trial = here.quick()
task = replace(search.from_arrays("rows", here.parts(), here.network), steps=30)
store = Path(sys.argv[1]) / "trials.jsonl"
print(len(search.run(task, here.SETTINGS, store, workers=2, cores=here.CORE)))
"""


@pytest.mark.parametrize(
    ("memory", "works"),
    [("size=12k", False), ("size=4k,ro", True), ("size=64m", True)],
    ids=["hardly any", "read-only", "Docker's"],
)
def test_a_search_with_little_shared_memory_works_or_says_what_to_do(memory, works, tmp_path):
    script = f'mount -t tmpfs -o {memory} tmpfs /dev/shm && exec {sys.executable} -c "$1" "$2"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", SEARCH, str(tmp_path)],
        capture_output=True, text=True, env={**os.environ, "TQDM_DISABLE": "1"}, timeout=600,
    )  # fmt: skip
    assert (done.returncode == 0) == works, done.stderr
    if works:  # one after another where there is none, as joblib says
        assert done.stdout.strip() == "4"
    else:
        last = done.stderr.strip().splitlines()
        assert any("search with workers=1, which finds the same" in line for line in last)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_a_run_that_is_ended_leaves_no_kernel_and_the_next_sweeps_its_folder(name, tmp_path):
    environment = {**os.environ, "TINYML_RESULTS": str(tmp_path)}
    command = [sys.executable, "-m", "tinyml_helpers.cli", "course", "--lesson", "2"]
    before, build = notebooks(), ROOT / "build"
    run = subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE, start_new_session=True
    )
    kernels, patience = [], time.monotonic() + 120
    while not (kernels and list(build.glob(".running-*/*.ipynb"))) and time.monotonic() < patience:
        kernels = psutil.Process(run.pid).children(recursive=True)
        time.sleep(0.2)
    time.sleep(2)
    if name == "SIGINT":
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    else:
        run.kill()
    _, said = run.communicate(timeout=60)
    _, alive = psutil.wait_procs(kernels, timeout=30)
    assert not alive
    assert notebooks() == before
    if name == "SIGINT":
        assert run.returncode == 130
        assert said.count("Interrupted. What was finished is kept") == 1
        assert "Traceback" not in said
    imports = "from pathlib import Path; from tinyml_helpers.system import shared_folders; "
    again = f"{sys.executable} -c '{imports}"
    subprocess.run(f'{again} shared_folders.sweep(Path("build"), ".running-*")\'', shell=True, cwd=ROOT)
    assert list(Path(build).glob(".running-*")) == []
