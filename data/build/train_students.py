"""Train the students of lesson 05, alone and distilled from `large`, and store them in one file.

    python data/build/train_students.py

The script runs on the 12,000 training images that ship with the course. One in ten is held out, so
that temperature and weight can be chosen without the test images. Run data/build/manifest.py
afterwards.
"""

import json
import platform
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

from tinyml_helpers import models, training
from tinyml_helpers.compress import distill, qat
from tinyml_helpers.datasets import ImageSet, data_folder, load_fashion

# Of every ten images the first is held out. The students see the second, or all nine.
EPOCHS = {"few": 30, "many": 10}
RECIPE: dict[str, Any] = {"learning_rate": 1e-2, "batch_size": 64}
TEMPERATURES, WEIGHTS = (1.0, 4.0, 16.0), (0.5, 0.9, 1.0)

# Quantization-aware training of the students of the first three seeds: name, its start, its loss.
QAT_RECIPE: dict[str, Any] = {"epochs": 8, "learning_rate": 3e-3, "batch_size": 64}
QUANTIZED = (
    ("int3-alone", "alone", "alone"),
    ("int3-labels", "distilled-4-0.9", "alone"),
    ("int3-taught", "distilled-4-0.9", "distilled-4-0.9"),
)


def runs() -> Iterator[tuple[str, str, int]]:
    """Yield images, kind and seed of each student: "few", "distilled-4-0.9", 0 for example.

    The numbers are temperature and weight, or how much the labels are smoothed.
    """
    for seed in range(5):
        yield from (("few", kind, seed) for kind in ("alone", "distilled-4-0.9", "smoothed-0.1"))
    for images in ("few-augmented", "many"):
        for seed in range(3):
            yield from ((images, kind, seed) for kind in ("alone", "distilled-4-0.9"))
    for seed in range(3):
        for setting in (f"{t:g}-{w:g}" for t in TEMPERATURES for w in WEIGHTS):
            if setting != "4-0.9":
                yield "few", f"distilled-{setting}", seed


def data_and_loss(
    kind: str, data: ImageSet, teacher: torch.nn.Module, *, augment: bool
) -> tuple[ImageSet, training.Loss]:
    """Return what `training.fit` is given for a kind of student."""
    name, *numbers = kind.split("-")
    if name == "alone":
        return data, training.label_loss
    if name == "smoothed":
        smoothing = float(numbers[0])
        return data, lambda _images, logits, labels: cross_entropy(
            logits, labels, label_smoothing=smoothing
        )
    temperature, weight = map(float, numbers)
    if augment:
        return data, distill.taught_by(teacher, temperature=temperature, weight=weight, bfloat16=True)
    seen = training.predict(teacher, data)
    return distill.taught_once(seen, data, temperature=temperature, weight=weight)


def three_bits(
    student: torch.nn.Module, data: ImageSet, loss: training.Loss, seed: int
) -> torch.nn.Module:
    """Return the student with weights of 3 bits and activations of 8, trained for them."""
    prepared = qat.prepare(student, 3)
    training.fit(
        prepared, data, **QAT_RECIPE, augment=False, seed=seed, loss=loss,
        before_step=lambda done: qat.freeze(prepared) if done >= 0.7 else None,
    )  # fmt: skip
    return qat.freeze(prepared)


def main() -> None:
    """Train and store all students, and what each gets right among the held-out images."""
    train = load_fashion().train
    held_out, few = train.take(slice(0, None, 10)), train.take(slice(1, None, 10))
    many = train.take(torch.arange(len(train))[torch.arange(len(train)) % 10 > 0].numpy())
    teacher = models.load_trained("large")
    stored: dict[str, torch.Tensor] = {}
    correct: dict[str, float] = {}

    def keep(name: str, student: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
        stored.update({f"{name}/{key}": value for key, value in state.items()})
        correct[name] = round(training.accuracy(student, held_out), 2)
        print(name, correct[name], flush=True)

    students = {}
    for images, kind, seed in runs():
        size, augment = images.split("-")[0], images.endswith("augmented")
        data, loss = data_and_loss(kind, many if size == "many" else few, teacher, augment=augment)
        torch.manual_seed(seed)
        student = students[images, kind, seed] = models.build("tiny")
        training.fit(student, data, epochs=EPOCHS[size], **RECIPE, augment=augment, seed=seed, loss=loss)
        keep(f"{images}/{kind}/{seed}", student, student.state_dict())
    for seed in range(3):
        for name, before, kind in QUANTIZED:
            data, loss = data_and_loss(kind, few, teacher, augment=False)
            int3 = three_bits(students["few", before, seed], data, loss, seed)
            keep(f"few/{name}/{seed}", int3, qat.stored_tensors(int3))
    save_file(stored, data_folder() / "models" / "students.safetensors")
    notes = {
        "network": "tiny",
        "teacher": "large",
        "recipe": {**RECIPE, "epochs": EPOCHS, "optimizer": "AdamW, one cycle", "weight_decay": 0.05},
        "qat_recipe": QAT_RECIPE,
        "held_out_accuracy_percent": correct,
        "made_with": {"python": platform.python_version(), "torch": torch.__version__},
    }
    text = json.dumps(notes, indent=2) + "\n"
    (data_folder() / "models" / "students.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
