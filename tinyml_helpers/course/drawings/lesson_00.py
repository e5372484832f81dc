"""Drawings of lesson 00: the road from a network to a chip, and what is met on it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinyml_helpers.course import plots
from tinyml_helpers.course.drawings.flow import Arrow, Box, flow
from tinyml_helpers.mcu.reports.disassembly import find_hot_loop

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tinyml_helpers.mcu.target.image import Image

_STATIONS = {  # name -> where it stands in inches, and its kind
    "float network": (0.0, "learnt"),
    "int8": (1.75, "step"),
    "C": (3.45, "step"),
    "machine code": (5.45, "step"),
    "chip": (7.3, "result"),
}
_WAYS = ("round", "write", "compile", "run")
_BELOW = 1.1  # inches
_SHOWN = 2  # entries of a table on either side of the one that is followed
_BEST = 2  # scores that are shown


def answer(photo: npt.ArrayLike, scores: npt.ArrayLike, classes: Sequence[str]) -> Axes:
    """Draw a photo beside the scores that a chip gave it.

    Args:
        photo: [28, 28].
        scores: one for each class, with or without an axis of photos.
        classes: their names.

    Returns:
        The axes of the scores.
    """
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2, figsize=(8, 2.9), width_ratios=[1, 2])
    plots.show_image(left, photo)
    return _scores(right, np.ravel(scores), classes, None)


def inside(photo: npt.ArrayLike, run: Mapping[str, npt.ArrayLike], truth: int, classes: Any) -> Axes:
    """Draw a photo, the hidden values that a chip computed from it, and its scores.

    Args:
        photo: 784 pixels.
        run: the outputs `hidden` and `scores` of a run.
        truth: number of the right class.
        classes: names of all.

    Returns:
        The axes of the scores.
    """
    import matplotlib.pyplot as plt

    hidden = np.asarray(run["hidden"])
    _, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3.2), width_ratios=[5, 6, 7])
    left.imshow(np.reshape(photo, (28, 28)))
    middle.bar(range(hidden.size), hidden, color=plots.PALETTE[2])
    plots.finish(left, title=f"In: {classes[truth]}").set(xticks=[], yticks=[], anchor="N")
    title = f"{np.sum(hidden > 0)} of {hidden.size} respond"
    plots.finish(middle, title=title, xlabel="hidden value, number", ylabel="int8 value")
    return _scores(right, np.asarray(run["scores"]), classes, truth)


def _scores(axes: Axes, scores: Any, classes: Sequence[str], truth: int | None) -> Axes:
    said = int(scores.argmax())
    colours = ["#8C8C8C"] * len(classes)
    if truth is not None:
        colours[truth] = plots.PALETTE[1]
    colours[said] = plots.PALETTE[0]
    axes.barh(classes, scores, color=colours)
    axes.invert_yaxis()
    verdict = "" if truth in (None, said) else ", wrong"
    return plots.finish(axes, title=f"The chip: {classes[said]}{verdict}", xlabel="score")


def road() -> Axes:
    """Draw the way of a network to a chip: what it is at each station, and the check at the end."""
    seen = (
        "a weight\nis 4 bytes",
        "a weight\nis 1 byte",
        "tables and\na small loop",
        "what the core\ncan carry out",
        "photo in,\nscores out",
    )
    check = Arrow("int8", "chip", "do both give the same bytes?", bend=-0.2, dashed=True)
    return _stations(seen, [check], "One network takes five forms on its way to a chip")


def _stations(seen: Sequence[str], more: Sequence[Arrow], title: str) -> Axes:
    """Draw the stations in a row, and below each what is seen there."""
    names, boxes = list(_STATIONS), {}
    arrows = [Arrow(*ends) for ends in zip(names[:-1], names[1:], _WAYS, strict=True)]
    for (name, (x, kind)), text in zip(_STATIONS.items(), seen, strict=True):
        boxes[name] = Box(name, x, kind=kind)
        boxes[text] = Box(text, x, _BELOW, kind="data")
        arrows.append(Arrow(name, text))
    return flow(boxes, [*arrows, *more], title=title)


def journey(
    weight: float,
    byte: int,
    place: int,
    header: str,
    firmware: Image,
    scores: Mapping[str, int],
    check: str,
) -> Axes:
    """Draw the road again, with what one weight of `w1` really was at each station.

    Args:
        weight: after training.
        byte: the same, in steps.
        place: which element of `w1` it is.
        header: C that defines `w1`.
        firmware: the program, with a constant `w1`.
        scores: class -> what the chip said.
        check: what comparing the bytes has shown.

    Raises:
        ValueError: the header has no table `w1`, or the program's loop multiplies nothing.
    """
    highest = sorted(scores.items(), key=lambda one: -one[1])[:_BEST]
    best = [f"{name} {score}" for name, score in highest]
    address = firmware.symbols["w1"].address + place
    seen = (
        f"{weight:.4f}\nis 4 bytes:\n{_hex(np.float32(weight).tobytes())}",
        f"{byte}\nis 1 byte:\n{_hex(np.int8(byte).tobytes())}",
        _table_around(header, place),
        "\n".join(f"{_hex(one.code)} {one.name}" for one in find_hot_loop(firmware).last_product),
        "\n".join([f"{address:08x}: {_hex(firmware.read_code(address, 1))}", *best]),
    )
    answer = Arrow("int8", "chip", check, bend=-0.2, dashed=True)
    return _stations(seen, [answer], f"The road of one weight: {weight:.4f} became {byte}")


def _table_around(header: str, place: int) -> str:
    """The table `w1` as it begins in C, and its elements around one of them."""
    found = re.search(r"\b(w1\[\w*\] = \{)([^}]*)\}", header)
    elements = re.findall(r"-?\d+", found[2]) if found else []
    if not found or not 0 <= place < len(elements):
        raise ValueError(f"no element {place} of a table w1[] in this C: it has {len(elements)}")
    shown = ", ".join(elements[max(place - _SHOWN, 0) : place + _SHOWN + 1])
    return f"{found[1]} …\n{shown},\n… }}"


def _hex(content: bytes) -> str:
    return content.hex(" ")


def units(
    weights: npt.NDArray[np.floating], means: npt.NDArray[np.floating], classes: Sequence[str]
) -> Axes:
    """Draw the weights of each hidden value as a picture, under the class that it answers to most.

    Args:
        weights: [units, 784].
        means: [classes, units], of the hidden values of each class; a unit without any is idle.
        classes: their names.

    Returns:
        The axes of the first picture.
    """
    import matplotlib.pyplot as plt

    best = zip(means.max(axis=0), means.argmax(axis=0), strict=True)
    likes = [classes[number] if height > 0 else "nothing" for height, number in best]
    alive = len(likes) - likes.count("nothing")
    figure, grid = plt.subplots(-(-len(likes) // 8), 8, figsize=(9, 6))
    most = float(np.quantile(np.abs(weights), 0.99))  # one weight in a hundred is cut at full colour
    for number, (axes, name) in enumerate(zip(grid.flat, likes, strict=True)):
        picture = weights[number].reshape(28, 28)
        axes.imshow(picture, cmap="RdBu", vmin=-most, vmax=most)
        axes.set_axis_off()
        axes.set_title(f"{number}: {name}", fontsize=10, fontweight="normal", loc="center")
    title = f"{alive} of {len(likes)} hidden values found something to look for"
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.supxlabel("blue: light there raises the hidden value; red: it lowers it", fontsize=11)
    return figure.axes[0]


def memory(firmware: Image) -> Axes:
    """Draw flash and RAM of a chip as squares of one KiB each, filled as far as a program fills them."""
    import matplotlib.pyplot as plt

    flash, ram = firmware.flash_limit_bytes / 1024, firmware.ram_limit_bytes / 1024
    constants, code = firmware.constant_bytes / 1024, firmware.code_bytes / 1024
    variables = firmware.ram_bytes / 1024
    rows = round(math.sqrt(flash / 4))  # flash is drawn four times as wide as it is high
    right = math.ceil(1.07 * flash / rows)
    across = right + math.ceil(ram / rows)
    axes = plt.subplots(figsize=(9, 9 * 1.25 * rows / across + 0.5))[1]
    _squares(axes, rows, 0, 0, flash, "#E6E6E6")
    _squares(axes, rows, right, 0, ram, "#E6E6E6")
    _squares(axes, rows, 0, 0, constants, plots.PALETTE[1], f"weights and biases {constants:.1f} KiB")
    _squares(axes, rows, 0, constants, constants + code, plots.PALETTE[0], f"code {code:.1f} KiB")
    _squares(axes, rows, right, 0, variables, plots.PALETTE[2], f"variables {variables:.1f} KiB")
    for left, name, size in ((0, "flash", flash), (right, "RAM", ram)):
        axes.text(left, -0.04 * rows, f"{name}: {size:,.0f} KiB", fontsize=11)
    axes.set(xlim=(-0.3, across + 0.3), ylim=(rows + 0.3, -0.14 * rows), aspect="equal")
    axes.set_axis_off()
    in_flash, in_ram = 100 * (constants + code) / flash, 100 * variables / ram
    title = f"The network fills {in_flash:.1f} % of the flash and {in_ram:.1f} % of the RAM"
    plots.finish(axes, title=title)
    axes.legend(ncols=3, loc="upper left", bbox_to_anchor=(0, 0.02), handlelength=1, fontsize=11)
    return axes


def _squares(
    axes: Axes, rows: int, left: float, start: float, end: float, colour: str, label: str = "_"
) -> None:
    """Fill squares from one place to another, counted down the columns; the last may be a part."""
    from matplotlib.collections import PolyCollection

    corners = []
    for square in range(int(start), math.ceil(end)):
        column, row = divmod(square, rows)
        x, y = left + column + 0.08, row + 0.08
        top, bottom = y + 0.84 * max(start - square, 0.0), y + 0.84 * min(end - square, 1.0)
        corners.append([(x, top), (x + 0.84, top), (x + 0.84, bottom), (x, bottom)])
    axes.add_collection(PolyCollection(corners, facecolor=colour, label=label))
