"""Set-up says in one sentence what is wrong, and does nothing where nothing changed."""

import ast
import hashlib
import os
import runpy
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bootstrap(tmp_path):
    """The set-up script's names, working on an empty checkout."""
    (tmp_path / "requirements.lock").write_text("a==1\n")
    (tmp_path / "requirements-torch.lock").write_text("")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "build_backend.py").write_text("")
    (tmp_path / "tinyml_helpers" / "course" / "jupyter").mkdir(parents=True)
    script = tmp_path / "bootstrap.py"
    script.write_text((ROOT / "bootstrap.py").read_text("utf-8"))
    return SimpleNamespace(**runpy.run_path(str(script)), folder=tmp_path)


def test_a_wrong_python_is_told(bootstrap, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    with pytest.raises(
        SystemExit, match=r"needs Python 3\.11, 3\.12 or 3\.13, and this is 3\.9: install"
    ):
        bootstrap.check_machine()


def test_an_older_python_gets_as_far_as_the_check():
    text = (ROOT / "bootstrap.py").read_text("utf-8")
    tree = ast.parse(text, feature_version=(3, 7))
    first = next(node for node in tree.body if isinstance(node, ast.ImportFrom))
    assert first.module == "__future__"


def test_a_full_disk_is_told(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(SystemExit, match=r"need 7 GB of disk, and 1\.0 GB are free"):
        bootstrap.check_machine()


def test_a_python_without_venv_is_told(bootstrap, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit, match="python3-venv"):
        bootstrap.check_machine()


def test_it_is_ready_only_for_the_same_packages(bootstrap):
    assert not bootstrap.is_ready()
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.touch()
    (bootstrap.VENV / ".ready").write_text(bootstrap.fingerprint())
    assert bootstrap.is_ready()
    (bootstrap.folder / "requirements-torch.lock").write_text("torch==2\n")
    assert not bootstrap.is_ready()
    (bootstrap.VENV / ".ready").write_text(bootstrap.fingerprint())
    (bootstrap.folder / "requirements.lock").write_text("a==2\n")
    assert not bootstrap.is_ready()


def test_a_failing_installation_names_the_reason_and_the_log(bootstrap):
    bootstrap.LOG.parent.mkdir()
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.symlink_to(sys.executable)
    with pytest.raises(SystemExit, match=r"could not install.*no-such-file.*build.setup\.log"):
        bootstrap.pip("-r", "no-such-file.txt")


@pytest.fixture
def locked(bootstrap, monkeypatch):
    """A function that installs a package of ours, or would, as it is locked with that digest."""
    bootstrap.LOG.parent.mkdir()
    wheel = bootstrap.folder / "locked-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            "locked-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: locked\nVersion: 1\n"
        )
        archive.writestr("locked-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("locked-1.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(bootstrap.folder))

    def install(digest):
        lock = bootstrap.folder / "requirements.lock"
        digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
        lock.write_text(f"locked==1 \\\n    --hash=sha256:{digest}\n")
        options = ("--dry-run", "--require-hashes", "--no-deps")
        bootstrap.pip(*options, "-r", str(lock), python=Path(sys.executable))
        return bootstrap.LOG.read_text("utf-8")

    return install


def test_a_file_that_is_not_the_locked_one_stops_the_set_up_in_one_sentence(locked):
    with pytest.raises(
        SystemExit,
        match=r"the file that came for locked==1 is not the one that was locked \(its SHA-256 is not in "
        r"requirements\.lock\), and was not installed: it was damaged on the way, or replaced",
    ):
        locked("0" * 64)


def test_a_file_with_the_locked_hash_is_installed(locked):
    assert "Would install locked-1" in locked(None)


def test_an_environment_of_ones_own_gets_the_lock_then_pytorch_then_the_course(bootstrap, monkeypatch):
    calls = []
    names = bootstrap.main.__globals__
    monkeypatch.setitem(
        names, "pip", lambda *arguments, python, held: calls.append((*arguments, python))
    )
    prefix = bootstrap.folder / "conda"
    monkeypatch.setattr(sys, "prefix", str(prefix))
    (bootstrap.folder / "tinyml_helpers" / "course" / "jupyter" / "kernel.json").touch()
    bootstrap.main(["--here"])
    python, folder = Path(sys.executable), str(bootstrap.folder)
    assert calls == [
        ("--require-hashes", "--no-deps", "-r", f"{folder}/requirements.lock", python),
        ("-r", f"{folder}/requirements-torch.lock", python),
        ("--no-deps", "--no-build-isolation", "--editable", folder, python),
    ]
    assert (prefix / "share" / "jupyter" / "kernel.json").exists()
    assert not bootstrap.VENV.exists()


FAST = "requirements.lock", "compile torch", "uv torch", "--editable"
WAYS = {
    "nothing": (FAST, "PyTorch: the build for processors, from its own index."),
    "*uv.lock": (
        ("requirements.lock by pip", "pip torch", "--editable"),
        "uv could not install the packages; pip can",
    ),
    "*uv?pip?install*": (
        ("requirements.lock", "requirements.lock by pip", "pip torch", "--editable"),
        "uv could not install the packages; pip can",
    ),
    "*uv?pip?compile*": (
        ("requirements.lock", "compile torch", "pip torch", "--editable"),
        "PyTorch: from the index that pip is set to",
    ),
}


@pytest.mark.parametrize("fails", WAYS)
def test_uv_installs_what_pip_would_and_pip_where_uv_cannot(bootstrap, monkeypatch, capfd, fails):
    if sys.platform == "win32":
        pytest.skip("stubs are programs with a first line")
    monkeypatch.setattr(sys, "platform", "linux")
    folder = bootstrap.folder
    lock = "a==1 \\\n    --hash=sha256:0\nuv==3 \\\n    --hash=sha256:1\nz==2 \\\n    --hash=sha256:2\n"
    (folder / "requirements.lock").write_text(lock)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\necho "$*" >> {folder}/calls\ncase "$*" in {fails}) exit 1;; esac\n')
    python.chmod(0o755)
    bootstrap.LOG.parent.mkdir()
    bootstrap.install(folder / "there", python)
    first, *calls = (folder / "calls").read_text().splitlines()
    pip, checked = " ".join(bootstrap.PIP), "--require-hashes --no-deps -r"
    assert first == f"{pip} {checked} {folder}/build/uv.lock"
    assert (folder / "build" / "uv.lock").read_text() == "uv==3 \\\n    --hash=sha256:1"
    uv, build = f"--python {python}", "--torch-backend=cpu --no-deps"
    torch = f"{folder}/requirements-torch.lock"
    whole = {
        "requirements.lock": f"-m uv pip install {uv} {checked} {folder}/requirements.lock",
        "requirements.lock by pip": f"{pip} {checked} {folder}/requirements.lock",
        "compile torch": f"-m uv pip compile {uv} --quiet {build} {torch}",
        "uv torch": f"-m uv pip install {uv} {build} -r {torch}",
        "pip torch": f"{pip} -r {torch}",
        "--editable": f"{pip} --no-deps --no-build-isolation --editable {folder}",
    }
    names, sentence = WAYS[fails]
    assert calls == [whole[name] for name in names]
    assert sentence in capfd.readouterr().err


