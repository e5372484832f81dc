"""The layers of a sandbox say what the system answered, on whatever system this is."""

import errno
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tinyml_helpers.classroom.grade import landlock, lockdown, namespaces, sandbox

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading needs Linux or macOS")
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a layer of Linux")


class Refusing:
    """A C library whose system calls fail."""

    @staticmethod
    def syscall(*_):
        return -1

    prctl = mount = syscall


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EINVAL])
@pytest.mark.parametrize("layer", [landlock, namespaces])
def test_a_call_that_fails_is_told_with_the_reason_of_the_system(layer, number, monkeypatch):
    monkeypatch.setattr(layer.ctypes, "CDLL", lambda *_args, **_named: Refusing)
    monkeypatch.setattr(layer.ctypes, "get_errno", lambda: number)
    call = (lambda: landlock._call(1)) if layer is landlock else (lambda: namespaces._must("prctl", 1))
    with pytest.raises(OSError, match=os.strerror(number)) as told:
        call()
    assert told.value.errno == number


def test_rights_are_given_up_on_linux_alone(monkeypatch):
    monkeypatch.setattr(namespaces.sys, "platform", "darwin")
    with pytest.raises(OSError, match="capabilities are a part of Linux"):
        namespaces.drop_rights()


def test_what_may_be_read_is_what_python_and_the_lessons_need(tmp_path, monkeypatch):
    package = lockdown.PACKAGE
    monkeypatch.delenv("TINYML_DATA", raising=False)
    monkeypatch.setattr(
        lockdown.sys,
        "path",
        [str(tmp_path), str(package.parent), str(package.parents[1]), "relative", ""],
    )
    closed = (package / "course" / "exercises",)
    found = set(lockdown._readable(closed))
    assert {package.parent / "data", tmp_path, package / "mcu", package / "course" / "check.py"} <= found
    assert {Path(lockdown.sys.prefix), Path(lockdown.sys.base_prefix), Path("/usr")} <= found
    assert Path(f"/proc/{os.getpid()}") in found
    # No folder above the answers, and no relative one.
    answers = {package.parent / "notebooks", package.parent / "tests", *closed}
    assert not any(answer == path or path in answer.parents for path in found for answer in answers)
    assert all(path.is_absolute() for path in found)


def test_the_data_may_lie_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYML_DATA", str(tmp_path))
    found = set(lockdown._readable(()))
    assert tmp_path in found
    assert lockdown.PACKAGE.parent / "data" not in found


def test_a_folder_above_what_is_needed_stays_open(tmp_path):
    scratch, other = tmp_path / "scratch", tmp_path / "other"
    folders = [
        tmp_path,
        scratch,
        other,
        lockdown.PACKAGE,
        lockdown.PACKAGE.parent,
        Path(lockdown.sys.prefix),
        Path("/"),
    ]
    assert lockdown._without_needed(folders, scratch) == [other]


