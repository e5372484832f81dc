"""Lessons on a learner's own files, as the command runs them: small folders, made of what ships.

make whole ARGS="-k own"        these runs alone

Nobody recorded these: words are the course's synthetic voices, movements are pieces of the shipped
recordings under other names, and the fan is a formula.
"""

import json
import re
from dataclasses import replace

import compare
import conditions
import numpy as np
import pytest
import soundfile

from tinyml_helpers.datasets import load_gestures, load_keywords, read_json
from tinyml_helpers.datasets.gestures.recordings import UNITS
from tinyml_helpers.datasets.images.photos import load_photos

RECORDINGS = load_gestures().recordings
MOVEMENTS = ("pendulum", "abduction", "upright row")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout, whose build folder these runs fill."""
    return conditions.copy_checkout(tmp_path_factory.mktemp("own") / "course")


@pytest.fixture
def run(checkout, tmp_path, monkeypatch):
    """A function that runs a lesson on `mine` in the folder where it is started."""
    monkeypatch.setenv("COLUMNS", "200")

    def start(number, parameter):
        where = conditions.Conditions()
        process = conditions.start(checkout, [number], where, tmp_path, [parameter])
        outcome = conditions.finish(process, checkout, where, tmp_path)
        return outcome.code, outcome.said

    return start


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    return folder


def notebook(checkout, number):
    """The executed notebook of a lesson on own files, and its page."""
    (path,) = (checkout / "build" / "own").glob(f"{number:02d}_*.ipynb")
    return json.loads(path.read_text("utf-8")), path.with_suffix(".html").read_text("utf-8")


def shown(executed):
    """All text that its cells put out: what was printed, and what figures say."""
    parts = []
    for cell in executed["cells"]:
        for output in cell.get("outputs", []):
            parts.append("".join(output.get("text", "")))
            parts.append("".join(output.get("data", {}).get("text/plain", "")))
    return "\n".join(parts)


def own_records(checkout, number):
    path = checkout / "build" / "own" / "results" / f"{number:02d}.json"
    return {one["name"]: one["value"] for one in json.loads(path.read_text("utf-8"))}


def assert_own(checkout, number, code, said, names):
    """The run ended well, the command printed the own figures, and the page says whose the text is."""
    assert code == 0, said[-3000:]
    assert "Measured on your own files" in said
    records = own_records(checkout, number)
    for name in names:
        assert name in said and name in records
    assert not (checkout / "build" / "results").exists()
    executed, page = notebook(checkout, number)
    assert "Run on your own files" in page
    return shown(executed)


# Words


def write_words(folder, name, words=("one", "two", "seven"), voices=8, takes=4):
    """Synthetic voices as own recordings: `name` makes a file's name of word, voice and take."""
    spoken = load_keywords(vocabulary="digits")
    for word in words:
        (folder / word).mkdir()
        clips = spoken.clips[(spoken.words == word) & (spoken.engines == "espeak")]
        for number, clip in enumerate(clips[: voices * takes]):
            path = folder / word / name(word, number // takes, number % takes)
            soundfile.write(path, clip, 16_000)


def test_own_words_with_speakers_in_their_names_keep_voices_apart(run, mine, checkout):
    write_words(mine, lambda word, voice, take: f"{'abcdefgh'[voice] * 4}_{take}.wav")
    code, said = run(9, "own_words=mine")
    told = assert_own(checkout, 9, code, said, ["own.words.test_accuracy_percent"])
    assert re.search(r"understood: [\d.]+ % ", told)
    assert "flatters" not in told
    assert re.search(r"mine: 96 clips", told)


def test_own_words_of_nobody_in_particular_are_said_to_flatter(run, mine, checkout):
    write_words(mine, lambda word, voice, take: f"recording {4 * voice + take}.wav")
    (mine / "one" / "phone.m4a").write_bytes(b"x")
    code, said = run(9, "own_words=mine")
    told = assert_own(checkout, 9, code, said, ["own.words.test_accuracy_percent"])
    understood = next(line for line in told.splitlines() if line.startswith("understood:"))
    assert "flatters" in understood
    assert "one/phone.m4a: not read here; turn it into WAV" in told


# Movements


def soften(raw, gentle):
    """Make a movement smaller, int16 [N, 6]: gravity turns by a share, and keeps its length."""
    pull, turn = raw[:, :3] * UNITS[:3], raw[:, 3:] * gentle
    length = np.linalg.norm(pull, axis=1, keepdims=True)
    middle = pull.mean(0) / np.linalg.norm(pull.mean(0))
    towards = middle + gentle * (pull / length - middle)
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    pull = towards * (1 + gentle * (length - 1)) / UNITS[:3]
    return np.round(np.column_stack([pull, turn])).astype(np.int16)


def write_movements(folder, people, takes=1, seconds=20, gentle=1.0):
    """Pieces of shipped recordings as own ones; gentle ones move by a share of it."""
    for number, person in enumerate(people):
        for movement in MOVEMENTS:
            of_one = [one for one in RECORDINGS if one.gesture == movement][number]
            for take in range(takes):
                raw = of_one.raw[take * seconds * 50 :][: seconds * 50]
                if len(raw) < seconds * 50:  # the shipped ones last 19 s and more
                    raw = of_one.raw[-seconds * 50 :]
                raw = soften(raw, gentle)
                name = f"{person}_left_{movement.replace(' ', '_')}_{take + 1}.csv"
                replace(of_one, raw=raw).write_csv(folder / name)


GESTURE = ["own.gesture.net.leaking_split_percent", "own.gesture.net.unseen_people_percent"]


def assert_nothing_shipped(told, checkout):
    """Nothing that was measured on the ten people who ship stands in what the cells put out."""
    records = own_records(checkout, 10)
    assert all(name.startswith("own.") for name in records)
    for words in (
        "10 people", "140 recordings", "stored seeds", "chosen by the other nine", "tuned forest",
        "AUC of the lead", "number of people trained on",
    ):  # fmt: skip
        assert words not in told
    stored = read_json("models/gestures.json")
    shipped = [np.mean(stored[name]["window_percent_by_person"]) for name in ("nested", "forest")]
    for percent in shipped:
        assert f"{percent:.1f} % (" not in told


def test_own_movements_of_two_people_are_tested_on_each_other(run, mine, checkout):
    write_movements(mine, ("anna", "bob"), takes=2, seconds=16)
    code, said = run(10, "recordings=mine")
    told = assert_own(checkout, 10, code, said, GESTURE)
    assert "12 recordings of 2 people" in told and "n = 2 people" in told
    assert "One person alone" not in told
    assert_nothing_shipped(told, checkout)


def test_own_gentle_movements_of_one_person_run_and_say_what_that_hides(run, mine, checkout):
    write_movements(mine, ("me",), takes=2, seconds=16, gentle=0.3)
    code, said = run(10, "recordings=mine")
    told = assert_own(checkout, 10, code, said, GESTURE)
    assert "One person alone (me): takes are held back in place of people" in told
    assert_nothing_shipped(told, checkout)


def test_own_movements_of_six_seconds_are_refused_before_any_training(run, mine, checkout):
    write_movements(mine, ("anna", "bob"), seconds=6)
    code, said = run(10, "recordings=mine")
    assert code == 1
    assert re.search(r"lasts 6\.0 s: record at least 15 s", said)
    executed, _ = notebook(checkout, 10)
    ran = [cell for cell in executed["cells"] if cell.get("outputs")]
    assert not any("train_without" in "".join(cell["source"]) for cell in ran)


# A machine


def write_fan(folder, name, seconds, coin=0.0, seed=0, rate_hz=200):
    """A phone on a fan, by formula: 20 turns a second, noise, and what a coin on a blade adds."""
    draw = np.random.default_rng(seed)
    time = np.arange(seconds * rate_hz) / rate_hz
    load = 1 + 0.1 * np.sin(2 * np.pi * time / 30)
    sine = (0.5 + coin) * load * np.sin(2 * np.pi * 20 * time) + 0.2 * np.sin(2 * np.pi * 60 * time)
    axes = np.column_stack([sine, 0.3 * sine, 9.81 + 0.1 * sine]) + draw.normal(0, 0.08, (len(time), 3))
    (folder / name).mkdir()
    lines = ["seconds_elapsed,z,y,x"]
    lines += [f"{t:.4f},{z:.5f},{y:.5f},{x:.5f}" for t, (x, y, z) in zip(time, axes, strict=True)]
    (folder / name / "TotalAcceleration.csv").write_text("\n".join(lines), "utf-8")


def test_own_fan_at_200_hz_has_a_threshold_from_its_own_healthy_time(run, mine, checkout):
    write_fan(mine, "healthy", 240)
    write_fan(mine, "coin", 60, coin=1.0, seed=1)
    code, said = run(11, "recordings=mine")
    told = assert_own(checkout, 11, code, said, ["own.machine.lowest_auc"])
    assert "200 Hz hears nothing above 100 Hz" in told
    assert re.search(r"^healthy +\d+ ", told, re.MULTILINE) and re.search(r"^coin +\d+ ", told, re.M)
    assert "healthy segments that were not used otherwise" in told
    assert "(example vibration)" not in told
    assert own_records(checkout, 11)["own.machine.lowest_auc"] > 0.9


# Photos


def test_own_photos_are_searched_for_things_and_for_faces(run, mine, checkout):
    from PIL import Image

    for name, photo in load_photos().items():
        if name in ("hopper", "coffee"):
            Image.fromarray(photo).save(mine / f"my {name}.jpg", quality=95)
    (mine / "IMG_1.HEIC").write_bytes(b"x")
    code, said = run(12, "own_photos=mine")
    told = assert_own(checkout, 12, code, said, ["own.photos.objects_found"])
    assert "IMG_1.HEIC: not read here; save it as JPEG" in told
    code, said = run(13, "own_photos=mine")
    told = assert_own(checkout, 13, code, said, ["own.faces.highest_other_cosine"])
    assert "my coffee.jpg: no face found" in told and "no second photo of the same person" in told
    assert "own.faces.lowest_same_cosine" not in said


def test_own_shipped_figures_are_those_of_a_run_without_own_files(run, mine, checkout):
    """Beside own photos the lesson prints of its own ones what is stored."""
    from PIL import Image

    Image.fromarray(load_photos()["chelsea"]).save(mine / "cat.png")
    code, said = run(13, "own_photos=mine/cat.png")
    assert code == 0, said[-3000:]
    executed, _ = notebook(checkout, 13)
    (stored,) = (conditions.ROOT / "notebooks").glob("13_*.ipynb")
    assert compare.changed(stored, checkout / "build" / "own" / stored.name) == []
    assert "No photo of yours shows exactly one face" in shown(executed)
    assert "Nothing was recorded of your own files" in said
