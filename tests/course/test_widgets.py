import base64
import html
import io
import re

import ipywidgets
import matplotlib.pyplot as plt
import pytest

from tinyml_helpers.course import widgets


def test_controls_start_at_the_defaults_and_redraw(monkeypatch):
    plt.close("all")  # what other tests left open
    shown, drawn = [], []
    monkeypatch.setattr(widgets, "_display", shown.append)

    def draw(bits=4, share=0.5, device="b"):
        plt.figure()
        drawn.append((bits, share, device))

    widgets.explore(draw, bits=(2, 8), share=(0.0, 1.0), device={"A": "a", "B": "b"})
    controls = shown[0].children[0].children
    assert [type(c) for c in controls] == [
        ipywidgets.IntSlider,
        ipywidgets.FloatSlider,
        ipywidgets.Dropdown,
    ]
    assert drawn == [(4, 0.5, "b")]
    assert [c.tooltip for c in controls] == [c.description for c in controls]
    assert not plt.get_fignums()
    controls[0].value = 7
    assert drawn[-1] == (7, 0.5, "b")


def test_the_picture_has_its_size_and_says_what_it_shows(monkeypatch):
    shown = []
    monkeypatch.setattr(widgets, "_display", shown.append)

    def draw(bits=4):
        axis = plt.subplots(figsize=(3, 2), dpi=100)[1]
        axis.set_title(f'{bits} < 8 "bits"')

    widgets.explore(draw, bits=(2, 8))
    controls, picture = shown[0].children
    assert words(picture) == '4 < 8 "bits".'
    attributes = dict(re.findall(r'(width|height)="(\d+)"', picture.value))
    png = base64.b64decode(re.search(r"base64,([^\"]+)", picture.value)[1])
    assert png.startswith(b"\x89PNG")
    assert attributes == {"width": "300", "height": "200"}
    assert plt.imread(io.BytesIO(png)).shape[:2] == (200, 300)
    controls.children[0].value = 5
    assert words(picture) == '5 < 8 "bits".'


def words(picture):
    return html.unescape(re.search(r'alt="([^"]*)"', picture.value)[1])


def test_a_control_without_its_argument_is_refused():
    def draw(bits):
        pass

    with pytest.raises(ValueError, match=r"draw\(\) has no argument 'bits' with a default"):
        widgets.explore(draw, bits=(2, 8))


@pytest.mark.parametrize("folder", ["", "yours"])
def test_a_recorder_opens_for_the_folder_that_a_lesson_names(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    running = widgets.open_recorder("blue,green", folder)
    assert running.takes.folder == tmp_path / (folder or "my_words")
    assert running.takes.words == ("blue", "green", "unknown")
    assert f'href="{running.address}"' in running._repr_html_()
    running.stop()
