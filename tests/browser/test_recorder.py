"""The recorder in a real browser, with words at its microphone: kept, heard again, reloaded, denied."""

import numpy as np
import pytest
import soundfile
from accessible import overflows, violations
from conftest import ROOT_ARGS, find_browser
from test_live import PHONE, refused, trouble, until

from tinyml_helpers import datasets
from tinyml_helpers.live import recorder


@pytest.fixture
def running(tmp_path):
    one = recorder.record("three,seven", "ana", out=tmp_path / "words", count=2)
    yield one
    one.stop()


def one_word_again_and_again(level):
    """A word every 1.2 s, as long as each recording: wherever it begins, all of a word is in it."""
    spoken = datasets.load_keywords(vocabulary="digits").part("voices")
    clip = spoken.clips[spoken.words == "three"][0].astype(np.float64)
    loud = np.flatnonzero(np.abs(clip) > 0.05 * np.abs(clip).max())
    word = clip[loud[0] : loud[-1]]
    word *= level / np.abs(word).max()
    room = np.random.default_rng(0).normal(0, 3e-4, 19_200)
    room[4000 : 4000 + len(word)] += word
    return np.tile(room, 5)


@pytest.fixture(params=[0.5])
def talking(browser, tmp_path, request):
    """A browser whose microphone plays a word, as loud as the test says."""
    path = tmp_path / "microphone.wav"
    samples = one_word_again_and_again(request.param).clip(-1, 1)
    soundfile.write(path, np.repeat(samples, 3), 48_000, subtype="PCM_16")
    fake = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={path}",
    ]
    other = browser.browser_type.launch(executable_path=find_browser(), args=[*ROOT_ARGS, *fake])
    yield other.new_context(permissions=["microphone"]).new_page()
    other.close()


def opened(page, running):
    page.goto(running.address)
    page.wait_for_selector("body[data-ready]", timeout=60_000)
    return page


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def recorded(page):
    """Wait until a recording can be kept, and return what is said of it."""
    page.locator("button:enabled", has_text="Keep").wait_for(timeout=60_000)
    return page.locator(".said").inner_text()


def until_said(page, text):
    until(page, "(text) => document.querySelector('.said').textContent.includes(text)", text, 60)


def test_words_are_recorded_kept_and_there_after_a_reload(running, talking, shot):
    errors = []
    talking.on("pageerror", lambda error: errors.append(str(error)))
    talking.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    opened(talking, running)
    for number in (1, 2):
        press(talking, "Record")
        recorded(talking)
        assert "dB of full scale" in talking.locator("#wave").get_attribute("aria-label")
        if number == 1:
            shot(talking, "live/recorder")
            press(talking, "Listen again")
        press(talking, "Keep")
        until_said(talking, f"Kept as three/ana_{number}.wav.")
    assert "Now: seven." in talking.locator(".said").inner_text()
    samples, rate_hz = soundfile.read(running.takes.folder / "three/ana_1.wav")
    assert (rate_hz, samples.shape) == (16_000, (16_000,))
    assert (
        0.3 < np.abs(samples).max() < 0.7
    )  # the microphone's own level, not one that follows the voice
    talking.get_by_label("Who speaks").fill("Bea Maria")
    assert "0 of 2, 2 with others" in talking.locator(".words").inner_text()
    opened(talking, running)
    assert talking.get_by_label("Who speaks").input_value() == "Bea Maria"
    press(talking, "Record")
    recorded(talking)
    press(talking, "Keep")
    until_said(talking, "Kept as three/bea_maria_1.wav.")
    assert running.takes.count()["three"] == {"ana": 2, "bea_maria": 1}
    assert errors == []


def test_what_is_discarded_is_not_kept(running, talking):
    opened(talking, running)
    press(talking, "Record")
    recorded(talking)
    press(talking, "Discard")
    assert talking.locator(".said").inner_text() == "Discarded."
    assert talking.get_by_role("button", name="Keep").is_disabled()
    assert running.takes.count()["three"] == {}


def test_by_keyboard_alone(running, talking):
    """The focus is always on what comes next: one key records and keeps."""
    opened(talking, running)
    talking.get_by_role("button", name="Record", exact=True).focus()
    talking.keyboard.press("Space")
    recorded(talking)
    until(talking, "document.activeElement.textContent === 'Keep'")
    talking.keyboard.press("Enter")
    until_said(talking, "Kept as three/ana_1.wav.")
    until(talking, "document.activeElement.textContent === 'Record'")
    talking.keyboard.press("Space")
    recorded(talking)
    until(talking, "document.activeElement.textContent === 'Keep'")
    talking.keyboard.press("Tab")
    talking.keyboard.press("Space")
    assert talking.locator(".said").inner_text() == "Discarded."


@pytest.mark.parametrize(
    ("talking", "said"),
    [(0.004, "Very quiet: come closer"), (3.0, "Too loud, the peaks are cut off")],
    indirect=["talking"],
)
def test_too_quiet_and_too_loud_are_told(talking, said, running):
    opened(talking, running)
    press(talking, "Record")
    assert said in recorded(talking)


def test_who_is_denied_is_told_what_to_do(running, page):
    opened(page, running)
    page.evaluate(f"void (navigator.mediaDevices.getUserMedia = async {refused('NotAllowedError')})")
    press(page, "Record")
    assert "The microphone was not allowed. Allow it beside the address" in trouble(page)
    assert page.get_by_role("button", name="Keep").is_disabled()


def test_a_file_needs_the_name_of_who_speaks(running, page):
    opened(page, running)
    page.get_by_label("Who speaks").fill("ana2")
    press(page, "Record")
    assert "letters only" in trouble(page)
    assert page.evaluate("document.activeElement.id") == "by"


def test_a_page_whose_program_has_ended_says_so(tmp_path, talking):
    running = recorder.record("three", "ana", out=tmp_path / "words")
    opened(talking, running)
    press(talking, "Record")
    recorded(talking)
    running.stop()
    press(talking, "Keep")
    assert "The program behind this page has ended" in trouble(talking)
    assert talking.get_by_role("button", name="Keep").is_enabled()  # it is not lost yet


def test_everybody_can_read_it_and_a_phone_shows_it_whole(running, browser, shot):
    context = browser.new_context(bypass_csp=True)
    page = opened(context.new_page(), running)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert not violations(page)
        shot(page, f"live/recorder_{scheme}")
    page.set_viewport_size(PHONE)
    assert not overflows(page)
    shot(page, "live/recorder_phone")
    context.close()


def test_a_page_of_another_address_cannot_record(running, browser, tmp_path):
    """What a hostile page would try, without a policy of its own, and even with the secret."""
    other = recorder.record("three", "ana", out=tmp_path / "other")
    context = browser.new_context(bypass_csp=True)
    page = opened(context.new_page(), other)
    tried = page.evaluate(
        """async (address) => {
            const tell = async (options) => {
                try {
                    return (await fetch(address, { method: "POST", body: "x", ...options })).type;
                } catch (error) {
                    return error.name;
                }
            };
            const kind = { headers: { "Content-Type": "audio/wav" } };
            return [await tell({ mode: "no-cors" }), await tell({}), await tell(kind)];
        }""",
        f"{running.address}three/ana",
    )
    assert tried[1:] == ["TypeError", "TypeError"]
    context.close()
    other.stop()
    assert running.takes.count()["three"] == {}
