"""A JupyterLab of its own: on loopback, with its own home, notebooks and settings."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tinyml_helpers.system.folders import cache_folder

ROOT = Path(__file__).parents[2]
SETTINGS = {
    # Every cell stays in the page, so that a test sees all of them.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@dataclass(frozen=True)
class Lab:
    """A running server: its address, its token and the folder that it shows."""

    address: str
    token: str
    folder: Path

    def url(self, path=""):
        return f"{self.address}/lab{path}?token={self.token}&reset"


def write_settings(home):
    for plugin, settings in SETTINGS.items():
        path = home / "config" / "lab" / "user-settings" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))


def environment(home, token):
    """What a new user has: nothing. The compiler's cache alone is kept from run to run."""
    places = {name: str(home / name.lower()) for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")},
        **places,
        "JUPYTER_PATH": str(ROOT / "tinyml_helpers" / "course" / "jupyter"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_TOKEN": token,
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(ROOT / "build" / "browser" / "cache" / "matplotlib"),
        "TINYML_RESULTS": str(home / "results"),
        "TINYML_CACHE": str(cache_folder()),
        "TINYML_DATA": str(ROOT / "data"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
    }


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def running_lab(home):
    """Start JupyterLab on a copy of the notebooks; stop it and its kernels at the end."""
    folder, token, port = home / "course" / "notebooks", secrets.token_hex(16), free_port()
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns(".*"))
    write_settings(home)
    arguments = [
        f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0", "--ServerApp.open_browser=False", "--ServerApp.allow_root=True",
    ]  # fmt: skip
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *arguments],
            env=environment(home, token), cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            lab = Lab(f"http://127.0.0.1:{port}", token, folder)
            wait_for(lab, server, home / "server.log")
            yield lab
        finally:
            server.terminate()
            server.wait(30)


def wait_for(lab, server, log, patience_s=300):
    end = time.monotonic() + patience_s
    request = urllib.request.Request(
        f"{lab.address}/api/status", headers={"Authorization": f"token {lab.token}"}
    )
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()[-2000:]
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5):
            return
        time.sleep(0.3)
    raise AssertionError(f"JupyterLab did not answer within {patience_s} s: {log.read_text()[-2000:]}")
