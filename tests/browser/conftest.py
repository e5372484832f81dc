"""A real browser, a real JupyterLab, and pages that may not reach beyond this machine."""

import os
import shutil
import wave
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from lab import ROOT, running_lab

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
SHOTS = ROOT / "build" / "browser"
# Chromium refuses its sandbox to root, which is what a container runs as.
ROOT_ARGS = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
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
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=ROOT_ARGS)
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


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Task -> file of its page, made when it is first asked for."""
    from tinyml_helpers.live import shipped

    folder = tmp_path_factory.mktemp("live")

    def page(task):
        path = folder / f"{task}.html"
        if not path.exists():
            shipped.PAGES[task]("nano33ble").write(path)
        return path.as_uri()

    return page


@pytest.fixture
def hearing(browser, tmp_path):
    """A function: a page in a browser whose microphone plays int16 at 16 kHz again and again.

    Its camera shows a .y4m file, or Chromium's test picture.
    """
    kind, opened = browser.browser_type, []

    def play(sound, film=None):
        path = tmp_path / "microphone.wav"
        with wave.open(str(path), "wb") as file:  # 48 kHz, as Chromium plays it
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(48_000)
            file.writeframes(np.repeat(sound, 3).tobytes())
        fake = [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={path}",
            "--autoplay-policy=no-user-gesture-required",
        ]
        if film:
            fake.append(f"--use-file-for-fake-video-capture={film}")
        other = kind.launch(executable_path=find_browser(), args=[*ROOT_ARGS, *fake])
        opened.append(other)
        return other.new_context(permissions=["microphone", "camera"]).new_page()

    yield play
    for other in opened:
        other.close()
