"""What every live page promises: it asks nobody for anything, and a keyboard or a frame is enough."""

import http.server
import re
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from test_live import opened, refused, trouble

from tinyml_helpers.live import shipped
from tinyml_helpers.live.page import Page

TASKS = sorted(shipped.PAGES)
NOTEBOOK = "http://127.0.0.1:9/notebook"
# As VS Code keeps the outputs of a notebook (github.com/microsoft/vscode/issues/119127: no microphone).
EDITOR = {
    "Content-Type": "text/html",
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src https: http: data:; font-src https:; connect-src https:; "
    "child-src https: data:",
    "Permissions-Policy": "microphone=(), camera=()",
}


@pytest.fixture
def asked(hearing):
    """A page with microphone and camera, and the addresses that it asked for."""
    page, addresses = hearing(np.zeros(48_000, np.int16)), []
    page.context.on("request", lambda request: addresses.append(request.url))
    page.context.on("page", lambda other: other.on("websocket", lambda one: addresses.append(one.url)))
    return page, addresses


@pytest.mark.parametrize("task", TASKS)
def test_a_page_that_is_used_sends_no_request(task, pages, asked):
    page, addresses = asked
    opened(page, pages(task))
    for button in page.locator("#task button").all():
        button.click()
        page.wait_for_timeout(300)
        if button.inner_text().startswith(("Stop", "Pause")):
            button.click()
    for slider in page.get_by_role("slider").all():
        slider.press("End")
    page.wait_for_timeout(500)
    assert [one for one in addresses if not one.startswith("data:")] == [pages(task)]


@pytest.fixture
def server():
    """An address on this machine, and the paths that were asked for there."""
    arrived = []

    class Counting(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            arrived.append(self.path)
            self.send_response(204)
            self.end_headers()

        def do_POST(self):
            self.do_GET()

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting) as running:
        threading.Thread(target=running.serve_forever, args=(0.1,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", arrived
        running.shutdown()


def test_a_request_would_be_counted_and_is_refused_to_a_page(pages, asked, server, tmp_path):
    """The counter counts: the same attempts by a page without our policy, and by one of ours."""
    (page, addresses), (other, arrived) = asked, server
    tried = """async (address) => {
        new Image().src = `${address}/image`;
        navigator.sendBeacon(`${address}/beacon`, "x");
        await fetch(`${address}/fetch`, { mode: "no-cors" }).catch(() => null);
        await new Promise((done) => { setTimeout(done, 500); });
    }"""
    plain = tmp_path / "plain.html"
    plain.write_text("<p>no policy</p>", "utf-8")
    page.goto(plain.as_uri())
    page.evaluate(tried, other)
    assert set(arrived) == {"/image", "/beacon", "/fetch"}
    assert f"{other}/image" in addresses
    arrived.clear()
    opened(page, pages("drawing"))
    page.evaluate(tried, other)
    assert arrived == []


@pytest.mark.parametrize("task", TASKS)
def test_the_tab_key_reaches_all_that_can_be_used_and_shows_where_it_is(task, pages, page):
    opened(page, pages(task))
    wanted = page.evaluate(
        """() => {
            const all = [...document.querySelectorAll("#task button, #task input, #task [tabindex]")];
            all.forEach((one, i) => { one.dataset.number = i; });
            return all.length;
        }"""
    )
    reached = set()
    for _ in range(wanted + 2):
        page.keyboard.press("Tab")
        number, outline = page.evaluate(
            "[(it) => it.dataset.number, (it) => getComputedStyle(it).outlineWidth]"
            ".map((ask) => ask(document.activeElement))"
        )
        if number is not None:
            reached.add(int(number))
            assert float(outline.removesuffix("px")) >= 2
    assert reached == set(range(wanted))


@pytest.mark.parametrize("task", TASKS)
def test_every_button_is_pressed_by_a_key(task, pages, page):
    opened(page, pages(task))
    page.evaluate("{ window.clicks = 0; addEventListener('click', () => { clicks += 1; }, true); }")
    buttons = page.locator("#task button").all()
    assert len(buttons) >= 2
    for number, button in enumerate(buttons, 1):
        button.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("clicks") >= number


def framed(page, address, headers):
    """A page in the output of a notebook that such headers govern."""
    text = Path(unquote(urlsplit(address).path)).read_text("utf-8")
    body = f"<!doctype html><h1>A notebook</h1>{Page('A page', text, 900, '')._repr_html_()}"
    page.route(NOTEBOOK, lambda route: route.fulfill(body=body, headers=headers))
    page.goto(NOTEBOOK)
    frame = page.frame_locator("iframe")
    frame.locator("body[data-ready]").wait_for(timeout=60_000)
    return frame


@pytest.mark.parametrize("task", TASKS)
def test_a_page_answers_in_the_output_of_an_editor(task, pages, page):
    frame = framed(page, pages(task), EDITOR)
    assert "yes: on the built-in test input" in frame.locator("#same").inner_text()
    assert not frame.locator("#trouble").is_visible()
    assert re.search(r"\d ms, in this browser", frame.locator("#here").inner_text())


@pytest.mark.parametrize(("task", "button"), [("keywords", "Listen"), ("detector", "Use the camera")])
def test_an_editor_that_gives_no_microphone_is_left_by_a_sentence(task, button, pages, hearing):
    page = hearing(np.zeros(48_000, np.int16))
    frame = framed(page, pages(task), EDITOR)
    frame.get_by_role("button", name=button).click()
    frame.locator("#trouble").wait_for(state="visible", timeout=30_000)
    assert 'page.write("live.html")' in frame.locator("#trouble").inner_text()
    alone = opened(hearing(np.zeros(48_000, np.int16)), pages(task))
    alone.evaluate(f"void (navigator.mediaDevices.getUserMedia = async {refused('NotAllowedError')})")
    alone.get_by_role("button", name=button).click()
    assert "page.write" not in trouble(alone)


def test_a_page_of_a_notebook_needs_no_kernel(pages, page):
    """Whatever the notebook does, its frame answers: here there is no notebook at all."""
    frame = framed(page, pages("drawing"), {"Content-Type": "text/html"})
    before = frame.locator(".said").inner_text()
    frame.get_by_role("button", name="test photo 2").click()
    assert frame.locator(".said").inner_text() != before
