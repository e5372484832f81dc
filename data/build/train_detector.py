"""Train the tiny detector on composed scenes, and write it as int8 .tflite.

    python data/build/train_detector.py
    python data/build/train_detector.py --measure    the stored networks anew, without training

Scenes are composed of the 12,000 training images that ship with the course. The network learns on plain
floors first (data/models/tiny_detector.safetensors, from which lesson 12 starts), then on plain and
tiled ones (data/models/tiny_detector.tflite, int8). The recipe was chosen on scenes of 2,000 training
images held out of the others. Scenes of test images are looked at once, for
data/models/tiny_detector.json. Run data/build/manifest.py afterwards.
"""

import argparse
import json
import platform
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from tinyml_helpers.datasets import data_folder, load_fashion
from tinyml_helpers.datasets.images.scenes import Floor, Scenes, compose
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.keras import from_torch
from tinyml_helpers.usecases.detection import decode, spread, train
from tinyml_helpers.usecases.detection.average_precision import score_grid
from tinyml_helpers.usecases.detection.network import load_tiny_detector, tiny_detector

PLAIN: dict[str, Any] = {"epochs": 24, "learning_rate": 8e-3, "seed": 0}
BOTH: dict[str, Any] = {"epochs": 10, "learning_rate": 4e-3, "seed": 0}
FLOORS: tuple[Floor, ...] = ("plain", "tiled")
TRAINING, TEST, CALIBRATION = 10_000, 1_000, 300
SEEDS = {"train plain": 1, "train tiled": 2, "test plain": 3, "test tiled": 4}


def scored(outputs: NDArray[np.float32], scenes: Scenes) -> dict[str, Any]:
    """Return mean average precision in percent, at an overlap of 0.5 and in COCO's way.

    That at 0.5 has the interval of a bootstrap over scenes.
    """
    scores = score_grid(outputs, scenes)
    drawn = spread.interval(decode.read_grid(outputs, score=0.05), scenes)
    return {
        "map50": round(scores.map50_percent, 2),
        "map50_interval": [round(drawn.low, 2), round(drawn.high, 2)],
        "map": round(scores.map_percent, 2),
    }


def measure() -> None:
    """Score the stored networks on the scenes that they were scored on, and renew their figures."""
    fashion, folder = load_fashion(), data_folder() / "models"
    path = folder / "tiny_detector.json"
    notes = json.loads(path.read_text("utf-8"))
    model = load_tiny_detector()
    int8 = litert.load(folder / "tiny_detector.tflite")
    for floor in FLOORS:
        test = compose(fashion.test, TEST, SEEDS[f"test {floor}"], floor)
        outputs = {
            "plain floors": train.predict(model, test),
            "both floors, int8": int8.predict(test.tensors().permute(0, 2, 3, 1).numpy()),
        }
        for name, said in outputs.items():
            notes["networks"][name]["test_percent"][floor] = scored(said, test)
            print(name, floor, notes["networks"][name]["test_percent"][floor], flush=True)
    path.write_text(json.dumps(notes, indent=2) + "\n", "utf-8")


def main() -> None:
    """Train, convert, score and store."""
    fashion, folder = load_fashion(), data_folder() / "models"
    plain = compose(fashion.train, TRAINING, SEEDS["train plain"])
    tiled = compose(fashion.train, TRAINING // 2, SEEDS["train tiled"], "tiled")
    both = plain.take(slice(TRAINING // 2)) + tiled
    tests = {floor: compose(fashion.test, TEST, SEEDS[f"test {floor}"], floor) for floor in FLOORS}
    torch.manual_seed(0)
    results: dict[str, Any] = {}
    model = tiny_detector()
    for name, scenes, recipe in (("plain floors", plain, PLAIN), ("both floors", both, BOTH)):
        history = train.fit(model, scenes, **recipe)
        results[name] = {
            "training_loss": [round(loss, 4) for loss in history.losses],
            "recipe": {**recipe, "scenes": len(scenes), "batch_size": 64},
            "test_percent": {
                floor: scored(train.predict(model, test), test) for floor, test in tests.items()
            },
        }
        print(name, history, results[name]["test_percent"], flush=True)
        if scenes is plain:
            save_file(model.state_dict(), folder / "tiny_detector.safetensors")
    inputs = both.tensors().permute(0, 2, 3, 1).numpy()
    chosen = np.random.default_rng(0).permutation(len(inputs))[:CALIBRATION]
    content = litert.from_keras(from_torch(model, (1, 97, 97)), "int8", inputs[chosen])
    (folder / "tiny_detector.tflite").write_bytes(content)
    int8 = litert.load(content)
    results["both floors, int8"] = {
        "bytes": len(content),
        "calibration_scenes": CALIBRATION,
        "test_percent": {
            floor: scored(int8.predict(test.tensors().permute(0, 2, 3, 1).numpy()), test)
            for floor, test in tests.items()
        },
    }
    made_with = {"python": platform.python_version(), "torch": torch.__version__}
    notes = {"scene_seeds": SEEDS, "networks": results, "made_with": made_with}
    (folder / "tiny_detector.json").write_text(json.dumps(notes, indent=2) + "\n", "utf-8")
    print(results["both floors, int8"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true")
    (measure if parser.parse_args().measure else main)()
