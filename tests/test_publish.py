import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyml_helpers.course import front, publish, scoreboard, syllabus

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_the_readme_shows_the_reference_results():
    assert publish.with_table(README, publish.reference()) == README
    assert {record.name for record in publish.reference().records} >= set(publish.FRONT)


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
    readme = publish.with_table(README, board)
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
    with pytest.raises(ValueError, match=r"lost its place for the table"):
        publish.with_table("# Title\n", scoreboard.Scoreboard(()))
