"""Pictures of sound: waves, spectrograms, the steps from one to the other, and words in a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.intervals import Interval
from tinyml_helpers.usecases.alarms import THRESHOLDS, TradeOff
from tinyml_helpers.usecases.keywords.streaming import Session

RATE_HZ = 16_000
_GREY, _ORANGE = "#8899A6", "#D55E00"


def waves(clips: Sequence[NDArray[np.int16]]) -> Sequence[Axes]:
    """Draw clips side by side, one axis each."""
    axes: Sequence[Axes] = plt.subplots(1, len(clips), figsize=(9, 2), sharey=True)[1]
    for axis, clip in zip(axes, clips, strict=True):
        axis.plot(np.arange(len(clip)) / RATE_HZ, clip, lw=0.7)
    return axes


def spectrograms(
    pictures: Sequence[ArrayLike], titles: Sequence[str], steps_ms: Sequence[float] = ()
) -> Sequence[Axes]:
    """Draw features [frames, channels] side by side, low channels below, each under its title.

    Args:
        pictures: the features.
        titles: one each.
        steps_ms: from one frame to the next, of each picture; 20 ms without it.
    """
    axes: Sequence[Axes] = plt.subplots(1, len(pictures), figsize=(9, 2.2))[1]
    steps_ms = steps_ms or [20.0] * len(pictures)
    for axis, picture, title, step_ms in zip(axes, pictures, titles, steps_ms, strict=True):
        _image(axis, picture, step_ms / 1000)
        axis.set(title=title, xlabel="seconds")
    axes[0].set_ylabel("channel")
    return axes


def steps(
    faded: ArrayLike, spectrum: ArrayLike, triangles: NDArray[Any], picture: ArrayLike
) -> Sequence[Axes]:
    """Draw the way from samples to features in four panels.

    Args:
        faded: one frame under its window.
        spectrum: amplitudes of its frequencies, 257 of them.
        triangles: the mel filters, (channels, 257).
        picture: features of all frames, (frames, channels).
    """
    axes: Sequence[Axes] = plt.subplots(2, 2, figsize=(9, 4.6))[1].ravel()
    hertz = np.arange(257) * RATE_HZ / 512
    axes[0].plot(np.arange(len(np.asarray(faded))) * 1000 / RATE_HZ, faded, lw=1)
    axes[1].plot(hertz, spectrum, lw=1)
    axes[2].plot(hertz, triangles.T, lw=1)
    _image(axes[3], picture, 0.02)
    titles = ("1: 30 ms, faded", "2: how much of each frequency", "3: ten triangles", "4: all frames")
    labels = ("ms", "Hz", "Hz", "seconds, a frame every 20 ms")
    for axis, title, label in zip(axes, titles, labels, strict=True):
        axis.set(title=title, xlabel=label)
    for axis in axes[1:3]:
        axis.set_xlim(0, 4500)
    axes[0].set_ylabel("sample")
    axes[1].set_ylabel("amplitude")
    axes[2].set_ylabel("weight")
    axes[3].set_ylabel("channel")
    return axes


def confusions(matrices: Mapping[str, ArrayLike], classes: Sequence[str]) -> Sequence[Axes]:
    """Draw confusion matrices side by side: rows what was said, columns what was heard.

    Args:
        matrices: name -> counts [classes, classes].
        classes: names of rows and columns.
    """
    axes: Sequence[Axes] = plt.subplots(1, len(matrices), figsize=(9, 4.4), sharey=True)[1]
    for axis, matrix in zip(axes, matrices.values(), strict=True):
        counts = np.asarray(matrix, float)
        percent = 100 * counts / counts.sum(1, keepdims=True)
        axis.imshow(percent, vmax=25, cmap="Blues")
        axis.grid(visible=False)
        axis.set_xticks(range(len(classes)), classes, rotation=90)
        axis.set_yticks(range(len(classes)), classes)
        for row, column in np.argwhere(percent >= 1):
            dark = percent[row, column] > 15
            label = f"{percent[row, column]:.0f}"
            axis.text(
                column,
                row,
                label,
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "black",
            )
    return axes


def excerpt(session: Session, start_s: float, seconds: float, threshold: float) -> Sequence[Axes]:
    """Draw a part of a stream with its words, and under it the scores of the vocabulary.

    Args:
        session: the stream.
        start_s: where the part begins.
        seconds: how long it is.
        threshold: drawn as a line; where it is reached, the word that is reported.
    """
    axes: Sequence[Axes] = plt.subplots(2, 1, figsize=(9, 4.2), sharex=True)[1]
    part = slice(int(RATE_HZ * start_s), int(RATE_HZ * (start_s + seconds)))
    axes[0].plot(
        np.arange(part.start, part.stop)[::8] / RATE_HZ, session.sound[part][::8], lw=0.4, color=_GREY
    )
    for word in session.said:
        if start_s <= word.start_s < start_s + seconds - 0.5:
            bold = "bold" if word in session.keys else "normal"
            axes[0].text(word.start_s, 23_000, word.word, weight=bold)
    axes[0].set_ylim(-30_000, 32_000)
    axes[1].plot(session.end_s, session.scores[:, : len(session.words)], lw=1.5)
    axes[1].axhline(threshold, color=_GREY, ls=":")
    outcome = session.at(threshold)
    for found in (*outcome.hits, *outcome.false_alarms):
        if start_s <= found.time_s < start_s + seconds - 0.5:
            false = found in outcome.false_alarms
            axes[1].text(found.time_s, 1.03, found.word, color=_ORANGE if false else "black")
    axes[1].set(xlim=(start_s, start_s + seconds), ylim=(0, 1.2))
    return axes


def dots(axes: Axes, table: Mapping[str, Mapping[str, Interval]]) -> Axes:
    """Draw a dot with its interval for each network on each test set.

    Args:
        axes: where to draw.
        table: network -> test set -> figure; one that is missing leaves its place empty.
    """
    tests = list(dict.fromkeys(test for figures in table.values() for test in figures))
    for number, (network, figures) in enumerate(table.items()):
        places = [tests.index(test) + 0.16 * (number - (len(table) - 1) / 2) for test in figures]
        middle = [one.value for one in figures.values()]
        reach = [[one.value - one.low, one.high - one.value] for one in figures.values()]
        axes.errorbar(middle, places, xerr=np.transpose(reach), fmt="o", lw=1.5, label=network)
    axes.set_yticks(range(len(tests)), tests)
    axes.invert_yaxis()
    return axes


def trade_off(axes: Axes, scenes: Mapping[str, TradeOff], threshold: float) -> Axes:
    """Draw missed words against false alarms for all thresholds, and mark one with its intervals.

    A scene without commands has nothing to miss: it is one triangle under the others.

    Args:
        axes: where to draw.
        scenes: name -> counts.
        threshold: the one that is marked; without an alarm, at the rate that this leaves possible.
    """
    below = 0
    for name, scene in scenes.items():
        here = scene.at(threshold)
        alarms = here.an_hour
        x = alarms.value or alarms.high
        reach = [[x - max(alarms.low, 0.5)], [alarms.high - x]]
        if here.missed_percent is None:
            below -= 7
            axes.errorbar([x], [below], xerr=reach, fmt="^", ms=8, lw=1.5, label=f"{name} (no command)")
            continue
        heard = [tally for tally in map(scene.at, THRESHOLDS[::3]) if tally.false_alarms]
        rates = [tally.an_hour.value for tally in heard]
        missed = [tally.missed_percent.value for tally in heard if tally.missed_percent]
        (line,) = axes.plot(rates, missed, ".-", ms=4, lw=1, label=name)
        y = here.missed_percent
        axes.errorbar(
            [x], [y.value], xerr=reach, yerr=[[y.value - y.low], [y.high - y.value]],
            fmt="o", ms=9, lw=1.5, color=line.get_color(),
        )  # fmt: skip
    axes.set(xscale="log", ylim=(below - 5, 80))
    axes.set_xticks([1, 3, 10, 30, 100, 300], ["1", "3", "10", "30", "100", "300"])
    axes.set_yticks(range(0, 80, 20))
    return axes


def _image(axis: Axes, picture: ArrayLike, step_s: float) -> None:
    frames, channels = np.asarray(picture).shape
    extent = (0, frames * step_s, -0.5, channels - 0.5)
    axis.imshow(np.asarray(picture).T, origin="lower", aspect="auto", cmap="magma", extent=extent)
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(visible=False)
