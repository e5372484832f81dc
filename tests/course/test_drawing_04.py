import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from tinyml_helpers import intervals, models
from tinyml_helpers.compress import channels, prune
from tinyml_helpers.course import alt_text
from tinyml_helpers.course.drawings import lesson_04

IMAGE = torch.zeros(1, 1, 28, 28)


pytestmark = pytest.mark.usefixtures("figures")


@pytest.fixture(scope="module")
def large():
    return models.load_trained("large")


def rectangles(axes):
    """Cells, without those of width 0 that stand for a colour in the legend."""
    return [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_width()]


def test_half_of_the_weights_are_zero_and_half_of_the_filters_missing(large):
    axes = lesson_04.two_ways(large.stem.conv.weight)
    assert sum(text.get_text() == "0" for text in axes.texts) == 12 * 9 / 2
    gone = [cell for cell in rectangles(axes) if cell.get_linestyle() == "--"]
    assert len(gone) == 6
    assert len(rectangles(axes)) == 12 * 9 + 6 * 9 + 6
    said = alt_text.describe(axes.figure)
    assert "12 filters are left; right, 6 filters are missing and 6 left" in said


def test_a_filter_of_zeros_is_not_counted_on_the_left():
    weight = torch.full((12, 1, 3, 3), 1.0)
    weight[:6] = 0.1
    axes = lesson_04.two_ways(weight)
    assert "left, zeros lie anywhere and 6 filters are left" in axes.get_label()


def test_the_coupling_is_drawn_in_the_colours_of_its_groups(large):
    axes = lesson_04.coupling(large, IMAGE)
    groups = channels.coupling(large, IMAGE).groups
    widest = max(groups, key=lambda group: len(group.roles))
    for name, role in widest.roles.items():
        if role != "passes":
            word = {"makes": "output", "reads": "input"}[role]
            assert f"{name.removesuffix('.conv')}\n− {word} 5" in [t.get_text() for t in axes.texts]
    named = [text.get_text() for text in axes.texts if "5" in text.get_text().split()]
    assert sum("put" in text for text in named) == 5
    assert named.count("✗ 5") == 6
    patches = [text.arrow_patch for text in axes.texts if getattr(text, "arrow_patch", None)]
    colours = {to_hex(patch.get_edgecolor()) for patch in patches}
    assert len(colours) == len(groups)
    assert sum(patch.get_linewidth() == 4 for patch in patches) == 6
    assert "3 layers make it, 3 norms pass it, 2 layers read it" in axes.get_title("left")


def test_the_cells_of_a_row_are_as_wide_as_its_bytes():
    row = np.zeros(24, np.int8)
    row[[1, 4, 14, 17]] = [-67, -79, -77, -86]
    axes = lesson_04.sparse_row(row)
    ends = [0.0] * 4
    for cell in rectangles(axes):
        line = round(cell.get_y() + cell.get_height() / 2)
        ends[line] = max(ends[line], cell.get_x() + cell.get_width())
    stored = prune.stored_bytes([torch.from_numpy(row)[None]])
    pointers = 8
    assert ends == [
        stored["dense"],
        stored["CSR, 32 bits"] - pointers,
        stored["bitmask"],
        stored["distances, 4 bits"],
    ]
    said = "bytes: every value 24, columns, 32 bits 20, bitmask 7, distances, 4 bits 6"
    assert said in alt_text.describe(axes.figure)
    texts = [text.get_text() for text in axes.texts]
    for gap in ("1", "2", "9"):
        assert gap in texts
    bits = [cell for cell in rectangles(axes) if cell.get_width() == 1 / 8]
    dark = [place for place, cell in enumerate(bits) if to_hex(cell.get_facecolor()) == "#404040"]
    assert dark == [1, 4, 14, 17]


def test_layers_stand_beside_their_zeros(large):
    spared = prune.sparsity(prune.mask_weights(models.load_trained("large"), 0.7))
    lost = {
        layer.name: intervals.Interval(place, place - 1, place + 1, 100, "points", "images")
        for place, layer in enumerate(spared.layers)
    }
    shares = lesson_04.per_layer(lost, spared)
    points = shares.figure.axes[0]
    assert points.get_lines()[0].get_xdata().tolist() == list(range(10))
    assert list(shares.get_lines()[0].get_xdata()) == [layer.percent for layer in spared.layers]
    assert points.get_title("left") == "Pruned alone, head costs most"
    assert shares.get_title("left") == f"The rule takes {spared.layers[-1].percent:.0f} % of it"
    assert [text.get_text() for text in points.get_yticklabels()][:2] == ["stem", "blocks.0.first"]
