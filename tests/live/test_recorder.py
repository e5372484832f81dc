"""The recorder: who may ask it, what it keeps, and where it never writes."""

import errno
import http.client
import io
import json
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from tinyml_helpers import cli, datasets
from tinyml_helpers.live import recorder, takes

NOISE = np.random.default_rng(0).integers(-9000, 9000, 16_000).astype(np.int16)


def sound(samples=NOISE, rate_hz=16_000, kind="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=kind, subtype="PCM_16")
    return file.getvalue()


@pytest.fixture
def running(tmp_path):
    one = recorder.record("blue,green", "ana", out=tmp_path / "words", count=2)
    yield one
    one.stop()


def ask(running, path="", method="GET", body=None, **changed):
    """Ask as the page does, but for the headers that are given; None leaves one out."""
    _, _, host, token, _ = running.address.split("/")
    headers = {"Host": host}
    if method == "POST":
        size = str(len(body or b""))
        headers |= {"Origin": f"http://{host}", "Content-Type": "audio/wav", "Content-Length": size}
    headers |= {name.replace("_", "-"): value for name, value in changed.items() if name != "token"}
    link = http.client.HTTPConnection("127.0.0.1", int(host.partition(":")[2]), timeout=30)
    address = f"/{changed.get('token', token)}/{path}"
    link.putrequest(method, address, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        if value is not None:
            link.putheader(name, value)
    link.endheaders(body)
    answer = link.getresponse()
    text = answer.read().decode()
    link.close()
    return answer, text


def files(folder):
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if path.name != ".lock")


def test_a_recording_is_kept_to_the_byte_and_read_by_the_course(running):
    folder = running.takes.folder
    answer, text = ask(running, "blue/ana", "POST", sound())
    assert answer.status == 200
    assert json.loads(text) == {
        "kept": "blue/ana_1.wav",
        "count": {"blue": {"ana": 1}, "green": {}, "unknown": {}},
    }
    assert np.array_equal(soundfile.read(folder / "blue/ana_1.wav", dtype="int16")[0], NOISE)
    for path in ("blue/ana", "blue/Bea Maria", "unknown/ana", "unknown/ana", "unknown/Bea Maria"):
        path = path.replace(" ", "%20")
        assert ask(running, path, "POST", sound())[0].status == 200
    spoken = datasets.load_keywords(folder)
    assert spoken.classes == ("blue", "unknown")
    assert set(zip(spoken.words, spoken.voices, strict=True)) == {
        (word, name) for word in ("blue", "unknown") for name in ("ana", "bea_maria")
    }
    assert (len(spoken), spoken.skipped, spoken.caution) == (6, (), "")


def test_what_a_browser_records_at_another_rate_becomes_16_khz(running):
    tone = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    assert ask(running, "green/ana", "POST", sound(tone / 2, 48_000))[0].status == 200
    samples, rate_hz = soundfile.read(running.takes.folder / "green/ana_1.wav")
    assert (rate_hz, samples.shape) == (16_000, (16_000,))
    assert np.abs(np.fft.rfft(samples)).argmax() == 440


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"Host": "evil.example"}, 421, "open the address that it printed"),
        ({"Host": "localhost"}, 421, "open the address that it printed"),
        ({"Host": None}, 421, "open the address that it printed"),
        ({"Origin": "http://evil.example"}, 403, "its own page only"),
        ({"Origin": "null"}, 403, "its own page only"),
        ({"Origin": None}, 403, "its own page only"),
        ({"token": "x" * 32}, 404, "nothing at this address"),
        ({"token": ""}, 404, "nothing at this address"),
        ({"Content_Type": "text/plain"}, 415, "audio/wav"),
        ({"Content_Length": None}, 411, "length"),
        ({"Content_Length": "-1"}, 411, "length"),
        ({"Content_Length": "999999999999999999"}, 413, "400,000 bytes"),
    ],
)
def test_a_stranger_is_refused_and_nothing_is_written(running, changed, status, said):
    answer, text = ask(running, "blue/ana", "POST", sound(), **changed)
    assert (answer.status, said in text) == (status, True), text
    assert files(running.takes.folder) == []


