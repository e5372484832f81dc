"""Networks of two and three values: what lies in their files, and that they classify."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyml_helpers import datasets, intervals, mcu, training
from tinyml_helpers.compress import qat
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.tflite import reader

FOLDER = datasets.data_folder() / "models"
NOTES = json.loads((FOLDER / "binary.json").read_text("utf-8"))
FILES = ("tiny-binary", "tiny-ternary", "tiny-binary-pointwise", "small-binary", "small-ternary")
VALUES = {"binary": {-127, 127}, "ternary": {-127, 0, 127}}


def load_script():
    path = Path(__file__).parents[2] / "data" / "build" / "train_binary.py"
    spec = importlib.util.spec_from_file_location("train_binary", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weights(name):
    """(values, whether depthwise) of each convolution between the first layer and the last."""
    tensors = reader.read((FOLDER / f"{name}.tflite").read_bytes()).graphs[0].tensors
    kernels = [one.array for one in tensors if one.data and one.array.ndim == 4]
    first = max(kernels, key=lambda kernel: (kernel.shape[-1] == 1, kernel.shape[1]))
    inner = [one for one in kernels if one is not first]
    return [(one, one.shape[0] == 1 and one.shape[1] == 3) for one in inner]


@pytest.mark.parametrize("name", FILES)
def test_weights_take_two_or_three_values(name):
    allowed = VALUES[re.search("binary|ternary", name)[0]]
    layers = weights(name)
    assert len(layers) == (8 if name.startswith("tiny") else 10)
    for kernel, depthwise in layers:
        taken = set(np.unique(kernel).tolist())
        if depthwise and name.endswith("pointwise"):
            assert len(taken) > 20
        else:
            assert taken <= allowed
            assert len(taken) == len(allowed)


@pytest.mark.parametrize("name", FILES)
def test_a_stored_file_classifies_as_was_noted(name):
    part = datasets.load_fashion().test.take(slice(0, None, 5))
    said = litert.load(FOLDER / f"{name}.tflite").predict(part.images[..., None] / np.float32(255))
    hits = int((said.argmax(1) == part.labels).sum())
    noted = NOTES[name]["test_accuracy_percent"]
    assert noted[0] in intervals.rate(hits, len(part.labels), "images")
    assert len(noted) == len(NOTES[name]["seeds"]) == 3
    assert min(noted) > 75


@pytest.mark.parametrize("name", ["tiny-binary", "tiny-ternary"])
def test_packed_weights_change_no_byte_of_an_answer(name):
    plain = mcu.build(FOLDER / f"{name}.tflite", "nano33ble")
    packed = mcu.build(FOLDER / f"{name}.tflite", "nano33ble", packed=True)
    bits = [one.bits for one in packed.program.packed_layers.layers.values()]
    assert bits.count(1 if name.endswith("binary") else 2) >= 4  # the pointwise layers
    assert packed.constant_bytes < plain.constant_bytes
    for photo in datasets.load_fashion().test.images[:2, None, :, :, None] / 255:
        assert plain.run(photo).output.tobytes() == packed.run(photo).output.tobytes()


def test_a_learned_step_beats_the_largest_weight_with_every_seed():
    learned, largest = (NOTES[f"tiny-{kind}"]["test_accuracy_percent"] for kind in ("lsq2", "minmax2"))
    assert min(a - b for a, b in zip(learned, largest, strict=True)) > 1


def test_the_stored_network_of_two_bits_classifies_as_was_noted():
    counted = training.accuracy(qat.load_trained("tiny", "lsq2"), datasets.load_fashion().test)
    assert counted == pytest.approx(NOTES["tiny-lsq2"]["test_accuracy_percent"][0], abs=0.1)


def test_binary_and_ternary_by_hand():
    script = load_script()
    weight = torch.tensor([[-1.0, 0.5, 3.0, -0.1], [2.0, 2.0, -2.0, 2.0]], requires_grad=True)
    binary = script.Binary()(weight)
    assert binary.tolist()[0] == pytest.approx([-1.15, 1.15, 1.15, -1.15])
    ternary = script.Ternary()(weight)
    # 0.7 of the mean magnitude 1.15 is 0.805: only -1 and 3 lie beyond it, and their mean is 2.
    assert ternary.tolist()[0] == pytest.approx([-2, 0, 2, 0])
    (binary + ternary).sum().backward()
    assert weight.grad.tolist() == [[2.0] * 4] * 2


def test_a_learned_step_has_the_gradient_of_its_formula():
    script = load_script()
    layer = torch.nn.Linear(4, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.2, 0.9, 3.0, -2.0]]))
    by = script.LearnedStep(layer, 1)
    by.start = torch.tensor([1.0])
    rounded = by(layer.weight)
    assert rounded.tolist() == [[0, 1, 1, -1]]
    rounded.sum().backward()
    # round(q) - q inside, the limit outside; divided by the root of values times limit.
    assert by.times.grad.item() == pytest.approx((-0.2 + 0.1 + 1 - 1) / 2)
    assert layer.weight.grad.tolist() == [[1, 1, 0, 0]]
