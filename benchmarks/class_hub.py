"""A real JupyterHub on loopback, configured as for a class, and learners who run cells in it.

For the test of the class's configuration and for `make hub`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tinyml_helpers.classroom.workshop import hub

ROOT = Path(__file__).parents[1]
CONFIG = Path(hub.__file__).parent / "files" / "jupyterhub_config.py"
SECONDS = 300
"""How long a hub, a server or a kernel may take to start."""
CELL_SECONDS = 900
"""How long a learner waits for the next word of a kernel that has work."""
TOKEN = uuid.uuid4().hex
# The same file as in a class; this adds a token, and loopback ports that are free.
OVERRIDES = """
load_subconfig({config!r})
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.JupyterHub.services = [{{"name": "test", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{
        "name": "test",
        "services": ["test"],
        "scopes": ["admin:users", "admin:servers", "access:servers"],
    }}
]
"""
_GONE = ("restarting", "autorestarting", "dead")


class KernelDiedError(RuntimeError):
    """A learner's kernel ended while it had work."""


class CellError(RuntimeError):
    """A cell raised an error; the message is its traceback."""


@dataclass(frozen=True)
class Hub:
    """A hub that runs: `process`, the `address` that learners open, the folder with their `homes`."""

    process: psutil.Process
    address: str
    homes: Path


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Hub]:
    """Start a hub that keeps all its files in a folder; end it with all servers and kernels."""
    public, private, api = free_ports(3)
    config = folder / "config.py"
    config.write_text(OVERRIDES.format(config=str(CONFIG), hub=private, api=api, token=TOKEN))
    address = f"http://127.0.0.1:{public}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "TINYML_CLASS_PASSWORD": "a word of eight",
        "TINYML_CLASS_FOLDER": str(folder / "class"),
        "TINYML_CLASS_ADDRESS": address,
        "TINYML_CLASS_ROOT": "1",
        "PYTHONPATH": str(ROOT),
        "CONFIGPROXY_AUTH_TOKEN": uuid.uuid4().hex,
    }
    command = [sys.executable, "-m", "jupyterhub", "-f", config]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            wait_for(lambda: _is_up(process, address, folder / "log"), "hub")
            yield Hub(psutil.Process(process.pid), address, folder / "class" / "homes")
        finally:
            _put_down(process)


def open_server(address: str, name: str) -> str:
    """Have the hub start a learner's server; return its address when it answers."""
    user = f"{address}/hub/api/users/{name}"
    call(user, "POST")
    wait_for(lambda: _asked_for(user), f"place for the server of {name}")
    wait_for(lambda: call(user)[1]["servers"][""]["ready"] or None, f"server for {name}")
    return f"{address}/user/{name}"


def run(server: str, cells: Iterable[str], told: Callable[[], object] = lambda: None) -> list[str]:
    """Run cells in a new kernel of a learner's server; return the texts that they showed.

    Args:
        server: its address.
        cells: their code.
        told: called after each cell.

    Raises:
        KernelDiedError: the kernel ended.
        CellError: a cell raised an error.
    """
    notebook = {"name": "python3", "path": "lessons/00.ipynb"}
    kernel = call(f"{server}/api/kernels", "POST", notebook)[1]["id"]
    channels = f"{server.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels"
    link = wait_for(lambda: _connect(channels), "connection of the kernel")
    shown = []
    try:
        for code in cells:
            shown.append(_ask(link, code))
            told()
        return shown
    finally:
        link.close()
        # One that is just restarting cannot be ended yet.
        wait_for(lambda: call(f"{server}/api/kernels/{kernel}", "DELETE"), "end of the kernel", 20)


def call(url: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
    """Ask the hub or a learner's server; return the status and the JSON of the answer."""
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    # No proxy of the environment stands between this and loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=SECONDS) as answer:
        text = answer.read()
        return answer.status, json.loads(text) if text else None


def wait_for(check: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Return the first answer of `check` that is not None; it may fail until then."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError, KeyError):
            if (found := check()) is not None:
                return found
        time.sleep(0.2)
    raise TimeoutError(f"no {what} within {seconds} s")


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _connect(channels: str) -> Any:
    """Open a kernel's connection; None where a busy hub could not say in time who asks.

    JupyterLab tries again then, too.
    """
    import websocket

    with contextlib.suppress(websocket.WebSocketException):
        return websocket.create_connection(
            channels,
            header=[f"Authorization: token {TOKEN}"],
            timeout=CELL_SECONDS,
            http_no_proxy=["127.0.0.1"],
        )


def _asked_for(user: str) -> bool | None:
    """Ask for a server; None where the hub is too busy just now, as a person would try again."""
    try:
        call(f"{user}/server", "POST", {})
    except urllib.error.HTTPError:
        time.sleep(1)
        return True if call(user)[1]["servers"] else None
    return True


def _is_up(process: subprocess.Popen[bytes], address: str, log: Path) -> Any:
    if process.poll() is not None:
        raise RuntimeError(f"the hub ended:\n{log.read_text()[-3000:]}")
    return call(f"{address}/hub/api/")[1]["version"]


def _put_down(process: subprocess.Popen[bytes]) -> None:
    """End the hub, its proxy and every learner's server and kernel, whatever state they are in."""
    tree = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
    for one in [*tree, *([psutil.Process(process.pid)] if process.poll() is None else [])]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(tree, 10)


def _ask(link: Any, code: str) -> str:
    identity = uuid.uuid4().hex
    header = {"msg_id": identity, "msg_type": "execute_request", "username": "", "session": "class",
              "version": "5.4", "date": ""}  # fmt: skip
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    request = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    link.send(json.dumps({**request, "channel": "shell"}))
    return answer_of(identity, map(_read, iter(link.recv, None)))


def _read(message: str | bytes) -> dict[str, Any]:
    from jupyter_server.services.kernels.connection.base import deserialize_binary_message

    return json.loads(message) if isinstance(message, str) else deserialize_binary_message(message)


def answer_of(identity: str, messages: Iterable[dict[str, Any]]) -> str:
    """Return what a request showed, out of the messages of a kernel's server.

    Raises:
        KernelDiedError: the server says that the kernel is gone.
        CellError: the cell raised an error.
    """
    shown = []
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        # The server's own word on the kernel answers no request.
        if kind == "status" and content["execution_state"] in _GONE:
            raise KernelDiedError(f"the kernel is {content['execution_state']}")
        if message["parent_header"].get("msg_id") != identity:
            continue
        if kind == "error":
            raise CellError("\n".join(content["traceback"]))
        if kind == "stream" and content["name"] == "stdout":
            shown.append(content["text"])
        if kind == "execute_result":
            shown.append(content["data"]["text/plain"])
        if kind == "status" and content["execution_state"] == "idle":
            break
    return "".join(shown)
