"""Whatever a learner's code does, the notebook lives and gets a sentence."""

import ctypes
import os
import signal
import sys
import threading
import time
import warnings

import numpy as np
import psutil
import pytest
import unicorn  # noqa: F401, whose library is found before a test says that this is Windows

from tinyml_helpers.course import boxed, check

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a copy of a process")


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(boxed, "SECONDS", 0.5)


def loops(*_):
    while True:
        pass


def catches(*_):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def eats(*_):
    kept = []
    while True:
        kept.append(np.ones(1 << 24))


ENDS = {
    "loops": (loops, "was not finished after 0.5 s"),
    "catches all": (catches, "was not finished after 0.5 s"),
    "sleeps": (lambda *_: time.sleep(99), "was not finished after 0.5 s"),
    "crashes": (lambda *_: ctypes.string_at(0), "crashed: its process was ended by signal 11"),
    "aborts": (lambda *_: os.abort(), "crashed: its process was ended by signal 6"),
    "exits": (lambda *_: sys.exit(3), "ended its process"),
    "exits hard": (lambda *_: os._exit(0), "ended its process"),
    "asks for all memory": (lambda *_: bytearray(1 << 44), "more memory than there is"),
    "recurses": (lambda *_: ENDS["recurses"][0](), "RecursionError"),
}


@LINUX
@pytest.mark.parametrize("kind", ENDS)
def test_it_ends_in_a_hint(kind, brief):
    function, message = ENDS[kind]
    children = psutil.Process().children()
    found = check.quantize_function(function)
    assert found.status == "hint"
    assert message in found.message
    assert psutil.Process().children() == children


@LINUX
def test_memory_is_limited(monkeypatch):
    monkeypatch.setattr(boxed, "MEMORY_BYTES", 256 << 20)
    found = check.quantize_function(eats)
    assert found.status == "hint"
    assert "memory" in found.message


@LINUX
def test_what_it_changes_stays_in_its_copy(capfd):
    kept = []

    def spoils(values, scale, zero_point):
        kept.append(1)
        os.environ["SPOILT"] = "1"
        print("printed")
        os.write(1, b"written")
        return np.clip(np.round(values / scale) + zero_point, 0, 255)

    assert check.quantize_function(spoils).status == "right"
    assert kept == []
    assert "SPOILT" not in os.environ
    assert capfd.readouterr().out == ""


@LINUX
def test_what_it_starts_ends_with_it(brief):
    def starts(*_):
        if not os.fork():
            time.sleep(60)
            os._exit(0)
        loops()

    before = {one.pid for one in psutil.process_iter()}
    check.quantize_function(starts)
    time.sleep(0.3)
    mine = [one for one in psutil.process_iter(["ppid"]) if one.pid not in before]
    assert not [one for one in mine if one.info["ppid"] in (1, os.getpid()) and _is_copy(one)]


def _is_copy(process):
    try:
        return process.cmdline() == psutil.Process().cmdline() and process.status() != "zombie"
    except psutil.Error:
        return False


@LINUX
def test_torch_works_in_a_copy_of_a_process_that_has_used_it():
    import torch

    weight = torch.ones(300, 300, requires_grad=True)
    (weight @ weight).sum().backward()  # with all threads that there are

    def learns(values, scale, zero_point):
        inner = torch.ones(300, 300, requires_grad=True)
        (inner @ inner).sum().backward()
        assert inner.grad is not None
        return ((values / scale).round() + zero_point).clamp(0, 255)

    assert check.quantize_function(learns).status == "right"


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN])
def ctrl_c(request):
    """As it is in a terminal, and as a shell gives it to what it starts in the background."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_where_no_copy_can_be_made_time_is_held(monkeypatch, brief):
    monkeypatch.setattr(sys, "platform", "win32")
    threads = threading.active_count()
    assert "was not finished after 0.5 s" in check.quantize_function(loops).message
    good = check.quantize_function(lambda v, s, z: np.clip(np.round(v / s) + z, 0, 255))
    assert good.status == "right"
    time.sleep(0.6)
    assert threading.active_count() <= threads


def test_ctrl_c_is_for_whoever_pressed_it(monkeypatch):
    def presses(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(KeyboardInterrupt):
        boxed.run_apart(presses)


@LINUX
def test_a_kernel_lives_on_after_loops_crashes_and_hunger():
    import nbclient
    import nbformat

    cells = (
        "import ctypes, time, numpy as np\nfrom tinyml_helpers.course import boxed, check\n"
        "boxed.SECONDS = 1\nkept = 41",
        "def loops(*_):\n    while True: pass\ncheck.quantize_function(loops)",
        "boxed.SECONDS = 30\ncheck.quantize_function(lambda *_: ctypes.string_at(0))",
        "check.quantize_function(lambda *_: np.ones(1 << 40))",
        "check.quantize_function(lambda *_: print('printed') or kept)",
        "kept + 1",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    said = ["".join(out["data"]["text/plain"] for out in cell.outputs) for cell in notebook.cells[1:]]
    assert "was not finished after 1 s" in said[0]
    assert "crashed" in said[1]
    assert "more memory" in said[2]
    assert "has the shape ()" in said[3]
    assert said[4] == "42"


@LINUX
def test_libraries_that_warn_of_a_copy_are_not_heard():
    """JAX, which comes with the converters, does so before each."""
    heeded = [True]
    os.register_at_fork(before=lambda: heeded and warnings.warn("a copy", RuntimeWarning, stacklevel=2))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert boxed.run_apart(lambda: {"done": 1}) == {"done": 1}
    heeded.clear()  # what is registered stays
    assert not heard
