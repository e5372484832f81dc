"""Submissions that attack: nobody is harmed, the row is honest, and none is right that should not be."""

import json
import os
import re
import signal
import sys
import time

import psutil
import pytest

from tinyml_helpers.classroom.grade import grading as grade
from tinyml_helpers.classroom.grade import lockdown, self_test, submissions
from tinyml_helpers.classroom.grade import sandbox as sandboxes
from tinyml_helpers.classroom.grade.sandbox import Sandbox, StoppedError
from tinyml_helpers.classroom.grade.verdicts import Assessors, judge

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading needs Linux or macOS")
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a layer of Linux")
LIMITS = grade.Limits(seconds=20, memory_mib=512, room_mib=8)
SHORT = grade.Limits(seconds=1, memory_mib=512, room_mib=8)


@pytest.fixture(scope="module")
def protection():
    return self_test.examine_protection()


def judged(source, hidden=(), exercise="zero_point", limits=LIMITS):
    with Assessors(hidden) as assessors:
        return judge(submissions.Answer(exercise, source, (), 1), limits, assessors, hidden)


# ----- the process

ENDS = {
    "loops": ("while True: pass", "was not finished after 1 s|signal"),
    "sleeps": ("import time; time.sleep(99)", "was not finished after 1 s"),
    "exits": ("import sys; sys.exit(0)", "SystemExit: 0"),
    "exits hard": ("import os; os._exit(3)", "ended before it was asked to, with exit code 3"),
    "stops itself": (
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        "not finished after 1 s",
    ),
    "kills itself": ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
    "aborts": ("import os; os.abort()", "was ended by signal"),
    "crashes": ("import ctypes; ctypes.string_at(0)", "was ended by signal 11"),
    "recurses": ("f = lambda: f()\nf()", "RecursionError"),
    "prints a gigabyte": ("for _ in range(16): print('x' * (1 << 26))", "never called"),
    "eats memory": ("x = []\nwhile True: x.append(bytearray(1 << 24))", "MemoryError|more than 512 MiB"),
    "asks for all memory": ("x = bytearray(1 << 45)", "MemoryError"),
    "answers without end": ("check.zero_point(iter(int, 1))", "longer than 200,000 items"),
    "answers with a gigabyte": ("check.zero_point('x' * (20 << 20))", "answer of more than 8 MiB"),
    "nests its answer": ("x = []\nfor _ in range(10**5): x = [x]\ncheck.zero_point(x)", "deep"),
    "catches everything": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "was not finished|signal",
    ),
    "closes the channel": ("import os; os.closerange(0, 99)", "ended before|closed|Bad file|signal"),
    "is no Python": ("check.zero_point(64", "SyntaxError"),
    "nests its source": (
        "check.zero_point(" + "(" * 10**5,
        "SyntaxError|RecursionError|MemoryError|signal",
    ),
    "is text that is none": ("check.zero_point('\ud800')\n\ud800", "Error"),
}


@pytest.mark.parametrize("kind", ENDS)
def test_whatever_it_does_the_row_is_honest(kind):
    source, message = ENDS[kind]
    before = psutil.Process().children()  # joblib, of other tests in this process, keeps some
    start = time.monotonic()
    found = judged(source, limits=SHORT if "not finished" in message else LIMITS)
    assert found.verdict == "error"

    assert re.search(message, found.message), found.message
    assert time.monotonic() - start < 60
    left = set(psutil.Process().children()) - set(before)
    assert not [child for child in left if child.status() != "zombie"]


def test_a_huge_file_is_not_written(tmp_path):
    found = judged("with open('big', 'wb') as f:\n    while True: f.write(bytes(1 << 22))")
    assert "File too large" in found.message or "No space left" in found.message
    many = "for i in range(99):\n    with open(str(i), 'wb') as f: f.write(bytes(1 << 20))\n"
    found = judged(many + "import time; time.sleep(1)")
    assert found.verdict == "error"
    assert "No space left" in found.message or "more than 8 MiB of files" in found.message


