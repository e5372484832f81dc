"""Sliders of the book: which positions are drawn, and that what is stored is still what lessons show."""

import html
import json
import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the book is beside the package, not in it

from book import notebooks, sliders  # noqa: E402
from tinyml_helpers.course import syllabus  # noqa: E402

STORED = {lesson: sliders.read(lesson.number) for lesson in syllabus.lessons()}
CELLS = [(lesson, name) for lesson, told in STORED.items() for name in told]


def values_of(choices, name="x"):
    return list(choices[name].values())


def test_a_short_slider_keeps_every_position_and_a_long_one_its_ends_and_its_start():
    assert values_of(sliders.choose({"x": (2, 8)}, {"x": 4})) == [2, 3, 4, 5, 6, 7, 8]
    photos = values_of(sliders.choose({"x": (0, 999)}, {"x": 7}))
    assert {0, 7, 999} < set(photos) and 20 < len(photos) <= sliders.MOST_FRAMES
    assert len(set(np.diff(photos[1:-1]))) == 1
    halves = sliders.choose({"x": (1.0, 3.0, 0.5)}, {"x": 2.0})["x"]
    assert halves == {"1": 1.0, "1.5": 1.5, "2": 2.0, "2.5": 2.5, "3": 3.0}
    start = 0.6 + 0.1 / 3
    assert start in values_of(sliders.choose({"x": (0.3, 0.9, 0.1)}, {"x": start}))


def test_menus_keep_every_value_and_what_would_be_too_much_stays_a_still():
    both = {"x": (0.0, 1.0, 0.01), "y": {"Arm": "m4", "RISC-V": "rv32"}}
    kept = sliders.choose(both, {"x": 0.5, "y": "m4"})
    assert kept["y"] == {"Arm": "m4", "RISC-V": "rv32"}
    assert 12 < len(kept["x"]) <= 18 and "0.5" in kept["x"]
    for many in ({"x": (0, 9), "y": (0, 9), "z": (0, 9)}, {"x": (0, 9), "y": list("abcdefgh")}):
        starts = {name: one[0] for name, one in many.items()}
        assert sliders.choose(many, starts) is None
    assert sliders.choose({"x": list(range(40))}, {"x": 0}) is None


def test_the_picture_holds_each_combination_where_the_script_looks_for_it(tmp_path):
    plt.close("all")

    def draw(shade=0, ink="red"):
        plt.figure(figsize=(2, 1), dpi=50, facecolor=(0, shade / 4, ink == "blue"))
        plt.gcf().suptitle(f"{shade} {ink}")

    choices = {"shade": {str(i): i for i in range(4)}, "ink": {"red": "red", "blue": "blue"}}
    told = sliders.draw_all(draw, choices, tmp_path / "one.webp")
    assert told["texts"] == [f"{shade} {ink}." for shade in range(4) for ink in ("red", "blue")]
    sheet = np.asarray(Image.open(tmp_path / "one.webp").convert("RGB"))
    assert (told["width"], told["height"]) == (100, 50)
    for i in range(8):
        across, down = i % told["columns"] * 100, i // told["columns"] * 50
        corner = sheet[down + 48, across + 2]
        assert abs(corner.astype(int) - [0, i // 2 / 4 * 255, 255 * (i % 2)]).max() <= 4
    assert not plt.get_fignums()


def test_a_cell_that_has_changed_stays_a_still():
    told = {"one": {"cell": sliders.digest("explore()"), "texts": ['"a" < b']}}
    moving = sliders.show(told, "one", "explore()", "<p>still</p>")
    data = html.unescape(
        re.fullmatch(r'<div class="slider" data-slider="([^"]*)"><p>still</p></div>', moving)[1]
    )
    assert json.loads(data) == {"name": "one", **told["one"]}
    assert sliders.show(told, "one", "explore(x)", "<p>still</p>") == "<p>still</p>"
    assert sliders.show(told, "two", "explore()", "<p>still</p>") == "<p>still</p>"


@pytest.mark.parametrize(("lesson", "name"), CELLS, ids=lambda one: getattr(one, "name", one))
def test_what_is_stored_is_what_the_lesson_shows(lesson, name):
    """Else: python -m book.sliders --lesson N."""
    cells = [cell for cell in syllabus.read_notebook(lesson.path).cells if cell.cell_type == "code"]
    place = [cell.id for cell in cells].index(name)
    one = STORED[lesson][name]
    assert one["cell"] == sliders.digest(cells[place].source)
    still = next(
        o.metadata["image/png"]["alt"]
        for o in cells[place + 1].outputs
        if "image/png" in o.get("data", {})
    )
    assert still in one["texts"]
    count = np.prod([len(control["values"]) for control in one["controls"]])
    assert len(one["texts"]) == count <= sliders.MOST_FRAMES
    assert all(0 <= control["start"] < len(control["values"]) for control in one["controls"])
    path = sliders.PICTURES / f"{name}.webp"
    assert path.stat().st_size <= 300_000
    with Image.open(path) as sheet:
        rows = -(-count // one["columns"])
        assert sheet.size == (one["columns"] * one["width"], rows * one["height"])


def test_at_least_six_lessons_move_and_no_picture_is_left_over():
    assert sum(map(bool, STORED.values())) >= 6
    assert {path.stem for path in sliders.PICTURES.iterdir()} == {name for _, name in CELLS}
    widgets = [cell for lesson, name in CELLS for cell in notebooks_cells(lesson) if cell["id"] == name]
    assert all("widget" in notebooks.tags(cell) for cell in widgets)


def notebooks_cells(lesson):
    return json.loads(lesson.path.read_text("utf-8"))["cells"]
