"""What `make start` leaves out comes when a lesson imports it, by a stand-in for the installer."""

import ast
import json
import re
import runpy
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from IPython.core import application
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tinyml_helpers.course import doctor

ROOT = Path(__file__).parents[1]
BOOTSTRAP = SimpleNamespace(**runpy.run_path(str(ROOT / "bootstrap.py")))
INSTALLER = """
import pathlib, sys, time
with open({calls!r}, "a") as calls:
    calls.write(sys.argv[1] + "\\n")
print("Another set-up is at work", file=sys.stderr)
{does}
"""
COMES = 'pathlib.Path({folder!r}, "late_package.py").write_text("answer = 42")\ntime.sleep(0.6)'
NO_NETWORK = 'sys.exit("Set-up stopped: pip could not install the packages. Check the network.")'


@pytest.fixture
def late(tmp_path, monkeypatch):
    """A function that lets code import `late_package` where an installer does this; and its calls."""
    names = BOOTSTRAP.bring.__globals__
    installer, calls = tmp_path / "installer.py", tmp_path / "calls"
    packages = tmp_path / "packages"
    packages.mkdir()
    calls.touch()
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setitem(names, "LATE", {"--lessons": (7, {"late_package"})})
    monkeypatch.setitem(names, "__file__", str(installer))
    monkeypatch.setattr(sys, "path", [*sys.path, str(packages)])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    BOOTSTRAP.LatePackages.watch()

    def run(does=COMES, code="import late_package", who="__main__"):
        text = INSTALLER.format(calls=str(calls), does=does.format(folder=str(packages)))
        installer.write_text(text)
        space = {"__name__": who}
        exec(code, space)
        return space

    yield run, lambda: calls.read_text().split()
    sys.modules.pop("late_package", None)


@pytest.mark.parametrize("who", ["__main__", "tinyml_helpers.deploy.litert"])
@pytest.mark.parametrize("code", ["import late_package", "from late_package import answer"])
def test_a_lesson_goes_on_with_what_has_just_come(late, capsys, who, code):
    run, calls = late
    space = run(code=code, who=who)
    assert space.get("answer", getattr(space.get("late_package"), "answer", None)) == 42
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert "This lesson needs late_package, which `make start` left out." in told
    assert "about 7 MB, once, into " in told
    run(code=code, who=who)
    assert calls() == ["--lessons"]


def test_what_is_there_starts_nothing(late, tmp_path, capsys):
    run, calls = late
    (tmp_path / "packages" / "late_package.py").write_text("answer = 42")
    run()
    assert calls() == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("code", "who"),
    [
        ("import late_package", "torch.utils"),  # it does without
        ("import another_package", "__main__"),
        ("import importlib; importlib.import_module('late_package')", "sklearn"),
    ],
)
def test_nobody_else_starts_an_installation(late, code, who):
    run, calls = late
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        run(code=code, who=who)
    assert calls() == []


def test_to_ask_whether_it_is_there_is_no_import(late):
    run, calls = late
    space = run(code="import importlib.util as u; found = u.find_spec('late_package')")
    assert (space["found"], calls()) == (None, [])


def test_tests_of_the_course_install_nothing(late, monkeypatch):
    run, calls = late
    monkeypatch.setenv("CI", "true")
    with pytest.raises(ModuleNotFoundError, match="No module named 'late_package'"):
        run()
    assert calls() == []


def test_without_a_network_one_sentence_says_so_and_the_cell_may_be_run_again(late):
    run, calls = late
    with pytest.raises(ModuleNotFoundError) as error:
        run(NO_NETWORK)
    assert str(error.value) == (
        "late_package could not be brought. Set-up stopped: pip could not install the packages. "
        "Check the network. Then run this cell again."
    )
    assert run()["late_package"].answer == 42
    assert calls() == ["--lessons"] * 2


def test_what_came_and_cannot_be_found_asks_for_a_new_kernel(late):
    run, _ = late
    with pytest.raises(ModuleNotFoundError, match="late_package is installed now: restart the kernel"):
        run("pass")


# ----- which kernels watch


