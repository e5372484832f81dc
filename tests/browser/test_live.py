"""The live pages in a real browser, opened from a file as a learner opens them."""

import base64
import json
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from accessible import overflows, violations

from tinyml_helpers import datasets
from tinyml_helpers.datasets.vibration.simulator import machines
from tinyml_helpers.deploy import litert
from tinyml_helpers.live import shipped
from tinyml_helpers.live.page import Page
from tinyml_helpers.usecases import anomaly, detection

PEOPLE = os.environ.get("TINYML_PEOPLE")
PHONE = {"width": 360, "height": 740}
TOLD = "(text) => document.querySelector('.value').textContent.startsWith(text)"
MOVED = "(slider, to) => { slider.value = to; slider.dispatchEvent(new Event('input')); }"
MOVE = """([x, y, z]) => {
    setInterval(() => dispatchEvent(new DeviceMotionEvent("devicemotion", {
        accelerationIncludingGravity: { x, y, z },
        rotationRate: { alpha: 0, beta: 0, gamma: 0 }, interval: 16,
    })), 16);
}"""


def opened(page, address):
    page.goto(address)
    page.wait_for_selector("body[data-ready]", timeout=60_000)
    assert "yes: on the built-in test input" in page.locator("#same").inner_text()
    assert re.fullmatch(r"\d+\.\d\d ms, in this browser", page.locator("#here").inner_text())
    chip = page.locator("tr", has_text="on Arduino Nano 33 BLE").inner_text()
    assert re.search(r"[\d,]+ instructions, .* KB of flash, [\d.]+ KB of RAM", chip)
    return page


def until(page, expression, argument=None, patience_s=30):
    """Wait until an expression is true; playwright's own way needs eval, which these pages forbid."""
    for _ in range(10 * patience_s):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never came true: {expression}")


def refused(why):
    return f"() => {{ throw new DOMException('no', '{why}'); }}"


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
    for slider in page.locator("input[type=range]").all():
        assert slider.evaluate("one => one.labels.length") == 1
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


def spoken(folder=None):
    """Words of the page, with pauses: by bundled voices, or by people of a folder."""
    voices = datasets.load_keywords(folder) if folder else datasets.load_keywords().part("voices")
    pause = np.zeros(12_800, np.int16)
    clips = [voices.clips[voices.words == word][0] for word in ("yes", "up", "down")]
    return np.concatenate([pause, *(part for clip in clips for part in (clip, pause))])


def test_words_at_a_microphone_are_found_until_it_is_stopped(pages, hearing):
    talking = hearing(spoken())
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


def test_words_are_found_in_the_frame_of_a_lesson(pages, hearing, tmp_path):
    """A notebook and the book show a page in a frame, which has to be given the microphone."""
    text = Path(unquote(urlsplit(pages("keywords")).path)).read_text("utf-8")
    lesson = tmp_path / "lesson.html"
    lesson.write_text(f"<h1>A lesson</h1>{Page('Say a word', text, 980, '')._repr_html_()}", "utf-8")
    talking = hearing(spoken())
    talking.goto(lesson.as_uri())
    frame = talking.frame_locator("iframe")
    frame.get_by_role("button", name="Listen").click(timeout=60_000)
    frame.locator("#words li").nth(1).wait_for(timeout=60_000)
    assert not frame.locator("#trouble").is_visible()


@pytest.mark.skipif(not PEOPLE, reason="TINYML_PEOPLE names no folder with the test part's words")
def test_words_of_people_are_found(pages, hearing):
    talking = opened(hearing(spoken(PEOPLE)), pages("keywords"))
    talking.get_by_role("button", name="Listen").click()
    talking.locator("#words li").nth(1).wait_for(timeout=60_000)
    said = {line.split(",")[0] for line in talking.locator("#words li").all_inner_texts()}
    assert said <= {"yes", "up", "down"}


