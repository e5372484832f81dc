"""A classic way to tell movements apart: hand-made features and a random forest, also in C.

emlearn 0.23.2 converts the same forest of 30 trees. On 248 windows of one person, on a Cortex-M4, its
code in float takes 92,588 bytes of flash and 26,885 instructions a window, here 63,300 and 29,158. One
answer differs: it writes limits with six digits and asks `<` where scikit-learn asks `<=`. Its table in
16 bits takes 39,996 bytes and 30,688 instructions, and needs a forest grown on features rounded to 16
bits, which names 91.9 % rightly, not 92.7 %.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyml_helpers.datasets.gestures.recordings import AXES
from tinyml_helpers.mcu.compiler import c_source
from tinyml_helpers.usecases.gestures import features as gesture_features
from tinyml_helpers.usecases.gestures import firmware
from tinyml_helpers.usecases.gestures.features import Windows

PAIRS = tuple((a, b) for a in range(6) for b in range(a))
NAMES = (
    *(f"{axis} {kind}" for axis in AXES for kind in ("spread", "lowest", "highest", "change", "turns")),
    *(f"{axis} rest" for axis in AXES[:3]),
    *(f"{AXES[a]} with {AXES[b]}" for a, b in PAIRS),
)
"""The 48 features, in order."""


def features(raw: NDArray[np.int16], right: ArrayLike) -> NDArray[np.float32]:
    """Describe windows int16 [M, 200, 6] by 48 numbers each: float32 [M, 48], in the order of `NAMES`.

    After the front end (arms made equal, 25 Hz, slow part subtracted), for each axis: variance, least
    and largest value, sum of the steps from one moment to the next, and how often the sign changes.
    Then the mean acceleration, which is mostly gravity, and how two axes go together (the squared
    correlation, with its sign). `c/forest.c` computes the same bits: the sums are whole numbers,
    and a tree asks only which of two values is larger, so that units and square roots do not matter.
    """
    steps = gesture_features.subtract_slow_part(raw, right).astype(np.int64)
    sums, count = steps.sum(1), steps.shape[1]
    products = np.einsum("mta,mtb->mab", steps, steps)
    covariance = (count * products - sums[:, :, None] * sums[:, None]).astype(np.float32)
    spread = np.einsum("maa->ma", covariance)
    change = np.abs(np.diff(steps, axis=1)).sum(1)
    turns = np.diff(steps < 0, axis=1).sum(1)
    each = np.stack([spread, steps.min(1), steps.max(1), change, turns], 2).reshape(len(raw), -1)
    rest = gesture_features.mirror(raw, right)[..., :3].sum(1)
    with np.errstate(invalid="ignore"):
        together = covariance * np.abs(covariance) / (spread[:, :, None] * spread[:, None])
    pairs = np.stack([np.nan_to_num(together[:, a, b]) for a, b in PAIRS], 1)
    return np.concatenate([each, rest, pairs], 1).astype(np.float32)


def count_votes(forest: Any, described: NDArray[np.float32], classes: int) -> NDArray[np.int64]:
    """Count how many trees of a scikit-learn forest name each class: int64 [M, classes]."""
    votes = np.zeros((len(described), classes), np.int64)
    for tree in forest.estimators_:
        said = forest.classes_[tree.predict(described).astype(int)]
        votes[np.arange(len(described)), said] += 1
    return votes


def leave_people_out(windows: Windows, trees: int = 30, seed: int = 0) -> tuple[NDArray[np.int64], Any]:
    """Grow a forest without each person in turn, and let it name that person's windows.

    Returns:
        Votes of the trees for every window, int64 [M, classes], and the last forest.
    """
    from sklearn.ensemble import RandomForestClassifier

    described = features(windows.raw, windows.right)
    votes = np.zeros((len(windows), len(windows.classes)), np.int64)
    for person in dict.fromkeys(windows.people.tolist()):
        held = windows.people == person
        forest = RandomForestClassifier(trees, random_state=seed)
        forest.fit(described[~held], windows.labels[~held])
        votes[held] = count_votes(forest, described[held], len(windows.classes))
    return votes, forest


def forest_c_files(forest: Any, *, right: bool = False) -> dict[str, str]:
    """Return a scikit-learn forest as C: `forest_classify` takes a window of raw samples.

    A `main` that runs it once reads `samples` and leaves the class in `score`.

    Args:
        forest: a fitted `RandomForestClassifier` that was grown in depth (no `max_leaf_nodes`).
        right: the watch is worn on the right arm.

    Raises:
        ValueError: trees whose left children do not follow their parents, or too many nodes.
    """
    feature, limit, child, roots = [], [], [], [0]
    for tree in (one.tree_ for one in forest.estimators_):
        leaf = tree.children_left < 0
        if (tree.children_left[~leaf] != np.flatnonzero(~leaf) + 1).any():
            raise ValueError("left children do not follow their parents: grow it without max_leaf_nodes")
        named = forest.classes_[tree.value[:, 0].argmax(1)]
        feature += np.where(leaf, -1, tree.feature).tolist()
        limit += _rounded_down(tree.threshold).tolist()
        child += np.where(leaf, named, tree.children_right + roots[-1]).tolist()
        roots.append(len(feature))
    if len(feature) > 1 << 16:
        raise ValueError(f"{len(feature):,} nodes: 16 bits count to 65,536; grow fewer trees")
    sizes = {"TREES": len(roots) - 1, "FEATURES": len(NAMES)}
    lines = [
        "/* Generated: a random forest. */\n#include <stdint.h>",
        c_source.defines(sizes, "FOREST_"),
        c_source.array("int8_t", "forest_feature", feature),
        c_source.array("float", "forest_limit", limit),
        c_source.array("uint16_t", "forest_right", child),
        c_source.array("uint16_t", "forest_roots", roots[:-1]),
    ]
    folder = resources.files(__package__) / "c"
    kernel = {name: (folder / name).read_text("utf-8") for name in ("forest.c", "forest_main.c")}
    front = firmware.motion_files(1.0, 0, right=right, classes=1 + int(forest.classes_.max()))
    return {**front, **kernel, "forest_table.h": "\n".join(lines)}


def _rounded_down(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest float32 that is not above each value, so that `<=` decides as in 64 bits."""
    near = values.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near > values, below, near).astype(np.float64)