def test_kernels_of_the_small_set_watch_and_those_of_the_whole_do_not(tmp_path, monkeypatch):
    file = tmp_path / "etc" / "ipython" / "ipython_config.py"
    BOOTSTRAP.watch_lessons(tmp_path, whole=False)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    runpy.run_path(str(file))
    assert type(sys.meta_path[-1]).__name__ == "LatePackages"
    BOOTSTRAP.watch_lessons(tmp_path, whole=True)
    assert not file.exists()
    file.write_text("c.InteractiveShell.colors = 'nocolor'")  # a person's own
    BOOTSTRAP.watch_lessons(tmp_path, whole=True)
    assert file.exists()


def test_ipython_reads_that_file_in_its_environment():
    (folder,) = application.ENV_CONFIG_DIRS
    assert Path(folder).resolve() == Path(sys.prefix, "etc", "ipython").resolve()


# ----- what the doctor says of it


@pytest.mark.parametrize(
    ("wanted", "watched", "ready"),
    [
        ({"numpy": None, "no-such-package": "2"}, True, True),
        ({"numpy": None, "no-such-package": "2"}, False, False),  # nobody brings it
        ({"numpy": "1.0", "no-such-package": "2"}, True, False),  # there in another version
        ({"numpy": None, "Jupyter_Events": "2"}, True, False),  # of the small set
    ],
)
def test_the_doctor_is_content_where_lessons_bring_what_is_missing(
    tmp_path, monkeypatch, wanted, watched, ready
):
    versions = {"numpy": "2.2", "Jupyter_Events": None, "no-such-package": None}
    lock = {name: version or versions[name] for name, version in wanted.items()}
    monkeypatch.setattr(doctor, "_installed", versions.get)
    monkeypatch.setattr(doctor, "read_lock", lambda: lock)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    BOOTSTRAP.watch_lessons(tmp_path, whole=not watched)
    found = doctor._packages()
    assert found.ok == ready
    assert ("1 of 2 as in requirements.lock; a lesson brings what else it needs" in found.found) == ready


# ----- what is left out


def listed(name):
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return {line for line in lines if not line.startswith("#")}


START, LESSONS = listed("requirements-start.txt"), listed("requirements-lessons.txt")
TORCH = {"torch", "torchvision"}
# For whoever teaches, and for a server.
NOT_FOR_LEARNERS = {"jupyterhub", "nbgitpuller"}
LOCKED = {canonicalize_name(name) for name in doctor.read_lock()}


def size_mb(names):
    files = (file for name in names for file in metadata.distribution(name).files or [])
    return sum(file.size or 0 for file in files if file.suffix != ".pyc") / 1e6


def test_the_second_set_has_all_that_its_packages_need():
    assert LESSONS <= LOCKED and not LESSONS & START
    for name in LESSONS:
        for need in map(Requirement, metadata.requires(name) or []):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                assert canonicalize_name(need.name) in LESSONS | START | TORCH, f"{name} needs {need}"


def test_the_sizes_that_are_told_are_those_on_disk():
    lessons, rest = (BOOTSTRAP.LATE[option][0] for option in ("--lessons", "--here"))
    assert size_mb(LESSONS) == pytest.approx(lessons, rel=0.15)
    if sys.platform == "linux":
        assert size_mb(LOCKED - START - TORCH - LESSONS) == pytest.approx(rest, rel=0.15)


def test_whatever_lessons_and_package_import_comes_with_a_set_or_late():
    sources = [path.read_text("utf-8") for path in ROOT.glob("tinyml_helpers/**/*.py")]
    for path in ROOT.glob("notebooks/*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "code")
        sources.append(re.sub(r"(?m)^\s*[%!].*$", "", code))
    imported = set()
    for node in (node for text in sources for node in ast.walk(ast.parse(text))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add(node.module.partition(".")[0])
    owners = metadata.packages_distributions()
    late = {option: names for option, (_, names) in BOOTSTRAP.LATE.items()}
    for name in imported & set(owners):
        owner = {canonicalize_name(one) for one in owners[name]} & LOCKED
        for option, there in (("--lessons", LESSONS), ("--here", LOCKED - START - LESSONS - TORCH)):
            if owner and owner <= there and name not in NOT_FOR_LEARNERS:
                assert name in late[option], name
    for name in late["--lessons"]:
        assert {canonicalize_name(one) for one in owners[name]} <= LESSONS
