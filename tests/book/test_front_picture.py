"""The README's picture shows what networks did: no truth is drawn there as if it had been found."""

import ast
import copy
import re

import pytest
from PIL import Image

from book import front_picture, front_strip
from tinyml_helpers import datasets
from tinyml_helpers.course import scoreboard, syllabus
from tinyml_helpers.usecases.detection import figures
from tinyml_helpers.usecases.keywords.detector import Detection, Outcome, Spoken

DRAWN = "found_over_truth"
SEARCHED = {"read_grid", "detect"}  # what makes detections of a network's outputs
ASKED = {"predict", "outputs"}  # what asks a network


def cells_of(number):
    return syllabus.read_notebook(syllabus.select([int(number)])[0].path).cells


def front_cell(cells):
    return next(cell for cell in cells if front_picture.TAG in cell.metadata.get("tags", []))


def calls(node):
    """The names of all functions that are called inside of a node."""
    called = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
    return {getattr(one, "attr", getattr(one, "id", "")) for one in called}


def faults(cells):
    """What a front cell draws as found although no network found it."""
    cell = front_cell(cells)
    tree = ast.parse(cell.source.rstrip(";"))
    assigned = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    said = []
    if {"truth", "Detections", "show", "gallery", "draw_boxes"} & calls(tree):
        said.append("it draws boxes by another way than over the truth")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and DRAWN in calls(node) and len(node.args) > 1:
            found = node.args[1]
            made = assigned.get(found.id) if isinstance(found, ast.Name) else found
            if made is None or not (SEARCHED & calls(made) and ASKED & calls(made)):
                said.append("what it draws is not made from a network's outputs in this cell")
    if DRAWN in calls(tree):
        words = "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        counts = re.findall(r"found (\d+) of (\d+), (\d+) false", words)
        if not any(int(found) < int(there) for found, there, _ in counts):
            said.append("no object is missed: a detector misses some")
        if not any(int(false) for *_, false in counts):
            said.append("no box is false: a detector has some")
    return said


@pytest.mark.parametrize("number", front_picture.CAPTIONS)
def test_a_front_cell_draws_what_a_network_found(number):
    assert not faults(cells_of(number))


def test_the_detectors_picture_is_drawn_over_the_truth():
    assert DRAWN in front_cell(cells_of("12")).source


def test_nothing_in_the_package_turns_truth_into_detections():
    assert not hasattr(figures, "truth")


TRUTH = "gallery.found_over_truth(shown, {}, 'Found')"


@pytest.mark.parametrize(
    "source",
    [
        "gallery.gallery(shown.images, gallery.truth(shown), 'Scenes')",
        TRUTH.format("gallery.truth(shown)"),
        "found = [Detections(b, ones(len(b)), k, names) for b, k in zip(shown.boxes, shown.labels)]\n"
        + TRUTH.format("found"),
        "found = perfect(shown)\n" + TRUTH.format("found"),
        "found = detection.read_grid(detection_training.targets(shown))\n" + TRUTH.format("found"),
        TRUTH.format("found"),
    ],
)
def test_truth_drawn_as_found_is_refused(source):
    cells = copy.deepcopy(cells_of("12"))
    front_cell(cells).source = source
    assert faults(cells)


def test_a_picture_without_a_miss_or_a_false_box_is_refused():
    cells = copy.deepcopy(cells_of("12"))
    for output in front_cell(cells).outputs:
        if "image/png" in output.get("data", {}):
            output["data"]["text/plain"] = (
                "Scenes. 2 pictures: found 2 of 2, 0 false, found 3 of 3, 0 false."
            )
    assert len(faults(cells)) == 2


# ----- the strip that moves


def test_the_strip_lasts_its_five_seconds_and_is_light():
    path = datasets.data_folder() / "reference" / "front.gif"
    assert path.stat().st_size < 300_000
    with Image.open(path) as strip:
        times_ms = []
        for place in range(strip.n_frames):
            strip.seek(place)
            times_ms.append(strip.info["duration"])
    hops = front_strip.LONG_S * front_strip.RATE_HZ // front_strip.HOP
    assert times_ms[:-1] == [200] * (hops - 1)


def test_the_strip_is_as_fast_as_the_lesson_that_it_shows():
    readme = (datasets.data_folder().parent / "README.md").read_text("utf-8")
    told = int(re.search(r"instructions runs to (\d+) million", readme)[1])
    a_second = scoreboard.reference()["kws.final.mcu.instructions_per_second_of_audio"]
    assert told == pytest.approx(front_strip.LONG_S * a_second / 1e6, abs=1)


def outcome(*hits):
    found = tuple(Detection(time_s, word, 0.9) for time_s, word in hits)
    return Outcome(found, (), (), 60)


SAID = (Spoken(3.0, 3.4, "yes"), Spoken(9.0, 9.4, "go"), Spoken(11.0, 11.4, "up"))


def test_the_strip_takes_the_first_five_seconds_in_which_both_words_are_found():
    hits = outcome((3.9, "yes"), (9.8, "go"), (11.9, "up"))
    # From 8 on: "go" and "up" are said, and reported half a second before the end at the latest.
    assert front_strip._first_found(hits, SAID) == 8
    with pytest.raises(LookupError):
        front_strip._first_found(outcome((9.8, "go"), (11.9, "down")), SAID)
    with pytest.raises(LookupError):
        front_strip._first_found(outcome((9.8, "go")), SAID)