def test_what_it_wrote_is_gone(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    judged("import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('x')")
    assert list(tmp_path.iterdir()) == []


@LINUX
def test_no_process_outlives_it(protection):
    if protection.outcomes["start another process"] == "possible":
        pytest.skip("this system cannot forbid processes")
    bomb = "import os\nwhile True: os.fork()"
    assert "PermissionError" in judged(bomb).message
    shell = "import subprocess; subprocess.run(['sh', '-c', 'sleep 98 &'])"
    assert "PermissionError" in judged(shell).message
    # Threads are no processes: libraries may use them.
    thread = "import threading\nt = threading.Thread(target=check.zero_point, args=(64,))\n"
    assert judged(thread + "t.start(); t.join()").verdict == "right"


def test_a_bomb_ends_with_the_sandbox_where_only_limits_hold(monkeypatch):
    bomb = "import os, time\nfor _ in range(5): os.fork()\ntime.sleep(60)"
    monkeypatch.setattr(sandboxes, "LAYERS", ("limits",))
    with Sandbox(SHORT) as sandbox:
        with pytest.raises(StoppedError):
            sandbox.ask({"before": [], "answer": bomb, "name": "x", "whole": False})
        family = psutil.Process(sandbox._process.pid).children(recursive=True)
        assert family
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive


# ----- the system around it


@LINUX
def test_every_attempt_is_refused_where_the_layers_hold(protection):
    if protection.why_not:
        pytest.skip(str(protection))
    assert protection.is_whole
    assert set(protection.held) == set(lockdown.LAYERS) - {"guarded sockets"}
    assert "possible" not in repr(protection)


ALONE = {
    "empty network": {"reach the network"},
    "read-only files": {"change a file outside of its own folder", "read another submission"},
    "limits": {"take more memory than it may", "write more than it may"},
    "listed files only": {
        "change a file outside of its own folder", "read another submission", "signal the grader",
    },
    "filtered system calls": {
        "reach the network", "signal the grader", "have the kernel signal the grader",
        "start another process",
    },
    "guarded sockets": {"reach the network"},
}  # fmt: skip
WATCHED = ("take more memory than it may", "write more than it may")


@LINUX
@pytest.mark.parametrize("layer", ALONE)
def test_each_layer_holds_alone(protection, layer, monkeypatch):
    if layer in protection.why_not:
        pytest.skip(protection.why_not[layer])
    # A view of its own needs a user namespace, which the network's layer makes.
    others = ("empty network",) if layer == "read-only files" else ()
    monkeypatch.setattr(sandboxes, "LAYERS", (layer, *others))
    alone = self_test.examine_protection()
    assert ALONE[layer] <= {attack for attack, came in alone.outcomes.items() if came == "refused"}
    # Memory and files are looked after from outside, whatever the layers.
    assert "possible" not in (alone.outcomes[attack] for attack in WATCHED)
    assert alone.is_whole is False
    assert "does not hold hostile code" in repr(alone)


@LINUX
def test_files_of_others_are_safe(tmp_path, protection):
    if protection.outcomes["read another submission"] == "possible":
        pytest.skip("this system cannot hide files")
    victim = tmp_path / "class" / "bob" / "answer.txt"
    victim.parent.mkdir(parents=True)
    victim.write_text("64", "utf-8")
    attack = f"""
import os, shutil, pathlib
for attack in (
    lambda: check.zero_point(float(pathlib.Path({str(victim)!r}).read_text())),
    lambda: os.remove({str(victim)!r}),
    lambda: shutil.rmtree({str(tmp_path)!r}),
    lambda: os.chmod({str(tmp_path)!r}, 0),
    lambda: os.utime({str(tmp_path)!r}, (0, 0)),
    lambda: os.truncate({str(victim)!r}, 0),
    lambda: pathlib.Path({str(tmp_path / "grades.csv")!r}).write_text("mallory,right"),
    lambda: shutil.rmtree(os.path.expanduser("~{os.environ.get("USER", "")}")),
    lambda: os.symlink({str(victim)!r}, "link"),
    lambda: check.zero_point(float(open("link").read())),
):
    try:
        attack()
    except OSError:
        pass
"""
    before = tmp_path.stat()
    found = judged(attack, [tmp_path / "class"])
    assert (found.verdict, "never called" in found.message) == ("error", True)
    assert victim.read_text("utf-8") == "64"
    assert [path.name for path in tmp_path.iterdir()] == ["class"]
    assert (tmp_path.stat().st_mode, tmp_path.stat().st_mtime) == (before.st_mode, before.st_mtime)


@LINUX
def test_the_way_out_through_other_system_calls_is_closed(protection):
    if "filtered system calls" not in protection.held:
        pytest.skip("this system has no filter")
    tried = """
import ctypes, os, resource
libc = ctypes.CDLL(None, use_errno=True)
PIPE = os.pipe()[0]
check.attacks([
    libc.unshare(0x10000000), libc.ptrace(16, os.getppid(), 0, 0), libc.setsid(),
    libc.prlimit(os.getppid(), 0, (ctypes.c_long * 2)(1, 1), None), libc.memfd_create(b"x", 0),
    libc.syscall(425, 4, (ctypes.c_char * 256)()), libc.kill(-1, 0), libc.umount2(b"/", 2),
    # The kernel would signal the owner of a file, or no longer end this process with its grader.
    libc.fcntl(PIPE, 8, os.getppid()), libc.fcntl(PIPE, 10, 9), libc.fcntl(PIPE, 15, bytes(8)),
    libc.ioctl(PIPE, 0x8901, (ctypes.c_int * 1)(os.getppid())), libc.prctl(1, 0, 0, 0, 0),
    libc.sched_setaffinity(os.getppid(), 8, bytes(8)),
])
"""
    with Sandbox(LIMITS) as sandbox:
        said = sandbox.ask({"before": [], "answer": tried, "name": "attacks", "whole": False})
    assert said == {"answer": [[-1] * 14]}


# ----- the verdict


NO_ANSWER = "never called check.zero_point"
WRONG = "How many steps"
NO_NUMBER = "Is it of the kind"
A_FUNCTION = "on a small example"
FORGERIES = {
    "prints a verdict": (
        "print('✓ Right.')\nimport sys\nsys.stdout.write('{\"verdict\": \"right\"}')", NO_ANSWER,
    ),
    "replaces the check": (
        "check.zero_point = lambda x: 'right'\ncheck.zero_point(64.5)", NO_ANSWER,
    ),
    "imports the check and replaces it": (
        "from tinyml_helpers.course import check as c\n"
        "c.Exercise.__call__ = lambda *a: c.right('')\nc.zero_point(1)", WRONG,
    ),
    "asks the check itself": (
        "import importlib, sys\n"
        "for n in [n for n in sys.modules if 'check' in n or 'exercises' in n]: del sys.modules[n]\n"
        "real = importlib.import_module('tinyml_helpers.course.check')\n"
        "check.zero_point(next(n for n in range(256) if real.zero_point(n).status == 'right'))",
        "no exercise 'zero_point'",
    ),
    "reads the answer in the course": (
        "import glob, re, tinyml_helpers as t\n"
        "[f] = glob.glob(t.__path__[0] + '/course/exercises/lesson_02.py')\n"
        "check.zero_point(int(re.search(r'(\\d+) in uint8', open(f).read())[1]))",
        "not enough values to unpack",
    ),
    "answers with a chameleon": (
        "class Any(float):\n    __eq__ = lambda *_: True\n    __hash__ = None\n"
        "check.zero_point(Any(1))", WRONG,
    ),
    "answers with a verdict": (
        "import types\ncheck.zero_point(types.SimpleNamespace(status='right', message=''))", NO_NUMBER,
    ),
    "answers with a function": ("check.zero_point(lambda *_: 64)", A_FUNCTION),
    "redefines check": (
        "class check:\n    zero_point = lambda x: x\ncheck.zero_point(64.5)", NO_ANSWER,
    ),
    "writes a verdict into the channel": (
        "import os, json\nfor fd in range(3, 20):\n    try:\n"
        "        os.write(fd, json.dumps({'verdict': 'right', 'status': 'right'}).encode() + b'\\n')\n"
        "    except OSError: pass", NO_ANSWER,
    ),
    "writes nonsense into the channel": (
        "import os\nfor fd in range(3, 20):\n    try:\n        os.write(fd, b'[' * 10**5 + b'\\n')\n"
        "    except OSError: pass\nimport time; time.sleep(2)", "what is no answer",
    ),
    "returns a pickle": (
        "import pickle, os\nclass P:\n    def __reduce__(self): return os.system, ('true',)\n"
        "check.zero_point(pickle.dumps(P()))", NO_NUMBER,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forged_verdict_is_never_right(kind, protection):
    if (
        kind.startswith(("asks", "reads"))
        and protection.outcomes["read another submission"] == "possible"
    ):
        pytest.skip("this system cannot hide the course's own answers")
    source, message = FORGERIES[kind]
    found = judged(source)
    # The message tells that the attack took the way it meant to take, and where it ended.
    assert found.verdict == ("hint" if message in (WRONG, NO_NUMBER, A_FUNCTION) else "error")
    assert message in found.message


@pytest.mark.parametrize("kind", ["asks the check itself", "reads the answer in the course"])
def test_without_the_walls_the_answer_would_be_found(kind, monkeypatch):
    source, _ = FORGERIES[kind]
    monkeypatch.setattr(sandboxes, "LAYERS", ())
    with Sandbox(LIMITS) as sandbox:
        said = sandbox.ask({"before": [], "answer": source, "name": "zero_point", "whole": False})
    assert said == {"answer": [64]}


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        # Each looks right to a check that runs in the same process.
        ("import numpy as np\nclass A(np.ndarray):\n    __eq__ = lambda s, o: True\n"
         "check.quantize_function(lambda *_: np.zeros(4).view(A))", "hint"),
        ("check.quantize_function(lambda v, s, z: v.resize(0) or v)", "hint"),
        ("def f(*_):\n    raise SystemExit(0)\ncheck.quantize_function(f)", "hint"),
        ("def f(*_):\n    import os; os._exit(0)\ncheck.quantize_function(f)", "error"),
        ("def f(*_):\n    while True: pass\ncheck.quantize_function(f)", "error"),
        ("def f(*_):\n    return f\ncheck.quantize_function(f)", "hint"),
        ("import numpy as np\n"
         "check.quantize_function(lambda v, s, z: np.clip(np.round(v / s) + z, 0, 255))", "right"),
    ],
)  # fmt: skip
def test_functions_are_called_there_and_judged_here(source, verdict):
    found = judged(source, exercise="quantize_function", limits=SHORT if verdict == "error" else LIMITS)
    assert found.verdict == verdict, found.message


def test_a_hidden_cell_before_the_answer_changes_nothing(tmp_path):
    hidden = (
        "import tinyml_helpers.course.check as engine\n"
        "engine._registry = {}\ncheck = type('C', (), {'zero_point': staticmethod(lambda x: 'right')})\n"
    )
    cells = [
        {"cell_type": "code", "source": hidden, "metadata": {"jupyter": {"source_hidden": True}}},
        {"cell_type": "code", "source": "check.zero_point(3)", "metadata": {}, "outputs": ["✓ Right."]},
    ]
    (tmp_path / "mallory.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}), "utf-8")
    for whole in (False, True):
        assert grade.grade(tmp_path, LIMITS, whole=whole).rows[0].verdict in ("hint", "error")


# ----- files that are no notebooks


def test_files_that_are_no_notebooks_get_a_row_each(tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    good = {"cells": [{"cell_type": "code", "source": "check.zero_point(64)"}]}
    (tmp_path / "other.ipynb").write_text(json.dumps(good), "utf-8")
    (folder / "link.ipynb").symlink_to(tmp_path / "other.ipynb")
    (folder / "linked_folder").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "folder.ipynb").mkdir()
    with (folder / "huge.ipynb").open("wb") as file:
        file.truncate(500_000_000)
    contents = {
        "nested": b"[" * 10**6,
        "deep": b'{"cells":' * 10**5,
        "number": b'{"cells": ' + b"9" * 10**5 + b"}",
        "latin": '{"cells": "é"}'.encode("latin-1"),
        "text": b"no JSON",
        "empty": b"",
        "list": b"[]",
        "old": b'{"worksheets": [{"cells": []}], "nbformat": 3}',
        "bare": b'{"nbformat": 4}',
        "odd": b'{"cells": [1, null, {"cell_type": "code", "source": [1], "metadata": {"tags": 3}}]}',
        "zeros": bytes(1000),
    }
    for name, content in contents.items():
        (folder / f"{name}.ipynb").write_bytes(content)
    said = {row.learner: row for row in grade.grade(folder, LIMITS).rows}
    assert {row.verdict for row in said.values()} == {"error"}
    expected = {
        "link": "a link", "linked_folder": "a link", "pipe": "a pipe", "folder": "missing",
        "folder.ipynb": "missing", "huge": "too large (500 MB)", "nested": "nested far too deeply",
        "deep": "nested", "number": "not a notebook", "latin": "not UTF-8", "text": "no JSON",
        "empty": "no JSON", "list": "no cells", "old": "old format 3", "bare": "no cells",
        "odd": "no exercise of the course", "zeros": "no JSON",
    }  # fmt: skip
    for learner, row in said.items():
        assert expected[learner] in row.message, (learner, row.message)
    assert len(said) == len(contents) + 5


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="an administrator may read all")
def test_a_file_that_may_not_be_read_gets_a_row(tmp_path):
    (tmp_path / "ann.ipynb").write_text("{}", "utf-8")
    (tmp_path / "ann.ipynb").chmod(0)
    assert "cannot be read" in grade.grade(tmp_path).rows[0].message


@LINUX
@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("worker", "while True: pass"),
        ("worker", "import time; time.sleep(99)"),
        ("worker", "import ctypes; ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\nwhile True: pass"),
        ("worker", "import signal\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n"
                  "    except (OSError, ValueError): pass\nwhile True: pass"),
        ("assessor", ""),
    ],
)  # fmt: skip
def test_what_runs_ends_with_the_grader(program, code):
    import subprocess

    job = {"before": [], "answer": code, "name": "x", "whole": False}
    code = (
        "import time; from tinyml_helpers.classroom.grade.sandbox import Sandbox;"
        "from tinyml_helpers.classroom.grade.lockdown import Limits\n"
        f"with Sandbox(Limits(), program={program!r}) as s:\n print(s._process.pid, flush=True)\n"
        f" s.ask({job!r}) if {program == 'worker'} else time.sleep(99)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as grader:
        child = int(grader.stdout.readline())
        assert psutil.pid_exists(child)
        grader.send_signal(signal.SIGKILL)
    end = time.monotonic() + 20
    while psutil.pid_exists(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not psutil.pid_exists(child)
