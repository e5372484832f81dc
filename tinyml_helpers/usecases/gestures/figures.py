"""Pictures of movements: recordings, windows, arms, and a stream with its decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from tinyml_helpers.datasets.gestures.recordings import RATE_HZ, UNITS, Gestures, Recording
from tinyml_helpers.intervals import over_groups
from tinyml_helpers.usecases.gestures import features, stream
from tinyml_helpers.usecases.gestures.stream import Stream
from tinyml_helpers.usecases.gestures.vote import NONE

if TYPE_CHECKING:
    from pandas import DataFrame

_GREY = "#B8C4CE"


def recordings(some: Iterable[Recording]) -> list[list[Axes]]:
    """Draw the first 8 s of recordings below each other: acceleration left, rotation right."""
    import matplotlib.pyplot as plt

    chosen, stop = list(some), 8 * RATE_HZ
    figure, panels = plt.subplots(
        len(chosen), 2, figsize=(9, 1.9 * len(chosen)), sharex=True, sharey="col", squeeze=False
    )
    for row, one in zip(panels, chosen, strict=True):
        for panel, part in zip(row, (slice(0, 3), slice(3, 6)), strict=True):
            lines = panel.plot(_seconds(one.values[:stop]), one.values[:stop, part], lw=1.5)
        row[0].set_ylabel("g")
        row[1].set_ylabel("rad/s")
        row[0].set_title(one.gesture)
    panels[0, 1].legend(lines, "xyz", ncols=3, fontsize=10)
    figure.supxlabel("seconds")
    return [list(row) for row in panels]


def window_overlap(one: Recording) -> Axes:
    """Draw the first six windows of a recording as bars under its rotation about x."""
    import matplotlib.pyplot as plt

    axis = plt.subplots(figsize=(9, 3))[1]
    values = one.values[: features.WINDOW + 6 * features.HOP, 3]
    axis.plot(_seconds(values), values, color="#8090A0")
    for n in range(6):
        start = n * features.HOP / RATE_HZ
        heights = [values.min() - 0.6 * (n + 1)] * 2
        axis.plot([start, start + features.WINDOW / RATE_HZ], heights, lw=6, solid_capstyle="butt")
    axis.set(xlabel="seconds", ylabel="rotation about x (rad/s)")
    return axis


def slow_part(
    values: NDArray[Any], low: list[float], raw: NDArray[np.int16], right: NDArray[np.bool_]
) -> list[Axes]:
    """Draw an axis with its slow part, and all six axes of its window as int8.

    Args:
        values: of the axis, [100] in g.
        low: its slow part.
        raw: the window, int16 [1, 200, 6].
        right: whether it is of a right arm, [1].
    """
    panels = plt.subplots(1, 2, figsize=(9, 3.2))[1]
    time = np.arange(len(values)) / (RATE_HZ / 2)
    panels[0].plot(time, values, label="as measured")
    panels[0].plot(time, low, label="slow part")
    panels[0].plot(time, values - low, label="what is left")
    scale = 2 * features.INPUT_LIMIT / 255
    integers = features.quantized_input(raw, right, scale, 0)[0, 0]
    lines = panels[1].plot(time, integers, lw=1.5)
    panels[0].set(xlabel="seconds", ylabel="g")
    panels[0].legend(fontsize=10)
    panels[1].set(xlabel="seconds", ylabel="int8", title="Six axes share one scale")
    panels[1].legend(lines, ["ax", "ay", "az", "wx", "wy", "wz"], ncols=2, fontsize=9)
    return list(panels)


def arms_and_turns(gestures: Gestures, turned: NDArray[Any]) -> list[Axes]:
    """Draw x of both arms, the same mirrored, and one window as other wrists would give it.

    Args:
        gestures: a movement of the first person in them is drawn.
        turned: a window as measured, then turned: [N, samples, 6] in g and rad/s.
    """
    panels = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True)[1]
    whose, label = gestures.people[0], min(2, len(gestures.classes) - 1)
    pair = [one for one in gestures.recordings if one.person == whose and one.label == label]
    for panel, mirror in zip(panels, (False, True), strict=False):
        for one in pair[:2]:
            values = features.mirror(one.values, mirror and one.side == "right")[:300, 0]
            panel.plot(_seconds(values), values, lw=1.5, label=one.side)
    time = _seconds(turned[0])
    panels[2].plot(time, turned[1:, :, 1].T, color=_GREY, lw=1)
    panels[2].plot(time, turned[0, :, 1])
    titles = ("Both arms, x", "Mirrored: alike", "As other wrists feel it, y")
    for panel, title in zip(panels, titles, strict=True):
        panel.set(title=title, xlabel="seconds")
    panels[0].set_ylabel("g")
    panels[0].legend(fontsize=10)
    return list(panels)


def people(results: Mapping[str, Any]) -> Axes:
    """Draw accuracy on each unseen person from each seed, out of `network.results()`."""
    axis = plt.subplots(figsize=(9, 3.2))[1]
    for seed, (one, mark) in enumerate(zip(results["people"]["seeds"]["int8"], "os^", strict=True)):
        correct = one["window_percent_by_person"]
        axis.plot(range(1, len(correct) + 1), correct, mark, label=f"seed {seed}")
    axis.set_xticks(range(1, len(correct) + 1))
    axis.set(xlabel="person left out", ylabel="correct (%)")
    axis.legend(fontsize=10)
    return axis


def recipes(results: Mapping[str, Any]) -> Axes:
    """Draw what each recipe of `network.results()` changes, by person and with an interval."""

    def by_person(name: str) -> NDArray[np.float64]:
        return np.array(results["recipes"][name]["window_percent_by_person"])

    changes = {
        name: by_person(name) - by_person("as chosen")
        for name in sorted(results["recipes"], key=lambda name: float(by_person(name).mean()))
        if name != "as chosen"
    }
    axis = plt.subplots(figsize=(9, 4.2))[1]
    for row, change in enumerate(changes.values()):
        found = over_groups(change, "points")
        colour = "#0072B2" if 0 in found else "#D55E00"
        axis.plot(change, [row] * len(change), ".", color=_GREY)
        axis.errorbar(found.value, row, xerr=found.half_width, fmt="o", color=colour, capsize=4)
    axis.axvline(0, color="0.5", lw=1)
    axis.set_yticks(range(len(changes)), list(changes))
    axis.set(xlabel="points against the recipe as chosen (grey: each of ten people)")
    return axis


def learning_curve(results: Mapping[str, Any]) -> Axes:
    """Draw accuracy over the number of people trained on, out of `network.results()`."""
    points = {**results["curve"], "9": results["recipes"]["as chosen"]}
    mean, spread = ([one[f"window_{kind}"] for one in points.values()] for kind in ("percent", "spread"))
    axis = plt.subplots(figsize=(9, 3))[1]
    axis.errorbar([int(count) for count in points], mean, spread, fmt="o-", capsize=4)
    axis.set(xlabel="people trained on", ylabel="correct (%)")
    return axis


def strangers(results: Mapping[str, Any]) -> Axes:
    """Draw how often a movement that was never seen is refused, out of `network.results()`."""
    refused = {name: one["rejected_percent"] for name, one in results["unknown"].items()}
    names = sorted(refused, key=lambda name: refused[name])
    axis = plt.subplots(figsize=(9, 3))[1]
    axis.barh(names, [refused[name] for name in names])
    axis.axvline(10, color="0.4", ls=":", label="movements that it knows")
    title = (
        f"Of strange movements {np.mean(list(refused.values())):.1f} % are refused, of known ones 10 %"
    )
    axis.set(xlim=(0, 100), xlabel="refused (%)", title=title)
    axis.legend(fontsize=10)
    return axis


def turns(table: DataFrame, person: str) -> Axes:
    """Draw accuracy over how far each watch is turned, with one person's in another colour.

    Args:
        table: columns person, turned and correct.
        person: whose dots are red.
    """
    colours = table.person.eq(person).map({True: "#D55E00", False: "#0072B2"})
    axis: Axes = table.plot.scatter("turned", "correct", c=colours, s=50, figsize=(9, 3))
    axis.set(xlabel="watch turned against everybody else's (degrees)", ylabel="correct (%)")
    return axis


def gains(table: DataFrame) -> Axes:
    """Draw accuracy by person as it is and with each remedy."""
    axis: Axes = plt.subplots(figsize=(9, 3.2))[1]
    places = np.arange(len(table))
    for number, (remedy, marker) in enumerate(zip(table, "os^", strict=True)):
        axis.plot(places + 0.2 * (number - 1), table[remedy], marker, label=remedy)
    axis.set_xticks(places, table.index)
    axis.set(xlabel="person", ylabel="correct (%)")
    axis.legend(loc="lower right", ncols=3, fontsize=10)
    return axis


def decisions(flow: Stream, spoken: NDArray[Any], second: int, votes: int) -> list[Axes]:
    """Draw a minute of a stream, the window that ends at `second`, and the decisions around it.

    Args:
        flow: the stream.
        spoken: outputs [M, classes] of all its windows.
        second: where to look.
        votes: windows that vote.
    """
    answers, ends, within = stream.decide(flow, spoken, votes)
    shown = slice(RATE_HZ * max(0, second - 30), RATE_HZ * (second + 30))
    time = np.arange(len(flow.raw)) / RATE_HZ
    panels = plt.subplots(2, 1, figsize=(9, 4.8), sharex=True, height_ratios=(2, 3))[1]
    panels[0].plot(time[shown], flow.raw[shown, :3] * UNITS[:3], lw=1)
    panels[0].axvspan(second - 4, second, color="#E69F00", alpha=0.3)
    panels[0].set_ylabel("g")
    panels[1].scatter(time[shown], flow.truth[shown], color=_GREY, s=40, marker="s", label="truth")
    near = (ends >= shown.start) & (ends < shown.stop)
    for those, mark, label in ((within, "o", "decision"), (~within, "x", "decision elsewhere")):
        panels[1].plot(ends[near & those] / RATE_HZ, answers[near & those], mark, ms=5, label=label)
    panels[1].axvline(second, color="#C98200", lw=1)
    panels[1].set_yticks(range(NONE, len(flow.classes)), ["none", *flow.classes], fontsize=9)
    right = answers == flow.truth[ends - 1]
    title = "Right this minute: " + ", ".join(
        f"{(right & those & near).sum()} of {(those & near).sum()} {where}"
        for those, where in ((within, "within a movement"), (~within, "elsewhere"))
    )
    panels[1].set(xlabel="seconds", ylim=(-1.6, len(flow.classes) + 0.6))
    panels[1].set_title(title, fontsize=11)
    panels[1].legend(loc="upper right", ncols=3, fontsize=9)
    return list(panels)


def _seconds(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.arange(len(values)) / RATE_HZ
