"""Train the spine on all 60,000 training images, and store weights and recipe in data/models.

    python data/build/train_spine.py [large|small|tiny ...] [--source FOLDER]

The source is a folder with the four .gz files of Fashion-MNIST (Debian: dataset-fashion-mnist);
without it they are fetched from their public home. The test images are looked at once, at the end:
the recipe was fixed beforehand and is not tuned on them. Run data/build/manifest.py afterwards.
"""

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from tinyml_helpers import models, training
from tinyml_helpers.datasets import ImageSet, data_folder, decode_idx, load_fashion

RECIPES: dict[str, dict[str, Any]] = {
    "large": {"epochs": 16, "learning_rate": 4e-3, "bfloat16": True},
    "small": {"epochs": 28, "learning_rate": 8e-3, "bfloat16": False},
    "tiny": {"epochs": 30, "learning_rate": 1e-2, "bfloat16": False},
}


def read(folder: Path, part: str) -> ImageSet:
    """Read one part of the set from the folder of the .gz files."""
    images, labels = (
        decode_idx((folder / f"{part}-{kind}-ubyte.gz").read_bytes())
        for kind in ("images-idx3", "labels-idx1")
    )
    return ImageSet(images, labels.astype(np.int64))


def main() -> None:
    """Train the networks named on the command line, one after the other."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("names", nargs="*", default=list(RECIPES))
    arguments.add_argument("--source", type=Path)
    options = arguments.parse_args()
    train = read(options.source, "train") if options.source else load_fashion(full=True).train
    test = load_fashion().test
    folder = data_folder() / "models"
    recipes = folder / "spine.json"
    for name in options.names:
        torch.manual_seed(0)
        model = models.build(name)
        history = training.fit(model, train, **RECIPES[name])
        save_file(model.state_dict(), folder / f"{name}.safetensors")
        stored = json.loads(recipes.read_text("utf-8")) if recipes.exists() else {}
        stored[name] = {
            "parameters": sum(p.numel() for p in model.parameters()),
            "test_accuracy_percent": round(training.accuracy(model, test), 2),
            "training_images": len(train),
            "recipe": {**RECIPES[name], "optimizer": "AdamW, one cycle", "batch_size": 128,
                       "weight_decay": 0.05, "augmentation": "shift 2 px, mirror", "seed": 0},
            "training_loss": [round(loss, 4) for loss in history.losses],
            "made_with": {"python": platform.python_version(), "torch": torch.__version__},
        }  # fmt: skip
        recipes.write_text(json.dumps(stored, indent=2) + "\n", "utf-8")
        print(name, history, stored[name]["test_accuracy_percent"], f"{history.seconds:.0f} s")


if __name__ == "__main__":
    main()
