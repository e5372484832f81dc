"""Pictures of vibration and of its detectors: waves, spectra, ROC curves, scores over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.usecases.anomaly import features
from tinyml_helpers.usecases.anomaly.detect import Scores
from tinyml_helpers.usecases.anomaly.features import Samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def waves(segments: Mapping[str, Samples], rate_hz: float, counts_per_g: float, title: str = "") -> Axes:
    """Draw the first 100 ms of one segment of each, one above the other; return the upper axes.

    Args:
        segments: label -> int16 [N, T]; the first of each is drawn.
        rate_hz: samples a second.
        counts_per_g: counts of the sensor for each g.
        title: over the upper one.
    """
    import matplotlib.pyplot as plt

    axes = plt.subplots(len(segments), sharex=True, sharey=True, squeeze=False)[1][:, 0]
    time = np.arange(int(rate_hz / 10)) * 1000 / rate_hz
    for axis, (label, samples) in zip(axes, segments.items(), strict=True):
        axis.plot(time, samples[0, : len(time)] / counts_per_g, lw=0.6)
        axis.set_ylabel(f"{label}\n(g)", fontsize=10)
    axes[-1].set_xlabel("time (ms)")
    upper: Axes = axes[0]
    upper.set_title(title)
    return upper


def spectra(
    segments: Mapping[str, Samples],
    rate_hz: float,
    band_hz: tuple[float, float],
    lines_hz: Iterable[float] = (),
    titles: tuple[str, str] = ("", ""),
) -> tuple[Axes, Axes]:
    """Draw the spectrum, and the spectrum of the envelope of one band; return both axes.

    Args:
        segments: label -> int16 [N, T], averaged over N.
        rate_hz: samples a second.
        band_hz: whose envelope is looked at; shaded in the spectrum.
        lines_hz: frequencies to mark in the envelope's spectrum.
        titles: of both.
    """
    import matplotlib.pyplot as plt

    left, right = plt.subplots(1, 2, figsize=(9, 3.6))[1]
    left.axvspan(*band_hz, color="0.92")
    for label, samples in segments.items():
        left.semilogy(*features.spectrum(samples, rate_hz), lw=0.8, label=label)
        right.plot(*features.envelope_spectrum(samples, rate_hz, band_hz), lw=1, label=label)
    marked = list(lines_hz)
    for line in marked:
        right.axvline(line, color="0.6", ls=":", zorder=0)
    right.set_xlim(5, 1.2 * max(marked, default=rate_hz / 2))
    for axis, title in zip((left, right), titles, strict=True):
        axis.set(xlabel="frequency (Hz)", ylabel="amplitude (counts)", title=title)
    left.legend(loc="lower right")
    return left, right


def spectrograms(segments: Mapping[str, Samples], rate_hz: float) -> tuple[Axes, ...]:
    """Draw the log-spectrogram of one segment of each; return the axes.

    What is drawn is the level above the mean of the first, band by band.

    Args:
        segments: label -> int16 [N, T]; the first of each is drawn.
        rate_hz: samples a second.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(segments), sharey=True, figsize=(9, 3.2), squeeze=False)
    levels = {label: features.log_spectrogram(samples[:1])[0] for label, samples in segments.items()}
    usual = next(iter(levels.values())).mean(0)
    for axis, (label, level) in zip(axes[0], levels.items(), strict=True):
        drawn = axis.imshow(
            (level - usual).T, origin="lower", aspect="auto", cmap="viridis", vmin=-1, vmax=6,
            extent=(0, 1000 * len(level) * features.HOP / rate_hz, 0, features.BANDS),
        )  # fmt: skip
        axis.grid(False)
        axis.set(title=label, xlabel="time (ms)")
    axes[0, 0].set_ylabel("band")
    figure.colorbar(drawn, ax=axes[0].tolist(), label="doublings of energy")
    return tuple(axes[0])


def roc(scores: Mapping[str, Scores], faulty: NDArray[np.bool_], title: str = "") -> Axes:
    """Draw the ROC curve of each detector, over a strip up to a false-alarm rate of 0.1.

    Args:
        scores: detector -> [N].
        faulty: bool [N].
        title: of the figure.
    """
    import matplotlib.pyplot as plt
    from sklearn.metrics import roc_curve

    axis = plt.subplots()[1]
    for name, values in scores.items():
        alarm, found, _ = roc_curve(faulty, values)
        axis.plot(alarm, found, label=name)
    axis.axvspan(0, 0.1, color="0.92")
    axis.set(xlabel="healthy segments called faulty (share)", ylabel="faults found (share)", title=title)
    axis.legend()
    return axis


def by_case(
    tables: Mapping[str, Mapping[str, Mapping[str, float]]], title: str = ""
) -> tuple[Axes, ...]:
    """Draw one figure of merit above the other: a mark for each detector in each case.

    Args:
        tables: figure of merit -> case -> detector -> value.
        title: of the upper one.
    """
    import matplotlib.pyplot as plt

    axes = plt.subplots(len(tables), sharex=True, figsize=(9, 1 + 2.5 * len(tables)), squeeze=False)[1]
    for axis, (merit, table) in zip(axes[:, 0], tables.items(), strict=True):
        names = list(next(iter(table.values())))
        for place, (name, mark) in enumerate(zip(names, "os^vxd", strict=False)):
            values = [row[name] for row in table.values()]
            beside = 0.14 * (place - (len(names) - 1) / 2)  # level marks would hide each other
            axis.plot(np.arange(len(table)) + beside, values, mark, ms=6, label=name)
        axis.set_ylabel(merit)
        axis.margins(y=0.15)  # room for the legend
    axes[-1, 0].set_xticks(range(len(table)), list(table), rotation=35, ha="right")
    axes[0, 0].set_title(title)
    axes[0, 0].legend(ncols=5, fontsize=9, loc="lower left", borderaxespad=0)
    return tuple(axes[:, 0])


def over_time(
    days: NDArray[np.float64], tracks: Mapping[str, Mapping[str, Scores]], threshold: float
) -> tuple[Axes, ...]:
    """Draw scores over days, one panel for each title, on a logarithmic scale.

    Args:
        days: [N].
        tracks: title -> detector -> scores [N].
        threshold: a dotted line.
    """
    import matplotlib.pyplot as plt

    axes = plt.subplots(1, len(tracks), sharey=True, figsize=(9, 3.8), squeeze=False)[1][0]
    for axis, (title, scores) in zip(axes, tracks.items(), strict=True):
        for name, values in scores.items():
            axis.semilogy(days, values, label=name, lw=1.2)
        axis.axhline(threshold, color="0.5", ls=":")
        axis.set(title=title, xlabel="day")
    axes[0].set_ylabel("score (dotted: threshold)")
    axes[0].legend(loc="upper left")
    return tuple(axes)
