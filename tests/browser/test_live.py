"""The live pages in a real browser, opened from a file as a learner opens them."""

import json
import os
import wave
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from accessible import overflows, violations
from conftest import find_browser

from tinyml_helpers import datasets
from tinyml_helpers.deploy import litert
from tinyml_helpers.live import shipped

PHONE = {"width": 360, "height": 740}
ROOT_ARGS = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
REFUSED = "() => { throw new DOMException('no', 'NotAllowedError'); }"
MOVE = """([x, y, z]) => {
    setInterval(() => dispatchEvent(new DeviceMotionEvent("devicemotion", {
        accelerationIncludingGravity: { x, y, z },
        rotationRate: { alpha: 0, beta: 0, gamma: 0 }, interval: 16,
    })), 16);
}"""


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Task -> file of its page, made when it is first asked for."""
    folder = tmp_path_factory.mktemp("live")

    def page(task):
        path = folder / f"{task}.html"
        if not path.exists():
            shipped.PAGES[task]("nano33ble").write(path)
        return path.as_uri()

    return page


def opened(page, address):
    page.goto(address)
    page.wait_for_selector("body[data-ready]", timeout=60_000)
    assert "yes: on the built-in test input" in page.locator("#same").inner_text()
    return page


def until(page, expression, argument=None, patience_s=30):
    """Wait until an expression is true; playwright's own way needs eval, which these pages forbid."""
    for _ in range(10 * patience_s):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never came true: {expression}")


def trouble(page):
    page.locator("#trouble").wait_for(state="visible", timeout=30_000)
    return page.locator("#trouble").inner_text()


@pytest.mark.parametrize("task", sorted(shipped.PAGES))
def test_a_page_can_be_read_by_everybody(task, pages, browser, shot):
    # axe is put into the page as a text, which its policy forbids: the other tests leave that in force.
    context = browser.new_context(bypass_csp=True)
    page = opened(context.new_page(), pages(task))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert not violations(page)
        shot(page, f"live/{task}_{scheme}")
    context.close()


@pytest.mark.parametrize("task", sorted(shipped.PAGES))
def test_a_page_opens_from_a_file_and_on_a_phone(task, pages, page, watch, shot):
    """The fixture `page` fails if a request leaves this machine."""
    opened(page, pages(task))
    page.set_viewport_size(PHONE)
    assert not overflows(page)
    shot(page, f"live/{task}_phone")
    assert not watch.errors
    assert not page.locator("#trouble").is_visible()


def test_a_photo_gets_the_answer_of_the_reference(pages, page):
    opened(page, pages("drawing"))
    given = page.evaluate("live.task.photos.map((text) => Array.from(bytesOf(text)))")
    content = datasets.read_verified("models/small.tflite")
    quantized = (np.array(given) - 128).astype(np.int8).reshape(-1, 28, 28, 1)
    wanted = litert.load(content, "reference").run(quantized).argmax(1)
    classes = datasets.load_fashion().test.classes
    for photo, kind in zip(page.get_by_role("button", name="test photo").all(), wanted, strict=True):
        photo.click()
        assert page.locator(".said").inner_text().startswith(classes[kind] + ",")


def test_a_garment_is_drawn_by_pointer_and_by_keyboard(pages, page, shot):
    opened(page, pages("drawing"))
    page.get_by_role("button", name="Clear").click()
    empty = page.evaluate("document.querySelector('#pad').toDataURL()")
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.8 * box["height"], steps=10)
    page.mouse.up()
    drawn = page.evaluate("document.querySelector('#pad').toDataURL()")
    assert drawn != empty
    page.locator("#pad").focus()
    page.keyboard.press("Delete")
    for key in ("Space", "ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    by_key = page.evaluate("document.querySelector('#pad').toDataURL()")
    assert by_key not in (empty, drawn)
    shot(page, "live/drawn")


def test_a_recording_says_its_words(pages, page):
    opened(page, pages("keywords"))
    page.get_by_role("button", name="Take a recording").click()
    page.locator("#words li").nth(1).wait_for(timeout=30_000)
    said = {line.split(",")[0] for line in page.locator("#words li").all_inner_texts()}
    assert said <= {"yes", "no", "up", "down"}


def spoken_file(folder):
    """The page's kind of words as a microphone: 48 kHz, as Chromium plays it."""
    spoken = datasets.load_keywords().part("voices")
    pause = np.zeros(12_800, np.int16)
    clips = [spoken.clips[spoken.words == word][0] for word in ("yes", "up", "down")]
    sound = np.concatenate([pause, *(part for clip in clips for part in (clip, pause))])
    path = folder / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(np.repeat(sound, 3).tobytes())
    return path


@pytest.fixture
def talking(browser, tmp_path):
    """A browser whose microphone plays words, and whose camera shows Chromium's test picture."""
    fake = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken_file(tmp_path)}",
        "--autoplay-policy=no-user-gesture-required",
    ]
    kind = browser.browser_type
    other = kind.launch(executable_path=find_browser(), args=[*ROOT_ARGS, *fake])
    yield other.new_context(permissions=["microphone", "camera"]).new_page()
    other.close()


