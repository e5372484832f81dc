"""A lesson on one's own recordings: the folder is found first, and shipped results stay as they are."""

import os

import pytest
from typer.testing import CliRunner

from tinyml_helpers import cli
from tinyml_helpers.course import own_data, runner, scoreboard
from tinyml_helpers.datasets import DataError


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYML_RESULTS", str(tmp_path / "shipped"))
    return tmp_path


def test_every_folder_parameter_becomes_absolute_and_the_rest_stays(here):
    given = {"own_words": "mine", "recordings": "./mine", "seed": 1, "profile": "quick"}
    mine = str((here / "mine").resolve())
    assert own_data.resolve(given) == {**given, "own_words": mine, "recordings": mine}
    assert own_data.resolve({"recordings": "cwru", "own_words": ""}) == {
        "recordings": "cwru",
        "own_words": "",
    }
    with pytest.raises(DataError, match="'elsewhere'"):
        own_data.resolve({"recordings": "elsewhere"})


def test_a_folder_that_is_not_there_stops_the_command_before_the_first_cell(here, monkeypatch):
    monkeypatch.setattr(runner, "run", lambda *_, **__: pytest.fail("a lesson was run"))
    result = CliRunner().invoke(cli.app, ["course", "--lesson", "10", "-p", "recordings=nowhere"])
    assert result.exit_code == 1
    assert "no file or folder 'nowhere'" in result.stderr


def test_after_a_run_on_own_recordings_the_own_results_are_printed(here, monkeypatch):
    monkeypatch.setattr(runner, "build_folder", lambda: here / "build")
    seen = {}

    def run(lesson, parameters, folder, **_):
        seen.update(parameters, folder=folder)
        scoreboard.record("own.gesture.net_percent", 80.5, "percent", lesson.number)
        scoreboard.record("gesture.net.shipped_percent", 94.6, "percent", lesson.number)

    monkeypatch.setattr(runner, "run", run)
    result = CliRunner().invoke(cli.app, ["course", "--lesson", "10", "-p", "recordings=mine"])
    assert result.exit_code == 0, result.output
    assert seen["recordings"] == str((here / "mine").resolve())
    assert seen["folder"] == here / "build" / "own"
    assert "Measured on your recordings" in result.stdout and "80.5" in result.stdout
    assert "94.6" not in result.stdout
    assert "own/index.html" in result.stdout.replace("\n", "")
    assert not (here / "shipped").exists()
    assert os.environ["TINYML_RESULTS"] == str(here / "build" / "own" / "results")