@pytest.mark.parametrize("written", [True, False])
def test_all_is_compiled_beforehand_only_where_each_process_would_do_it_again(
    bootstrap, monkeypatch, written
):
    monkeypatch.setattr(sys, "dont_write_bytecode", not written)
    names = runpy.run_path(str(bootstrap.folder / "bootstrap.py"))
    assert names["PIP"][-1] == ("--no-compile" if written else "--compile")
    set_to = []
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda *_, env, **__: set_to.append(env["UV_COMPILE_BYTECODE"]) or SimpleNamespace(returncode=0),
    )
    bootstrap.LOG.parent.mkdir()
    assert names["uv"]("install", python=Path(sys.executable), held=())
    assert set_to == ["0" if written else "1"]


def test_an_unknown_option_is_told(bootstrap):
    with pytest.raises(
        SystemExit, match=r"--here --start and --lessons and nothing else, and was given --there"
    ):
        bootstrap.main(["--there"])


def test_make_help_lists_the_commands():
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    for command in ("course", "test", "lab", "lint", "outputs"):
        assert f"make {command} " in text


# ----- the small set


def test_the_small_set_is_the_locked_part_that_is_named_and_the_rest_follows(bootstrap, monkeypatch):
    folder = bootstrap.folder
    (folder / "requirements.lock").write_text(
        "# words\nA_b==1 ; sys_platform == 'linux' \\\n    --hash=sha256:0\n"
        "c==2 \\\n    --hash=sha256:1\n"
    )
    (folder / "requirements-start.txt").write_text("# words\na-b\n")
    installed = []

    def create(place, **_):
        bootstrap.PYTHON.parent.mkdir(parents=True, exist_ok=True)
        bootstrap.PYTHON.touch()

    names = bootstrap.main.__globals__
    monkeypatch.setattr(bootstrap.venv, "create", create)
    for name in ("has_pip", "get_uv", "uv"):
        monkeypatch.setitem(names, name, lambda *_, **__: False)
    # A lock ends with its process, and here one process sets up three times.
    (folder / "build").mkdir(exist_ok=True)
    monkeypatch.setitem(names, "take_lock", lambda: ())
    monkeypatch.setitem(names, "pip", lambda *given, **_: installed.append(given[-1]))
    bootstrap.main(["--start"])
    part = folder / "build" / "start.lock"
    assert installed[0] == str(part)
    assert part.read_text() == "A_b==1 ; sys_platform == 'linux' \\\n    --hash=sha256:0"
    assert bootstrap.is_ready(".ready.start") and not bootstrap.is_ready()
    bootstrap.main(["--start"])
    assert len(installed) == 3  # and no more the second time
    bootstrap.main([])
    assert installed[3] == str(folder / "requirements.lock")
    assert bootstrap.is_ready()
    bootstrap.main(["--start"])
    assert len(installed) == 6


