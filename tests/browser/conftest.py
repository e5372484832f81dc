"""A real browser, a real JupyterLab, and pages that may not reach beyond this machine."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lab import ROOT, running_lab

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
SHOTS = ROOT / "build" / "browser"
NEAR = {"", "localhost", "127.0.0.1", "::1"}


@dataclass
class Watch:
    """What a page did that it should not: requests that leave the machine, errors of its scripts."""

    away: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def on_request(self, request):
        # data: and blob: have no host.
        if urlsplit(request.url).hostname not in NEAR | {None}:
            self.away.append(request.url)

    def on_console(self, message):
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def on_failure(self, error):
        self.errors.append(str(error))


def find_browser():
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def browser():
    """Chromium, the machine's own; nothing is downloaded."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = find_browser()
    if path is None:
        pytest.skip(
            "no Chromium or Chrome on this machine: install one (on Debian: apt install chromium)"
        )
    # Chromium refuses its sandbox to root, which is what a container runs as.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=["--no-sandbox"] if root else [])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    """JupyterLab in an empty home, on a copy of the notebooks."""
    with running_lab(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def page(browser, watch):
    """A page in a profile of its own that must not leave this machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.on("request", watch.on_request)
    page = context.new_page()
    page.on("console", watch.on_console)
    page.on("pageerror", watch.on_failure)
    yield page
    context.close()
    assert not watch.away


@pytest.fixture
def shot():
    """Keep a picture of a page or of one element under build/browser/."""

    def keep(what, name):
        path = SHOTS / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        what.screenshot(path=path)
        return Path(path)

    return keep
