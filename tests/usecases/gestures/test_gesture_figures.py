"""Pictures of movements draw what was measured, and whoever looks can tell the lines apart."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tinyml_helpers.datasets import load_gestures
from tinyml_helpers.datasets.gestures.recordings import UNITS
from tinyml_helpers.intervals import over_groups
from tinyml_helpers.usecases.gestures import augment, features, figures, network, stream
from tinyml_helpers.usecases.gestures.vote import NONE

ORANGE, BLUE = "#D55E00", "#0072B2"


@pytest.fixture(scope="module")
def corpus():
    return load_gestures()


@pytest.fixture(scope="module")
def results():
    return network.results()


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def assert_readable(*axes):
    """Up is more; and what has a label stands in a legend, unless its figure has one for all panels."""
    for axis in axes:
        low, high = axis.get_ylim()
        assert low < high
        labels = axis.get_legend_handles_labels()[1]
        if labels:
            assert axis.get_legend(), f"nothing says which line is which: {labels}"
            assert [text.get_text() for text in axis.get_legend().get_texts()] == labels


def drawn(axis):
    return [np.asarray(line.get_ydata()) for line in axis.lines]


def test_recordings_have_three_axes_left_and_three_right(corpus):
    chosen = corpus.recordings[:7:3]
    panels = figures.recordings(chosen)
    assert [row[0].get_title() for row in panels] == [one.gesture for one in chosen]
    for row, one in zip(panels, chosen, strict=True):
        values = (one.raw[:400] * UNITS).astype(np.float32)
        np.testing.assert_array_equal(np.stack([*drawn(row[0]), *drawn(row[1])], axis=1), values)
        assert [axis.get_ylabel() for axis in row] == ["g", "rad/s"]
        assert_readable(*row)
    (legend,) = (axis.get_legend() for row in panels for axis in row if axis.get_legend())
    assert [text.get_text() for text in legend.get_texts()] == ["x", "y", "z"]


def test_each_window_begins_a_second_after_the_one_before(corpus):
    axis = figures.window_overlap(corpus.recordings[0])
    curve, *bars = axis.lines
    assert len(curve.get_ydata()) == features.WINDOW + 6 * features.HOP
    assert [tuple(bar.get_xdata()) for bar in bars] == [(n, n + 4) for n in range(6)]
    heights = [bar.get_ydata()[0] for bar in bars]
    assert heights == sorted(heights, reverse=True)
    assert max(heights) < min(curve.get_ydata())  # under the curve, not on it
    assert_readable(axis)


def test_a_slow_part_and_what_is_left_add_up(corpus):
    windows = features.cut(corpus.of(corpus.people[0]))
    raw, right = windows.raw[:1], windows.right[:1]
    values = features.halve_rate(raw, right)[0, :, 1]
    left, integers = figures.slow_part(values, [float(values.mean())] * len(values), raw, right)
    measured, slow, rest = drawn(left)
    np.testing.assert_allclose(slow + rest, measured, atol=1e-6)
    assert left.get_legend_handles_labels()[1] == ["as measured", "slow part", "what is left"]
    assert len(integers.lines) == 6
    assert -128 <= np.min(drawn(integers)) <= np.max(drawn(integers)) <= 127
    legend = [text.get_text() for text in integers.get_legend().get_texts()]
    assert legend == ["ax", "ay", "az", "wx", "wy", "wz"]
    assert_readable(left, integers)


def test_arms_are_told_apart_and_only_the_right_one_is_mirrored(corpus):
    raw = features.cut(corpus.of(corpus.people[0])).raw[0]
    first, mirrored, wrists = figures.arms_and_turns(corpus, augment.simulate_wrists(raw, seed=0))
    sides = first.get_legend_handles_labels()[1]
    assert set(sides) == {"left", "right"}
    for side, plain, other in zip(sides, drawn(first), drawn(mirrored), strict=True):
        np.testing.assert_allclose(other, -plain if side == "right" else plain)
    np.testing.assert_allclose(drawn(wrists)[-1], raw[:, 1] * UNITS[1], atol=1e-6)
    assert first.get_ylabel() == "g"
    assert_readable(first, wrists)


def test_people_have_a_mark_for_each_seed(results):
    axis = figures.people(results)
    stored = [one["window_percent_by_person"] for one in results["people"]["seeds"]["int8"]]
    assert np.array_equal(drawn(axis), stored)
    assert axis.get_legend_handles_labels()[1] == ["seed 0", "seed 1", "seed 2"]
    assert axis.get_xticks().tolist() == list(range(1, len(stored[0]) + 1))
    assert_readable(axis)


def test_a_recipe_is_orange_where_it_differs_by_more_than_people_do(results):
    axis = figures.recipes(results)
    chosen = np.array(results["recipes"]["as chosen"]["window_percent_by_person"])
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert set(names) == set(results["recipes"]) - {"as chosen"}
    colours = set()
    for row, (name, drawn_bar) in enumerate(zip(names, axis.containers, strict=True)):
        change = np.array(results["recipes"][name]["window_percent_by_person"]) - chosen
        found, (dot, _, (bar,)) = over_groups(change, "points"), drawn_bar.lines
        assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (pytest.approx(change.mean()), row)
        assert bar.get_segments()[0][:, 0].tolist() == pytest.approx([found.low, found.high])
        colours.add(dot.get_color())
        assert dot.get_color() == (BLUE if found.low <= 0 <= found.high else ORANGE)
    assert colours == {ORANGE, BLUE}
    assert_readable(axis)


def test_a_learning_curve_ends_with_all_but_one_person(results):
    axis = figures.learning_curve(results)
    counts = axis.lines[0].get_xdata()
    assert counts.tolist() == sorted({*map(int, results["curve"]), 9})
    assert drawn(axis)[0][-1] == results["recipes"]["as chosen"]["window_percent"]
    assert_readable(axis)


def test_strange_movements_run_from_the_one_that_is_accepted_most(results):
    axis = figures.strangers(results)
    refused = sorted(one["rejected_percent"] for one in results["unknown"].values())
    assert [bar.get_width() for bar in axis.patches] == refused
    assert f"{np.mean(refused):.1f} %" in axis.get_title()
    assert axis.get_xlim() == (0, 100)
    assert_readable(axis)


def test_turns_show_one_person_in_red():
    table = pd.DataFrame({"person": list("aba"), "turned": [1.0, 2, 3], "correct": [90.0, 80, 70]})
    axis = figures.turns(table, "b")
    (dots,) = axis.collections
    assert dots.get_offsets().tolist() == [[1, 90], [2, 80], [3, 70]]
    red = [tuple(colour) == plt.matplotlib.colors.to_rgba(ORANGE) for colour in dots.get_facecolors()]
    assert red == [False, True, False]
    assert_readable(axis)


def test_gains_have_a_mark_for_each_remedy():
    table = pd.DataFrame(
        {"as it is": [60, 70], "turned": [65, 72], "taught": [80, 75]}, index=["a", "b"]
    )
    axis = figures.gains(table)
    assert np.array_equal(drawn(axis), table.to_numpy().T)
    assert axis.get_legend_handles_labels()[1] == list(table)
    assert [label.get_text() for label in axis.get_xticklabels()] == ["a", "b"]
    assert_readable(axis)


def test_decisions_are_counted_as_they_are_drawn(corpus):
    flow = stream.join_each_arm(corpus.of(corpus.people[0]), seed=0)[0]
    _, ends = flow.windows()
    truth = np.maximum(flow.truth[ends - 1], 0)
    signal, answers = figures.decisions(flow, np.eye(len(flow.classes))[truth], 60, 1)
    within, elsewhere, _ = answers.lines
    level = {second: where for where, second in enumerate(ends / 50)}
    right = [
        sum(int(y) == flow.truth[ends[level[x]] - 1] for x, y in zip(*line.get_data(), strict=True))
        for line in (within, elsewhere)
    ]
    assert answers.get_title() == (
        f"Right this minute: {right[0]} of {len(within.get_xdata())} within a movement, "
        f"{right[1]} of {len(elsewhere.get_xdata())} elsewhere"
    )
    assert len(within.get_xdata()) > 5
    names = [label.get_text() for label in answers.get_yticklabels()]
    assert names == ["none", *flow.classes]
    assert answers.get_yticks()[0] == NONE
    assert len(signal.lines) == 3
    assert_readable(signal, answers)