def test_a_camera_is_looked_at_until_it_is_stopped(pages, hearing):
    talking = hearing(spoken())  # and its camera shows Chromium's test picture
    opened(talking, pages("detector"))
    before = talking.evaluate("document.querySelector('#scene').toDataURL()")
    talking.get_by_role("button", name="Use the camera").click()
    talking.get_by_role("button", name="Stop the camera").wait_for(timeout=30_000)
    until(talking, "(before) => document.querySelector('#scene').toDataURL() !== before", before)
    talking.get_by_role("button", name="Stop the camera").click()
    assert not talking.locator("#trouble").is_visible()


@pytest.mark.parametrize(
    ("task", "button", "what"),
    [
        ("keywords", "Listen", "microphone"),
        ("vibration", "Listen to a machine", "microphone"),
        ("detector", "Use the camera", "camera"),
    ],
)
def test_who_is_denied_is_told_what_to_do(task, button, what, pages, page):
    opened(page, pages(task))
    page.evaluate(f"void (navigator.mediaDevices.getUserMedia = async {refused('NotFoundError')})")
    page.get_by_role("button", name=button).click()
    assert f"No {what} was found. Plug one in, or " in trouble(page)
    page.evaluate(f"void (navigator.mediaDevices.getUserMedia = async {refused('NotAllowedError')})")
    page.get_by_role("button", name=button).click()
    until(page, "document.querySelector('#trouble').textContent.includes('not allowed')")
    assert f"The {what} was not allowed. Allow it beside the address" in trouble(page)
    assert page.get_by_role("button", name=button).get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("task", ["keywords", "vibration"])
def test_a_page_of_plain_http_says_why_it_hears_nothing(task, pages, page):
    opened(page, pages(task))
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    page.get_by_role("button", name="Listen").click()
    assert "pages of this computer and of https addresses only" in trouble(page)


def test_movements_of_somebody_it_never_met_are_mostly_known(pages, page):
    """Each place of the recording is looked at by itself: the reference votes alike."""
    opened(page, pages("gestures"))
    given = page.evaluate("live.task")
    truth = np.frombuffer(base64.b64decode(given["truth"]), np.int8)
    ends = [end for end in range(300, len(truth), 500) if (truth[end - 200 : end] == truth[end]).all()]
    moving = [end for end in ends if truth[end] >= 0]
    right = 0
    for end in moving:
        page.locator("input").evaluate(MOVED, str(end))
        until(
            page,
            "(text) => document.querySelector('.value').textContent.startsWith(text)",
            f"{end / 50:.1f} s",
        )
        right += page.locator(".said").inner_text() == given["classes"][truth[end - 1]]
    assert len(moving) >= 10
    assert right >= 0.75 * len(moving)


def test_a_scene_gets_the_objects_of_the_reference(pages, page):
    opened(page, pages("detector"))
    given = page.evaluate("live.task")
    scenes = np.stack([np.frombuffer(base64.b64decode(one), np.uint8) for one in given["scenes"]])
    model = litert.load(datasets.read_verified("models/tiny_detector.tflite"), "reference")
    least = float(page.locator("input[type=range]").input_value())
    pictures = scenes.reshape(-1, given["side"], given["side"])
    raw = (pictures.astype(int) - 128).astype(np.int8)[..., None]
    found = detection.decode.read_grid(model.dequantize(model.run(raw)), score=least)
    for one, button in zip(found, page.get_by_role("button", name="scene").all(), strict=True):
        button.click()
        names = [part.rsplit(" ", 1)[0] for part in page.locator(".said").inner_text().split(", ")]
        assert sorted(names) == sorted(given["classes"][label] for label in one.labels)


