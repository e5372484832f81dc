"""Synthetic voices beside yours: by the engine itself where it is installed, else by one that beeps."""

import io
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from tinyml_helpers import datasets
from tinyml_helpers.datasets.keywords.clips import OTHER_WORDS
from tinyml_helpers.usecases.keywords import voices


@pytest.fixture
def spoken(tmp_path):
    """Two words and unknown, by two people who hiss."""
    draw = np.random.default_rng(0)
    for word in ("blue", "light", "unknown"):
        (tmp_path / word).mkdir()
        for name in ("ana_1", "ana_2", "bea_1", "bea_2"):
            hiss = draw.normal(0, 0.1, 16_000)
            soundfile.write(tmp_path / word / f"{name}.wav", hiss, 16_000, subtype="PCM_16")
    return datasets.load_keywords(tmp_path)


@pytest.fixture
def beeping(monkeypatch):
    """An engine that says everything as a tone; what it was asked for is listed."""
    asked = []

    def run(command, input, **_):
        asked.append((command, input.decode()))
        file = io.BytesIO()
        tone = 0.01 * np.sin(np.arange(11_025) / 5)
        soundfile.write(file, tone, 22_050, format="WAV", subtype="PCM_16")
        return SimpleNamespace(returncode=0, stdout=file.getvalue())

    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_synthetic_voices_are_in_the_training_alone(spoken, beeping):
    more = voices.add_voices(spoken, "en-gb", seed=1)
    added = more.take(slice(len(spoken), None))
    assert len(added) == 3 * 40
    assert set(added.split) == {"train"}
    assert set(added.engines) == {voices.ENGINE}
    for word in ("blue", "light", "unknown"):
        assert (added.words == word).sum() == 40
    assert [more.classes[label] for label in added.labels] == added.words.tolist()
    assert np.array_equal(more.part("test").clips, spoken.part("test").clips)
    assert np.array_equal(more.take(slice(len(spoken))).clips, spoken.clips)
    loudest = np.abs(added.clips.astype(int)).max(1)
    assert loudest.min() > 0.09 * 32767
    assert len(np.unique(loudest)) > 100  # as loud as people are: not always the same


def test_other_words_are_said_by_the_same_voices_and_are_none_of_yours(spoken, beeping):
    voices.add_voices(spoken, "en-gb", seed=1)
    said = [text for _, text in beeping]
    assert said[:80] == ["blue"] * 40 + ["light"] * 40
    assert set(said[80:]) <= set(OTHER_WORDS) - {"light"}
    used = {text: {command[2] for command, one in beeping if one == text} for text in ("blue", "light")}
    assert min(map(len, used.values())) > 8
    assert all(voice.startswith("en-gb+") for voice in used["blue"])
    assert all("blue" not in command for command, _ in beeping)  # a text is no option of a command


def test_only_what_was_recorded_is_spoken(tmp_path, beeping):
    """A folder of two of the course's commands has all twelve classes."""
    draw = np.random.default_rng(0)
    for word in ("yes", "no"):
        (tmp_path / word).mkdir()
        for name in ("ana_1", "bea_1"):
            soundfile.write(tmp_path / word / f"{name}.wav", draw.normal(0, 0.1, 16_000), 16_000)
    voices.add_voices(datasets.load_keywords(tmp_path), "en", seed=0)
    assert {text for _, text in beeping} == {"yes", "no"}


@pytest.mark.parametrize("language", ["", "-w", "../en", "en+f1", "English"])
def test_what_is_no_language_is_refused(language, spoken, beeping):
    with pytest.raises(ValueError, match="no language of eSpeak NG"):
        voices.add_voices(spoken, language, seed=0)
    assert beeping == []


def test_a_computer_without_the_engine_says_how_to_get_it(spoken, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ValueError, match="no espeak-ng on this computer: install it"):
        voices.add_voices(spoken, "en", seed=0)


def test_the_engine_itself_speaks(spoken):
    if not shutil.which("espeak-ng"):
        pytest.skip("no espeak-ng on this machine")
    added = voices.add_voices(spoken, "en", seed=0).take(slice(len(spoken), None))
    said = [(added.clips[added.words == word] ** 2.0).mean(1) > 0 for word in ("blue", "light")]
    assert all(one.all() for one in said)
    with pytest.raises(ValueError, match="does not speak 'zz'"):
        voices.add_voices(spoken, "zz", seed=0)
