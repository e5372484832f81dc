"""Figures can be read by everybody: colours that stand out, and a text that says what is shown."""

import itertools
import json
import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.colors import to_rgb

from tinyml_helpers.course import alt_text, plots, runner

# Full loss of one kind of cone, in linear RGB. Source: Machado, Oliveira and Fernandes, IEEE TVCG 15,
# 2009, table 1, severity 1.0.
EYES = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.fixture(autouse=True)
def closed_figures():
    plt.close("all")
    with mpl.rc_context():
        yield
    plt.close("all")


def linear(colour):
    """Linear RGB of an sRGB colour, from its definition (IEC 61966-2-1)."""
    value = np.array(to_rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """WCAG 2.2's contrast ratio, 1 to 21."""
    low, high = sorted(linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def cielab(colour, eye):
    seen = np.clip(np.array(EYES[eye]) @ linear(colour), 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x = np.array(to_xyz) @ seen / [0.9505, 1, 1.089]
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_contrast_is_wcags():
    assert contrast("white", "black") == pytest.approx(21)
    assert contrast("#767676", "white") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("colour", plots.PALETTE)
def test_each_colour_stands_out_from_white(colour):
    assert contrast(colour, "white") >= 3


@pytest.mark.parametrize("eye", EYES)
def test_colours_are_told_apart_by_every_eye(eye):
    for one, other in itertools.combinations(plots.PALETTE, 2):
        assert np.linalg.norm(cielab(one, eye) - cielab(other, eye)) >= 15, (one, other)


def test_text_and_lines_of_the_house_style_can_be_read():
    plots.use_house_style()
    paper = mpl.rcParams["axes.facecolor"]
    assert mpl.rcParams["figure.facecolor"] == paper
    for name in ("text.color", "axes.labelcolor", "xtick.color", "ytick.color"):
        assert contrast(mpl.rcParams[name], paper) >= 4.5
    assert [one["color"] for one in mpl.rcParams["axes.prop_cycle"]] == plots.PALETTE
    assert contrast(mpl.rcParams["axes.edgecolor"], paper) >= 3


def drawn(figure):
    figure.draw_without_rendering()
    return alt_text.describe(figure)


def test_a_bar_chart_tells_its_bars_from_the_top():
    axis = pd.Series({"flash": 12.5, "RAM": 130.0}).plot.barh()
    plots.finish(axis, title="RAM is short", xlabel="used (%)")
    assert drawn(axis.figure) == "RAM is short; x axis: used (%); bars: RAM 130, flash 12.5."


def test_groups_of_bars_tell_their_labels():
    axis = pd.DataFrame({"float": [4.0, 8.0], "int8": [1.0, 2.0]}, ["small", "large"]).plot.bar()
    plots.finish(axis, title="A quarter", ylabel="MB")
    assert drawn(axis.figure) == (
        "A quarter; y axis: MB; float: small 4, large 8; int8: small 1, large 2."
    )


def test_many_bars_tell_their_range():
    axis = plt.subplots()[1]
    axis.hist(np.repeat(np.arange(30), np.arange(30)), bins=np.arange(31))
    plots.finish(axis, title="A ramp", xlabel="value", ylabel="count")
    assert "30 bars from 0 to 29" in drawn(axis.figure)


def test_lines_tell_their_ends_and_rules_their_place():
    axis = plt.subplots()[1]
    axis.plot([1, 2, 3], [10, 20, 40], label="twice")
    axis.axhline(30, label="limit")
    axis.axvline(2.5, label="now")
    plots.finish(axis, title="It grows", xlabel="s", ylabel="KB")
    assert drawn(axis.figure) == (
        "It grows; x axis: s; y axis: KB; twice from 10 at 1 to 40 at 3; limit at 30; now at 2.5."
    )


def test_rows_of_dots_tell_their_names_and_ends():
    axis = plt.subplots()[1]
    for name, values in {"a byte": [3.0, 1.0, 2.0], "a MAC": [0.5]}.items():
        axis.semilogx(values, [name] * len(values), "o")
    plots.finish(axis, title="A byte costs more", xlabel="pJ")
    assert drawn(axis.figure) == "A byte costs more; x axis: pJ; a byte: 1 to 3; a MAC: 0.5."


def test_photos_tell_their_captions():
    axes = plt.subplots(1, 3)[1]
    for axis, name in zip(axes, ("cat", "dog", ""), strict=True):
        plots.show_image(axis, np.zeros((4, 4)), name)
    axes[0].figure.suptitle("What do you see?")
    assert drawn(axes[0].figure) == "What do you see? 3 pictures: cat, dog."


def test_a_diagram_tells_its_words():
    axis = plt.subplots()[1]
    axis.text(0, 0, "sensor")
    axis.text(1, 0, "the\nnetwork")
    axis.set_axis_off()
    plots.finish(axis, title="The chain")
    assert drawn(axis.figure) == "The chain; sensor, the network."


def test_a_long_text_is_cut_at_a_word():
    axis = plt.subplots()[1]
    plots.finish(axis, title="word " * 400)
    text = drawn(axis.figure)
    assert len(text) <= alt_text.LONGEST
    assert text.endswith("word…")


def test_an_empty_figure_has_no_text():
    assert drawn(plt.figure()) == ""


def test_every_shown_figure_carries_its_text(monkeypatch):
    shell = InteractiveShell()
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: shell)
    plots.use_house_style()
    axis = pd.Series({"a": 1.0}).plot.bar()
    plots.finish(axis, title="One")
    data, metadata = shell.display_formatter.format(axis.figure)
    assert data["text/plain"] == metadata["image/png"]["alt"] == "One; bars: a 1."
    # Code that only draws keeps the formatter that matplotlib registered for the picture itself.
    assert shell.display_formatter.format(plt.figure())[1] == {}


def test_jupyterlab_finds_its_extension():
    folder = Path(runner.__file__).parent / "jupyter" / "labextensions" / "tinyml-helpers"
    package = json.loads((folder / "package.json").read_text("utf-8"))
    script = (folder / package["jupyterlab"]["_build"]["load"]).read_text("utf-8")
    assert f'window._JUPYTERLAB["{package["name"]}"]' in script
    assert not re.search(r"https?://", script)
