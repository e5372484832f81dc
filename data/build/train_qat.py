"""Train the spine with fake quantizers, and store the integers and the recipe in data/models.

    python data/build/train_qat.py [large-qat4|small-qat4|tiny-qat8|tiny-qat6 ...] [--source FOLDER]
    python data/build/train_qat.py --verdicts

"qat4" has weights of 4 bits per channel; activations always have 8. Without --source the 12,000 training
images of the course serve; with it, all 60,000 from a folder with the four .gz files of Fashion-MNIST.
--held-out trains on nine images in ten and scores the tenth, as was done to choose the recipe. (The
spine has seen all training images; for choosing between recipes that does.) The test images are looked
at once, at the end. --verdicts trains nothing: it notes for `small` and `large` which test images the
float network, its post-training forms of 8 and 4 bits and the trained one get right
(data/models/qat-verdicts.safetensors, bool [4, 10000] each). Run data/build/manifest.py afterwards.
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
from tinyml_helpers.compress import qat
from tinyml_helpers.datasets import ImageSet, data_folder, decode_idx, load_fashion
from tinyml_helpers.system import compat

EPOCHS = {"large": 3, "small": 5, "tiny": 6}
LEARNING_RATES = {8: 5e-4, 6: 5e-4, 4: 5e-4, 3: 1e-3, 2: 3e-3}
FREEZE_AT = 0.8
NAMES = ("tiny-qat4", "tiny-qat2", "tiny-qat3", "small-qat4", "large-qat4", "tiny-qat6", "tiny-qat8")


def read_training_images(folder: Path | None) -> ImageSet:
    """Read the course's training images, or all of them from the folder of the .gz files."""
    if folder is None:
        return load_fashion().train
    images, labels = (
        decode_idx((folder / f"train-{kind}-ubyte.gz").read_bytes())
        for kind in ("images-idx3", "labels-idx1")
    )
    return ImageSet(images, labels.astype(np.int64))


def train(name: str, images: ImageSet) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train one network; return it, frozen, and its recipe and losses."""
    base, bits = name.split("-qat")
    prepared = qat.prepare(models.load_trained(base), int(bits))
    recipe: dict[str, Any] = {
        "epochs": EPOCHS[base],
        "learning_rate": LEARNING_RATES[int(bits)],
    }

    def freeze_late(done: float) -> None:
        if done >= FREEZE_AT:
            qat.freeze(prepared)

    history = training.fit(prepared, images, **recipe, before_step=freeze_late)
    made = {
        "weight_bits": int(bits), "activation_bits": 8, "training_images": len(images),
        "recipe": {**recipe, "frozen_from": FREEZE_AT, "optimizer": "AdamW, one cycle",
                   "batch_size": 128, "weight_decay": 0.05, "augmentation": "shift 2 px, mirror",
                   "seed": 0},
        "training_loss": [round(loss, 4) for loss in history.losses],
        "made_with": {"python": platform.python_version(), "torch": torch.__version__},
    }  # fmt: skip
    return prepared, made


def note_verdicts() -> None:
    """Store which test images each form of `small` and `large` gets right, as lesson 03 has them."""
    fashion = load_fashion()
    calibration, truth = fashion.train.tensors()[0][::24], torch.from_numpy(fashion.test.labels)
    found = {}
    for name in ("small", "large"):
        network = models.load_trained(name)
        rounded = [qat.calibrate(qat.prepare(network, bits), calibration) for bits in (8, 4)]
        forms = (network, *rounded, qat.load_trained(name))
        found[name] = torch.stack([training.predict(f, fashion.test).argmax(1) == truth for f in forms])
        print(name, found[name].sum(1).tolist(), flush=True)
    save_file(found, data_folder() / "models" / "qat-verdicts.safetensors")


def main() -> None:
    """Train the networks named on the command line, one after the other."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("names", nargs="*", default=list(NAMES))
    arguments.add_argument("--source", type=Path)
    arguments.add_argument("--held-out", action="store_true")
    arguments.add_argument("--verdicts", action="store_true")
    options = arguments.parse_args()
    compat.expect_quantization_warnings()
    if options.verdicts:
        note_verdicts()
        return
    images, scored = read_training_images(options.source), load_fashion().test
    if options.held_out:
        tenth = np.arange(len(images)) % 10 == 0
        images, scored = images.take(np.flatnonzero(~tenth)), images.take(np.flatnonzero(tenth))
    folder = data_folder() / "models"
    for name in options.names:
        prepared, made = train(name, images)
        correct = round(training.accuracy(prepared, scored), 2)
        print(name, made["recipe"], made["training_loss"], f"{correct} % correct", flush=True)
        if not options.held_out:
            save_file(qat.export_tensors(prepared), folder / f"{name}.safetensors")
            recipes = folder / "qat.json"
            stored = json.loads(recipes.read_text("utf-8")) if recipes.exists() else {}
            stored[name] = {"test_accuracy_percent": correct, **made}
            recipes.write_text(json.dumps(stored, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
