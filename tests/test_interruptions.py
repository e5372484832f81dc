"""Full disks, kernels that die, runs that are killed: one sentence, and nothing half-written."""

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from book import outputs, readme_results
from tinyml_helpers import cli
from tinyml_helpers.course import doctor, runner, scoreboard, syllabus
from tinyml_helpers.course.syllabus import Lesson
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.search import scheduler, trial_log
from tinyml_helpers.system import disk_full, folders, shared_folders

ROOT = Path(__file__).parents[1]
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def lesson(tmp_path):
    """A lesson whose code cells are given, in a folder of its own."""

    def make(*sources):
        cells = [nbformat.v4.new_markdown_cell("# 0 · A\n\nB\n\n**Time**: 1 min")]
        parameters = nbformat.v4.new_code_cell('profile = "quick"', metadata={"tags": ["parameters"]})
        cells += [parameters, *map(nbformat.v4.new_code_cell, sources)]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
        path = tmp_path / "notebooks" / "00_a.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
        return Lesson(0, "A", "", "", path)

    return make


@pytest.fixture
def command(tmp_path, monkeypatch, results, lesson):
    """Runs a command of `tinyml` on one lesson; returns its exit code and what it said."""
    made = lesson("print(1)")
    monkeypatch.setattr(syllabus, "select", lambda numbers: [made])
    monkeypatch.setattr(syllabus, "lessons", lambda: [made])
    monkeypatch.setattr(runner, "build_folder", lambda: tmp_path / "build")
    monkeypatch.setattr(readme_results, "publish", lambda board: None)

    def run(*words):
        asked = (outputs.app, words[1:]) if words[0] == "outputs" else (cli.app, words)
        done = CliRunner().invoke(asked[0], list(asked[1]))
        assert "Traceback" not in done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.exit_code, " ".join(done.output.split())

    return run


def files(folder):
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


# ----- the sentence


def chain(*errors):
    """Raise the first error because of the second, and so on; return it."""
    for error, cause in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[0]


@pytest.mark.parametrize(
    ("error", "begins"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), "/a/b: No space left on device: "),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/a/b"), "/a/b: Disk quota exceeded: "),
        (OSError(errno.EROFS, "Read-only file system", "/a/b"), "/a/b: Read-only file system: "),
        (chain(ValueError("no notebook"), KeyError(1), FULL), "No space left on device: "),
        (RuntimeError("write failed: No space left on device"), "write failed: No space left"),
    ],
)
def test_a_disk_that_takes_nothing_is_told_with_its_cure(error, begins, monkeypatch):
    monkeypatch.setattr(disk_full, "find_full_disks", lambda: [Path("/full/one")])
    said = disk_full.explain(error)
    assert said.startswith(begins)
    assert "make room in /full/one, or choose another one (TINYML_RESULTS for records" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "error",
    [
        folders.WriteError("x was not written: make room there"),
        RuntimeError("the program was not built: No space left on device; make room in /cache"),
    ],
)
def test_a_cure_that_is_there_is_not_repeated(error):
    assert disk_full.explain(error) == f"{error}."


@given(st.sampled_from(sorted(errno.errorcode)), st.booleans())
def test_any_other_error_of_the_system_is_not_taken_for_a_full_disk(number, behind):
    error = OSError(number, os.strerror(number), "/a")
    told = disk_full.explain(chain(ValueError("x"), error) if behind else error)
    assert bool(told) == (number in disk_full.NUMBERS)


def test_errors_in_a_circle_end():
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__context__ = second, first
    assert disk_full.explain(first) == ""


def refuse(monkeypatch, folder, number):
    """Let no more than a name be written in a folder."""
    real = disk_full.tempfile.TemporaryFile

    def temporary(dir):
        if Path(dir) == folder:
            raise OSError(number, os.strerror(number))
        return real(dir=dir)

    monkeypatch.setattr(disk_full.tempfile, "TemporaryFile", temporary)


