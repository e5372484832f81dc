"""From features to a score, and from scores to alarms: what every anomaly detector needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float32]
Scores = NDArray[np.float64]


def subtract_baseline(features: Floats, groups: NDArray[np.generic], first: NDArray[np.bool_]) -> Floats:
    """Take each machine's own healthy mean from its features.

    Args:
        features: float32 [N, F].
        groups: [N], which machine each row is of.
        first: bool [N], the rows of its commissioning, known to be healthy.

    Raises:
        ValueError: a machine without a row of commissioning.
    """
    out = np.array(features, np.float32)
    for group in np.unique(groups):
        mine = groups == group
        if not (mine & first).any():
            raise ValueError(f"machine {group} has no healthy segment to start from: mark some as first")
        out[mine] -= features[mine & first].mean(0)
    return out


@dataclass(frozen=True, eq=False)
class Scaling:
    """What features [N, F] of healthy machines look like, each float32 [F].

    Args:
        mean: of each feature.
        std: its standard deviation.
        residual: root mean square of what the autoencoder could not rebuild of it.
    """

    mean: Floats
    std: Floats
    residual: Floats

    @property
    def weights(self) -> Floats:
        """Weight of each squared error, so that every feature counts in its own unit."""
        return np.asarray(1 / (self.residual**2 * len(self.residual)), np.float32)

    def __call__(self, features: Floats) -> Floats:
        """Scale features [N, F] to mean 0 and standard deviation 1 over healthy machines."""
        return np.asarray((features - self.mean) / self.std, np.float32)

    def score(self, scaled: Floats, rebuilt: Floats) -> Scores:
        """Mean squared error of each row [N], 1 on average for the machines trained on."""
        return np.asarray(((scaled - rebuilt) ** 2 @ self.weights), np.float64)


def fit_scaling(features: Floats) -> Scaling:
    """Measure mean and standard deviation of healthy features [N, F]."""
    std = features.std(0) + 1e-6
    return Scaling(features.mean(0), std, np.ones_like(std))


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A trained autoencoder and the scaling of its features: features [N, F] -> scores [N]."""

    model: nn.Module
    scaling: Scaling

    def __call__(self, features: Floats) -> Scores:
        """Score features [N, F]: how badly each row is rebuilt."""
        scaled = self.scaling(features)
        return self.scaling.score(scaled, self.rebuild(scaled))

    def rebuild(self, scaled: Floats) -> Floats:
        """What the network makes of scaled features [N, F]."""
        import torch

        with torch.no_grad():
            return np.asarray(self.model(torch.from_numpy(scaled)).numpy(), np.float32)


