"""Measure how many images a calibration needs, and what a scale per channel buys in ONNX.

    python data/build/calibration_images.py

Writes data/models/calibration.json, which lessons 06 and 07 show: for each drawing of training images,
how many of the 10,000 test images `small` gets right in int8, and in ONNX also how many get the class
that float gave them. Nothing is chosen by it. Takes about five minutes on one core; run
data/build/manifest.py afterwards.
"""

import json
from importlib.metadata import version

import numpy as np
import torch
from onnxruntime.quantization import QuantFormat, quant_pre_process, quantize_static

from tinyml_helpers import models
from tinyml_helpers.datasets import Fashion, data_folder, load_fashion
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.keras import from_torch
from tinyml_helpers.deploy.onnx import export as runtime
from tinyml_helpers.system import compat

DRAWINGS = range(5)
COUNTS = (1, 5, 50, 500)
SCALES = ("per tensor", "per channel")


def by_keras_converter(small: torch.nn.Module, fashion: Fashion) -> dict[str, list[int]]:
    """Return how many test images each int8 .tflite gets right, by number of calibration images."""
    train, test = (p.tensors()[0].permute(0, 2, 3, 1).numpy() for p in (fashion.train, fashion.test))
    twin = from_torch(small)
    found: dict[str, list[int]] = {str(count): [] for count in COUNTS}
    for drawing in DRAWINGS:
        order = np.random.default_rng(drawing).permutation(len(train))
        for count in COUNTS:
            file = litert.from_keras(twin, "int8", train[order[:count]])
            classes = litert.load(file).predict(test).argmax(1)
            found[str(count)].append(int((classes == fashion.test.labels).sum()))
            print(drawing, count, found[str(count)][-1], flush=True)
    return found


def by_onnx_runtime(small: torch.nn.Module, fashion: Fashion) -> dict[str, dict[str, list[int]]]:
    """Return how many test images each int8 .onnx gets right, and how many as float does."""
    images, labels = fashion.test.tensors()[0], fashion.test.labels
    folder = runtime.temporary_folder()
    program = torch.onnx.export(
        small, (images[:2],), dynamo=True, dynamic_shapes=[{0: "batch"}], input_names=["images"],
        output_names=["logits"], verbose=False,
    )  # fmt: skip
    assert program is not None  # with dynamo=True it is one
    program.save(folder / "float.onnx")
    in_float = runtime.load(folder / "float.onnx").predict(images).argmax(1)
    quant_pre_process(folder / "float.onnx", folder / "prepared.onnx")
    found: dict[str, dict[str, list[int]]] = {s: {"correct": [], "as float": []} for s in SCALES}
    for drawing in DRAWINGS:
        torch.manual_seed(drawing)
        order = torch.randperm(len(fashion.train))[:512].numpy()
        chosen = fashion.train.take(order).tensors()[0].numpy()
        for scale, counts in found.items():
            reader = runtime.CalibrationImages(chosen, "images")
            file = folder / "int8.onnx"
            quantize_static(
                folder / "prepared.onnx", file, reader, QuantFormat.QDQ,
                per_channel=scale == "per channel",
            )  # fmt: skip
            classes = runtime.load(file).predict(images).argmax(1)
            counts["correct"].append(int((classes == labels).sum()))
            counts["as float"].append(int((classes == in_float).sum()))
            print(drawing, scale, counts["correct"][-1], counts["as float"][-1], flush=True)
    return found


def main() -> None:
    """Measure both, and store what was found."""
    compat.expect_export_warnings()
    small, fashion = models.load_trained("small"), load_fashion()
    packages = ("tensorflow-cpu", "ai-edge-litert", "onnxruntime", "torch")
    notes = {
        "network": "small",
        "test_images": len(fashion.test),
        "drawings": len(DRAWINGS),
        "keras_converter_correct_by_images": by_keras_converter(small, fashion),
        "onnx_runtime_with_512_images": by_onnx_runtime(small, fashion),
        "made_with": {package: version(package) for package in packages},
    }
    path = data_folder() / "models" / "calibration.json"
    path.write_text(json.dumps(notes, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
