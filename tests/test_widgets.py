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
    picture = shown[0].children[1]
    assert bytes(picture.value).startswith(b"\x89PNG")
    assert not plt.get_fignums()
    controls[0].value = 7
    assert drawn[-1] == (7, 0.5, "b")


def test_a_control_without_its_argument_is_refused():
    def draw(bits):
        pass

    with pytest.raises(ValueError, match=r"draw\(\) has no argument 'bits' with a default"):
        widgets.explore(draw, bits=(2, 8))
