"""What several tests need: a copy of the data to damage, no network, and no more threads than one."""

import functools
import gc
import http.server
import os
import shutil
import sys
import threading
from pathlib import Path

import pytest
import torch

from tinyml_helpers import datasets

torch.set_num_threads(1)

GUARD = str(Path(__file__).parent / "guard")
sys.path.insert(0, GUARD)
import network_guard  # noqa: E402

network_guard.watch()
# Child processes are guarded too: Python imports the sitecustomize that it finds there.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [GUARD, os.environ.get("PYTHONPATH")]))


def pytest_configure(config):
    """Skips have to be listed, here, in tests/browser and in tests/whole."""
    config.pluginmanager.import_plugin("skips")


def pytest_collection_finish():
    """What is imported by now stays: nobody looks for garbage there, hundreds of times."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_network():
    """No test reaches beyond this machine, whatever is caught on the way."""
    before = len(network_guard.attempts)
    yield
    assert network_guard.attempts[before:] == []


@pytest.fixture
def copied_data(tmp_path, monkeypatch):
    """A copy of data/ that a test may damage; the package reads it instead of the real one."""
    copy = tmp_path / "data"
    shutil.copytree(datasets.data_folder(), copy, ignore=shutil.ignore_patterns("build"))
    monkeypatch.setenv("TINYML_DATA", str(copy))
    return copy


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty folder for records."""
    monkeypatch.setenv("TINYML_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


@pytest.fixture
def web():
    """A web server on loopback: `web(folder)` serves it, and returns its address."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    def serve(folder):
        handler = functools.partial(Quiet, directory=str(folder))
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
