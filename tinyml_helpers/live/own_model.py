"""A page of a `.tflite` of yours: for a task of the course, or numbers in and numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyml_helpers import mcu
from tinyml_helpers.live.kinds import Kind
from tinyml_helpers.live.page import Page, Task, make
from tinyml_helpers.mcu.compiler import graph

if TYPE_CHECKING:
    from tinyml_helpers.mcu import Firmware

_MODELS = {Kind.drawing: "small", Kind.keywords: "kws", Kind.detector: "tiny_detector"}
_PYTHON = {Kind.gestures: "make_watch", Kind.vibration: "make_guard"}
_ABOUT = (
    "A compiled network with nothing around it: numbers go in, and its own come out. At first it is "
    "given the test input, on which this page is compared with the emulated chip. Real numbers are "
    "rounded to the steps of its input."
)


def make_page(path: Path, device: str, task: Kind | None = None, classes: Sequence[str] = ()) -> Page:
    """Make a page of a network of yours.

    Args:
        path: the .tflite file.
        device: a key of the catalogue, whose cost the page shows.
        task: one for which the network was made as the course makes its own: the same input, the same
            outputs. Left out, numbers go in and come out.
        classes: names of the outputs, for a page without a task or a pad to draw on.

    Returns:
        The page.

    Raises:
        ValueError: the network does not fit the task, or the task needs more than a file.
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    if task is None:
        return make_bench(mcu.build(content, device), path.stem, classes)
    if classes and task == Kind.drawing:
        from tinyml_helpers.live.pictures import make_pad

        return make_pad(mcu.build(content, device), np.zeros((0, 28, 28), np.uint8), classes)
    if classes:
        raise ValueError(f"classes for {task}: its page has those of the course, leave them out")
    if task in _PYTHON:
        raise ValueError(
            f"a page for {task} needs more than a network: see help(live.{task}.{_PYTHON[task]})"
        )
    from tinyml_helpers.datasets import read_verified
    from tinyml_helpers.live import shipped

    wanted, given = (_ends(one) for one in (read_verified(f"models/{_MODELS[task]}.tflite"), content))
    if given != wanted:
        raise ValueError(f"{path.name} has {given}: a page for {task} asks for {wanted}")
    if task == Kind.drawing:
        return shipped.draw(device, content)
    return shipped.listen(device, content) if task == Kind.keywords else shipped.find(device, content)


def make_bench(firmware: Firmware, title: str, classes: Sequence[str] = ()) -> Page:
    """Make a page of any network: numbers or a picture go in, its own numbers come out.

    Args:
        firmware: a network without a pipeline.
        title: the heading.
        classes: names of the first output's numbers, if there are any.

    Returns:
        The page.

    Raises:
        ValueError: the firmware has a pipeline, or another number of outputs than names.
    """
    if firmware.pipeline:
        raise ValueError("this firmware has a pipeline, and takes no plain numbers: leave it out")
    given = firmware.program.graph
    count = int(np.prod(given.tensors[given.outputs[0]].shape))
    if classes and len(classes) != count:
        raise ValueError(f"{len(classes)} classes for {count} scores: give a name for each")
    return make(firmware, Task("numbers.js", title, _ABOUT, {"classes": list(classes)}))


def _ends(content: bytes) -> str:
    """What goes into a network and comes out, as a text to compare and to show."""
    read = graph.read(content)
    ports = [[read.tensors[i] for i in end] for end in (read.inputs, read.outputs)]
    told = (", ".join(f"{one.dtype} {list(one.shape)}" for one in port) for port in ports)
    return " -> ".join(told)
