"""What pruning earned: `large` at half its width, trained from its pruned weights and from chance.

    python data/build/train_scratch.py

Two starts, the weights that `channels.remove_channels` left of `large` and random ones, and two
teachers, the labels and the scores of `large`: four arms, three seeds each, with the recipe, the steps
and the 12,000 shipped images of `large-slim` (train_pruned.py). That recipe was chosen for pruned
weights and scores; the first of "pruned/scores" is `large-slim` trained once more. The seed sets the
random weights, the order of the images and their shifts; the cut is the same for all. Nothing is chosen
by the test images: each network is scored on them once, at its end.

What is stored already in data/models/scratch.json is not trained again. Run data/build/manifest.py
afterwards.
"""

import json
import platform
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tinyml_helpers import models, training
from tinyml_helpers.compress import channels
from tinyml_helpers.datasets import data_folder, load_fashion

SHARE, SEEDS = 0.5, 3
ARMS = ("pruned/labels", "pruned/scores", "random/labels", "random/scores")
RECIPE: dict[str, Any] = {
    "epochs": 8,
    "learning_rate": 5e-3,
    "batch_size": 128,
    "weight_decay": 0.05,
    "bfloat16": True,
}


def start(kind: str, dense: nn.Module, image: torch.Tensor, seed: int) -> nn.Module:
    """Return a network of half the width, cut out of `large` or with random weights."""
    torch.manual_seed(seed)
    if kind == "pruned":
        return channels.remove_channels(dense, image, SHARE)
    return models.build("large", width=1 - SHARE)


def main() -> None:
    """Train what is not stored yet, and store what each network gets right of the test images."""
    fashion, dense = load_fashion(), models.load_trained("large")

    def match(images: torch.Tensor, scores: torch.Tensor, _labels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            wanted = dense(images)
        return nn.functional.mse_loss(scores.float(), wanted.float())

    path = data_folder() / "models" / "scratch.json"
    known = json.loads(path.read_text("utf-8"))["test_accuracy_percent"] if path.exists() else {}
    correct: dict[str, list[float]] = {arm: known.get(arm, []) for arm in ARMS}
    for seed, arm in product(range(SEEDS), ARMS):
        if seed < len(correct[arm]):
            continue
        kind, teacher = arm.split("/")
        model = start(kind, dense, fashion.train.tensors()[0][:1], seed)
        loss = match if teacher == "scores" else training.label_loss
        history = training.fit(model, fashion.train, seed=seed, loss=loss, **RECIPE)
        correct[arm].append(round(training.accuracy(model, fashion.test), 2))
        print(arm, history, f"{correct[arm][seed]:.2f} %, {history.seconds:.0f} s", flush=True)
        _note(correct, path)


def _note(correct: dict[str, list[float]], path: Path) -> None:
    about = {
        "network": f"large without {SHARE:.0%} of its channels",
        "training_images": 12_000,
        "recipe": {**RECIPE, "optimizer": "AdamW, one cycle",
                   "augmentation": "shift 2 px, mirror",
                   "scores": "mean squared difference to the scores of large"},
        "test_images": 10_000,
        "test_accuracy_percent": correct,
        "made_with": {"python": platform.python_version(), "torch": torch.__version__},
    }  # fmt: skip
    path.write_text(json.dumps(about, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
