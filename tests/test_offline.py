"""Nothing leaves this machine unasked: who may open a socket, and a guard that stops all others.

Every other test runs under the guard (conftest.py), child processes and the kernels of the notebooks
too. `make whole` runs the lessons where there is no network at all.
"""

import ast
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import network_guard
import pytest
from network_guard import NetworkUsedError

ROOT = Path(__file__).parents[1]
# Modules that can open sockets, and who uses them for what.
ABLE = {
    "socket", "socketserver", "ssl", "asyncio", "http", "urllib.request", "urllib.error", "ftplib",
    "smtplib", "poplib", "imaplib", "nntplib", "telnetlib", "xmlrpc", "requests", "urllib3", "httpx",
    "aiohttp", "websocket", "websockets", "pooch", "huggingface_hub", "kagglehub", "paramiko", "zmq",
}  # fmt: skip
DOWNLOADERS = {"tinyml_helpers/system/download.py"}  # verified, and only at the learner's wish
LOOPBACK = {  # a server and a client on this machine, and the guards themselves
    "tinyml_helpers/usecases/privacy/cloud.py",
    "tinyml_helpers/usecases/privacy/isolation.py",
    "benchmarks/class_hub.py",
    "benchmarks/web.py",
    "tinyml_helpers/live/recorder.py",
    "tinyml_helpers/system/socket_guard.py",
}
# Calls that fetch something by themselves where they are asked to.
FETCHING = {"from_pretrained", "urlretrieve", "load_state_dict_from_url", "get_file", "hf_hub_download"}


def sources():
    for folder in ("tinyml_helpers", "data/build", "benchmarks"):
        yield from sorted((ROOT / folder).rglob("*.py"))
    yield ROOT / "bootstrap.py"


def lesson_sources():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        plain = "\n".join(line for line in "\n".join(code).splitlines() if line.lstrip()[:1] not in "%!")
        yield path, plain


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def can_reach_out(tree):
    names = {part for name in imported(tree) for part in (name, name.split(".")[0])}
    return names & ABLE


def test_only_downloaders_and_loopback_import_what_opens_sockets():
    able = {
        path.relative_to(ROOT).as_posix()
        for path in sources()
        if can_reach_out(ast.parse(path.read_text("utf-8")))
    }
    assert able == DOWNLOADERS | LOOPBACK


def test_no_lesson_imports_what_opens_sockets():
    for path, code in lesson_sources():
        assert not can_reach_out(ast.parse(code)), path.name


def test_nothing_calls_what_fetches_by_itself():
    texts = [(path, path.read_text("utf-8")) for path in sources()] + list(lesson_sources())
    for path, text in texts:
        for node in ast.walk(ast.parse(text)):
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "attr", getattr(called, "id", ""))
            assert name not in FETCHING, f"{path.name}:{node.lineno}"


# ----- the guard itself


@pytest.fixture
def caught():
    """Attempts of a test that is about them; taken off the list in the end."""
    before = len(network_guard.attempts)
    yield lambda: network_guard.attempts[before:]
    del network_guard.attempts[before:]


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection(("198.51.100.7", 80), 1),
        lambda: socket.getaddrinfo("example.invalid", 80),
        lambda: socket.gethostbyname("example.invalid"),
        lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("198.51.100.7", 9)),
        lambda: socket.create_server(("0.0.0.0", 0)),
        lambda: __import__("urllib.request").request.urlopen("http://example.invalid/", timeout=1),
    ],
)
def test_whatever_reaches_out_is_stopped_and_named(caught, reach):
    with pytest.raises(NetworkUsedError, match="reach beyond this machine"):
        reach()
    assert len(caught()) == 1


def test_it_is_not_hidden_by_code_that_falls_back(caught):
    def careless():
        try:
            socket.create_connection(("198.51.100.7", 80), 1)
        except Exception:
            return "went on"

    with pytest.raises(NetworkUsedError):
        careless()

    def in_a_thread():
        with pytest.raises(NetworkUsedError):
            careless()

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    assert len(caught()) == 2


def test_this_machine_is_reached_all_the_same(caught):
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        socket.getaddrinfo("localhost", 80)
    assert caught() == []


def test_child_processes_are_guarded(tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("TINYML_NETWORK_LOG", str(log))
    code = "import socket; socket.getaddrinfo('example.invalid', 80)"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    run = subprocess.run([sys.executable, "-c", nested], capture_output=True, text=True)
    assert "NetworkUsedError: socket.getaddrinfo example.invalid" in run.stderr
    assert "socket.getaddrinfo example.invalid in" in log.read_text("utf-8")


def test_kernels_are_guarded(tmp_path):
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    code = "import urllib.request\nurllib.request.urlopen('http://example.invalid/', timeout=1)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    with pytest.raises(CellExecutionError, match="NetworkUsedError"):
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute()


def test_make_guards_the_notebooks():
    assert "tests/guard" in (ROOT / "Makefile").read_text("utf-8")
