"""What sets one person apart: how the watch sits, and a last layer that learns the person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.gestures.recordings import RATE_HZ, UNITS
from tinyml_helpers.usecases.gestures import features as gesture_features
from tinyml_helpers.usecases.gestures.features import Windows
from tinyml_helpers.usecases.gestures.train import logits
from tinyml_helpers.usecases.gestures.vote import score_people

if TYPE_CHECKING:
    from pandas import DataFrame
    from scipy.spatial.transform import Rotation
    from torch import nn

_FIRST_S = 10


def watch_rotation(own: Windows, others: Windows) -> Rotation:
    """Estimate the rotation that turns a person's watch to where everybody else wears it.

    Gravity points somewhere on average in each movement. The rotation brings a person's directions
    closest to those of the others. Turns about the vertical do not show.

    Args:
        own: windows of one person and arm.
        others: of other people, either arm.

    Source: Kabsch, Acta Crystallographica A32, 1976; scipy's `Rotation.align_vectors`.
    """
    from scipy.spatial.transform import Rotation

    common = np.intersect1d(own.labels, others.labels)
    here, there = (
        np.array([_gravity(part)[part.labels == one].mean(0) for one in common])
        for part in (own, others)
    )
    return Rotation.align_vectors(there, here)[0]


def _gravity(windows: Windows) -> NDArray[np.float64]:
    arms: NDArray[np.float64] = gesture_features.mirror(windows.raw, windows.right)[..., :3] * UNITS[:3]
    means: NDArray[np.float64] = arms.mean(1)
    return means


def measure_turns(windows: Windows, answers: NDArray[np.int64]) -> DataFrame:
    """List for each person and arm: how far the watch is turned (degrees), correct answers (percent).

    Args:
        windows: of everybody.
        answers: the class that was named for each, int64 [M].
    """
    from pandas import DataFrame

    rows = []
    for person in dict.fromkeys(windows.people.tolist()):
        for right in np.unique(windows.right[windows.people == person]).tolist():
            mine = (windows.people == person) & (windows.right == right)
            correct = 100 * float((answers == windows.labels)[mine].mean())
            rotation = watch_rotation(windows.take(mine), windows.without(person))
            angle = float(np.degrees(rotation.magnitude()))
            rows.append((person, "right" if right else "left", angle, correct))
    return DataFrame(rows, columns=["person", "arm", "turned", "correct"])


def count_errors(windows: Windows, answers: NDArray[np.int64], person: str) -> DataFrame:
    """Count a person's wrong windows by what was done and what was said, most frequent first."""
    from pandas import DataFrame

    mine, names = windows.people == person, np.array(windows.classes)
    table = DataFrame({"done": names[windows.labels[mine]], "said": names[answers[mine]]})
    wrong: DataFrame = table[table.done != table.said].value_counts().to_frame("windows")
    return wrong


def split_at_10_s(windows: Windows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which windows end in the first 10 s of their recording, and which begin after them: [M].

    The later ones share no sample with the first.
    """
    order = np.zeros(len(windows), np.int64)
    for one in np.unique(windows.recording):
        here = windows.recording == one
        order[here] = np.arange(here.sum())
    start, border = order * gesture_features.HOP, _FIRST_S * RATE_HZ
    return start + windows.raw.shape[1] <= border, start >= border


def compare_remedies(networks: Mapping[str, nn.Sequential], windows: Windows) -> DataFrame:
    """Score each person's network as it is, and with two remedies: macro percent by person.

    Both learn from the first 10 s of each recording, and are tested on what comes later. One turns
    the watch back, arm by arm. The other teaches the last layer.

    Args:
        networks: person -> network that never saw the person.
        windows: of everybody.
    """
    from pandas import DataFrame

    rows = {}
    for person, network in networks.items():
        others = windows.without(person)
        mine = windows.of(person)
        own, later = (mine.take(part) for part in split_at_10_s(mine))
        taught = teach_last_layer(network, others, own)
        turned = turn_back(later, own, others)
        cases = ((network, later), (network, turned), (taught, later))
        rows[person] = [score_people(logits(one, test), test).mean[0] for one, test in cases]
    return DataFrame(rows, ["as it comes", "watch turned back", "last layer taught"]).T


def turn_back(windows: Windows, own: Windows, others: Windows) -> Windows:
    """Turn one person's windows as if the watch sat like everybody else's.

    Args:
        windows: what to turn, of one person.
        own: windows to estimate the turn from, of the same person.
        others: how everybody else wears it.
    """
    raw = windows.raw.copy()
    for right in np.unique(windows.right).tolist():
        mine = windows.right == right
        arms = gesture_features.mirror(windows.raw[mine], windows.right[mine]).reshape(mine.sum(), -1, 3)
        by = watch_rotation(own.take(own.right == right), others).as_matrix()
        back = gesture_features.mirror((arms @ by.T).reshape(raw[mine].shape), windows.right[mine])
        raw[mine] = np.round(back).clip(-32768, 32767)
    return replace(windows, raw=raw)


def teach_last_layer(network: nn.Sequential, others: Windows, own: Windows) -> nn.Sequential:
    """Return the network with a last layer that has learnt one person too.

    The layers before stay as they are. The last is fitted anew, on features of the windows that the
    network was trained with and of the person's own, which count for a quarter together. Without the
    others it would forget what it knew.

    Args:
        network: from `tinyml_helpers.usecases.gestures.network`.
        others: windows of 200 samples of the people that it was trained on.
        own: some of the person.
    """
    import copy

    import torch
    from sklearn.linear_model import LogisticRegression

    from tinyml_helpers.usecases.gestures.network import embed

    known, new = (
        embed(network, torch.from_numpy(gesture_features.network_input(part.raw, part.right)))
        for part in (others, own)
    )
    scale = known.std(0) + 1e-6
    weights = np.concatenate([np.ones(len(known)), np.full(len(new), len(known) / len(new) / 3)])
    fitted = LogisticRegression(max_iter=200, C=0.1).fit(
        np.concatenate([known, new]) / scale,
        np.concatenate([others.labels, own.labels]),
        sample_weight=weights,
    )
    result = copy.deepcopy(network)
    with torch.no_grad():
        head: Any = result.head
        head.weight.copy_(torch.from_numpy(fitted.coef_ / scale))
        head.bias.copy_(torch.from_numpy(fitted.intercept_))
    return result
