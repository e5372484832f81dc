"""Train networks whose weights take two or three values, for lesson 03.

    python data/build/train_binary.py [small-binary tiny-ternary tiny-lsq2 ...] [--held-out]

- `tiny-binary`, `small-binary`: in each output channel weights are -a or +a; `-ternary`: -a, 0 or +a.
  Between the first layer and the last, that is, which stay in 8 bits. They become int8 .tflite files,
  calibrated on 500 of the training images, and are scored as such.
- `tiny-binary-pointwise`: the same, and depthwise layers stay in 8 bits, too.
- `tiny-minmax2`, `tiny-lsq2`: all weights are -1, 0 or 1 times a step for each output channel, and
  activations have 8 bits. The step is the largest weight's magnitude, or is learned (LSQ). Nothing is
  frozen before the end, unlike in train_qat.py.

All start from the trained network of the spine, and train on the 12,000 images of the course.
--held-out trains on nine images in ten and scores the tenth, as was done to choose learning rates and
when to freeze. (The spine has seen all training images; for choosing between recipes that does.) The
test images are looked at once, at the end (data/README.md names one exception). Every seed goes into
data/models/binary.json; the network of the first is stored, but for `tiny-minmax2`. Run
data/build/manifest.py afterwards.
"""

import argparse
import json
import platform
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrize

from tinyml_helpers import models, training
from tinyml_helpers.compress import qat, quantize
from tinyml_helpers.compress.affine import binarize
from tinyml_helpers.datasets import ImageSet, data_folder, load_fashion
from tinyml_helpers.deploy import litert
from tinyml_helpers.deploy.keras import from_torch
from tinyml_helpers.system import compat

NAMES = (
    "tiny-lsq2", "tiny-minmax2",
    "small-binary", "tiny-binary", "tiny-ternary", "small-ternary", "tiny-binary-pointwise",
)  # fmt: skip
SEEDS = (0, 1, 2)
EPOCHS = {"tiny": 6, "small": 5}
LEARNING_RATE = 3e-3
TWO_BITS: dict[str, Any] = {"epochs": 4, "learning_rate": 3e-3}
CALIBRATION = 500


class Binary(nn.Module):
    """Weights -a or +a, a being the mean magnitude of their channel; gradients pass straight through.

    Source: Courbariaux et al., BinaryConnect, arXiv 1511.00363; for a, arXiv 1603.05279.
    """

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Map [outputs, ...] to the same shape."""
        return weight + (binarize(weight) - weight).detach()


class Ternary(nn.Module):
    """Weights -a, 0 or +a: zero below 0.7 of the mean magnitude, a the mean magnitude of the others.

    Source: Li et al., Ternary weight networks, arXiv 1605.04711, section 2.3.
    """

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Map [outputs, ...] to the same shape."""
        size = weight.detach().abs()
        rest = tuple(range(1, weight.ndim))
        large = size > 0.7 * size.mean(rest, keepdim=True)
        mean = (size * large).sum(rest, keepdim=True) / large.sum(rest, keepdim=True).clamp(min=1)
        return weight + (weight.sign() * large * mean - weight).detach()


KINDS = {"binary": Binary, "ternary": Ternary}


def train_few_values(name: str, images: ImageSet, seed: int) -> tuple[nn.Module, list[float]]:
    """Train with weights of two or three values a channel; return the network, and losses by epoch."""
    base, kind, *rest = name.split("-")
    network = models.load_trained(base).train()
    for place, layer in quantize.layers(network):
        outer = place.startswith(("stem", "head"))
        if not outer and not (rest and "depthwise" in place):
            parametrize.register_parametrization(layer, "weight", KINDS[kind]())
    history = training.fit(
        network, images, epochs=EPOCHS[base], learning_rate=LEARNING_RATE, seed=seed, weight_decay=0.0
    )
    for _, layer in quantize.layers(network):
        if parametrize.is_parametrized(layer):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return network.eval(), list(history.losses)


