"""Figures that a learner moves: sliders and menus around a plain drawing function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets


def explore(draw: Callable[..., None], **controls: tuple[float, ...] | Sequence[Any]) -> None:
    """Show controls that redraw a figure.

    Args:
        draw: draws with matplotlib from its keyword arguments, whose defaults are the start values.
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
    figure = ipywidgets.interactive_output(draw, made)
    _display(ipywidgets.VBox([ipywidgets.HBox(list(made.values())), figure]))


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
