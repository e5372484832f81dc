"""Figures that a learner moves: sliders and menus around a plain drawing function."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets


def explore(draw: Callable[..., Any], **controls: tuple[float, ...] | Sequence[Any]) -> None:
    """Show controls that redraw a figure.

    The figure is shown as a picture, not by capturing a cell's output: that way it looks the same in
    JupyterLab, in editors and in an executed page.

    Args:
        draw: draws one matplotlib figure, without showing it, from its keyword arguments, whose
            defaults are the start values.
        controls: for each argument a slider, (low, high) or (low, high, step), or a menu, a list of
            values or a dict of label -> value.

    Raises:
        ValueError: `draw` has no such argument, or gives it no default.
    """
    parameters = inspect.signature(draw).parameters
    for name in controls:
        if name not in parameters or parameters[name].default is inspect.Parameter.empty:
            raise ValueError(f"{draw.__name__}() has no argument {name!r} with a default: add one")
    made = {name: _control(name, c, parameters[name].default) for name, c in controls.items()}
    # A box stretches what it holds, and a stretched picture is blurred.
    layout = ipywidgets.Layout(align_self="flex-start", max_width="100%")
    picture = ipywidgets.Image(format="png", layout=layout)

    def redraw(_change: object = None) -> None:
        picture.value = _render(draw, {name: control.value for name, control in made.items()})

    for control in made.values():
        control.observe(redraw, "value")
    redraw()
    _display(ipywidgets.VBox([ipywidgets.HBox(list(made.values())), picture]))


def _render(draw: Callable[..., Any], values: Mapping[str, Any]) -> bytes:
    import matplotlib.pyplot as plt

    draw(**values)
    figure, png = plt.gcf(), io.BytesIO()
    figure.savefig(png, format="png")
    # Left open, it would be shown a second time at the end of the cell.
    plt.close(figure)
    return png.getvalue()


def _control(name: str, control: Any, start: Any) -> ipywidgets.Widget:
    label = name.replace("_", " ")
    style = {"description_width": "initial"}
    if isinstance(control, tuple):
        low, high, *step = control
        whole = all(isinstance(number, int) for number in (*control, start))
        slider = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        return slider(
            value=start, min=low, max=high,
            step=step[0] if step else (1 if whole else (high - low) / 50),
            description=label, style=style, continuous_update=False,
        )  # fmt: skip
    options = list(control.items()) if isinstance(control, Mapping) else list(control)
    return ipywidgets.Dropdown(options=options, value=start, description=label, style=style)


def _display(widget: ipywidgets.Widget) -> None:
    from IPython.display import display

    display(widget)
