import numpy as np
import pytest
from matplotlib.colors import to_hex

from tinyml_helpers.course import alt_text
from tinyml_helpers.course.drawings import lesson_05
from tinyml_helpers.course.drawings.flow import Arrow

pytestmark = pytest.mark.usefixtures("figures")


def inside(figure, artists):
    renderer = figure.canvas.get_renderer()
    page = figure.bbox.padded(1)
    return all(
        page.contains(*corner) for one in artists for corner in one.get_window_extent(renderer).corners()
    )


def test_the_set_up_shows_the_image_and_both_answers_and_lies_on_its_page():
    draw = np.random.default_rng(0)
    image, teacher, student = draw.random((28, 28)), draw.dirichlet(np.ones(10)), np.full(10, 0.1)
    axes = lesson_05.set_up(image, teacher, student)
    picture, theirs, ours = axes.child_axes
    np.testing.assert_array_equal(picture.images[0].get_array(), image)
    assert [bar.get_height() for bar in theirs.patches] == pytest.approx(teacher)
    assert [bar.get_height() for bar in ours.patches] == pytest.approx(student)
    assert theirs.get_ylim() == ours.get_ylim()
    assert to_hex(theirs.patches[0].get_facecolor()) != to_hex(ours.patches[0].get_facecolor())
    figure = axes.figure
    figure.draw_without_rendering()
    boxes = [text.get_bbox_patch() for text in axes.texts if text.get_text()]
    assert inside(figure, [*axes.texts, *boxes, picture, theirs, ours])
    renderer = figure.canvas.get_renderer()
    papers = {text.get_text().strip(): text for text in axes.texts}
    for inset, name in (
        (picture, "one image"), (theirs, "teacher's answers, softened"),
        (ours, "student's answers, softened"),
    ):  # fmt: skip
        box = papers[name].get_bbox_patch().get_window_extent(renderer)
        assert all(box.contains(*corner) for corner in inset.get_window_extent(renderer).corners())


def test_no_gradient_goes_to_the_teacher():
    dashed = [arrow for arrow in lesson_05._ARROWS if arrow.dashed]
    assert [(arrow.start, arrow.end) for arrow in dashed] == [("loss", "ours"), ("ours", "student")]
    assert Arrow("image", "teacher") in lesson_05._ARROWS
    words = alt_text.describe(lesson_05.set_up(np.zeros((2, 2)), np.ones(3) / 3, np.ones(3) / 3).figure)
    assert words.startswith(
        "Drawing: The gradient reaches the student alone; one image → teacher: large"
    )


def test_gains_stand_where_their_seeds_are_with_students_interval():
    """1, 2, 3: mean 2, deviation 1, and 4.303 standard errors of 1 / root 3 to each side."""
    gains = {"one": [1.0, 2.0, 3.0], "two": [-1.0, 0.0, 1.0, 0.0]}
    axes = lesson_05.show_gains(gains, title="Found")
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["one", "two"]
    assert [text.get_text() for text in axes.texts] == [
        "+2.0 (-0.5 to +4.5), n = 3", "+0.0 (-1.3 to +1.3), n = 4",
    ]  # fmt: skip
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_xdata().tolist() for line in dots] == list(gains.values())
    ends = axes.collections[0].get_segments()[0]
    assert ends[:, 0] == pytest.approx([2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5], abs=1e-3)
    assert axes.yaxis_inverted()
    heard = alt_text.describe(axes.figure)
    assert heard == (
        "Drawing: Found; gain in points, with its interval; one: +2.0 (-0.5 to +4.5), n = 3; "
        "two: +0.0 (-1.3 to +1.3), n = 4."
    )


def test_changes_are_after_less_before_and_say_both():
    before, after = [[80.0, 15.0, 5.0], [30.0, 60.0, 10.0]], [[86.0, 10.0, 4.0], [30.0, 62.0, 8.0]]
    axes = lesson_05.show_changes(before, after, ["coat", "shirt"], title="Found")
    assert axes.images[0].get_array().tolist() == [[6, -5, -1], [0, 2, -2]]
    assert axes.texts[0].get_text() == "+6.0\n80 to 86 %"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["coat", "shirt", "other"]
    low, high = axes.images[0].get_clim()
    assert low == -high  # no change is white
    assert "shirt taken for other -2.0" in alt_text.describe(axes.figure)
    assert inside(axes.figure, axes.texts)
