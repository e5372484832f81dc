import numpy as np
import pytest

from tinyml_helpers import cost, devices, models
from tinyml_helpers.course import alt_text
from tinyml_helpers.course.drawings import lesson_01
from tinyml_helpers.devices import Catalogue

BLOCK = [
    ("input", [], 2048),
    ("first", ["input"], 1024),
    ("second", ["first"], 1024),
    ("shortcut", ["input"], 1024),
    ("sum", ["second", "shortcut"], 1024),
]


pytestmark = pytest.mark.usefixtures("figures")


def inside(figure, artists):
    """Whether all of these lie on the page."""
    renderer = figure.canvas.get_renderer()
    page = figure.bbox.padded(1)
    return all(
        page.contains(*corner) for one in artists for corner in one.get_window_extent(renderer).corners()
    )


def overlap(figure, artists):
    """Whether two of these texts touch."""
    renderer = figure.canvas.get_renderer()
    boxes = [one.get_window_extent(renderer) for one in artists]
    return any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def test_the_memories_are_those_of_the_device_and_weights_flow_one_way():
    axes = lesson_01.memories(devices.get("nano33ble"))
    said = alt_text.describe(axes.figure)
    assert "flash, 1.0 MiB weights and code (weights are read) → core, 64 MHz Cortex-M4F" in said
    assert "core, 64 MHz Cortex-M4F (written) → RAM, 256.0 KiB" in said
    assert "RAM, 256.0 KiB activations, in one arena (read again) → core" in said
    assert "→ flash" not in said
    words = [text for text in axes.texts if text.get_text()]
    assert inside(axes.figure, words)
    assert not overlap(axes.figure, words)


def test_rulers_share_one_axis_and_start_at_the_least_device():
    small, large = devices.get("nucleo_u031r8"), devices.get("pixel8")
    middle = devices.get("pico")
    catalogue = Catalogue((small, middle, large))
    axes = lesson_01.rulers({"RAM": [2, 20, 5000], "power": [4, np.nan, 2]}, catalogue)
    lines = [line for line in axes.get_lines() if line.get_linestyle() == "-"]
    rulers = [line.get_xdata() for line in lines if len(line.get_xdata()) == 2]
    assert [list(map(float, ends)) for ends in rulers[:2]] == [[1, 2500], [1, 2]]
    said = alt_text.describe(axes.figure)
    assert "RAM: 2,500 times, Nucleo-U031R8 to Google Pixel 8" in said
    assert "power: 2 times, Google Pixel 8 to Nucleo-U031R8" in said
    assert axes.get_xscale() == "log" and len(axes.figure.axes) == 1


def test_a_shortcut_is_drawn_below_the_layers_that_it_passes():
    axes = lesson_01.residual(BLOCK)
    axes.figure.draw_without_rendering()
    places = {text.get_text().split("\n")[0]: text.get_position() for text in axes.texts}
    row = [places[name] for name in ("input", "first", "second", "sum")]
    assert {y for _, y in row} == {0.0}
    assert [x for x, _ in row] == pytest.approx([0, 2.4, 4.8, 7.2])
    assert places["shortcut"][1] > 0
    said = alt_text.describe(axes.figure)
    for name, reads, _ in BLOCK:
        for one in reads:
            assert any(
                part.split()[0] == one and f"→ {name}" in part for part in said.split("; ")[1:]
            ), (one, name)


def test_the_arena_shows_each_tensor_at_its_address_and_what_is_alive():
    counted = cost.count(models.build("large").blocks[0], (1, 32, 28, 28)).at(8)
    # By hand, in KiB: the input 24.5 at 0, `first` and `shortcut` above it, `second` above both.
    heights = {
        "input": 0, "first.conv": 25_088, "shortcut.conv": 25_088, "second.conv": 37_632, "(model)": 0,
    }  # fmt: skip
    offsets = {block: heights[block.layer] for block in counted.activations}
    (axes,) = lesson_01.arena({"one": (counted, offsets), "two": (counted, offsets)}, 1)[:1]
    assert axes.get_title("left") == "one, second at work: 49.0 KiB alive, 49.0 at the peak"
    drawn = [one for one in axes.collections if one.get_alpha() is not None]
    low = [one.get_paths()[0].get_extents().y0 for one in drawn]
    assert low == pytest.approx([offset / 1024 for offset in offsets.values()])
    alive = {block.layer for block in counted.activations if block.first_step <= 1 <= block.last_step}
    bright = {block.layer for block, one in zip(offsets, drawn, strict=True) if one.get_alpha() == 1.0}
    assert bright == alive == {"input", "first.conv", "second.conv"}
    names = {text.get_text() for text in axes.texts}
    assert names == {"input", "first", "shortcut", "second", "(model)"}


def test_both_maps_have_one_scale_and_a_short_network_stays_at_its_last_layer():
    maps = {}
    for name in ("small", "large"):
        counted = cost.count(models.build(name), (1, 1, 28, 28)).at(8)
        maps[name] = counted, dict.fromkeys(counted.activations, 0)
    small, large = lesson_01.arena(maps, 13)
    assert small.get_ylim() == large.get_ylim() and small.get_xlim() == large.get_xlim()
    assert small.get_title("left").startswith("small, head at work")
    assert large.get_title("left").startswith("large, head at work")


def test_the_roof_has_its_corner_where_memory_and_core_meet():
    dots = {"optimized": {"one": (10.0, 100.0), "two": (0.5, 60.0)}, "reference": {"one": (10.0, 20.0)}}
    axes = lesson_01.roofline(240.0, 160.0, dots)
    roof = axes.get_lines()[0]
    assert list(roof.get_xdata())[1] == pytest.approx(1.5)
    assert list(roof.get_ydata()) == pytest.approx([48, 240, 240])
    # 60 of at most 0.5 x 160 = 80, which is more of it than 100 of 240.
    assert axes.get_title("left") == "No network reaches more than 75 % of the roof"


def test_predictions_say_the_worst_of_them():
    pairs = {"a": [(10.0, 11.0)], "b": [(100.0, 80.0), (50.0, 55.0)], "c": [(20.0, 20.0)]}
    axes = lesson_01.predictions(pairs)
    assert axes.get_title("left") == "4 runs never seen, met within 20 %"
    x, y = axes.get_lines()[0].get_data()
    assert list(x) == list(y)
    for measured, predicted in pairs["b"]:
        assert axes.get_xlim()[0] < measured < axes.get_xlim()[1]
        assert axes.get_ylim()[0] < predicted < axes.get_ylim()[1]
