"""What a learner moves: sliders and menus around a drawing function, and pages that answer."""

from __future__ import annotations

import base64
import html
import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets

from tinyml_helpers.course.alt_text import describe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tinyml_helpers.datasets.images.fashion_mnist import ImageSet
    from tinyml_helpers.datasets.images.scenes import Scenes
    from tinyml_helpers.datasets.vibration.load import Vibration
    from tinyml_helpers.live.page import Page
    from tinyml_helpers.live.recorder import Recorder
    from tinyml_helpers.mcu import Firmware
    from tinyml_helpers.usecases.gestures.stream import Stream

# White around the picture for dark themes. With its size told, the page does not jump while the next
# picture is decoded.
_FRAME = (
    '<div style="padding: 6px; background: white; width: fit-content; max-width: 100%; '
    'box-sizing: border-box"><img alt="{said}" width="{width}" height="{height}" '
    'style="display: block; max-width: 100%; height: auto" src="data:image/png;base64,{data}"></div>'
)


def explore(draw: Callable[..., Any], **controls: tuple[float, ...] | Sequence[Any]) -> None:
    """Show controls that redraw a figure.

    The figure is shown as a picture, not by capturing a cell's output: that way it looks the same in
    JupyterLab, in editors and in an executed page. It carries a text that says what it shows.

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
    # Not widgets.Image: it has no alternative text.
    picture = ipywidgets.HTML(layout=layout)

    def redraw(_change: object = None) -> None:
        picture.value = _render(draw, {name: control.value for name, control in made.items()})

    for control in made.values():
        control.observe(redraw, "value")
    redraw()
    row = ipywidgets.HBox(list(made.values()), layout=ipywidgets.Layout(flex_flow="row wrap"))
    _display(ipywidgets.VBox([row, picture]))


def pad(firmware: Firmware, pictures: ImageSet) -> Page:
    """Let a firmware answer what a learner draws, or one of the pictures, one of each class.

    Raises:
        ValueError: the network takes no picture of 28 x 28 pixels, or has other classes.
    """
    from tinyml_helpers.live import pictures as pages
    from tinyml_helpers.live import shipped

    return pages.make_pad(firmware, shipped.one_of_each(pictures), pictures.classes)


def listen(firmware: Firmware, classes: Sequence[str], sound: NDArray[np.int16]) -> Page:
    """Let a keyword firmware hear the learner, or int16 `sound` of the lesson at 16 kHz.

    Raises:
        ValueError: the firmware does not listen, or has other classes.
    """
    from tinyml_helpers.live import keywords

    return keywords.make_listener(firmware, classes, sound, "some of the stream above")


def open_recorder(words: str, folder: str) -> Recorder:
    """Open a recorder of words, with commas between, in the browser of the computer that runs this.

    Args:
        words: such as blue,green.
        folder: where the recordings go, or "" for my_words.

    Raises:
        ValueError: a word that cannot be the name of a folder.
        OSError: nothing can be written there.
    """
    from tinyml_helpers.live import recorder

    return recorder.record(words, out=folder or "my_words")


def feel(firmware: Firmware, stream: Stream) -> Page:
    """Let a movement firmware feel a phone, or a stream of the lesson.

    Raises:
        ValueError: the firmware does not feel, or the stream holds no window.
    """
    from tinyml_helpers.live import gestures

    return gestures.make_watch(firmware, stream.classes, stream.raw, stream.truth)


def guard(firmware: Firmware, baseline: NDArray[np.float32], own: Vibration) -> Page:
    """Let a vibration firmware learn the learner's machine, or one of the lesson.

    Raises:
        ValueError: the firmware does not guard, or too little of the machine is healthy.
    """
    from tinyml_helpers.live import vibration

    return vibration.make_guard(firmware, baseline, vibration.excerpt(own))


def see(firmware: Firmware, shown: Scenes) -> Page:
    """Let a detector's firmware look at the learner's camera, or at scenes of the lesson.

    Raises:
        ValueError: the firmware does not look for objects, or the scenes have another size.
    """
    from tinyml_helpers.datasets.images.scenes import SCENE_CLASSES
    from tinyml_helpers.live import pictures

    return pictures.make_viewer(firmware, shown.images, SCENE_CLASSES)


def _render(draw: Callable[..., Any], values: Mapping[str, Any]) -> str:
    import matplotlib.pyplot as plt

    draw(**values)
    figure, png = plt.gcf(), io.BytesIO()
    figure.savefig(png, format="png")
    said = html.escape(describe(figure))
    # Left open, it would be shown a second time at the end of the cell.
    plt.close(figure)
    return _FRAME.format(
        said=said,
        width=int.from_bytes(png.getvalue()[16:20], "big"),
        height=int.from_bytes(png.getvalue()[20:24], "big"),
        data=base64.b64encode(png.getvalue()).decode(),
    )


def _control(name: str, control: Any, start: Any) -> ipywidgets.Widget:
    label = name.replace("_", " ")
    # Without a tooltip, the label's is "null".
    named = {"description": label, "tooltip": label, "style": {"description_width": "initial"}}
    if isinstance(control, tuple):
        low, high, *step = control
        whole = all(isinstance(number, int) for number in (*control, start))
        slider = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        return slider(
            value=start, min=low, max=high,
            step=step[0] if step else (1 if whole else (high - low) / 50),
            continuous_update=False, **named,
        )  # fmt: skip
    options = list(control.items()) if isinstance(control, Mapping) else list(control)
    return ipywidgets.Dropdown(options=options, value=start, **named)


def _display(widget: ipywidgets.Widget) -> None:
    from IPython.display import display

    display(widget)
