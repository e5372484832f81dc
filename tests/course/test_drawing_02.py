"""The drawings of lesson 02 show what was computed."""

import numpy as np
import pandas as pd
import pytest
import torch

from tinyml_helpers.course import alt_text
from tinyml_helpers.course.drawings import lesson_02 as draw

pytestmark = pytest.mark.usefixtures("figures")


def marks(axes):
    """Places of what was plotted without a line: x and y of each."""
    return [
        (float(x), float(y))
        for line in axes.get_lines()
        if line.get_marker() not in ("", "None")
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


@pytest.mark.parametrize("bits", range(2, 9))
def test_the_number_line_has_a_tick_for_each_integer_and_zero_falls_on_one(bits):
    axes = draw.number_line(bits)
    ticks = next(one for one in axes.collections if len(one.get_segments()) == 2**bits)
    places = np.array([segment[0][0] for segment in ticks.get_segments()])
    assert np.diff(places) == pytest.approx(2 / (2**bits - 1), abs=1e-6)
    assert np.abs(places).min() == pytest.approx(0, abs=1e-6)
    zero = round(0.5 / (2 / (2**bits - 1)))
    assert f"zero point {zero}" in [text.get_text() for text in axes.texts]
    assert axes.get_title(loc="left") == f"{bits} bits: {2**bits} ticks, {2 / (2**bits - 1):.4f} apart"


def test_arrows_of_the_number_line_end_at_the_nearest_tick_or_at_an_end():
    axes = draw.number_line(3)
    gone = {arrow.xyann[0]: arrow.xy[0] for arrow in axes.texts if hasattr(arrow, "xyann")}
    # Steps of 2/7 from -4/7 to 10/7.
    assert gone == pytest.approx({0.0: 0, 0.1: 0, 0.87: 6 / 7, 1.8: 10 / 7}, abs=1e-6)
    assert "0.87 to 0.857, 1.8 to 1.429" in alt_text.describe(axes.figure)
    page = axes.figure.bbox.padded(1)
    axes.figure.draw_without_rendering()
    renderer = axes.figure.canvas.get_renderer()
    for text in axes.texts:
        assert all(page.contains(*corner) for corner in text.get_window_extent(renderer).corners())


def test_error_curves_mark_each_method_on_the_sum_of_both_errors():
    errors = pd.DataFrame({"rounding": [0.0, 1.0, 4.0], "clipping": [3.0, 1.0, 0.0]}, [1.0, 2.0, 3.0])
    axes = draw.error_curves(np.array([0.5, 2.5], np.float32), errors, {"half": 2.5}, 4)
    (found,) = marks(axes)
    assert found == (2.5, 3.0)  # half way between 2 and 4
    words = alt_text.describe(axes.figure)
    assert "4 bits: together they err least if the range ends at 2.00" in words
    assert "half: 2.50" in words


def test_settling_says_how_far_draws_are_apart_at_first_and_at_last():
    table = pd.DataFrame(
        {"images": [1, 1, 8, 8], "8 bits": [90.0, 91.5, 91.0, 91.2], "4 bits": [20.0, 70.0, 50.0, 53.0]}
    )
    axes = draw.settling(table)
    assert [one.get_title(loc="left") for one in axes.figure.axes] == [
        "8 bits:\n1.5 points apart, then 0.2",
        "4 bits:\n50.0 points apart, then 3.0",
    ]
    assert marks(axes) == [(1, 90), (1, 91.5), (8, 91), (8, 91.2)]


def test_integers_of_channels_counts_weights_by_integer():
    weight = torch.tensor([[0.1, -0.1], [7.0, 3.0]])
    axes = draw.integers_of_channels(weight, 4)
    whole, each = (np.square(panel.images[0].get_array()) for panel in axes.figure.axes)
    # The larger channel is on top; integers go from -7 to 7.
    assert np.argwhere(np.round(whole) > 0).tolist() == [[0, 10], [0, 14], [1, 7]]
    assert np.round(whole[1, 7]) == 2
    assert np.argwhere(np.round(each) > 0).tolist() == [[0, 10], [0, 14], [1, 0], [1, 14]]
    words = alt_text.describe(axes.figure)
    assert "One scale for the layer: 1 of 2 channels keep more than 2 steps" in words
    assert "One scale for each channel: 2 of 2 channels" in words


def right(count):
    """A thousand images of which so many are right."""
    return torch.arange(1000) < count


def test_the_sweep_draws_every_measurement_and_only_those_near_float_on_the_left():
    verdicts = {
        ("per channel", 8): right(930), ("per channel", 4): right(915), ("per channel", 2): right(100),
        ("per tensor", 8): right(929), ("per tensor", 4): right(200),
    }  # fmt: skip
    axes = draw.bits_sweep(verdicts, right(930))
    near, far = axes.figure.axes
    np.testing.assert_allclose(marks(near), [(8, 93), (4, 91.5), (7.9, 92.9)])
    np.testing.assert_allclose(marks(far), [(8, 93), (4, 91.5), (2, 10), (8, 92.9), (4, 20)])
    assert near.get_title(loc="left") == "Per channel, 4 bits lose 1.5 points"
    assert near.get_ylim()[0] > 80  # it starts where something is to be seen


def test_bits_under_budgets_draws_the_bits_of_each_layer_and_both_kinds_by_size():
    verdicts = {("same", 2000.0): right(910), ("by layer", 1900.0): right(920)}
    axes = draw.bits_under_budgets({"stem.conv": 8, "blocks.0.depthwise.conv": 3, "head": 4}, verdicts)
    bars, dots = axes.figure.axes
    assert [bar.get_width() for bar in bars.patches] == [8, 3, 4]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["stem", "0.depthwise", "head"]
    np.testing.assert_allclose(marks(dots), [(2.0, 91), (1.9, 92)])
    low, high = dots.collections[0].get_segments()[0][:, 1]
    assert low < 91 < high
