"""Write the networks of the spine as int8 .tflite, ready for a microcontroller.

    python data/build/spine_tflite.py

Calibrated on 500 of the 12,000 training images that ship with the course. `small-lean` is `small`
without padded copies; it takes its images turned by half a turn (lesson 06). The test images are looked
at once, for data/models/spine_tflite.json. Run data/build/manifest.py afterwards.
"""

import json
from importlib.metadata import version

import numpy as np
import torch
from safetensors.torch import load

from tinyml_helpers import models
from tinyml_helpers.datasets import data_folder, load_fashion, read_verified
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.keras import from_torch

NETWORKS = ("large", "large-slim", "small", "small-pruned", "small-distilled", "tiny", "tiny-distilled")
IMAGES, SEED = 500, 0


def network(name: str) -> torch.nn.Module:
    """Load a network of the spine by the name of its file; "-slim" has half of the channels."""
    size, _, variant = name.partition("-")
    if variant != "slim":
        return models.load_trained(size, variant)
    slim = models.build(size, width=0.5)
    slim.load_state_dict(load(read_verified(f"models/{name}.safetensors")))
    return slim.eval()


def main() -> None:
    """Convert, store and score every network."""
    fashion = load_fashion()
    train, test = (
        part.tensors()[0].permute(0, 2, 3, 1).numpy() for part in (fashion.train, fashion.test)
    )
    chosen = np.random.default_rng(SEED).permutation(len(train))[:IMAGES]
    folder, found = data_folder() / "models", {}
    for name in (*NETWORKS, "small-lean"):
        lean = name.endswith("-lean")
        turn = (slice(None), slice(None, None, -1), slice(None, None, -1)) if lean else slice(None)
        twin = from_torch(network(name.removesuffix("-lean")), lean=lean)
        content = litert.from_keras(twin, "int8", train[chosen][turn])
        (folder / f"{name}.tflite").write_bytes(content)
        classes = litert.load(content).predict(test[turn]).argmax(1)
        correct = round(100 * float((classes == fashion.test.labels).mean()), 2)
        found[name] = {"bytes": len(content), "test_accuracy_percent": correct}
        print(name, found[name], flush=True)
    made_with = {package: version(package) for package in ("tensorflow-cpu", "ai-edge-litert")}
    notes = {"calibration_images": IMAGES, "seed": SEED, "networks": found, "made_with": made_with}
    (folder / "spine_tflite.json").write_text(json.dumps(notes, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