def test_a_folder_without_room_is_found_and_a_closed_one_is_not(tmp_path, monkeypatch, results):
    results.mkdir()
    assert disk_full.find_full_disks() == []
    refuse(monkeypatch, results, errno.EROFS)  # the course has chosen another one long ago
    assert disk_full.find_full_disks() == []
    refuse(monkeypatch, results, errno.ENOSPC)
    assert disk_full.find_full_disks() == [results]
    finding = doctor._disk()
    assert not finding.ok
    assert f"no room in {results}" in finding.row
    assert any(f"make room in {results}" in cell for cell in finding.row)


# ----- the commands


def half(lesson, executed, *_, **__):
    """What a library does on a full disk: half a file, and an error without a name."""
    Path(executed).write_text('{"cells": [', "utf-8")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_course_on_a_full_disk_says_so_and_leaves_nothing_half_written(command, monkeypatch, tmp_path):
    monkeypatch.setattr("papermill.execute_notebook", half)
    code, said = command("course", "--lesson", "0")
    assert code == 1
    assert "Stopped: No space left on device: make room in" in said
    assert "git checkout" not in said
    assert files(tmp_path / "build") == ["index.html", "scoreboard.json"]


def test_a_disk_that_is_full_for_the_index_too_is_told_once(command, monkeypatch):
    monkeypatch.setattr("papermill.execute_notebook", half)
    monkeypatch.setattr(runner, "write_atomically", lambda *_: (_ for _ in ()).throw(FULL))
    code, said = command("course", "--lesson", "0")
    assert code == 1
    assert said.count("make room in") == 1