@pytest.mark.parametrize(
    "changed", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"token": "guess"}]
)
def test_a_stranger_learns_nothing_of_what_is_there(running, changed):
    ask(running, "blue/ana", "POST", sound())
    for path in ("", "count"):
        answer, text = ask(running, path, **changed)
        assert answer.status in (403, 404, 421)
        assert "ana" not in text
        assert answer.getheader("Access-Control-Allow-Origin") is None
    assert json.loads(ask(running, "count")[1])["blue"] == {"ana": 1}


@pytest.mark.parametrize(
    "path",
    [
        "..%2fx/ana", "../ana", "%2e%2e/ana", "red/ana", "blue/..%2f..%2fx", "blue/..", "blue/ana%00",
        "blue/a%5cb", "blue/ana2", "blue/blue", "blue/audio", "blue/", f"blue/{'a' * 41}", "blue/ana/x",
        "silence/ana", "blue", "", "blue/%ff",
    ],
)  # fmt: skip
def test_no_name_leads_out_of_the_folder(running, path):
    answer, _ = ask(running, path, "POST", sound())
    assert answer.status in (404, 422)
    assert files(running.takes.folder.parent) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no WAV file"),
        (b"<script>alert(1)</script>", "no WAV file"),
        (sound(kind="FLAC"), "no WAV file"),
        (b"RIFF\x10\0\0\0WAVEjunk", "cannot be read as sound"),
        (sound(NOISE[:0]), "no samples"),
        (sound(NOISE[:1000]), "lasts 0.062 s"),
        (sound(np.zeros(16_000, np.int16)), "silent throughout"),
        (sound(np.tile(NOISE, 3)), "lasts 3.0 s"),
    ],
)
def test_what_is_no_recording_of_a_word_is_refused_with_the_reason(running, content, said):
    answer, text = ask(running, "blue/ana", "POST", content)
    assert answer.status == 422
    assert said in text
    assert files(running.takes.folder) == []


def test_a_damaged_recording_never_ends_the_recorder(running):
    draw, whole = np.random.default_rng(1), sound()
    for _ in range(50):
        damaged = bytearray(whole[: draw.integers(12, len(whole))])
        damaged[8 + int(draw.integers(36))] = draw.integers(256)
        assert ask(running, "blue/ana", "POST", bytes(damaged))[0].status in (200, 422)
    assert ask(running, "blue/ana", "POST", whole)[0].status == 200


def test_a_recording_that_never_comes_is_given_up(running, monkeypatch):
    monkeypatch.setattr(recorder, "_PATIENCE_S", 0.0)
    link = http.client.HTTPConnection(running.address.split("/")[2], timeout=30)
    path = running.address.split("/", 3)[3]
    headers = {"Origin": f"http://{running.address.split('/')[2]}", "Content-Type": "audio/wav"}
    link.request("POST", f"/{path}blue/ana", sound()[:100], headers | {"Content-Length": "32044"})
    assert link.getresponse().status == 408
    assert files(running.takes.folder) == []


def test_nothing_that_is_there_is_replaced(tmp_path):
    place = tmp_path / "blue"
    place.mkdir()
    for name in ("ana_2.wav", "Ana_7.FLAC", "bea_9.wav", "ana_notes.txt", "ana.wav"):
        (place / name).write_bytes(b"mine")
    kept = takes.Takes(tmp_path, takes.read_words("blue"))
    assert kept.count() == {"blue": {"ana": 2, "bea": 1}, "unknown": {}}
    assert [kept.keep("blue", "ana", sound()).name for _ in range(2)] == ["ana_8.wav", "ana_9.wav"]
    mine = {path.name for path in place.iterdir() if path.read_bytes() == b"mine"}
    assert mine == {"ana_2.wav", "Ana_7.FLAC", "bea_9.wav", "ana_notes.txt", "ana.wav"}


