import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.transforms import Bbox

from tinyml_helpers import models
from tinyml_helpers.course import alt_text
from tinyml_helpers.course.drawings import spine
from tinyml_helpers.course.drawings.flow import Arrow, Box, flow

BOXES = {
    "float": Box("float network", 0.0),
    "int8": Box("bytes", 3.0, 0.0, "data"),
    "chip": Box("chip", 6.0, 1.0, "result"),
}
ARROWS = [Arrow("float", "int8", "round"), Arrow("int8", "chip", bend=0.2, dashed=True)]


pytestmark = pytest.mark.usefixtures("figures")


def inside(figure, artists):
    """Whether all of these lie on the page."""
    renderer = figure.canvas.get_renderer()
    page = figure.bbox.padded(1)
    return all(
        page.contains(*corner) for one in artists for corner in one.get_window_extent(renderer).corners()
    )


def test_a_drawing_is_heard_as_its_arrows():
    axes = flow(BOXES, ARROWS, title="A network goes to a chip")
    assert alt_text.describe(axes.figure) == (
        "Drawing: A network goes to a chip; float network (round) → bytes; bytes → chip."
    )


def test_all_of_a_drawing_lies_on_its_page_and_arrows_end_at_boxes():
    axes = flow(BOXES, ARROWS, title="A network goes to a chip")
    figure = axes.figure
    words = [text for text in axes.texts if text.get_text()]
    assert inside(figure, words)
    assert figure.get_size_inches().tolist() == pytest.approx([6 + 2 * 0.85, 1 + 2 * 0.5 + 0.4])
    renderer = figure.canvas.get_renderer()
    straight = next(note for note in axes.texts if note.get_text() == "").arrow_patch
    reach = straight.get_window_extent(renderer)
    boxes = [
        text.get_bbox_patch().get_window_extent(renderer) for text in words if text.get_bbox_patch()
    ]
    assert boxes[0].x1 <= reach.x0
    assert reach.x1 <= boxes[1].x0 + 1


def picture(figure, **page):
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100, **page)
    file.seek(0)
    return plt.imread(file)


@pytest.mark.filterwarnings("ignore:There are no gridspecs")
def test_arrows_end_at_boxes_on_a_page_of_another_size_too():
    """Notebooks cut a figure to size when they save it: all of it moves, arrows with their boxes."""
    figure = flow(BOXES, ARROWS[:1], title="Half of it").figure
    width, height = figure.get_size_inches()
    wider = picture(figure, bbox_inches=Bbox([[-0.5, -0.5], [width + 0.5, height + 0.5]]))
    assert np.abs(wider[50:-50, 50:-50] - picture(figure)).max() < 0.2


def test_a_box_without_an_arrow_is_heard_too():
    axes = flow(BOXES, ARROWS[:1], title="Half of it")
    assert alt_text.describe(axes.figure).endswith("→ bytes; chip.")


def test_an_arrow_to_nowhere_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="no box is called host: there are float, int8, chip"):
        flow(BOXES, [Arrow("float", "host")], title="")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="unknown kind loud: choose data, step"):
        flow({"one": Box("one", 0.0, kind="loud")}, [], title="")


def test_the_card_draws_every_layer_that_has_weights():
    axes = spine.card()
    bars = [bar for bar in axes.patches if bar.get_width()]
    layers = sum(
        isinstance(module, models.spine.nn.Conv2d | models.spine.nn.Linear)
        for name in models.NAMES
        for module in models.build(name).modules()
    )
    assert len(bars) == layers
    # `small` was asked for by hand: a 3x3, five separable blocks, a dense layer; 28, 14 and 7 to a side
    _, small, _ = (text.get_text() for text in axes.texts)
    assert small == "small: 92.89 % right\n46,042 parameters\n3.10 million MACs"
    assert "layers: 1 3×3, 5 3×3 depthwise, 5 1×1, 1 dense" in alt_text.describe(axes.figure)
    assert inside(axes.figure, axes.texts)


def test_the_card_leaves_the_random_numbers_of_a_lesson_alone():
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    spine.card()
    assert torch.equal(torch.rand(4), wanted)
