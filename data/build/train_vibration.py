"""Train the vibration autoencoder on simulated healthy machines; store it in data/models.

    python data/build/train_vibration.py [--held-out]

Nothing but the checkout is needed: machines 0 to 23 are simulated, 100 healthy segments each. Bands,
frame, widths and epochs were chosen with --held-out, which scores machines 24 to 31, healthy and
faulty, and stores nothing. Machines 32 to 39, which the lesson reports, were looked at once the rest
stood. The .tflite is converted with 500 of the training segments. Run data/build/manifest.py afterwards.
"""

import argparse
import json
import platform
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from tinyml_helpers import datasets
from tinyml_helpers.datasets import data_folder
from tinyml_helpers.datasets.vibration.load import HELD_OUT, UNSEEN, Vibration
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.keras import from_torch
from tinyml_helpers.usecases.anomaly import detect, network
from tinyml_helpers.usecases.anomaly import features as anomaly_features

EPOCHS, LEARNING_RATE, SEED = 80, 3e-3, 0


def prepared(data: Vibration) -> detect.Floats:
    """Features of each segment without the baseline of its machine."""
    features = anomaly_features.features(data.samples)
    return detect.subtract_baseline(features, data.machine, data.commissioning())


def scored(detector: detect.Autoencoder, numbers: range) -> dict[str, float]:
    """AUC on machines, healthy and faulty, without the segments of commissioning."""
    data = datasets.load_vibration(machines=numbers, healthy=130, faulty=10, seed=1)
    late = ~data.commissioning()
    result = detect.measure_auc(detector(prepared(data))[late], ~data.healthy[late], data.machine[late])
    return {name: round(value, 3) for name, value in result.items()}


def store(detector: detect.Autoencoder, healthy: detect.Floats, folder: Path) -> None:
    """Write weights and scaling, and the int8 network."""
    model, scaling = detector.model, detector.scaling
    tensors = {
        f"scaling.{name}": torch.from_numpy(getattr(scaling, name))
        for name in ("mean", "std", "residual")
    }
    save_file({**model.state_dict(), **tensors}, folder / "vibration.safetensors")
    chosen = np.random.default_rng(SEED).permutation(len(healthy))[:500]
    twin = from_torch(model, (network.INPUTS,))
    content = litert.from_keras(twin, "int8", scaling(healthy)[chosen])
    (folder / "vibration.tflite").write_bytes(content)


def main() -> None:
    """Train, score and store."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--held-out", action="store_true")
    options = arguments.parse_args()
    healthy = prepared(datasets.load_vibration())
    torch.manual_seed(SEED)
    model = network.autoencoder()
    detector = detect.fit_autoencoder(
        model, healthy, epochs=EPOCHS, learning_rate=LEARNING_RATE, seed=SEED
    )
    result = scored(detector, HELD_OUT if options.held_out else UNSEEN)
    print(result)
    if options.held_out:
        return
    folder = data_folder() / "models"
    store(detector, healthy, folder)
    recipe = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "unseen_machines": result,
        "training_segments": len(healthy),
        "recipe": {"epochs": EPOCHS, "learning_rate": LEARNING_RATE, "batch_size": 64, "seed": SEED,
                   "optimizer": "AdamW, one cycle", "weight_decay": 1e-4},
        "made_with": {"python": platform.python_version(), "torch": torch.__version__},
    }  # fmt: skip
    (folder / "vibration.json").write_text(json.dumps(recipe, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
