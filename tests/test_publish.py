import re
from pathlib import Path

import pytest

from tinyml_helpers.course import publish, scoreboard, syllabus

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


def test_the_front_picture_is_that_of_lesson_00():
    stored = publish.reference_path().parent / "first_network.png"
    assert stored.read_bytes() == publish.front_picture()


def test_a_readme_without_its_place_is_refused():
    with pytest.raises(ValueError, match=r"lost its place for the table"):
        publish.with_table("# Title\n", scoreboard.Scoreboard(()))
