"""What a last layer gains for its owner, and loses for others: everybody of the watch set in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.signals import last_layer, motion
from tinyml_helpers.signals.last_layer import Layer
from tinyml_helpers.signals.motion import Windows
from tinyml_helpers.signals.motion_vote import macro_percent

if TYPE_CHECKING:
    import torch
    from matplotlib.axes import Axes
    from pandas import DataFrame

    from tinyml_helpers.datasets.gestures import Gestures

CASES = ("as shipped", "own examples alone", "with replay")


def features(person: str, inputs: torch.Tensor) -> tuple[Layer, NDArray[np.float32]]:
    """Return the last layer of the network that never saw a person, and what reaches it.

    Args:
        person: of the shipped set.
        inputs: float32 [N, 6, 1, 100], from `motion.network_input`.
    """
    import torch

    from tinyml_helpers.models import gestures as networks

    network: Any = networks.load_trained(person)
    with torch.no_grad():
        seen: NDArray[np.float32] = network[:3](inputs).numpy()
    weights, biases = (part.detach().numpy() for part in network.head.parameters())
    return Layer(weights, biases), seen


def first_and_later(windows: Windows, seconds: int = 10) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which windows end in the first seconds of their recording, and which begin after them."""
    order = np.zeros(len(windows), np.int64)
    for one in np.unique(windows.recording):
        here = windows.recording == one
        order[here] = np.arange(here.sum())
    span = windows.raw.shape[1]
    return order * motion.HOP + span <= seconds * 50, order * motion.HOP >= seconds * 50


def everybody(
    gestures: Gestures, *, each: int = 20, passes: int = 10, rate: float = 0.01, seed: int = 0
) -> DataFrame:
    """Teach each person's network its owner: macro percent on the owner's later windows, and on others.

    The others are those that the network was trained on, without the examples kept for replay.

    Args:
        gestures: the shipped set.
        each: examples of each movement that are kept for replay.
        passes: how often to go through the owner's first 10 s of each recording.
        rate: length of a step.
        seed: of orders and of what is kept.
    """
    import torch
    from pandas import DataFrame

    windows, draw = motion.cut(gestures), np.random.default_rng(seed)
    inputs = torch.from_numpy(motion.network_input(windows.raw, windows.right))
    first, later = first_and_later(windows)
    rows = []
    for person in gestures.people:
        mine = windows.people == person
        layer, seen = features(person, inputs)
        store = last_layer.some_of_each(windows.labels, np.flatnonzero(~mine), each, seed=seed)
        own = np.concatenate([draw.permutation(np.flatnonzero(mine & first)) for _ in range(passes)])
        orders = (own, last_layer.replayed(own, store, seed=seed))
        layers = [
            layer,
            *(last_layer.learn(layer, seen[o], windows.labels[o], rate=rate) for o in orders),
        ]
        tests = np.flatnonzero(mine & later), np.setdiff1d(np.flatnonzero(~mine), store)
        for case, one in zip(CASES, layers, strict=True):
            scores = [macro_percent(one(seen[test]), windows.labels[test]) for test in tests]
            rows.append((person, case, *scores))
    return DataFrame(rows, columns=["person", "case", "owner", "others"])


def means(results: DataFrame) -> DataFrame:
    """Return the mean over people, a row for each of `CASES`."""
    table: DataFrame = results.groupby("case")[["owner", "others"]].mean().loc[list(CASES)]
    return table


def gain(results: DataFrame) -> float:
    """Return how many points the owners gain on average, with replay."""
    owner = means(results).owner
    return float(owner[CASES[2]] - owner[CASES[0]])


def bars(results: DataFrame) -> Axes:
    """Draw how often each owner is understood, in each of `CASES`."""
    people = list(dict.fromkeys(results.person))
    owners = results.pivot(index="person", columns="case", values="owner").loc[people, list(CASES)]
    axes: Axes = owners.plot.bar(figsize=(9, 3.6), rot=0, width=0.75, ylim=(60, 112))
    axes.legend(ncols=3, loc="upper center", fontsize=10)
    axes.set(xlabel="person", ylabel="correct (%)", yticks=range(60, 101, 10))
    return axes