def fit_autoencoder(
    model: nn.Module, healthy: Floats, *, epochs: int = 80, learning_rate: float = 3e-3, seed: int = 0
) -> Autoencoder:
    """Train an autoencoder in place on healthy features [N, F], and measure the scaling it needs.

    AdamW on a one-cycle schedule, 64 rows a step, mean squared error of scaled features.

    Raises:
        ValueError: fewer than 64 rows, or no epochs.
    """
    import torch

    if len(healthy) < 64 or epochs < 1:
        raise ValueError(f"{len(healthy)} rows x {epochs} epochs: give at least 64 rows and one epoch")
    scale = fit_scaling(healthy)
    rows, draw = torch.from_numpy(scale(healthy)), torch.Generator().manual_seed(seed)
    steps = len(rows) // 64
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=epochs * steps)
    model.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(rows), generator=draw)[: steps * 64].split(64):
            loss = ((model(rows[chosen]) - rows[chosen]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    fitted = Autoencoder(model, scale)
    wrong = fitted.rebuild(scale(healthy)) - scale(healthy)
    return replace(fitted, scaling=replace(scale, residual=np.sqrt((wrong**2).mean(0))))


def adapt_baseline(
    features: Floats, baseline: Floats, share: float, moving: NDArray[np.bool_]
) -> Floats:
    """Take a baseline from features [N, F] that follows them: after each row it moves by a share.

    Args:
        features: in order of time.
        baseline: [F], where it starts.
        share: of the way to each new row, 0 to 1.
        moving: bool [F], which features of the baseline may move.
    """
    follow, out = baseline.copy(), np.empty_like(features)
    for i, row in enumerate(features):
        out[i] = row - follow
        follow = follow + np.float32(share) * moving * out[i]
    return out


def measure_auc(
    scores: Scores, faulty: NDArray[np.bool_], machine: NDArray[np.generic] | None = None
) -> dict[str, float]:
    """How well scores [N] tell faulty segments from healthy ones.

    Args:
        scores: [N].
        faulty: bool [N].
        machine: [N]; None means one machine.

    Returns:
        "AUC" and "partial AUC" (false-alarm rate up to 0.1, scaled so that chance is 0.5) over all
        segments; the mean and the lowest AUC of a single machine.

    Source: McClish, Medical Decision Making 9, 1989, for the partial AUC, as in scikit-learn.
    """
    from sklearn.metrics import roc_auc_score

    machine = np.zeros(len(scores), np.int64) if machine is None else machine
    single = auc_by_machine(scores, faulty, machine)
    return {
        "AUC": float(roc_auc_score(faulty, scores)),
        "partial AUC": float(roc_auc_score(faulty, scores, max_fpr=0.1)),
        "mean of machines": float(np.mean(single)),
        "worst machine": float(single.min()),
    }


def auc_by_machine(scores: Scores, faulty: NDArray[np.bool_], machine: NDArray[np.generic]) -> Scores:
    """AUC of each machine alone, in the order of their numbers.

    Args:
        scores: [N].
        faulty: bool [N].
        machine: [N].
    """
    from sklearn.metrics import roc_auc_score

    numbers = np.unique(machine)
    return np.array([roc_auc_score(faulty[machine == m], scores[machine == m]) for m in numbers])


def auc_table(
    scores: Mapping[str, Scores],
    faulty: NDArray[np.bool_],
    cases: Mapping[str, NDArray[np.bool_]],
    kind: str = "AUC",
) -> dict[str, dict[str, float]]:
    """AUC by case and detector.

    Args:
        scores: detector -> [N].
        faulty: [N].
        cases: name -> which segments it is made of, bool [N].
        kind: "AUC" or "partial AUC".
    """
    return {
        case: {name: measure_auc(s[rows], faulty[rows])[kind] for name, s in scores.items()}
        for case, rows in cases.items()
    }


def rolling_median(scores: Scores, last: int = 5) -> Scores:
    """Median of each score and the `last` - 1 before it [N]; the first ones have fewer before them."""
    padded = np.concatenate([np.repeat(scores[:1], last - 1), scores])
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, last), axis=1))


def count_alarms(scores: Scores, threshold: float) -> int:
    """How often the scores rise above the threshold: checks in a row count as one alarm."""
    above = scores > threshold
    return int(above[0]) + int((above[1:] & ~above[:-1]).sum()) if len(above) else 0


def choose_threshold(weeks: list[Scores], budget: float) -> float:
    """Lowest threshold that keeps healthy machines within a budget.

    Args:
        weeks: scores of healthy machines in order of time, one array for each machine.
        budget: alarms that all of them together may give.

    Returns:
        The lowest of the scores that, as a threshold, gives no more alarms than that.

    Raises:
        ValueError: no scores, or a budget below zero.
    """
    if not weeks or budget < 0:
        raise ValueError(f"{len(weeks)} machines and a budget of {budget}: give some, and 0 or more")
    candidates = np.sort(np.concatenate(weeks))[::-1]
    kept = float(candidates[0])
    for candidate in candidates:
        if sum(count_alarms(scores, candidate) for scores in weeks) > budget:
            break
        kept = float(candidate)
    return kept
