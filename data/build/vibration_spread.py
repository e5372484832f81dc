"""Measure how much lesson 11's figures depend on the network's seed and on which machines are new.

    python data/build/vibration_spread.py

Nothing but the checkout is needed. Five networks are trained as the lesson trains its one, and scored on
the lesson's eight new machines, beside the Mahalanobis distance. Then the first network watches another
forty new machines for a week each, at the threshold that eight held-out machines gave. A quarter of an
hour on one core; data/models/vibration.json gets a part `spread`. Run data/build/manifest.py afterwards.
"""

import json
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import EmpiricalCovariance

from tinyml_helpers.datasets import data_folder, load_vibration
from tinyml_helpers.datasets.vibration.load import HELD_OUT, UNSEEN, Vibration
from tinyml_helpers.datasets.vibration.simulator import duty_cycle
from tinyml_helpers.usecases.anomaly import detect
from tinyml_helpers.usecases.anomaly import features as anomaly_features
from tinyml_helpers.usecases.anomaly import network as networks

SEEDS = range(5)
FURTHER = range(200, 240)
MINUTES = 10


def prepared(data: Vibration) -> detect.Floats:
    """Features of each segment without the baseline of its machine."""
    features = anomaly_features.features(data.samples)
    return detect.subtract_baseline(features, data.machine, data.commissioning())


def by_machine(test: Vibration, scores: NDArray[np.float64]) -> dict[str, Any]:
    """AUC over all machines, over bearings alone, and of each machine, without commissioning."""
    later = ~test.commissioning()
    kept, late = test.take(later), scores[later]
    bearings = kept.fault != "unbalance"
    each = [
        detect.measure_auc(late[kept.machine == one], ~kept.healthy[kept.machine == one])["AUC"]
        for one in np.unique(kept.machine)
    ]
    return {
        "AUC": round(detect.measure_auc(late, ~kept.healthy)["AUC"], 4),
        "bearings": round(detect.measure_auc(late[bearings], ~kept.healthy[bearings])["AUC"], 4),
        "machines": np.round(each, 4).tolist(),
    }


def watched(detector: detect.Autoencoder, number: int) -> detect.Scores:
    """Watch a healthy machine for a week after its day of commissioning, as lesson 11 does."""
    plan = duty_cycle.plan(8, MINUTES, seed=number)
    seen = anomaly_features.features(plan.segments(number))
    scores = detector(seen - seen[plan.day < 1].mean(0))
    return detect.rolling_median(scores, 30 // MINUTES)[plan.day >= 1]


def main() -> None:
    """Train, score, watch and store."""
    torch.set_num_threads(1)
    healthy = prepared(load_vibration())
    test = load_vibration(machines=UNSEEN, healthy=130, faulty=9, seed=1)
    x_test = prepared(test)
    detectors = [
        detect.fit_autoencoder(networks.autoencoder(seed=seed), healthy, seed=seed) for seed in SEEDS
    ]
    classic = EmpiricalCovariance().fit(healthy).mahalanobis(x_test)
    result: dict[str, Any] = {
        "autoencoder": [by_machine(test, detector(x_test)) for detector in detectors],
        "mahalanobis": by_machine(test, classic),
    }
    print(result, flush=True)
    held = [watched(detectors[0], number) for number in HELD_OUT]
    threshold = detect.choose_threshold(held, len(held) / 2)
    alarms = [detect.count_alarms(watched(detectors[0], number), threshold) for number in FURTHER]
    result["weeks"] = {
        "minutes": MINUTES, "threshold": round(threshold, 3), "machines": len(FURTHER), "alarms": alarms,
    }  # fmt: skip
    print(result["weeks"], flush=True)
    path = data_folder() / "models" / "vibration.json"
    stored = json.loads(path.read_text("utf-8")) | {"spread": result}
    path.write_text(json.dumps(stored, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