def test_an_environment_of_ones_own_may_have_the_small_set_and_then_what_most_lessons_add(
    bootstrap, monkeypatch
):
    folder = bootstrap.folder
    lock = [f"{name}==1 \\\n    --hash=sha256:{name}" for name in "abc"]
    (folder / "requirements.lock").write_text("\n".join(lock) + "\n")
    (folder / "requirements-start.txt").write_text("a\n")
    (folder / "requirements-lessons.txt").write_text("b\n")
    (folder / "build").mkdir()
    installed, names = [], bootstrap.main.__globals__
    monkeypatch.setitem(names, "get_uv", lambda *_: False)
    monkeypatch.setitem(names, "take_lock", lambda: ())
    monkeypatch.setitem(names, "pip", lambda *given, **_: installed.append(given[-1]))
    monkeypatch.setattr(sys, "prefix", str(folder / "conda"))
    bootstrap.main(["--here", "--start"])
    torch = str(folder / "requirements-torch.lock")
    assert installed == [str(folder / "build" / "start.lock"), torch, str(folder)]
    assert (folder / "build" / "start.lock").read_text() == lock[0]
    assert (folder / "conda" / "etc" / "ipython" / "ipython_config.py").is_file()
    bootstrap.main(["--lessons"])
    assert installed[3:] == [str(folder / "build" / "lessons.lock")]
    assert (folder / "build" / "lessons.lock").read_text() == lock[1]
    bootstrap.main(["--here"])
    assert installed[4] == str(folder / "requirements.lock")
    assert not (folder / "conda" / "etc" / "ipython" / "ipython_config.py").exists()


# ----- set-up that was interrupted

STUB = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
# Stands for .venv's Python: `-m pip` installs the packages of a lock.
import pathlib, sys, time
root = pathlib.Path({root!r})
packages = root / ".venv" / "lib" / "python3" / "site-packages"
if "--version" in sys.argv:
    sys.exit(not packages.is_dir())
with (root / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[3:]) + "\\n")
if "-r" in sys.argv:
    for line in pathlib.Path(sys.argv[sys.argv.index("-r") + 1]).read_text().split():
        name, version = line.split("==")
        info = packages / f"{{name}}-{{version}}.dist-info"
        if (info / "METADATA").exists():
            print("Requirement already satisfied:", name, flush=True)
            continue
        print("Collecting", name, flush=True)
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").touch()
        while (root / "stop").exists() and (root / "stop").read_text() == name:
            (root / "stopped").touch()
            time.sleep(0.01)
        (packages / f"{{name}}.py").write_text("whole")
        (info / "INSTALLER").touch()
while "--editable" in sys.argv and (root / "stop").exists():
    (root / "stopped").touch()
    time.sleep(0.01)
"""
CREATE = """
import pathlib, runpy, shutil, signal, sys, time, types, venv
# Whoever runs the tests in the background of a script has SIGINT ignored, and so would we.
signal.signal(signal.SIGINT, signal.default_int_handler)
root = pathlib.Path({root!r})
# What these stubs need is there, however full the disk is.
shutil.disk_usage = lambda path: types.SimpleNamespace(free=10**12)
def create(folder, with_pip, clear):
    if clear:
        shutil.rmtree(folder, ignore_errors=True)
    if (folder / "lib").exists():
        return
    (folder / "bin").mkdir(parents=True)
    while (root / "stop").exists() and (root / "stop").read_text() == "venv":
        (root / "stopped").touch()
        time.sleep(0.01)
    python = folder / "bin" / "python"
    python.write_text((root / "stub").read_text())
    python.chmod(0o755)
    (folder / "lib" / "python3" / "site-packages").mkdir(parents=True)
