"""Give the random forest of lesson 10 what its network got, and store how far it comes.

    python data/build/tune_forest.py

The forest trains on a window each second, plain or turned and played at other speeds by the network's
own augmentation, which draws anew for each copy. For each person, the setting is chosen among `SETTINGS`
by how forests without that person and without one of the other nine name the windows of that one, and
the person's own windows are looked at once. Some minutes on one core; data/models/gestures.json gets a
part `forest`. Run data/build/manifest.py afterwards.
"""

from itertools import combinations
from typing import Any

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from train_gestures import SEEDS, store  # type: ignore[import-not-found]

from tinyml_helpers.datasets.gestures.load import load_gestures
from tinyml_helpers.datasets.gestures.recordings import UNITS, Gestures
from tinyml_helpers.usecases.gestures import augment, random_forest, train
from tinyml_helpers.usecases.gestures import features as gesture_features
from tinyml_helpers.usecases.gestures.augment import RECIPE
from tinyml_helpers.usecases.gestures.features import Windows
from tinyml_helpers.usecases.gestures.vote import macro_percent

TREES, TREES_TO_CHOOSE = 30, 15
# Augmented copies of each window, fewest windows in a leaf, features to choose from at each fork.
SETTINGS = ((0, 1, 7), (3, 1, 7), (3, 4, 7), (3, 1, 16))

Described = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.str_]]


def augmented(windows: Windows, copies: int, seed: int) -> Described:
    """Describe long windows `copies` times, each turned and played anew; with 0, as they are."""
    if not copies:
        plain = windows.first()
        found = random_forest.features(plain.raw, plain.right)
        return found, plain.labels, plain.people
    draw = torch.Generator().manual_seed(seed)
    values = augment.in_units(windows, RECIPE)
    parts = []
    for _ in range(copies):
        played = augment.augment(values, RECIPE, draw).numpy()
        raw = np.round(played / UNITS).clip(-32768, 32767).astype(np.int16)
        parts.append(random_forest.features(raw, np.zeros(len(raw), bool)))
    return np.concatenate(parts), np.tile(windows.labels, copies), np.tile(windows.people, copies)


def grown(
    data: Described, without: tuple[str, ...], setting: tuple[int, int, int], trees: int, seed: int
) -> Any:
    """Grow a forest on everybody but some people; each tree draws as many windows as were recorded."""
    features, labels, people = data
    copies, leaf, at_a_fork = setting
    forest = RandomForestClassifier(
        trees, min_samples_leaf=leaf, max_features=at_a_fork, max_samples=1 / copies if copies else None,
        random_state=seed,
    )  # fmt: skip
    kept = ~np.isin(people, without)
    return forest.fit(features[kept], labels[kept])


def percent(forest: Any, test: Windows, described: NDArray[np.float32], person: str) -> float:
    """Macro accuracy on one person's windows, by the votes of the trees as the C counts them."""
    mine = test.people == person
    votes = random_forest.count_votes(forest, described[mine], len(test.classes))
    return macro_percent(votes.argmax(1), test.labels[mine])


def inner_scores(gestures: Gestures) -> dict[tuple[int, int, int], NDArray[np.float64]]:
    """Percent by setting, a table [10, 10]: who is left out, who is scored; NaN where they are one."""
    long, test = gesture_features.cut(gestures, window=train.LONG), gesture_features.cut(gestures)
    described = random_forest.features(test.raw, test.right)
    people = gestures.people
    scores = {}
    for setting in SETTINGS:
        data = augmented(long, setting[0], seed=0)
        table = np.full((len(people), len(people)), np.nan)
        for a, b in combinations(range(len(people)), 2):
            forest = grown(data, (people[a], people[b]), setting, TREES_TO_CHOOSE, seed=0)
            table[a, b] = percent(forest, test, described, people[b])
            table[b, a] = percent(forest, test, described, people[a])
        scores[setting] = table
        print(setting, round(float(np.nanmean(table)), 2), flush=True)
    return scores


def tuned(gestures: Gestures) -> dict[str, Any]:
    """Leave each person out, with the setting that the other nine chose, from three seeds."""
    scores = inner_scores(gestures)
    people = gestures.people
    best = [
        max(scores, key=lambda one: float(np.nanmean(scores[one][row]))) for row in range(len(people))
    ]
    long, test = gesture_features.cut(gestures, window=train.LONG), gesture_features.cut(gestures)
    described = random_forest.features(test.raw, test.right)
    by_seed, nodes = [], []
    for seed in SEEDS:
        rows = []
        data = {copies: augmented(long, copies, seed) for copies in {setting[0] for setting in best}}
        for person, setting in zip(people, best, strict=True):
            forest = grown(data[setting[0]], (person,), setting, TREES, seed)
            rows.append(percent(forest, test, described, person))
            nodes.append(sum(tree.tree_.node_count for tree in forest.estimators_))
        by_seed.append(rows)
        print("seed", seed, np.round(rows, 1), flush=True)
    means = np.mean(by_seed, axis=0)
    return {
        "trees": TREES,
        "settings": len(SETTINGS),
        "chosen": [dict(zip(("copies", "leaf", "features"), one, strict=True)) for one in best],
        "window_percent": round(float(means.mean()), 2),
        "window_spread": round(float(means.std(ddof=1)), 2),
        "window_percent_by_person": means.round(2).tolist(),
        "window_percent_by_seed": np.mean(by_seed, axis=1).round(2).tolist(),
        "nodes": round(float(np.mean(nodes))),
        "scikit_learn": sklearn.__version__,
    }


def main() -> None:
    """Tune, measure and store."""
    torch.set_num_threads(1)
    result = tuned(load_gestures())
    print(result)
    store("forest", result)


if __name__ == "__main__":
    main()
