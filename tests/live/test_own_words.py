"""From recordings to a firmware in one command, on synthetic voices that play a learner's people."""

import json
import re

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from tinyml_helpers import cli, datasets, mcu
from tinyml_helpers.datasets.keywords.clips import SILENCE
from tinyml_helpers.deploy import litert
from tinyml_helpers.live import own_words
from tinyml_helpers.mcu import sensors

PEOPLE = ("anna", "bela", "cleo", "dora", "emil", "fred")


def record(folder, words=("three", "seven")):
    """Each word by six voices, twice, under names of people; synthetic, and called so."""
    shipped = datasets.load_keywords(vocabulary="digits").part("train")
    for word in words:
        (folder / word).mkdir(parents=True)
        here = shipped.take(shipped.words == word)
        voices = [
            voice for voice in dict.fromkeys(here.voices.tolist()) if (here.voices == voice).sum() >= 2
        ]
        for person, voice in zip(PEOPLE, voices, strict=False):
            for take, clip in enumerate(here.clips[here.voices == voice][:2]):
                soundfile.write(folder / word / f"{person}_{take}.wav", clip, 16_000)
    return folder


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """What the command printed and wrote after five steps of training: enough to see all of it."""
    folder = record(tmp_path_factory.mktemp("words"))
    (folder / "three" / "notes.txt").write_text("no sound")
    for word in ("three", "seven"):  # as a phone records
        clip, rate_hz = soundfile.read(folder / word / "anna_0.wav")
        soundfile.write(folder / word / "anna_0.wav", np.repeat(clip, 3), 3 * rate_hz)
    out = tmp_path_factory.mktemp("made") / "firmware"
    done = CliRunner().invoke(cli.app, ["words", str(folder), "--out", str(out), "--steps", "5"])
    assert done.exit_code == 0, done.output
    return done.output, out


def test_all_of_it_is_there(delivered):
    said, out = delivered
    assert sorted(path.name for path in out.iterdir()) == [
        "live.html",
        "project",
        "report.txt",
        "words.tflite",
    ]
    assert "PDM.begin(1, 16000)" in (out / "project" / sensors.EXAMPLE).read_text("utf-8")
    assert (out / "report.txt").read_text("utf-8").strip() in said


def test_the_report_counts_the_test_clips_of_people_who_did_not_train(delivered):
    report = (delivered[1] / "report.txt").read_text("utf-8")
    rows = re.findall(r"^(\w+) +[\d.]+ % \(.*n = (\d+) clips\)", report, re.MULTILINE)
    counts = {name: int(count) for name, count in rows}
    people = {name for name in counts if name in PEOPLE}
    assert people
    assert people < set(PEOPLE)
    assert counts["three"] == counts["seven"] == 2 * len(people)
    assert "false alarms at it, while another synthetic voice says other words" in report
    assert "notes.txt" in report
    assert "\nresampled to 16,000 Hz: 2\n" in report
    trained = re.search(r"trained on (\d+) clips \(recorded\), voices: (\d+)", report)
    assert [int(one) for one in trained.groups()] == [4 * (6 - len(people)), 6 - len(people)]
    assert "Nobody who speaks in the test was trained on" in report
    assert "Nothing is called unknown, so it takes any other word for one of these" in report


def test_the_page_and_the_file_are_one_network(delivered):
    out = delivered[1]
    text = (out / "live.html").read_text("utf-8")
    given = json.loads(re.search(r'id="live">(.*?)</script>', text, re.DOTALL)[1])
    assert given["task"]["words"] == ["seven", "three"]
    model = litert.load(out / "words.tflite")
    assert model.input.dtype == "int8"
    assert model.output.shape[-1] == len(given["task"]["classes"])
    # the firmware of the project fits the default device, and is that of the file
    assert mcu.build(out / "words.tflite").flash_bytes < 100_000


def test_the_threshold_of_the_report_is_that_of_the_c(delivered):
    out = delivered[1]
    threshold = float(re.search(r"threshold (\d\.\d+)", (out / "report.txt").read_text("utf-8"))[1])
    tables = (out / "project" / "src" / "stream_tables.h").read_text("utf-8")
    least = int(re.search(r"LEAST_TOTAL (\d+)", tables)[1])
    assert least == int(np.ceil(threshold * 256 * 3 - 1e-9))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--device", "toaster"], "toaster"),
        (["--steps", "0"], "steps"),
        (["--voices", "../en"], "no language of eSpeak NG"),
    ],
)
def test_what_cannot_be_is_refused_before_training(change, said, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    folder = record(tmp_path / "words")
    done = CliRunner().invoke(cli.app, ["words", str(folder), "--out", str(tmp_path / "new"), *change])
    assert done.exit_code != 0
    assert said in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "new").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    folder = record(tmp_path / "words")
    out = tmp_path / "firmware"
    out.mkdir()
    (out / "diary.txt").write_text("mine")
    done = CliRunner().invoke(cli.app, ["words", str(folder), "--out", str(out)])
    assert done.exit_code == 1
    assert "exists and is not empty" in done.output
    assert [path.name for path in out.iterdir()] == ["diary.txt"]


def test_one_word_alone_is_refused_by_name(tmp_path):
    folder = record(tmp_path / "words", ("three",))
    done = CliRunner().invoke(cli.app, ["words", str(folder), "--out", str(tmp_path / "new")])
    assert done.exit_code == 1
    assert "one word only, 'three'" in done.output


def test_the_page_plays_a_clip_of_each_word_that_was_tested():
    spoken = datasets.load_keywords(vocabulary="digits").part("voices")
    sound = own_words.join(spoken, ("three", "nonesuch", "seven"))
    assert len(sound) == 2 * (16_000 + 12_800)
    assert np.array_equal(sound[:16_000], spoken.clips[spoken.words == "three"][0])
    assert not sound[16_000 : 16_000 + 12_800].any()
    assert SILENCE in spoken.classes