venv.create = create
runpy.run_path(str(root / "bootstrap.py"), run_name="__main__")
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose Python and pip are stubs: a set-up of a second, and no network."""
    if sys.platform == "win32":
        pytest.skip("stubs are programs with a first line")
    (tmp_path / "requirements.lock").write_text("a==1\nb==2\n")
    (tmp_path / "requirements-torch.lock").write_text("c==3\n")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "build_backend.py").write_text("")
    (tmp_path / "tinyml_helpers" / "course" / "jupyter").mkdir(parents=True)
    (tmp_path / "bootstrap.py").write_text((ROOT / "bootstrap.py").read_text("utf-8"))
    (tmp_path / "stub").write_text(STUB.format(python=sys.executable, root=str(tmp_path)))
    (tmp_path / "start.py").write_text(CREATE.format(root=str(tmp_path)))
    return tmp_path


def start(checkout):
    return subprocess.Popen(
        [sys.executable, str(checkout / "start.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def is_whole(checkout):
    folder = checkout / ".venv" / "lib" / "python3" / "site-packages"
    packages = {path.read_text() for path in folder.glob("*.py")}
    infos = [(info / "INSTALLER").exists() for info in folder.glob("*.dist-info")]
    return packages == {"whole"} and infos == [True] * 3 and (checkout / ".venv" / ".ready").exists()


def wait_for(path):
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["venv", "a", "c", "last"])
def test_an_interrupted_set_up_goes_on_when_it_is_run_again(checkout, moment, how):
    (checkout / "stop").write_text(moment)
    first = start(checkout)
    wait_for(checkout / "stopped")
    os.killpg(first.pid, how)  # as Ctrl-C, a closed terminal and a flat battery do
    said = first.communicate()[0]
    assert not (checkout / ".venv" / ".ready").exists()
    if how == signal.SIGINT:
        assert "Set-up stopped: interrupted. Run it again: it goes on where it stopped." in said
    (checkout / "stop").unlink()
    second = start(checkout)
    assert "Traceback" not in second.communicate()[0]
    assert second.returncode == 0
    assert is_whole(checkout)
    # And the third does nothing.
    calls = (checkout / "calls").read_text()
    assert start(checkout).communicate()[0] == ""
    assert (checkout / "calls").read_text() == calls


def test_two_set_ups_at_the_same_time_take_turns(checkout):
    (checkout / "stop").write_text("b")
    first = start(checkout)
    wait_for(checkout / "stopped")
    second = start(checkout)
    assert "Another set-up is at work" in second.stdout.readline()
    (checkout / "stop").unlink()
    for one in (first, second):
        one.communicate()
        assert one.returncode == 0
    assert is_whole(checkout)
    assert (checkout / "calls").read_text().count("--editable") == 1


def test_a_pip_that_outlives_its_set_up_is_waited_for(checkout):
    (checkout / "stop").write_text("b")
    first = start(checkout)
    wait_for(checkout / "stopped")
    first.kill()  # alone: its pip goes on
    first.wait()
    second = start(checkout)
    assert "Another set-up is at work" in second.stdout.readline()
    (checkout / "stop").unlink()
    second.communicate()
    assert is_whole(checkout)


def test_half_packages_are_found(bootstrap):
    packages = bootstrap.VENV / "lib" / "python3" / "site-packages"
    for name, whole in (("a-1.dist-info", True), ("b-2.dist-info", False), ("~c", False)):
        (packages / name).mkdir(parents=True)
        if whole:
            (packages / name / "INSTALLER").touch()
    assert {path.name for path in bootstrap.half_packages()} == {"b-2.dist-info", "~c"}


def test_half_a_python_is_made_anew(bootstrap):
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.write_bytes(b"\x7fELF")
    bootstrap.PYTHON.chmod(0o755)
    assert not bootstrap.has_pip()


@pytest.mark.parametrize("stamp", [b"", b"\xff\xfe", b"half"])
def test_a_damaged_stamp_means_not_ready(bootstrap, stamp):
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.touch()
    (bootstrap.VENV / ".ready").write_bytes(stamp)
    assert not bootstrap.is_ready()


def test_a_missing_lock_names_the_cure(bootstrap):
    (bootstrap.folder / "requirements.lock").unlink()
    with pytest.raises(SystemExit, match=r"requirements\.lock cannot be read.*git checkout --"):
        bootstrap.fingerprint()


def test_a_disk_that_fills_up_during_the_installation_is_told(bootstrap):
    bootstrap.LOG.parent.mkdir()
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.write_text("#!/bin/sh\necho 'ERROR: [Errno 28] No space left on device'; exit 1\n")
    bootstrap.PYTHON.chmod(0o755)
    with pytest.raises(SystemExit, match=r"No space left on device\)\. Make room and run it again"):
        bootstrap.pip("-r", "requirements.lock")