def test_a_locked_process_knows_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET", "x")
    monkeypatch.setenv("TINYML_DATA", "/data")
    found = lockdown.environment(tmp_path, tmp_path)
    assert "A_SECRET" not in found
    assert found["TINYML_DATA"] == "/data"
    assert {found[name] for name in ("HOME", "TMPDIR", "TINYML_CACHE")} == {str(tmp_path)}
    assert {found[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")} == {"1"}


def test_rights_are_gone_for_good():
    code = (
        "from tinyml_helpers.classroom.grade import namespaces\n"
        "namespaces.drop_rights()\nprint(open('/proc/self/status').read())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if not sys.platform.startswith("linux"):
        assert "capabilities are a part of Linux" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    found = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    assert found["NoNewPrivs"].strip() == "1"
    for name in ("CapEff", "CapPrm", "CapInh"):
        assert int(found[name], 16) == 0


def test_the_limits_of_a_process_are_those_that_were_given():
    code = (
        "import resource\nfrom tinyml_helpers.classroom.grade import lockdown\n"
        "lockdown._limit(lockdown.Limits(seconds=7, memory_mib=1500, room_mib=3))\n"
        "print(*(resource.getrlimit(getattr(resource, n))[0] for n in ('RLIMIT_FSIZE', 'RLIMIT_CPU')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    file_bytes, seconds = map(int, done.stdout.split())
    assert file_bytes == 3 * 1024 * 1024
    assert 7 <= seconds <= 9


@LINUX
@pytest.mark.parametrize("holds", ["empty network", "filtered system calls"])
def test_sockets_are_guarded_only_where_nothing_else_cuts_the_network(holds, monkeypatch):
    limits = lockdown.Limits(seconds=20, memory_mib=512, room_mib=8)
    monkeypatch.setattr(sandbox, "LAYERS", (holds, "guarded sockets"))
    with sandbox.Sandbox(limits) as one:
        assert one.locked["held"] in ([holds], ["guarded sockets"])  # the other where it is refused
        assert ("guarded sockets" in one.locked["held"]) == (holds in one.locked["why_not"])
    monkeypatch.setattr(sandbox, "LAYERS", ("guarded sockets",))
    with sandbox.Sandbox(limits) as one:
        assert one.locked["held"] == ["guarded sockets"]


REFUSALS = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOSPC)
"""What a system answers that has a layer switched off; anything else is a fault of ours."""
TRIES = """
import errno, json, os, sys
from pathlib import Path
from tinyml_helpers.classroom.grade import landlock, namespaces
place, done = Path(sys.argv[1]), {}

def attempt(name, action):
    try:
        action()
        done[name] = "done"
    except OSError as error:
        done[name] = errno.errorcode[error.errno]

def lock(action):
    try:
        action()
    except OSError as error:
        print(json.dumps({"refused": error.errno, "why": str(error)}))
        sys.exit()

"""


def tried(place, code):
    """What a process answers that locks itself in and then tries this and that."""
    arguments = [sys.executable, "-c", f"{TRIES}{code}\nprint(json.dumps(done))", str(place)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    if "refused" in told:
        assert told["refused"] in REFUSALS, told["why"]
        pytest.skip(f"this system refuses the layer: {told['why']}")
    return told


@pytest.fixture
def place(tmp_path):
    for name in ("readable", "listable", "writable", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("text", "utf-8")
    return tmp_path


@LINUX
def test_listed_files_can_be_read_and_not_changed(place):
    """With no other layer under it: a package that is read must not become one that is rewritten."""
    found = tried(
        place,
        """
lock(lambda: landlock.restrict_files([place / "readable"], [place / "listable"], [place / "writable"]))
for folder in ("readable", "listable", "writable", "other"):
    file = place / folder / "file"
    attempt(f"list {folder}", lambda: os.listdir(place / folder))
    attempt(f"read {folder}", file.read_text)
    attempt(f"write {folder}", lambda: file.write_text("new"))
    attempt(f"add to {folder}", (place / folder / "new").touch)
    attempt(f"make in {folder}", (place / folder / "folder").mkdir)
    attempt(f"remove from {folder}", file.unlink)
""",
    )
    allowed = {"list readable", "read readable", "list listable"}
    allowed |= {f"{verb} writable" for verb in ("list", "read", "write", "add to", "make in")}
    allowed |= {"remove from writable"}
    assert {name for name, came in found.items() if came == "done"} == allowed
    assert {came for came in found.values() if came != "done"} == {"EACCES"}
    assert (place / "readable" / "file").read_text("utf-8") == "text"


@LINUX
def test_a_view_of_its_own_is_read_only_but_for_one_folder(place):
    """With no other layer under it, in every file system that is mounted."""
    found = tried(
        place,
        """
lock(namespaces.cut_network)
lock(lambda: namespaces.protect_files(place / "writable", [place / "other"], 1 << 20))
attempt("stand in its folder", lambda: Path("small").write_text("x"))
attempt("fill it", lambda: Path("large").write_text("x" * (2 << 20)))
attempt("read", (place / "readable" / "file").read_text)
attempt("write", lambda: (place / "readable" / "file").write_text("new"))
attempt("add", (place / "readable" / "new").touch)
attempt("remove", (place / "readable" / "file").unlink)
attempt("see what is hidden", (place / "other" / "file").read_text)
attempt("use what is hidden", (place / "other" / "new").touch)
attempt("use another file system", Path("/dev/shm/tinyml-test").touch)
""",
    )
    assert found == {
        "stand in its folder": "done", "fill it": "ENOSPC", "read": "done", "write": "EROFS",
        "add": "EROFS", "remove": "EROFS", "see what is hidden": "ENOENT",
        "use what is hidden": "EROFS", "use another file system": "EROFS",
    }  # fmt: skip
    assert (place / "writable" / "file").exists()  # nothing is seen of it outside
    assert not (place / "writable" / "small").exists()


SMALL = lockdown.Limits(seconds=20, memory_mib=512, room_mib=8)


def asked(one, answer):
    said = one.ask({"before": [], "answer": answer, "name": "attacks", "whole": False})
    assert "answer" in said, said
    return said["answer"][0]


@LINUX
def test_threads_of_other_programs_do_not_count(monkeypatch):
    """On Linux the system counts all threads of a user: on a busy server an answer would get none."""
    import resource

    monkeypatch.setattr(sandbox, "LAYERS", ("limits",))
    with sandbox.Sandbox(SMALL) as one:
        inside = asked(
            one, "import resource\ncheck.attacks(list(resource.getrlimit(resource.RLIMIT_NPROC)))"
        )
    assert tuple(inside) == resource.getrlimit(resource.RLIMIT_NPROC)


def test_where_nothing_forbids_processes_a_few_more_are_allowed(monkeypatch):
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    monkeypatch.setattr("psutil.pids", lambda: [1, 2, 3])
    assert sandbox._with_processes(SMALL).processes == 3 + 16


ORPHAN = """
import os, time
if not os.fork():
    if os.fork():
        os._exit(0)
    with open("made", "w") as file:
        file.write(str(os.getpid()))
    os.rename("made", "number")
    time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists("number"):
    time.sleep(0.01)
check.attacks(int(open("number").read()))
"""


def test_a_process_without_parents_ends_with_the_sandbox(monkeypatch):
    """The child of a child that has ended is nobody's child any more: no list of children names it."""
    import psutil

    monkeypatch.setattr(sandbox, "LAYERS", ("limits",))
    with sandbox.Sandbox(SMALL) as one:
        orphan = psutil.Process(asked(one, ORPHAN))
        assert orphan not in psutil.Process(one._process.pid).children(recursive=True)
    try:
        gone, _ = psutil.wait_procs([orphan], timeout=20)
        # Where the first process of a container collects nobody, it stays in the list, dead.
        assert gone or orphan.status() == psutil.STATUS_ZOMBIE
    finally:
        with suppress(psutil.Error):
            orphan.kill()
