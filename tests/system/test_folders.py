"""Any place: a closed checkout, no home, odd paths and terminals, two learners at the same time."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from tinyml_helpers.course import runner, scoreboard
from tinyml_helpers.course.syllabus import Lesson
from tinyml_helpers.datasets.vibration.load import write_example
from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.system import folders as system_folders
from tinyml_helpers.system import shared_folders

ROOT = Path(__file__).parents[2]
HARD = {"LC_ALL": "C", "TZ": "Pacific/Apia", "COLUMNS": "20", "PYTHONPATH": str(ROOT)}


@pytest.fixture(autouse=True)
def nothing_remembered():
    """What was found out about folders is forgotten before and after."""
    for found in (system_folders._closed, system_folders._tell, system_folders._temporary):
        found.cache_clear()
    yield
    for found in (system_folders._closed, system_folders._tell, system_folders._temporary):
        found.cache_clear()


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A user with an empty home and an empty folder for temporary files; a checkout of two files."""
    for variable in ("TINYML_CACHE", "TINYML_RESULTS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for name in ("home", "tmp", "checkout"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(system_folders, "CHECKOUT", tmp_path / "checkout")
    return tmp_path


def close(folder):
    """Put a file where a folder is wanted: it cannot be made then, not even by an administrator."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")


posix = pytest.mark.skipif(sys.platform == "win32", reason="homes are found otherwise there")


# ----- where files go


def test_in_an_ordinary_place_results_lie_in_the_checkout(user, capsys):
    assert scoreboard.results_folder() == user / "checkout" / "build" / "results"
    assert runner.build_folder() == user / "checkout" / "build"
    assert capsys.readouterr().err == ""
    assert not list((user / "tmp").iterdir())


@posix
def test_in_a_closed_checkout_results_go_to_the_cache_and_that_is_said_once(user, capsys):
    close(user / "checkout" / "build")
    scoreboard.record("a.b", 1, "", lesson=1)
    scoreboard.record("a.c", 2, "", lesson=1)
    (path,) = user.rglob("01.json")
    assert path.is_relative_to(user / "home")
    assert len(scoreboard.collect().records) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "nothing can be written to" in line
    assert str(path.parents[1]) in line


def test_two_closed_checkouts_keep_their_results_apart(user, monkeypatch):
    folders = set()
    for name in ("checkout", "other é"):
        monkeypatch.setattr(system_folders, "CHECKOUT", user / name)
        close(user / name / "build")
        folders.add(scoreboard.results_folder())
    assert len(folders) == 2


@posix
@pytest.mark.parametrize("home", ["/dev/null/home", "missing", ""])
def test_without_a_home_the_cache_is_temporary_and_none_is_made(user, monkeypatch, home, capsys):
    monkeypatch.setenv("HOME", str(user / home) if home == "missing" else home)
    monkeypatch.chdir(user)
    before = set(Path("/").iterdir())
    folder = toolchain.cache_dir()
    if home:
        assert folder.is_relative_to(user / "tmp")
        assert "there is no home folder" in capsys.readouterr().err
    assert not (user / "missing").exists()
    assert not (user / "~").exists()
    assert set(Path("/").iterdir()) - before <= {Path("/.cache")}


@posix
def test_a_user_whom_the_system_does_not_know_gets_no_folder_called_tilde(user, monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(user)
    assert system_folders.cache_folder().is_relative_to(user / "tmp")
    assert not (user / "~").exists()


@posix
def test_a_closed_cache_gives_way_to_a_folder_of_ones_own(user):
    close(user / "home" / ".cache")
    close(user / "home" / "Library")
    folder = system_folders.cache_folder()
    assert folder.parent == user / "tmp"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    system_folders._temporary.cache_clear()
    assert system_folders.cache_folder() == folder  # found again by the next kernel
    # Compiled code is not taken from a folder that others can write to.
    folder.chmod(0o777)
    system_folders._temporary.cache_clear()
    assert system_folders.cache_folder() != folder


def test_programs_that_we_start_are_told(user, monkeypatch):
    told = ("MPLCONFIGDIR", "TINYML_CACHE", "TINYML_RESULTS")
    for variable in (*told, "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, "")  # so that what follows is undone
        monkeypatch.delenv(variable)
    system_folders.redirect_to_open_folders()
    assert not os.environ.keys() & set(told)
    monkeypatch.setattr(system_folders, "_closed", lambda _: "read-only")
    system_folders.redirect_to_open_folders()
    assert all(Path(os.environ[name]).is_relative_to(user / "tmp") for name in told)
    assert Path(os.environ["MPLCONFIGDIR"]).is_dir()


@pytest.mark.parametrize("variable", ["TINYML_CACHE", "TINYML_RESULTS"])
def test_a_relative_folder_is_the_same_one_from_everywhere(user, monkeypatch, variable):
    monkeypatch.setenv(variable, "mine")
    find = system_folders.cache_folder if variable == "TINYML_CACHE" else scoreboard.results_folder
    for folder in (user, user / "home"):
        monkeypatch.chdir(folder)
        assert find() == user / "checkout" / "mine"


def test_a_folder_that_was_asked_for_and_is_closed_is_an_error_with_the_cure(user, monkeypatch):
    close(user / "file")
    monkeypatch.setenv("TINYML_RESULTS", str(user / "file"))
    with pytest.raises(OSError, match=r"01\.json was not written.*TINYML_RESULTS"):
        scoreboard.record("a.b", 1, "", lesson=1)
    monkeypatch.setenv("TINYML_RESULTS", str(user / "file" / "below"))
    with pytest.raises(OSError, match="TINYML_RESULTS"):
        scoreboard.record("a.b", 1, "", lesson=1)


# ----- odd paths, terminals and languages


def test_spaces_and_letters_of_other_alphabets_in_the_path(tmp_path, monkeypatch):
    usual = toolchain.cache_dir() / "zig"
    usual.mkdir(exist_ok=True)
    odd = tmp_path / "Straße mit é und 漢字 'quoted' $HOME %d"
    (odd / "mcu").mkdir(parents=True)
    (odd / "mcu" / "zig").symlink_to(usual)
    monkeypatch.setenv("TINYML_CACHE", str(odd))
    monkeypatch.setenv("TINYML_RESULTS", str(odd / "results"))
    assert toolchain.compile_c("int main(void) { return 0; }").symbols["main"]
    assert toolchain.host_library({"a.c": "int a(void) { return 1; }"}).is_relative_to(odd)
    scoreboard.record("a.b", 1, "", lesson=1)
    assert scoreboard.collect()["a.b"] == 1


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_terminal_that_lacks_letters_shows_others(tmp_path, encoding):
    environment = {**os.environ, **HARD, "PYTHONIOENCODING": encoding, "TINYML_RESULTS": str(tmp_path)}
    code = (
        "from tinyml_helpers import cli; from tinyml_helpers.course import doctor, scoreboard;"
        "scoreboard.record('a.b', 1, 'µJ', lesson=1);"
        "doctor.examine = lambda: doctor.Report((doctor.Finding('a', '±µ', True),));"
        "cli.app(['{}'])"
    )
    for command in ("doctor", "scoreboard"):
        run = subprocess.run(
            [sys.executable, "-c", code.replace("{}", command)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
        )
        assert run.returncode == 0, run.stderr.decode(errors="replace")


def test_text_files_are_opened_as_utf_8_whatever_the_locale():
    import ast

    for path in (ROOT / "tinyml_helpers").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                given = len(node.args) + len(node.keywords)
                least = {"read_text": 1, "write_text": 2}.get(node.func.attr, 0)
                assert given >= least, f"{path.name}:{node.lineno} names no encoding"


# ----- two at the same time

RECORDING = """
import sys
from tinyml_helpers.course import scoreboard
for number in range(40):
    scoreboard.record(f"{sys.argv[1]}.n{number}", number, "", lesson=1)
"""


def test_learners_at_the_same_time_lose_no_record(results):
    names = ["ann", "bob", "eve"]
    children = [subprocess.Popen([sys.executable, "-c", RECORDING, name], cwd=ROOT) for name in names]
    while any(child.poll() is None for child in children):
        scoreboard.collect()  # whole at any moment
    assert [child.returncode for child in children] == [0, 0, 0]
    records = {(r.name, r.value) for r in scoreboard.collect().records}
    assert records == {(f"{name}.n{number}", number) for name in names for number in range(40)}
    assert {path.name for path in results.iterdir()} == {"01.json", ".lock"}


def test_a_file_system_without_locks_records_all_the_same(results, monkeypatch):
    if sys.platform == "win32":
        pytest.skip("locks are others there")
    import fcntl

    monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(95, "not supported")))
    scoreboard.record("a.b", 1, "", lesson=1)
    assert scoreboard.collect()["a.b"] == 1


def test_someone_who_holds_the_lock_for_ever_does_not_stop_us(results, monkeypatch):
    monkeypatch.setattr(shared_folders, "_PATIENCE_SECONDS", 0.1)
    with shared_folders.lock_folder(results):
        scoreboard.record("a.b", 1, "", lesson=1)
    assert scoreboard.collect()["a.b"] == 1


def test_the_example_recordings_are_whole_at_any_moment_and_replace_nobodys(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path))
    folder = write_example()
    assert write_example() == folder
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"1.wav"}
    with pytest.raises(FileExistsError, match="holds recordings: give an empty folder"):
        write_example(folder)


def test_a_run_that_fails_leaves_one_notebook_and_no_others(tmp_path, monkeypatch):
    path = tmp_path / "00_a.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(notebook, path)
    lesson, build = Lesson(0, "A", "", "", path), tmp_path / "build"
    with pytest.raises(runner.LessonError, match="ZeroDivisionError"):
        runner.run(lesson, {}, build, progress=False)
    assert sorted(file.name for file in build.iterdir()) == ["00_a.html", "00_a.ipynb"]
    assert json.loads((build / "00_a.ipynb").read_text("utf-8"))["cells"]


# ----- the comparison of two runs, as `make whole` makes it


@pytest.fixture
def compare(monkeypatch):
    """The module that holds two runs against each other."""
    monkeypatch.syspath_prepend(ROOT / "tests" / "whole")
    import compare

    return compare


@pytest.fixture
def a_run(tmp_path, monkeypatch):
    """A function that writes what a run leaves: one notebook and two records."""

    def write(name, *, shown="7 (0x7f0012ab)", instructions=1000, percent=92.0, seconds=1.0):
        folder = tmp_path / name
        monkeypatch.setenv("TINYML_RESULTS", str(folder / "results"))
        scoreboard.record("a.instructions", instructions, "instructions", lesson=1)
        scoreboard.record("a.accuracy_percent", percent, "percent", lesson=1)
        scoreboard.record("a.speedup_host", seconds, "", lesson=1)
        checked = nbformat.v4.new_code_cell("# NBVAL_CHECK_OUTPUT\n7")
        checked.outputs = [nbformat.v4.new_output("stream", text=shown)]
        loud = nbformat.v4.new_output("stream", name="stderr", text=name)
        free = nbformat.v4.new_code_cell("8", outputs=[loud])
        checked.outputs.append(loud)
        nbformat.write(nbformat.v4.new_notebook(cells=[checked, free]), folder / "01_a.ipynb")
        return folder

    return write


def test_runs_that_differ_in_times_and_addresses_are_equal(compare, a_run):
    other = a_run("b", shown="7 (0x7f99ff00)", seconds=2.0)
    assert compare.differences(a_run("a"), other) == []


def test_what_differs_is_named(compare, a_run):
    first = a_run("a")
    other = a_run("b", shown="8 (0x7f0012ab)", instructions=1001, percent=92.1)
    told = compare.differences(first, other)
    assert [line.split(":")[0] for line in told] == [
        "a.accuracy_percent",
        "a.instructions",
        "01_a.ipynb, checked cell 0",
    ]
    (other / "01_a.ipynb").unlink()
    (other / "results" / "01.json").unlink()
    assert len(compare.differences(first, other)) == 4


def test_other_threads_may_stray_in_what_was_trained_but_not_in_what_is_counted(compare, a_run):
    first, near = a_run("a"), a_run("b", percent=93.4)
    assert compare.differences(first, near, threads=True) == []
    far = a_run("c", percent=94.0, instructions=1001)
    assert len(compare.differences(first, far, threads=True)) == 2
