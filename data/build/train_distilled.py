"""Distil `large` into the students that the course stores, in data/models.

    python data/build/train_distilled.py [tiny|small ...] [--source FOLDER]

Each student gets exactly the recipe of train_spine.py (epochs, learning rate, augmentation, seed) on
all 60,000 training images; only the loss differs. Temperature and weight are the usual ones of the
field, fixed beforehand; the test images are looked at once, at the end. `--source` is as in
train_spine.py. Run data/build/manifest.py afterwards.
"""

import argparse
import json
import platform
from pathlib import Path

import torch
from safetensors.torch import save_file
from train_spine import RECIPES, read  # type: ignore[import-not-found]

from tinyml_helpers import models, training
from tinyml_helpers.compress import distill
from tinyml_helpers.datasets import data_folder, load_fashion

# The setting for distillation of Tian, Krishnan and Isola's comparison, arXiv 1910.10699.
TEMPERATURE, WEIGHT = 4.0, 0.9


def main() -> None:
    """Train the students named on the command line, one after the other."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("names", nargs="*", default=["tiny", "small"])
    arguments.add_argument("--source", type=Path)
    options = arguments.parse_args()
    train = read(options.source, "train") if options.source else load_fashion(full=True).train
    test = load_fashion().test
    folder = data_folder() / "models"
    recipes = folder / "distilled.json"
    teacher = models.load_trained("large")
    loss = distill.from_teacher(teacher, temperature=TEMPERATURE, weight=WEIGHT, bfloat16=True)
    for name in options.names:
        torch.manual_seed(0)
        model = models.build(name)
        history = training.fit(model, train, **RECIPES[name], loss=loss)
        save_file(model.state_dict(), folder / f"{name}-distilled.safetensors")
        stored = json.loads(recipes.read_text("utf-8")) if recipes.exists() else {}
        stored[name] = {
            "teacher": "large",
            "parameters": sum(p.numel() for p in model.parameters()),
            "test_accuracy_percent": round(training.accuracy(model, test), 2),
            "training_images": len(train),
            "recipe": {**RECIPES[name], "temperature": TEMPERATURE, "weight": WEIGHT,
                       "optimizer": "AdamW, one cycle", "batch_size": 128, "weight_decay": 0.05,
                       "augmentation": "shift 2 px, mirror", "seed": 0},
            "training_loss": [round(loss, 4) for loss in history.losses],
            "made_with": {"python": platform.python_version(), "torch": torch.__version__},
        }  # fmt: skip
        recipes.write_text(json.dumps(stored, indent=2) + "\n", "utf-8")
        print(name, history, stored[name]["test_accuracy_percent"], f"{history.seconds:.0f} s")


if __name__ == "__main__":
    main()
