import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyml_helpers.course import front, publish, scoreboard, syllabus, wording

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_the_readme_and_the_page_of_results_show_the_reference_results():
    assert publish.with_tables(README, publish.in_short(publish.reference())) == README
    page = (Path(__file__).parents[1] / "book" / "scoreboard.md").read_text("utf-8")
    assert publish.with_tables(page, publish.in_full(publish.reference())) == page


def test_every_row_of_the_readme_has_its_records_and_every_record_its_words():
    names = {record.name for record in publish.reference().records}
    told = {name for *_, row in publish.ROWS for name in re.findall(r"\{([a-z0-9_.]+):", row)}
    assert told <= names
    assert names <= set(wording.WORDS)
    assert len(publish.ROWS) <= 10


def test_a_row_is_left_out_where_a_record_of_it_is_missing():
    board = scoreboard.Scoreboard((scoreboard.Record("qat.tiny.ptq4_loss_points", 24.2, "points", 3),))
    assert "| 03 |" not in publish.in_short(board)
    assert "24.2 points" in publish.in_full(board)


def test_the_reference_results_are_those_that_the_lessons_show():
    for lesson in syllabus.lessons():
        cells = syllabus.read_notebook(lesson.path).cells
        tables = "".join(
            "".join(output.get("data", {}).get("text/html", ""))
            for cell in cells
            for output in cell.get("outputs", [])
        )
        shown = re.sub(r"(<[^>]+>)+", " ", tables)
        for record in publish.reference().of_lesson(lesson.number).records:
            assert f"{record.name} {record.figure} " in shown, record.name


def test_the_spine_stands_in_one_table_by_network_and_technique():
    board = scoreboard.Scoreboard(
        (
            scoreboard.Record("qat.small.float_percent", 92.89, "percent", 3),
            scoreboard.Record("prune.large.sparsity_percent", 90.0, "percent", 4),
            scoreboard.Record("distill.tiny.accuracy_percent", 91.5, "percent", 5),
        )
    )
    readme = publish.with_tables(README, publish.in_short(board))
    assert "\n| `large` | – | – | – | – | – | 90.00 | – |\n" in readme
    assert "\n| `small` | 92.89 | – | – | – | – | – | – |\n" in readme
    assert "\n| `tiny` | – | – | – | – | – | – | 91.50 |\n" in readme


def test_the_front_picture_shows_what_the_lessons_hold():
    stored = Image.open(publish.reference_path().parent / "front.png").convert("RGB")
    fresh = Image.open(io.BytesIO(front.picture())).convert("RGB")
    assert stored.size == fresh.size
    # Letters may be drawn otherwise by another version of the font library; figures may not.
    assert np.mean(np.asarray(stored) != np.asarray(fresh)) < 0.01


def test_a_lesson_without_its_front_figure_is_named(monkeypatch):
    monkeypatch.setattr(front, "TAG", "no such tag")
    with pytest.raises(LookupError, match=r"09_keyword_spotting.ipynb has no figure"):
        front.picture()


def test_a_readme_without_its_place_is_refused():
    with pytest.raises(ValueError, match=r"lost its place for results"):
        publish.with_tables("# Title\n", "")
