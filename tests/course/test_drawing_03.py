"""Drawings of lesson 03 show what was computed, and lie on their page."""

import numpy as np
import pandas as pd
import pytest
import torch

from tinyml_helpers import intervals
from tinyml_helpers.compress.qat import StraightThrough
from tinyml_helpers.course import alt_text
from tinyml_helpers.course.drawings import lesson_03

pytestmark = pytest.mark.usefixtures("figures")


def words(axes):
    return [text for text in axes.texts if text.get_text()]


@pytest.mark.parametrize("draw", [lesson_03.layer, lesson_03.decision])
def test_boxes_lie_on_the_page_and_do_not_overlap(draw):
    axes = draw()
    renderer = axes.figure.canvas.get_renderer()
    boxes = [
        text.get_bbox_patch().get_window_extent(renderer)
        for text in words(axes)
        if text.get_bbox_patch() and text.get_fontsize() == 11
    ]
    page = axes.figure.bbox.padded(1)
    assert all(page.contains(*corner) for box in boxes for corner in box.corners())
    for place, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[place + 1 :])
    assert axes.figure.get_figwidth() <= 9
    assert min(text.get_fontsize() for text in words(axes)) >= 10


def test_the_layer_folds_rounds_and_convolves_in_this_order():
    said = alt_text.describe(lesson_03.layer().figure)
    order = ["kept in float → fold", "batch norm → round", "15 levels → convolve", "convolve → next"]
    places = [said.index(one) for one in order]
    assert places == sorted(places)
    assert "as if it were not there" in said


def test_training_comes_last_in_the_decision():
    said = alt_text.describe(lesson_03.decision().figure)
    assert said.index("1. round after") < said.index("2. new batch") < said.index("3. train")
    assert said.count("good enough) → ship it") == 3


def test_the_staircase_has_as_many_jumps_and_clipped_weights_as_it_says():
    # The largest is 4; at 50 % of it, 3 bits have steps of 2/3 and round up to 7/3 to an integer.
    weights = torch.tensor([-4.0, -2.4, -2.3, 0.1, 2.3, 2.4])
    lower = lesson_03.staircase(StraightThrough.apply, weights, bits=3, range_percent=50)
    said = alt_text.describe(lower.figure)
    assert "3 of 6 weights are clipped" in said
    assert "a dot for each of 6 weights" in said and "7 levels" in said
    spikes = next(line for line in lower.get_lines() if line.get_marker() == "^")
    assert spikes.get_xdata() == pytest.approx(2 / 3 * np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]))
    slope = lower.get_lines()[0]
    inside = np.abs(slope.get_xdata()) < 7 / 3
    assert np.array_equal(slope.get_ydata(), inside)


def test_dots_are_sorted_and_heard_with_their_intervals():
    found = {"many": intervals.rate(90, 100), "few": intervals.rate(10, 100)}
    axes = lesson_03.dots(found, title="Many are more", xlabel="correct (%)")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["few", "many"]
    said = alt_text.describe(axes.figure)
    assert said.startswith("Drawing: Many are more; correct (%): few 10.0 (5.5 to 17.4), many 90.0")


def test_rates_fall_from_many_bits_to_few_with_their_intervals():
    rates = pd.DataFrame({8: [intervals.rate(9, 10)], 2: [intervals.rate(5, 10)]}, ["QAT"])
    axes = lesson_03.by_bits(rates, title="Fewer bits")
    (line,) = axes.get_lines()
    assert line.get_label() == "QAT"
    assert line.get_xydata().tolist() == [[8, 90], [2, 50]]
    ends = [part[:, 1].tolist() for part in axes.collections[0].get_segments()]
    assert ends == [[one.low, one.high] for one in rates.loc["QAT"]]
    assert axes.get_xlim()[0] > axes.get_xlim()[1]
