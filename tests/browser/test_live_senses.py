"""What live pages are given: sliders, files, a film for a camera, and what a phone sends."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from test_live import MOVED, opened, trouble, until

from tinyml_helpers.live import own_model, shipped

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
# Samples (time in s, acceleration in m/s2, rotation in degrees/s) as events, at once: their times count.
SENSED = """(samples) => {
    for (const [time, x, y, z, beta, gamma, alpha] of samples) {
        const event = new DeviceMotionEvent("devicemotion", {
            accelerationIncludingGravity: { x, y, z }, rotationRate: { alpha, beta, gamma },
            interval: 16,
        });
        Object.defineProperty(event, "timeStamp", { value: 1000 * time });
        dispatchEvent(event);
    }
}"""
DROPPED = """([place, name, text]) => {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name));
    const event = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.querySelector(place).dispatchEvent(event);
    if (!event.defaultPrevented) throw new Error("the browser would open the file in place of the page");
}"""


def said(page):
    return page.locator(".said").inner_text()


def png(pixels, zoom=4):
    file = io.BytesIO()
    Image.fromarray(np.kron(pixels, np.ones((zoom, zoom), np.uint8))).save(file, "PNG")
    return file.getvalue()


def pictures(page, name):
    """The pictures that a page brings: uint8 [N, side, side]."""
    given = page.evaluate(f"live.task.{name}")
    found = np.stack([np.frombuffer(base64.b64decode(one), np.uint8) for one in given])
    side = round(found.shape[1] ** 0.5)
    return found.reshape(-1, side, side)


def test_the_threshold_and_the_gate_hold_words_back(pages, page):
    opened(page, pages("keywords"))
    replay, words = page.get_by_role("button", name="Take a recording"), page.locator("#words li")
    score, gate = page.get_by_role("slider").all()
    usual = [slider.input_value() for slider in (score, gate)]
    for slider, value, start in ((score, "1", usual[0]), (gate, "0", usual[1])):
        replay.click()
        until(page, "document.querySelectorAll('#words li').length >= 2")
        slider.evaluate(MOVED, value)
        replay.click()
        until(page, "document.querySelectorAll('#words li').length === 0")
        slider.evaluate(MOVED, start)
    replay.click()
    until(page, "document.querySelectorAll('#words li').length >= 2")
    count = words.count()
    score.evaluate(MOVED, "0.3")
    replay.click()
    until(page, "(count) => document.querySelectorAll('#words li').length >= count", count)


def test_sound_at_the_microphone_is_painted(pages, hearing):
    tone = np.int16(9000 * np.sin(2 * np.pi * 2000 * np.arange(16_000) / 16_000))
    page = opened(hearing(tone), pages("keywords"))
    page.get_by_role("button", name="Listen").click()
    brightest = """() => {
        const { data } = document.querySelector("#sound").getContext("2d").getImageData(590, 0, 1, 128);
        const column = Array.from({ length: 128 }, (_, y) => data[4 * y]);
        return column.indexOf(Math.max(...column));
    }"""
    # 2 kHz of 8 is a quarter of the way up.
    until(page, f"Math.abs(({brightest})() - 96) <= 2")


@pytest.mark.parametrize("dark_on_light", [False, True])
def test_a_photo_is_dragged_onto_the_pad_or_dropped_as_a_file(dark_on_light, pages, page):
    opened(page, pages("drawing"))
    buttons = page.get_by_role("button", name="test photo").all()
    answers = []
    for button in buttons:
        button.click()
        answers.append(said(page))
    assert len(set(answers)) >= 5
    for button, answer in zip(buttons[:3], answers, strict=False):
        page.get_by_role("button", name="Clear").click()
        button.drag_to(page.locator("#pad"))
        assert said(page) == answer
    for photo, answer in zip(pictures(page, "photos")[2:6], answers[2:6], strict=True):
        page.get_by_role("button", name="Clear").click()
        empty = said(page)
        file = png(255 - photo if dark_on_light else photo)
        page.evaluate(DROPPED, ["#pad", "shoe.png", base64.b64encode(file).decode()])
        until(page, "(text) => document.querySelector('.said').textContent !== text", empty)
        assert said(page).split(",")[0] == answer.split(",")[0]


def test_a_picture_that_is_dropped_or_chosen_gets_the_boxes_of_the_scene(pages, page):
    opened(page, pages("detector"))
    for number in (1, 0):
        page.get_by_role("button", name=f"scene {number + 1}", exact=True).click()
        wanted, before = said(page), page.locator("#scene").evaluate("one => one.toDataURL()")
        page.get_by_role("button", name="scene 3", exact=True).click()
        file = png(pictures(page, "scenes")[number])
        if number:
            page.evaluate(DROPPED, ["body", "room.png", base64.b64encode(file).decode()])
        else:
            given = {"name": "room.png", "mimeType": "image/png", "buffer": file}
            page.locator("input[type=file]").set_input_files(given)
        until(page, "(text) => document.querySelector('.said').textContent === text", wanted)
        assert page.locator("#scene").evaluate("one => one.toDataURL()") == before


@pytest.mark.parametrize("task", ["drawing", "detector"])
def test_a_file_that_is_no_picture_is_told(task, pages, page):
    opened(page, pages(task))
    before = said(page)
    given = {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.locator("input[type=file]").set_input_files(given)
    assert "notes.png is no picture that this browser can open" in trouble(page)
    assert said(page) == before


def film(path, picture):
    """A .y4m film that shows one grey picture."""
    high, wide = picture.shape
    grey = np.full((high // 2, wide // 2), 128, np.uint8).tobytes()
    frame = b"FRAME\n" + picture.tobytes() + 2 * grey
    path.write_bytes(f"YUV4MPEG2 W{wide} H{high} F10:1 Ip A1:1 C420jpeg\n".encode() + 10 * frame)
    return path


def test_a_camera_before_a_scene_finds_what_lies_in_it(pages, page, hearing, tmp_path, shot):
    opened(page, pages("detector"))
    page.get_by_role("button", name="scene 1", exact=True).click()
    wanted = {part.split()[0] for part in said(page).split(", ")}
    assert len(wanted) >= 3
    scene = np.kron(pictures(page, "scenes")[0], np.ones((4, 4), np.uint8))
    other = opened(
        hearing(np.zeros(48_000, np.int16), film(tmp_path / "scene.y4m", scene)), pages("detector")
    )
    other.get_by_role("button", name="scene 2", exact=True).click()
    other.get_by_role("button", name="Use the camera").click()
    seen = "new Set(document.querySelector('.said').textContent.match(/[a-z]+/g))"
    until(
        other,
        f"(wanted) => {{ const seen = {seen}; return wanted.every((one) => seen.has(one)); }}",
        sorted(wanted),
    )
    shot(other, "live/camera")
    assert not other.locator("#trouble").is_visible()


def test_a_phone_at_a_wrist_gets_the_answers_of_the_recording(pages, page):
    """Movements of person 10, as a phone would tell them: at the same places the same answers."""
    opened(page, pages("gestures"))
    given = page.evaluate("live.task")
    raw = np.frombuffer(base64.b64decode(given["stream"]), np.int16).reshape(-1, 6)
    truth = np.frombuffer(base64.b64decode(given["truth"]), np.int8)
    length, hop = given["window"], given["hop"]
    places = [at for at in range(300, len(truth), 500) if (truth[at - length : at] == truth[at]).all()]
    places = [at for at in places if truth[at] >= 0]
    assert len(places) >= 10
    real = raw * np.array(given["units"])
    real[:, :3] *= 9.80665
    real[:, 3:] *= 180 / np.pi
    right = 0
    for number, end in enumerate(places):
        page.get_by_role("slider").evaluate(MOVED, str(end))
        until(
            page,
            "(text) => document.querySelector('.value').textContent.startsWith(text)",
            f"{end / 50:.1f} s",
        )
        wanted = said(page)
        page.get_by_role("button", name="Use the sensors").click()
        page.get_by_role("button", name="Stop").wait_for()
        times = 1000 * number + np.arange(length + 1) / 50
        page.evaluate(SENSED, np.column_stack([times, real[end - length : end + 1]]).tolist())
        assert said(page) == wanted
        right += wanted == given["classes"][truth[end]]
        page.get_by_role("button", name="Stop").click()
    assert right >= 0.75 * len(places)
    assert hop < length


def shaking(seconds, strength, start, seed):
    """A fan, as a phone that lies on it feels it: synthetic, 60 values a second, to 0.1 m/s2."""
    draw = np.random.default_rng(seed)
    times = start + np.arange(round(60 * seconds)) / 60
    turn = 2 * np.pi * 17 * times
    along = 0.6 * strength * np.sin(turn) + 0.2 * np.sin(2 * turn) + draw.normal(0, 0.05, len(times))
    table = np.zeros((len(times), 7))
    table[:, 0], table[:, 1], table[:, 3] = times, 0.1 * along, 9.8 + along
    table[:, 1:4] = table[:, 1:4].round(1)
    return table.tolist()


def test_a_phone_on_a_machine_learns_how_it_shakes_and_feels_what_changes(pages, page, shot):
    opened(page, pages("vibration"))
    page.get_by_role("button", name="Feel a machine").click()
    page.get_by_role("button", name="Stop").wait_for()
    assert "let go" in page.locator("#detail").inner_text()
    page.evaluate(SENSED, shaking(13, 1, 100, 0))
    assert said(page) == "Learning what is usual."
    page.evaluate(SENSED, shaking(80, 1, 113, 1))
    assert said(page) == "Like the healthy machine."
    page.evaluate(SENSED, shaking(20, 3, 193, 2))
    assert said(page).startswith("Alarm")
    shot(page, "live/vibration_felt")
    page.get_by_role("button", name="Stop").click()
    assert said(page) == "Stopped."
    page.evaluate(SENSED, shaking(20, 1, 213, 3))
    assert said(page) == "Stopped."


SENSORS = {"gestures": "Use the sensors", "vibration": "Feel a machine"}


@pytest.mark.parametrize(
    "answer", ["async () => 'denied'", "async () => { throw new DOMException('', 'NotAllowedError'); }"]
)
@pytest.mark.parametrize("task", SENSORS)
def test_who_denies_the_sensors_is_told_what_to_do(task, answer, pages, page):
    opened(page, pages(task))
    page.evaluate(f"void (DeviceMotionEvent.requestPermission = {answer})")
    button = page.get_by_role("button", name=SENSORS[task])
    button.click()
    assert "The motion sensors were not allowed. Open the page again and allow them, or " in trouble(
        page
    )
    assert button.get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("task", SENSORS)
def test_a_device_without_sensors_says_so_and_one_that_asks_is_heard(task, pages, page):
    opened(page, pages(task))
    page.evaluate("void (DeviceMotionEvent.requestPermission = async () => 'granted')")
    page.get_by_role("button", name=SENSORS[task]).click()
    assert "No motion arrives: this device has no sensors" in trouble(page)
    page.get_by_role("button", name="Stop").click()
    page.evaluate("delete window.DeviceMotionEvent")
    page.get_by_role("button", name=SENSORS[task]).click()
    until(
        page,
        "document.querySelector('#trouble').textContent.includes('This browser has no motion sensors')",
    )


@pytest.fixture(scope="session")
def any_network(tmp_path_factory):
    """The page of a public network of pictures, without a task, with names."""
    from tinyml_helpers.datasets import data_folder

    model = data_folder() / "models" / "image_classification.tflite"
    page = own_model.make_page(model, "nano33ble", classes=NAMES)
    return page.write(tmp_path_factory.mktemp("any") / "page.html").as_uri()


def test_numbers_and_a_picture_go_into_any_network(any_network, page, watch):
    from tinyml_helpers.datasets import read_verified
    from tinyml_helpers.deploy import litert

    opened(page, any_network)
    model = litert.load(read_verified("models/image_classification.tflite"), "reference")
    pixels = np.random.default_rng(5).integers(60, 200, (32, 32, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    given = {"name": "noise.png", "mimeType": "image/png", "buffer": file.getvalue()}
    page.locator("input[type=file]").set_input_files(given)
    wanted = model.dequantize(model.run((pixels.astype(int) - 128).astype(np.int8)[None])).ravel()
    until(
        page,
        "(first) => document.body.textContent.includes(first)",
        f"Largest: {NAMES[wanted.argmax()]},",
    )
    output = page.locator("p", has_text="Output 1").inner_text().partition("): ")[2]
    assert [float(one) for one in output.split()] == pytest.approx(wanted.tolist(), abs=1e-6)
    field = page.locator("textarea")
    whole = field.input_value()
    field.fill("1 2 x")
    page.get_by_role("button", name="Run").click()
    assert "Input 1 takes 3072 numbers; there are 2, and 1 that are none." in trouble(page)
    field.fill(whole)
    page.get_by_role("button", name="Run").click()
    assert not page.locator("#trouble").is_visible()
    assert page.locator("p", has_text="Output 1").inner_text().endswith(output)
    assert not watch.errors


def test_a_pad_without_photos_begins_empty(page, tmp_path):
    from tinyml_helpers.datasets import data_folder

    model = data_folder() / "models" / "tiny.tflite"
    made = own_model.make_page(model, "nano33ble", shipped.Kind.drawing, list("0123456789"))
    opened(page, made.write(tmp_path / "digits.html").as_uri())
    assert page.get_by_role("button", name="test photo").count() == 0
    assert page.locator(".bars li").count() == 10
