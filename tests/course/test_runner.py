"""The runner and the command line, on small lessons made for the purpose."""

import json

import nbformat
import pytest
from typer.testing import CliRunner

from book import outputs
from tinyml_helpers import cli
from tinyml_helpers.course import doctor, runner, scoreboard, syllabus

OPENING = "# {} · {}\n\nA promise in one sentence.\n\n**Time**: 1 minute\n"
PARAMETERS = 'seed = 0\nprofile = "quick"'


@pytest.fixture
def course(tmp_path, monkeypatch, results):
    """A course of two lessons, the second of which fails in its last cell."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    good = [
        "from tinyml_helpers.course import scoreboard",
        'scoreboard.record("toy.seed", seed, "", lesson=0)',
    ]
    bad = ["kept = 1", "raise KeyError('lost')"]
    for number, (title, cells) in enumerate({"Good": good, "Bad": bad}.items()):
        notebook = nbformat.v4.new_notebook()
        parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
        solution = nbformat.v4.new_code_cell("'the answer'", metadata={"tags": ["solution"]})
        notebook.cells = [
            nbformat.v4.new_markdown_cell(OPENING.format(number, title)),
            parameters,
            solution,
            *map(nbformat.v4.new_code_cell, cells),
        ]
        notebook.metadata.kernelspec = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(notebook, folder / f"0{number}_{title.lower()}.ipynb")
    monkeypatch.setattr(syllabus, "notebooks_folder", lambda: folder)
    monkeypatch.setattr(runner, "build_folder", lambda: tmp_path / "build")
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(cli.app, list(arguments))


def test_the_course_leaves_notebook_page_index_and_scoreboard(course):
    result = invoke("course", "--lesson", "0", "-p", "seed=7")
    assert result.exit_code == 0, result.output
    assert "toy.seed" not in result.output
    assert "Figures: 1, by `tinyml scoreboard`" in result.output
    assert (course / "build" / "index.html").as_uri() in result.output.splitlines()
    build = course / "build"
    assert json.loads((build / "scoreboard.json").read_text())[0]["value"] == 7
    index = (build / "index.html").read_text("utf-8")
    assert 'href="00_good.html"' in index
    assert "Capstone" in index
    page = (build / "00_good.html").read_text("utf-8")
    assert "<details" in page
    assert "https://cdn" not in page
    assert "<script src=" not in page


def test_a_failing_cell_is_named_and_the_rest_is_kept(course):
    result = invoke("course")
    assert result.exit_code == 1
    assert "lesson 01 (01_bad.ipynb)" in result.stderr
    assert "KeyError: 'lost'" in result.stderr
    assert {path.name for path in (course / "build").iterdir()} >= {
        "00_good.html",
        "01_bad.html",
        "01_bad.ipynb",
        "index.html",
        "scoreboard.json",
    }
    assert "KeyError" in (course / "build" / "01_bad.html").read_text("utf-8")
    assert (course / "build" / "01_bad.html").as_uri() in result.stderr.splitlines()
    assert "`tinyml course --lesson 1 --profile quick` runs the lesson again" in result.stderr
    assert "The others" not in result.stderr  # there are none behind it


def test_what_follows_a_failing_lesson_is_named(course):
    result = invoke("course", "--lesson", "1", "--lesson", "0", "-p", "seed=1")
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last.endswith("tinyml course --lesson 0 --profile quick -p seed=1")


def test_every_figure_is_whole_on_a_narrow_terminal_and_shown_only_if_asked_for(course, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    name, unit = "kws.final.mcu.instructions_per_second_of_audio", "instructions a second, most of all"
    path = course / "notebooks" / "00_good.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell = f'scoreboard.record("{name}", 16297465, "{unit}", lesson=0)'
    notebook.cells.append(nbformat.v4.new_code_cell(cell))
    nbformat.write(notebook, path)
    scoreboard.record("of.another_run", 1, "", lesson=1)
    (line,) = (x for x in invoke("course", "-l", "0", "--records").output.splitlines() if name in x)
    assert line.split(maxsplit=3) == ["00", name, "16,297,465", unit]
    assert line in invoke("scoreboard").output
    assert "of.another_run" in invoke("scoreboard").output
    again = invoke("course", "-l", "0")
    assert name not in again.output and "Figures: 2," in again.output
    assert "of.another_run" not in invoke("course", "-l", "0", "--records").output


def test_a_cell_that_hangs_is_stopped(course, monkeypatch):
    monkeypatch.setattr(runner, "CELL_SECONDS", 1)
    path = course / "notebooks" / "00_good.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import time; time.sleep(60)"))
    nbformat.write(notebook, path)
    result = invoke("course", "--lesson", "0")
    assert result.exit_code == 1
    assert "a cell ran longer than 1 s" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--lesson", "9"], "no lesson 9: choose one of 0, 1"),
        (["--lesson", "0", "-p", "speed=1"], "has no parameter 'speed': choose one of seed, profile"),
        (["-p", "seed"], "parameter 'seed' is not name=value"),
    ],
)
def test_wrong_options_are_told_in_a_sentence(course, arguments, sentence):
    result = invoke("course", *arguments)
    assert result.exit_code == 1
    assert sentence in result.stderr


def test_outputs_are_stored_without_state_and_a_failing_lesson_stays_as_it_was(course):
    before = (course / "notebooks" / "01_bad.ipynb").read_bytes()
    result = CliRunner().invoke(outputs.app, [])
    assert result.exit_code == 1
    assert "KeyError" in result.output
    assert (course / "notebooks" / "01_bad.ipynb").read_bytes() == before
    good = nbformat.read(course / "notebooks" / "00_good.ipynb", as_version=4)
    assert good.cells[-1].outputs[0].data["text/plain"] == "toy.seed = 0"
    assert all("execution" not in cell.metadata for cell in good.cells)


def test_what_brings_a_lesson_to_google_colab_is_neither_run_nor_counted_nor_shown(course):
    path = course / "notebooks" / "00_good.ipynb"
    notebook = nbformat.read(path, as_version=4)
    brings = nbformat.v4.new_code_cell("raise KeyError('not here')", metadata={"tags": ["colab"]})
    notebook.cells.insert(1, brings)
    nbformat.write(notebook, path)
    runner.refresh_outputs(syllabus.lessons()[0])
    kept = nbformat.read(path, as_version=4)
    counts = [cell.execution_count for cell in kept.cells if cell.cell_type == "code"]
    assert counts == [None, 1, 2, 3, 4]
    assert kept.cells[1].outputs == []
    runner.write_page(path, course / "page.html")
    page = (course / "page.html").read_text("utf-8")
    assert "the answer" in page and "not here" not in page


def test_widget_views_are_dropped_from_what_is_stored():
    view = nbformat.v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}})
    text = nbformat.v4.new_output("stream", text="kept")
    notebook = nbformat.v4.new_notebook(metadata={"widgets": {}})
    notebook.cells = [nbformat.v4.new_code_cell("1", outputs=[view, text])]
    kept = runner.strip_widgets(notebook)
    assert [output.output_type for output in kept.cells[0].outputs] == ["stream"]
    assert "widgets" not in kept.metadata


@pytest.mark.parametrize("content", ["", "{}", "not json"])
def test_a_damaged_notebook_is_named(course, content):
    (course / "notebooks" / "00_good.ipynb").write_text(content)
    result = invoke("course", "--lesson", "0")
    assert result.exit_code == 1
    assert "00_good.ipynb" in result.stderr


def test_the_scoreboard_command(results):
    assert "The scoreboard is empty" in invoke("scoreboard").output
    scoreboard.record("a.b", 1234.5, "bytes", lesson=1)
    assert "1,234" in invoke("scoreboard").output


def test_the_doctor_finds_this_machine_ready():
    result = invoke("doctor")
    assert result.exit_code == 0, result.output
    assert "all verified" in result.output


def test_the_doctor_names_damaged_data_and_its_cure(copied_data):
    (copied_data / "fashion_mnist_test.npz").write_bytes(b"")
    report = doctor.examine()
    assert not report.ready
    assert "git checkout -- data/fashion_mnist_test.npz" in repr(report)
    assert invoke("doctor").exit_code == 1


def test_the_doctor_names_other_versions(monkeypatch):
    monkeypatch.setattr(doctor, "read_lock", lambda: {"numpy": "1.0", "no-such-package": "2.0"})
    finding = doctor._packages()
    assert not finding.ok
    assert "(want 1.0)" in finding.found
    assert "no-such-package missing (want 2.0)" in finding.found


def test_help_names_every_command():
    output = invoke("--help").output
    assert all(name in output for name in ("doctor", "course", "scoreboard"))