def test_words_at_a_microphone_are_found_until_it_is_stopped(pages, talking):
    opened(talking, pages("keywords"))
    talking.get_by_role("button", name="Listen").click()
    talking.locator("#words li").nth(1).wait_for(timeout=60_000)
    said = {line.split(",")[0] for line in talking.locator("#words li").all_inner_texts()}
    assert said <= {"yes", "up", "down"}
    talking.get_by_role("button", name="Stop").click()
    count = talking.locator("#words li").count()
    talking.wait_for_timeout(1500)
    assert talking.locator("#words li").count() == count
    assert talking.locator(".said").inner_text() == "Not listening."


def test_a_camera_is_looked_at_until_it_is_stopped(pages, talking):
    opened(talking, pages("detector"))
    before = talking.evaluate("document.querySelector('#scene').toDataURL()")
    talking.get_by_role("button", name="Use the camera").click()
    talking.get_by_role("button", name="Stop the camera").wait_for(timeout=30_000)
    until(talking, "(before) => document.querySelector('#scene').toDataURL() !== before", before)
    talking.get_by_role("button", name="Stop the camera").click()
    assert not talking.locator("#trouble").is_visible()


@pytest.mark.parametrize(
    ("task", "button", "what"),
    [("keywords", "Listen", "microphone"), ("detector", "Use the camera", "camera")],
)
def test_who_is_denied_is_told_what_to_do(task, button, what, pages, page):
    opened(page, pages(task))
    page.evaluate(f"void (navigator.mediaDevices.getUserMedia = async {REFUSED})")
    page.get_by_role("button", name=button).click()
    assert f"The {what} was not allowed. Allow it beside the address" in trouble(page)
    assert page.get_by_role("button", name=button).get_attribute("aria-pressed") == "false"


def test_a_page_of_plain_http_says_why_it_hears_nothing(pages, page):
    opened(page, pages("keywords"))
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    page.get_by_role("button", name="Listen").click()
    assert "pages of this computer and of https addresses only" in trouble(page)


def test_a_recorded_movement_is_scrubbed_and_played(pages, page):
    opened(page, pages("gestures"))
    place = page.get_by_role("slider")
    first = page.locator("output").inner_text()
    place.focus()
    page.keyboard.press("End")
    assert page.locator("output").inner_text() != first
    page.keyboard.press("Home")
    page.get_by_role("button", name="Play the recording").click()
    until(page, "Number(document.querySelector('input').value) > 1000")
    page.get_by_role("button", name="Pause").click()
    assert page.locator(".said").inner_text()


def test_a_phone_that_moves_is_felt_and_one_without_sensors_is_told(pages, browser):
    context = browser.new_context(permissions=["accelerometer", "gyroscope"])
    page = context.new_page()
    opened(page, pages("gestures"))
    page.get_by_role("button", name="Use the sensors").click()
    assert "no sensors" in trouble(page)
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Use the sensors").click()
    lying = page.locator("#motion").evaluate("one => one.toDataURL()")
    page.evaluate(MOVE, [0.0, 0.0, 9.80665])
    until(page, "(lying) => document.querySelector('#motion').toDataURL() !== lying", lying)
    assert not page.locator("#trouble").is_visible()
    context.close()


def test_a_browser_that_computes_otherwise_is_not_believed(pages, page, tmp_path):
    """The check can fail: another checksum in the page, and it says so and answers nothing."""
    text = Path(unquote(urlsplit(pages("drawing")).path)).read_text("utf-8")
    probe = json.loads(text.partition('id="live">')[2].partition("</script>")[0])["probe"]
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(text.replace(probe["checksum"], "00000000"), "utf-8")
    page.goto(spoilt.as_uri())
    assert "do not trust the answers" in trouble(page)
    assert page.locator("#same").inner_text().startswith("no: the test input gives the checksum")
    assert page.locator("#task").inner_text() == ""