def test_two_pages_at_once_keep_all(running):
    threads = [
        threading.Thread(target=ask, args=(running, "blue/ana", "POST", sound())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files(running.takes.folder) == [f"blue/ana_{n}.wav" for n in range(1, 9)]


def test_a_link_out_of_the_folder_is_not_followed(running, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    try:
        (running.takes.folder / "blue").symlink_to(outside, target_is_directory=True)
    except OSError:  # Windows lets only some make links; there is nothing to follow then
        return
    answer, text = ask(running, "blue/ana", "POST", sound())
    assert (answer.status, "leads out of" in text) == (422, True)
    assert files(outside) == []


def test_a_full_disk_is_told_and_leaves_no_half_file(running, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        answer, text = ask(running, "blue/ana", "POST", sound())
    assert answer.status == 507
    assert f"nothing can be written to {running.takes.folder} (No space left on device)" in text
    assert files(running.takes.folder) == []
    assert ask(running, "blue/ana", "POST", sound())[0].status == 200


def test_the_page_may_do_little_and_is_of_this_computer(running):
    answer, text = ask(running)
    policy = answer.getheader("Content-Security-Policy")
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)[1]
    assert "default-src 'none'" in policy
    assert "eval" not in policy
    assert "unsafe" not in policy
    assert all(f'nonce="{nonce}"' in tag for tag in re.findall(r"<(?:script|style)[^>]*>", text))
    assert nonce not in ask(running)[1]  # a new one each time
    assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"
    assert answer.getheader("Referrer-Policy") == "no-referrer"
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == set()
    assert running.address.split("/")[2].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("words", "by", "said"),
    [
        ("", "ana", "cannot be the name of a folder"),
        ("blue,,green", "ana", "''"),
        ("../x", "ana", "'../x'"),
        ("/etc", "ana", "'/etc'"),
        ("blue,con", "ana", "'con'"),
        ("a" * 41, "ana", "cannot be the name"),
        ("_silence_", "ana", "'_silence_'"),
        ("blue", "ana_1", "'ana_1' cannot be a speaker's name"),
        ("blue", "../ana", "cannot be a speaker's name"),
        ("blue", "Blue", "cannot be a speaker's name"),
        ("blue", "recording", "cannot be a speaker's name"),
    ],
)
def test_names_that_the_course_would_read_otherwise_are_refused_at_once(words, by, said, tmp_path):
    out = tmp_path / "words"
    done = CliRunner().invoke(cli.app, ["record", "--words", words, "--by", by, "--out", str(out)])
    assert done.exit_code == 1
    assert said in done.output
    assert not out.exists()


def test_words_are_told_apart_and_unknown_comes_with_them():
    words = takes.read_words(" Blue, blåbær,hey jarvis, silence,unknown,blue,7")
    assert words == ("blue", "blåbær", "hey jarvis", "7", "unknown", "silence")


def test_a_folder_that_is_a_file_is_told_before_anything_starts(tmp_path):
    (tmp_path / "words").write_text("mine")
    arguments = ["record", "--words", "blue", "--by", "ana", "--out", str(tmp_path / "words")]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 1
    assert "nothing can be written to" in done.output
    assert "choose another folder" in done.output
    assert (tmp_path / "words").read_text() == "mine"


def test_the_command_says_where_to_record_and_what_comes_next(tmp_path, monkeypatch):
    """Ctrl-C ends it; what was kept meanwhile is counted."""
    opened = []

    def speak(running):
        assert ask(running, "blue/ana", "POST", sound())[0].status == 200
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(recorder.Recorder, "wait", speak)
    folder = tmp_path / "my words"
    done = CliRunner().invoke(
        cli.app, ["record", "--words", "blue", "--by", "ana", "--out", str(folder)]
    )
    assert done.exit_code == 0, done.output
    assert f"Record at {opened[0]} and end it by Ctrl-C" in done.output
    assert "blue 1 by ana; unknown 0" in done.output
    assert f"Next: tinyml words '{folder}' --out my_firmware" in done.output


def test_a_notebook_shows_the_link_and_can_stop_it(tmp_path):
    running = recorder.record("blue", out=tmp_path)
    link = running._repr_html_()
    assert f'href="{running.address}" target="_blank" rel="noopener noreferrer"' in link
    assert ask(running)[0].status == 200
    running.stop()
    with pytest.raises(OSError):
        ask(running)
    with pytest.raises(ValueError, match="count 0"):
        recorder.record("blue", out=tmp_path, count=0)