def machine_scores(given, half):
    """Scores of the recording by Python, once it has learnt from its first segments."""
    kept = np.frombuffer(base64.b64decode(given["recording"]), np.int8).astype(np.int16)
    seen = anomaly.features.features(kept.reshape(-1, given["segment"]) * np.int16(given["count"]))
    scaling = {name: one.numpy() for name, one in anomaly.network.load_trained()[1].items()}
    model = litert.load(datasets.read_verified("models/vibration.tflite"), "reference")
    detector = anomaly.firmware.Int8Autoencoder(anomaly.detect.Scaling(**scaling), model)
    return detector(seen - seen[:half].mean(0))


def test_a_recorded_machine_is_learnt_and_its_damage_found(pages, page, shot):
    """Machine 33 trained nothing; the scores are Python's, but for what rounding differs by."""
    opened(page, pages("vibration"))
    given = page.evaluate("live.task")
    half, place = given["recorded_learn"], page.get_by_role("slider", name="Place in the recording")
    scores = machine_scores(given, half)
    limit = given["margin"] * scores[half : 2 * half].max()
    place.focus()
    page.keyboard.press("Home")
    until(page, "document.querySelector('.said').textContent === 'Learning what is usual.'")
    for count in range(2, len(scores) + 1):
        page.keyboard.press("ArrowRight")
        until(
            page,
            "(text) => document.querySelector('.value').textContent.startsWith(text)",
            f"{count * 0.512:.1f} s",
        )
        if count > 2 * half:
            middle = np.median(scores[count - 3 : count])
            shown = re.findall(r"\d+\.\d\d", page.locator("#detail").inner_text())
            assert [float(one) for one in shown] == pytest.approx([middle, limit], rel=0.02)
            alarm = page.locator(".said").inner_text().startswith("Alarm")
            assert alarm == (middle > limit)
            assert alarm == given["truth"][count - 2].startswith("outer race")  # two of the last three
    shot(page, "live/vibration_alarm")


def test_a_recorded_machine_is_played_and_its_limit_moved(pages, page):
    opened(page, pages("vibration"))
    page.get_by_role("button", name="Play the recording").click()
    until(page, "document.querySelector('.said').textContent.startsWith('Alarm')")
    page.get_by_role("slider", name="Alarm above").focus()
    page.keyboard.press("End")
    assert page.locator(".said").inner_text() == "Like the healthy machine."


def test_a_machine_at_the_microphone_is_learnt_and_its_damage_found(pages, hearing, tmp_path):
    """Another machine that trained nothing, through a loudspeaker's wire; it learns for six seconds."""
    machine = machines.draw(36)
    healthy = machines.record(machine, 20).samples
    damaged = machines.record(machine, 40, "outer race", size_mm=1.0, seed=1).samples
    page = hearing(np.concatenate([healthy.ravel(), damaged.ravel()]))
    text = Path(unquote(urlsplit(pages("vibration")).path)).read_text("utf-8")
    quick = tmp_path / "quick.html"
    quick.write_text(text.replace('"learn": 20,', '"learn": 6,'), "utf-8")
    opened(page, quick.as_uri())
    page.get_by_role("button", name="Listen to a machine").click()
    until(page, "document.querySelector('.said').textContent === 'Learning what is usual.'")
    until(page, "document.querySelector('.said').textContent === 'Like the healthy machine.'")
    until(page, "document.querySelector('.said').textContent.startsWith('Alarm')")
    page.get_by_role("button", name="Stop").click()
    assert page.locator(".said").inner_text() == "Stopped."
    assert not page.locator("#trouble").is_visible()


def test_a_microphone_that_is_switched_off_is_no_machine(pages, hearing):
    page = opened(hearing(np.zeros(48_000, np.int16)), pages("vibration"))
    page.get_by_role("button", name="Listen to a machine").click()
    assert "Only silence arrives" in trouble(page)


def test_a_recorded_movement_is_scrubbed_and_played(pages, page):
    opened(page, pages("gestures"))
    place = page.get_by_role("slider")
    first = page.locator(".value").inner_text()
    place.focus()
    page.keyboard.press("End")
    assert page.locator(".value").inner_text() != first
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
