"""The layers of a sandbox say what the system answered, on whatever system this is."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinyml_helpers.classroom.grade import landlock, lockdown, namespaces, sandbox

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading needs Linux or macOS")


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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a layer of Linux")
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
