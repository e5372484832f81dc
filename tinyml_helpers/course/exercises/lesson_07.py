"""Exercises of lesson 07, ONNX export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinyml_helpers.course import cases
from tinyml_helpers.course.check import Verdict, exercise, hint, right


@exercise(
    right=[
        ([{0: "batch", 2: "samples"}],),
        (({0: "n", 2: "length"},),),
        ([{0: "batch", 1: None, 2: "samples"}],),
        ([("batch", None, "samples")],),
        ([{0: "batch", 1: 1, 2: "samples"}],),
        ({"sound": {0: "batch", 2: "samples"}},),
    ],
    wrong=[
        ([{0: "batch"}],),
        ([{2: "samples"}],),
        ([{0: "batch", 1: "samples"}],),
        ([{0: "batch", 1: "channel", 2: "samples"}],),
        ({0: "batch", 2: "samples"},),
        ([{0: "batch", 3: "samples"}],),
        ([{0: 2, 2: 16000}],),
        ([{0: "batch", 1: 2, 2: "samples"}],),
        ([{0: "n", 2: "n"}],),
        ([{0: None, 2: None}],),
        ([{0: True, 2: True}],),
        ([{0: "", 2: "samples"}],),
        ([{0: "batch", 2: "samples"}, {0: "batch"}],),
        ([0, 2],),
    ],
)
def dynamic_axes(answer: Any) -> Verdict:
    """Sound [batch, 1, samples], any number and any length: axes 0 and 2 are open, and differ."""
    if isinstance(answer, dict) and not all(isinstance(name, str) for name in answer):
        return hint("The exporter wants one dict for each input, in a list: this network has one input.")
    inputs = list(answer.values()) if isinstance(answer, dict) else answer
    if len(inputs) != 1:
        return hint(f"You describe {len(inputs)} inputs; the network has one.")
    (axes,) = inputs
    named = dict(axes) if isinstance(axes, dict) else dict(enumerate(axes))
    if type(named.get(1)) is int and named[1] == 1:  # the one microphone, fixed in words
        del named[1]
    named = {axis: value for axis, value in named.items() if not _is_fixed(value)}
    if any(isinstance(value, int) for value in named.values()):
        return hint("A number fixes a size for good. Give an open axis a name, or a `Dim`.")
    if 1 in named:
        return hint("There is always one microphone: a size that never changes is better left fixed.")
    if not named:
        return hint("So all sizes are fixed, and the file takes one number of one length.")
    if set(named) == {0}:
        return hint("That opens the batch. The recordings differ in something else, too.")
    if set(named) != {0, 2}:
        return hint("Count the axes of [batch, 1, samples] from 0. Which two of them vary?")
    return _judge_names([named[0], named[2]])


def _is_fixed(value: Any) -> bool:
    # `Dim.STATIC` says so in words, None by saying nothing.
    return value is None or getattr(getattr(value, "type", None), "name", "") == "STATIC"


def _judge_names(values: list[Any]) -> Verdict:
    """Judge what the open axes are called: two names, or `Dim`s, or hints such as `Dim.DYNAMIC`."""
    from torch.export import Dim

    if not all(value and isinstance(value, str | Dim | type(Dim.AUTO)) for value in values):
        return hint("An open axis has a name, or a `torch.export.Dim`.")
    names = [value if isinstance(value, str) else getattr(value, "__name__", "") for value in values]
    if names[0] == names[1] != "":
        return hint("One name for both says that they are equal: 16 recordings of 16 samples.")
    if any(hasattr(value, "root") for value in values):
        return hint("One size is computed from the other. They have nothing to do with each other.")
    if any(isinstance(value, Dim) and isinstance(value.max, int) for value in values):
        return hint("A `Dim` with a largest size refuses what is larger. Any size is wanted.")
    return right("What you leave fixed, runtimes may rely on; what you leave open, they must handle.")


def _percent(first: Any, second: Any) -> float:
    return 100 * float((first.argmax(1) == second.argmax(1)).mean())


def _logits() -> Iterator[cases.Case]:
    draw = cases.rng("agreement_percent")
    for images, classes in [(1, 2), (1, 10), (2, 2), (7, 3), (10, 10), (3, 8), (64, 10)] * 3:
        first = draw.normal(size=(images, classes)).astype(np.float32)
        noise = float(draw.choice([0.0, 0.3, 3.0]))
        other = first + noise * draw.normal(size=first.shape).astype(np.float32)
        yield first, (other * draw.uniform(0.5, 2) + draw.normal()).astype(np.float32)


@exercise(
    right=[
        (lambda first, second: 100 * (first.argmax(1) == second.argmax(1)).mean(),),
        (lambda first, second: 100 * (first.argmax(-1) == second.argmax(-1)).sum() / len(first),),
        (lambda first, second: 100 * np.mean(np.argmax(first, 1) == np.argmax(second, 1)),),
        (lambda first, second: (first.argmax(dim=1) == second.argmax(dim=1)).float().mean() * 100,),
    ],
    wrong=[
        (lambda first, second: float((first == second).mean() * 100),),
        (lambda first, second: float(np.isclose(first, second).mean() * 100),),
        (lambda first, second: (first.argmax(1) == second.argmax(1)).mean(),),
        (lambda first, second: (first.argmax(0) == second.argmax(0)).mean() * 100,),
        (lambda first, second: 100.0 * (first.argmax() == second.argmax()),),
        (lambda first, second: 100 * (first.argmax(1) != second.argmax(1)).mean(),),
        (lambda first, second: (first.argmax(1) == second.argmax(1)).sum(),),
        (lambda first, second: round(100 * (first.argmax(1) == second.argmax(1)).mean()),),
        (lambda first, second: 100.0,),
        (lambda first, second: 50.0,),
        (3,),
    ],
)
def agreement_percent(answer: Callable[..., Any]) -> Verdict:
    """A function of logits [N, classes] of two networks: how many images get the same class."""
    if not callable(answer):
        return hint("Give the function itself, without calling it.")
    tolerant = cases.agrees
    found = cases.first_difference(
        answer, _percent, _logits(), same=lambda said, wanted: tolerant(said, wanted, 1e-5)
    )
    if found is None:
        return right("Two networks can be right equally often, and disagree on one image in fifty.")
    first, _ = found.given
    if found.wanted and tolerant(found.said, found.wanted / 100, 1e-5):
        return hint("The share is right; the answer is wanted in percent.")
    return hint(
        f"For two networks on {len(first)} images with {first.shape[1]} classes, {found.wanted:.4g} % "
        f"get the same class, and yours says {cases.show(found.said)}. Compare the classes, not the "
        "logits; along which axis are the classes?"
    )