class LearnedStep(nn.Module):
    """Weights in -high..high times a step for each output channel, which is trained with them.

    Learned is how many times the first step it is. It belongs to the weights before the batch norm is
    folded into them: the folded ones change with each new variance, and the step has to follow at once.

    Source: Esser et al., Learned step size quantization, arXiv 1902.08153, section 2.
    """

    def __init__(self, layer: Any, high: int) -> None:
        """Start from the step that suits the weights of `layer`, as the paper does."""
        super().__init__()
        weight = layer.weight.detach()
        self.high, self.norm = high, (getattr(layer, "bn", None),)  # a tuple hides it: it is no part
        self.start = 2 * weight.abs().flatten(1).mean(1) / high**0.5
        self.times = nn.Parameter(torch.ones_like(self.start))

    def step(self) -> torch.Tensor:
        """Return the step of each channel's folded weights."""
        (norm,) = self.norm
        factor: torch.Tensor = (
            norm.weight / (norm.running_var + norm.eps).sqrt() if norm else torch.ones(1)
        )
        first: torch.Tensor = self.start * factor.detach().abs()
        return self.times * first

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Round a folded weight [outputs, ...] to the same shape."""
        slower = (weight[0].numel() * self.high) ** -0.5
        step = self.step().reshape((-1,) + (1,) * (weight.ndim - 1))
        step = (step - step * slower).detach() + step * slower
        steps: torch.Tensor = (weight / step).clamp(-self.high, self.high)
        rounded: torch.Tensor = (steps + (steps.round() - steps).detach()) * step
        return rounded


def train_two_bits(name: str, images: ImageSet, seed: int) -> tuple[nn.Module, list[float]]:
    """Train with weights of -1, 0 or 1 steps; return the network, frozen, and its losses by epoch."""
    prepared = qat.prepare(models.load_trained("tiny"), 2)
    learned: list[tuple[Any, Any, LearnedStep]] = []
    if name.endswith("lsq2"):
        layer: Any
        for _, layer in quantize.layers(prepared):
            learned.append((layer, layer.weight_fake_quant, LearnedStep(layer, 1)))
            layer.weight_fake_quant = learned[-1][-1]

    history = training.fit(prepared, images, **TWO_BITS, seed=seed)
    qat.freeze(prepared)  # not earlier: at two bits the loss rises once batch norms no longer follow
    for layer, quantizer, by in learned:  # PyTorch's own, which qat.export_tensors knows how to store
        quantizer.disable_observer()
        quantizer.scale = by.step().detach()
        layer.weight_fake_quant = quantizer
    return prepared, list(history.losses)


def convert(network: nn.Module, images: ImageSet) -> bytes:
    """Return the int8 .tflite of a network, as spine_tflite.py makes those of the spine."""
    pixels = images.tensors()[0].permute(0, 2, 3, 1).numpy()
    chosen = np.random.default_rng(0).permutation(len(pixels))[:CALIBRATION]
    return litert.from_keras(from_torch(network), "int8", pixels[chosen])


def percent_right(content: bytes, scored: ImageSet) -> float:
    """Return the share of images that a .tflite names rightly, in percent."""
    said = litert.load(content).predict(scored.images[..., None] / np.float32(255)).argmax(1)
    return 100 * float((said == scored.labels).mean())


def main() -> None:
    """Train what is named on the command line, with each seed."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("names", nargs="*", default=list(NAMES))
    arguments.add_argument("--held-out", action="store_true")
    options = arguments.parse_args()
    compat.expect_quantization_warnings()
    images, scored = load_fashion().train, load_fashion().test
    if options.held_out:
        tenth = np.arange(len(images)) % 10 == 0
        images, scored = images.take(np.flatnonzero(~tenth)), images.take(np.flatnonzero(tenth))
    folder = data_folder() / "models"
    for name in options.names:
        two_bits = name.endswith("2")
        correct, losses = [], []
        for seed in SEEDS:
            network, loss = (train_two_bits if two_bits else train_few_values)(name, images, seed)
            content = b"" if two_bits else convert(network, images)
            right = training.accuracy(network, scored) if two_bits else percent_right(content, scored)
            correct.append(round(right, 2))
            losses.append([round(one, 4) for one in loss])
            print(name, seed, losses[-1], f"{right:.2f} % right", flush=True)
            if seed or options.held_out or name == "tiny-minmax2":  # compared by its figures alone
                continue
            if two_bits:
                save_file(qat.export_tensors(network), folder / f"{name}.safetensors")
            else:
                (folder / f"{name}.tflite").write_bytes(content)
        if not options.held_out:
            note(name, {"test_accuracy_percent": correct, "training_loss": losses})


def note(name: str, found: dict[str, Any]) -> None:
    """Write what was found of a network into data/models/binary.json, beside the others."""
    path = data_folder() / "models" / "binary.json"
    stored = json.loads(path.read_text("utf-8")) if path.exists() else {}
    epochs = TWO_BITS["epochs"] if name.endswith("2") else EPOCHS[name.split("-")[0]]
    made_with = {one: version(one) for one in ("torch", "tensorflow-cpu", "ai-edge-litert")}
    stored[name] = {
        **found,
        "seeds": list(SEEDS),
        "recipe": {"epochs": epochs, "learning_rate": LEARNING_RATE, "training_images": 12_000},
        "made_with": {"python": platform.python_version(), **made_with},
    }
    path.write_text(json.dumps(stored, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
