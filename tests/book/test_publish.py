import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from book import front_picture, readme_results
from tinyml_helpers import datasets, mcu, models
from tinyml_helpers.course import scoreboard, syllabus, wording
from tinyml_helpers.mcu.reports import comparison

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_the_readme_and_the_page_of_results_show_the_reference_results():
    assert (
        readme_results.insert_tables(README, readme_results.render_short(scoreboard.reference()))
        == README
    )
    page = (Path(__file__).parents[2] / "book" / "scoreboard.md").read_text("utf-8")
    assert readme_results.insert_tables(page, readme_results.render_full(scoreboard.reference())) == page


def test_every_row_of_the_readme_has_its_records_and_every_record_its_words():
    names = {record.name for record in scoreboard.reference().records}
    told = {name for *_, row in readme_results.ROWS for name in re.findall(r"\{([a-z0-9_.]+):", row)}
    assert told <= names
    assert names <= set(wording.WORDS)
    assert len(readme_results.ROWS) <= 10


def test_a_row_is_left_out_where_a_record_of_it_is_missing():
    board = scoreboard.Scoreboard((scoreboard.Record("qat.tiny.ptq4_loss_points", 24.2, "points", 3),))
    assert "| 03 |" not in readme_results.render_short(board)
    assert "24.2 points" in readme_results.render_full(board)


def test_the_reference_results_are_those_that_the_lessons_show():
    for lesson in syllabus.lessons():
        cells = syllabus.read_notebook(lesson.path).cells
        tables = "".join(
            "".join(output.get("data", {}).get("text/html", ""))
            for cell in cells
            for output in cell.get("outputs", [])
        )
        shown = re.sub(r"(<[^>]+>)+", " ", tables)
        for record in scoreboard.reference().of_lesson(lesson.number).records:
            assert f"{record.name} {record.figure} " in shown, record.name


# README, reference and stored outputs come of one run, so comparing them finds drift and no error: what
# follows measures again, or leads to figures that test_headlines measures again.
FILE_BYTES = {
    "tflite.small.lean_int8_bytes": "small-lean",
    "kws.final.model_bytes": "kws",
    "kws.small.model_bytes": "kws-small",
    "gesture.net.int8_file_bytes": "gestures",
    "anomaly.autoencoder.int8_file_bytes": "vibration",
    "detect.tiny.int8.model_bytes": "tiny_detector",
}


@pytest.mark.parametrize(("name", "file"), FILE_BYTES.items())
def test_a_published_size_is_that_of_the_file(name, file):
    assert scoreboard.reference()[name] == len(datasets.read_verified(f"models/{file}.tflite"))


def test_what_was_published_of_the_virtual_microcontroller_is_what_it_does_now():
    now = {
        name: comparison.measure(datasets.data_folder() / "models" / f"{name}.tflite")
        for name in ("keyword_spotting", "large", "large-slim")
    }
    reference, keyword = scoreboard.reference(), now["keyword_spotting"]
    # Softmax depends a little on its input.
    published = reference["mcu.dscnn.instructions_per_mac"]
    assert keyword.instructions_per_mac == pytest.approx(published, rel=1e-3)
    assert keyword.firmware.flash_bytes == pytest.approx(reference["mcu.dscnn.flash_bytes"], abs=64)
    assert keyword.run.ram_bytes == pytest.approx(reference["mcu.dscnn.ram_bytes"], abs=64)
    fewer = now["large"].run.instructions / now["large-slim"].run.instructions
    for name in ("prune.large_slim.speedup_mcu", "mcu.large_slim.times_fewer_instructions"):
        assert reference[name] == pytest.approx(fewer, rel=1e-3)


CARD = (datasets.data_folder() / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "flash", "ram"),
    re.findall(r"models/([\w-]+)\.tflite` \| ([\d,]+) and ([\d,]+) bytes", CARD),
)
def test_the_card_says_what_a_network_takes_on_the_chip_now(name, flash, ram):
    firmware = mcu.build(str(datasets.data_folder() / "models" / f"{name}.tflite"), "nano33ble")
    used = firmware.run(np.zeros((1, 28, 28, 1), np.int8)).ram_bytes
    assert firmware.flash_bytes == pytest.approx(int(flash.replace(",", "")), abs=64)
    assert used == pytest.approx(int(ram.replace(",", "")), abs=64)


@pytest.mark.parametrize(
    ("name", "file", "network"),
    [
        *((f"qat.{name}.float_percent", "spine", name) for name in models.NAMES),
        *((f"prune.{name}.accuracy_percent", "pruned", f"{name}-pruned") for name in models.NAMES),
        *((f"distill.{name}.accuracy_percent", "distilled", name) for name in ("small", "tiny")),
        ("ptq.small.float.accuracy_fashion_percent", "spine", "small"),
    ],
)
def test_a_published_accuracy_is_that_of_a_network_that_is_run(name, file, network):
    stored = datasets.read_json(f"models/{file}.json")[network]["test_accuracy_percent"]
    # An image in ten thousand may fall to the other side on another processor.
    assert scoreboard.reference()[name] == pytest.approx(stored, abs=0.05)


def test_the_spine_stands_in_one_table_by_network_and_technique():
    board = scoreboard.Scoreboard(
        (
            scoreboard.Record("qat.small.float_percent", 92.89, "percent", 3),
            scoreboard.Record("prune.large.sparsity_percent", 90.0, "percent", 4),
            scoreboard.Record("distill.tiny.accuracy_percent", 91.5, "percent", 5),
        )
    )
    readme = readme_results.insert_tables(README, readme_results.render_short(board))
    assert "\n| `large` | – | – | – | – | – | 90.00 | – |\n" in readme
    assert "\n| `small` | 92.89 | – | – | – | – | – | – |\n" in readme
    assert "\n| `tiny` | – | – | – | – | – | – | 91.50 |\n" in readme


def test_the_front_picture_shows_what_the_lessons_hold():
    stored = Image.open(scoreboard.reference_path().parent / "front.png").convert("RGB")
    fresh = Image.open(io.BytesIO(front_picture.picture())).convert("RGB")
    assert stored.size == fresh.size
    # Letters may be drawn otherwise by another version of the font library; figures may not.
    assert np.mean(np.asarray(stored) != np.asarray(fresh)) < 0.01


def test_a_lesson_without_its_front_figure_is_named(monkeypatch):
    monkeypatch.setattr(front_picture, "TAG", "no such tag")
    with pytest.raises(LookupError, match=r"09_keyword_spotting.ipynb has no figure"):
        front_picture.picture()


def test_a_readme_without_its_place_is_refused():
    with pytest.raises(ValueError, match=r"lost its place for results"):
        readme_results.insert_tables("# Title\n", "")