@pytest.mark.parametrize("words", [("scoreboard",), ("doctor",), ("devices",)])
def test_every_command_ends_with_the_sentence(command, monkeypatch, words):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/file")

    for module, name in (
        (scoreboard, "collect"), (doctor, "examine"), (cli.mcu_cli.devices, "catalogue"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, full)
    code, said = command(*words)
    assert code == 1
    assert "/somewhere/file: No space left on device: make room in" in said


def test_ctrl_c_ends_with_a_sentence(command, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", stopped)
    code, said = command("course", "--lesson", "0")
    assert code == 130
    assert "Interrupted. What was finished is kept, nothing is half-written" in said


# ----- kernels


@pytest.fixture
def stillborn(tmp_path, monkeypatch):
    """Kernels that die before they answer, with a traceback whose last line is an error."""
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "ipykernel_launcher.py").write_text(
        f"raise OSError({errno.ENOSPC}, 'No space left on device', '/home/x/README')", "utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "first"))


def test_why_a_kernel_died_is_told_by_its_last_words(stillborn, command, tmp_path, capfd):
    for words in ("course", "outputs"):
        code, said = command(words, "--lesson", "0")
        assert code == 1
        assert "Kernel died before replying to kernel_info: OSError: [Errno 28]" in said
        assert "'/home/x/README': make room in" in said
        assert said.count("make room in") == 1
    assert "Traceback" not in "".join(capfd.readouterr())  # of the kernel, on the terminal
    assert files(tmp_path / "build") == ["index.html", "scoreboard.json"]
    notebook = json.loads((tmp_path / "notebooks" / "00_a.ipynb").read_text("utf-8"))
    assert notebook["cells"][-1]["outputs"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_kernel_that_is_killed_keeps_what_ran_and_says_what_to_free(lesson, tmp_path):
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(runner.LessonError, match=r"Kernel died.*free memory \(a lesson needs 2 GiB\)"):
        runner.run(lesson("print(6 * 7)", code), {}, tmp_path / "build", progress=False)
    assert files(tmp_path / "build") == ["00_a.html", "00_a.ipynb"]
    assert '"42\\n"' in (tmp_path / "build" / "00_a.ipynb").read_text("utf-8")


# ----- the compiler


def test_a_compiler_that_ends_without_a_word_on_a_full_disk_is_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path))
    ended = subprocess.CompletedProcess([], -6, "", "")
    monkeypatch.setattr(toolchain, "_run", lambda *_: ended)
    with pytest.raises(toolchain.ToolchainError, match=r"ended with code -6"):
        toolchain.compile_c("int main(void) { return 0; }")
    monkeypatch.setattr(disk_full, "find_full_disks", lambda *_: [tmp_path])
    with pytest.raises(toolchain.ToolchainError, match=f"not built: make room in {tmp_path}, or choose"):
        toolchain.compile_c("int main(void) { return 0; }")
    assert not list(tmp_path.rglob("work-*"))


# ----- what a killed process leaves

HOLDS = """
    import sys, time
    from pathlib import Path
    from tinyml_helpers.system import shared_folders
    with shared_folders.own_folder(Path(sys.argv[1]), ".running-") as work:
        (work / "half.ipynb").write_text("half")
        print(work.name, flush=True)
        time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that works in a folder of its own below `tmp_path`, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDS), str(tmp_path)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    yield process, tmp_path / process.stdout.readline().strip()
    with suppress(OSError):
        process.kill()
    process.communicate()


def test_what_a_living_process_works_in_is_left_alone_and_a_dead_one_s_is_swept(holder, tmp_path):
    process, work = holder
    shared_folders.sweep(tmp_path, ".running-*")
    assert files(work) == [".owner", "half.ipynb"]
    process.kill()
    process.wait()
    shared_folders.sweep(tmp_path, ".running-*")
    assert not work.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
def test_a_process_that_sleeps_is_alive(holder, tmp_path):
    process, work = holder
    process.send_signal(signal.SIGSTOP)
    shared_folders.sweep(tmp_path, ".running-*")
    assert work.exists()


def test_a_folder_without_an_owner_is_swept_when_it_is_a_day_old(tmp_path):
    old, new = tmp_path / ".running-old", tmp_path / ".running-new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (time.time() - 2 * 86_400,) * 2)
    shared_folders.sweep(tmp_path, ".running-*")
    assert (old.exists(), new.exists()) == (False, True)


def test_without_locks_a_run_works_and_its_folder_goes_at_its_end(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(shared_folders, "FileLock", refused)
    with shared_folders.own_folder(tmp_path, "work-") as work:
        shared_folders.sweep(tmp_path, "work-*")
        assert work.is_dir()
    assert files(tmp_path) == []


def test_the_next_run_sweeps_what_a_killed_one_left(holder, lesson, tmp_path, monkeypatch):
    process, work = holder
    process.kill()
    process.wait()
    monkeypatch.setattr("papermill.execute_notebook", half)
    with pytest.raises(OSError, match="No space left"):
        runner.run(lesson("print(1)"), {}, tmp_path, progress=False)
    assert not work.exists()
    assert not list(tmp_path.glob(".running-*"))


# ----- a search


def test_a_search_without_shared_memory_says_what_to_do(monkeypatch):
    import multiprocessing

    def refused(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(multiprocessing.get_context("spawn"), "Semaphore", refused, raising=False)
    told = pytest.raises(scheduler.SharedMemoryError, match=r"Read-only file system\).*workers=1")
    with told, scheduler._together():
        raise OSError(errno.EROFS, "Read-only file system")


def test_an_error_of_a_trial_is_not_taken_for_one_of_shared_memory():
    with pytest.raises(FileNotFoundError), scheduler._together():
        raise FileNotFoundError("a file of the trial")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here: Linux and BSD have it")
def test_a_trial_that_no_disk_takes_is_told_with_the_way_on(tmp_path):
    (tmp_path / "trials.jsonl").symlink_to("/dev/full")

    class Line:
        def line(self):
            return "{}"

    with pytest.raises(folders.WriteError, match=r"trials\.jsonl \(No space left.*it goes on with what"):
        trial_log.append(tmp_path / "trials.jsonl", Line())
