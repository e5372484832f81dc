"""A lesson on one's own recordings: the folder is found first, and shipped results stay as they are."""

import os

import nbformat
import pytest
from typer.testing import CliRunner

from tinyml_helpers import cli
from tinyml_helpers.course import own_data, runner, scoreboard, syllabus
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
    (here / "mine" / "me.jpg").touch()
    photo = own_data.resolve({"own_photos": "mine/me.jpg"})
    assert photo == {"own_photos": str((here / "mine" / "me.jpg").resolve())}
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
    assert "Measured on your own files" in result.stdout and "80.5" in result.stdout
    assert "94.6" not in result.stdout
    assert "own/index.html" in result.stdout.replace("\n", "")
    assert not (here / "shipped").exists()
    assert os.environ["TINYML_RESULTS"] == str(here / "build" / "own" / "results")


def test_where_nothing_could_be_measured_the_command_says_so(here, monkeypatch):
    monkeypatch.setattr(runner, "build_folder", lambda: here / "build")
    monkeypatch.setattr(runner, "run", lambda *_, **__: None)
    result = CliRunner().invoke(cli.app, ["course", "--lesson", "13", "-p", "own_photos=mine"])
    assert "Nothing was recorded of your own files" in result.stdout.replace("\n", " ")
    assert "scoreboard is empty" not in result.stdout


def test_a_page_says_that_it_was_run_on_your_files_and_whose_the_text_is(here, monkeypatch):
    folder = here / "notebooks"
    folder.mkdir()
    cells = [
        nbformat.v4.new_markdown_cell("# 0 · Toy\n\nA promise.\n\n**Time**: 1 minute\n"),
        nbformat.v4.new_code_cell('own_photos = ""', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("len(own_photos)"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "3", "language": "python"}
    nbformat.write(notebook, folder / "00_toy.ipynb")
    (lesson,) = syllabus.lessons(folder)
    parameters = own_data.resolve({"own_photos": "mine"})
    built = runner.run(lesson, parameters, here / "own", progress=False)
    page = built.page.read_text("utf-8")
    title, note = page.index("A promise."), page.index("Run on your own files")
    assert title < note < page.index("In&nbsp;[1]" if "In&nbsp;[1]" in page else "[1]:")
    assert str(here / "mine") in page and "written about the course's own data" in page
    plain = runner.run(lesson, {}, here / "plain", progress=False)
    assert "Run on your own files" not in plain.page.read_text("utf-8")


@pytest.mark.parametrize(
    "given", [{}, {"seed": 1}, {"recordings": "cwru"}, {"own_words": "", "own_photos": ""}]
)
def test_without_files_of_yours_a_page_says_nothing_of_them(given):
    assert own_data.tell_whose(given) == ""
