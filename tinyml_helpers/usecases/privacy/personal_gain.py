"""What a last layer gains for its owner, and loses for others: everybody of the watch set in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.intervals import over_groups
from tinyml_helpers.training import balanced_percent
from tinyml_helpers.usecases.gestures import features as gesture_features
from tinyml_helpers.usecases.gestures.personalize import split_at_10_s
from tinyml_helpers.usecases.privacy import last_layer
from tinyml_helpers.usecases.privacy.last_layer import Layer

if TYPE_CHECKING:
    import torch
    from matplotlib.axes import Axes
    from pandas import DataFrame

    from tinyml_helpers.datasets.gestures.recordings import Gestures

CASES = ("as shipped", "own examples alone", "with replay")
# Who gained, and who did not: colour and marker, so that either is enough.
_LOOKS = ((True, "#0072B2", "o", "gained"), (False, "#D55E00", "X", "lost, or stayed"))


def last_layer_of(person: str, inputs: torch.Tensor) -> tuple[Layer, NDArray[np.float32]]:
    """Return the last layer of the network that never saw a person, and what reaches it.

    Args:
        person: of the shipped set.
        inputs: float32 [N, 6, 1, 100], from `motion.network_input`.
    """
    from tinyml_helpers.usecases.gestures import network as networks

    network: Any = networks.load_trained(person)
    seen = networks.embed(network, inputs)
    weights, biases = (part.detach().numpy() for part in network.head.parameters())
    return Layer(weights, biases), seen


def personalize_everybody(
    gestures: Gestures, *, each: int = 20, passes: int = 10, seed: int = 0
) -> DataFrame:
    """Teach each person's network its owner: macro percent on the owner's later windows, and on others.

    The others are those that the network was trained on, without the examples kept for replay.

    Args:
        gestures: the shipped set.
        each: examples of each movement that are kept for replay.
        passes: how often to go through the owner's first 10 s of each recording.
        seed: of orders and of what is kept.
    """
    import torch
    from pandas import DataFrame

    windows, draw = gesture_features.cut(gestures), np.random.default_rng(seed)
    inputs = torch.from_numpy(gesture_features.network_input(windows.raw, windows.right))
    first, later = split_at_10_s(windows)
    rows = []
    for person in gestures.people:
        mine = windows.people == person
        layer, seen = last_layer_of(person, inputs)
        store = last_layer.draw_of_each_class(windows.labels, np.flatnonzero(~mine), each, seed=seed)
        own = np.concatenate([draw.permutation(np.flatnonzero(mine & first)) for _ in range(passes)])
        orders = (own, last_layer.mix_replay(own, store, seed=seed))
        layers = [
            layer,
            *(last_layer.learn(layer, seen[o], windows.labels[o]) for o in orders),
        ]
        tests = np.flatnonzero(mine & later), np.setdiff1d(np.flatnonzero(~mine), store)
        for case, one in zip(CASES, layers, strict=True):
            scores = [balanced_percent(one(seen[test]), windows.labels[test]) for test in tests]
            rows.append((person, case, *scores))
    return DataFrame(rows, columns=["person", "case", "owner", "others"])


def mean_by_case(results: DataFrame) -> DataFrame:
    """Return the mean over people with its interval, a row for each of `CASES`."""
    from pandas import DataFrame

    of_case = {case: results[results["case"] == case] for case in CASES}
    return DataFrame(
        {
            who: {case: over_groups(rows[who]) for case, rows in of_case.items()}
            for who in ("owner", "others")
        }
    )


def replay_gains(results: DataFrame) -> NDArray[np.float64]:
    """Return how many points each owner gains with replay [people]; less than zero is lost."""
    owners = by_owner(results)
    found: NDArray[np.float64] = (owners[CASES[2]] - owners[CASES[0]]).to_numpy()
    return found


def by_owner(results: DataFrame) -> DataFrame:
    """Return how often each owner is understood in percent: a row for each, a column for each case."""
    people = list(dict.fromkeys(results.person))
    table: DataFrame = results.pivot(index="person", columns="case", values="owner")
    return table.loc[people, list(CASES)]


def draw_gains(results: DataFrame) -> Axes:
    """Draw what each owner gains with replay over how well the watch knew them, and the mean."""
    from matplotlib import pyplot as plt

    axes: Axes = plt.subplots(figsize=(9, 4.2))[1]
    owners, found = by_owner(results), replay_gains(results)
    mean = over_groups(found, "points")
    axes.axhspan(mean.low, mean.high, color="#0072B2", alpha=0.15, label="mean, 95 %")
    axes.axhline(0, color="black", linewidth=1)
    for won, colour, marker, name in _LOOKS:
        here = owners[(found > 0) == won]
        axes.plot(here[CASES[0]], found[(found > 0) == won], marker, color=colour, ms=9, label=name)
    for person, start, gain in zip(owners.index, owners[CASES[0]], found, strict=True):
        axes.annotate(person, (start, gain), (7, 4), textcoords="offset points", fontsize=9)
    axes.set(xlabel="owner understood as shipped (%)", ylabel="gained with replay (points)")
    axes.legend()
    return axes
