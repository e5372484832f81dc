"""Train the students of lesson 05, alone and distilled from `large`, and store them in one file.

    python data/build/train_students.py [alone|smoothed-0.37|permuted-4-0.9 ...]

Kinds on the command line are trained anew, and the other students stay as they are stored; without one
all are trained. The script runs on the 12,000 training images that ship with the course. One in ten is
held out, so that temperature and weight can be chosen without the test images, which choose nothing.
Run data/build/manifest.py afterwards.
"""

import argparse
import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy, one_hot

from tinyml_helpers import models, training
from tinyml_helpers.compress import distill, qat
from tinyml_helpers.datasets import ImageSet, data_folder, load_fashion

# Of every ten images the first is held out. The students see the second, or all nine.
EPOCHS = {"few": 30, "many": 10}
RECIPE: dict[str, Any] = {"learning_rate": 1e-2, "batch_size": 64}
TEMPERATURES, WEIGHTS = (1.0, 4.0, 16.0), (0.5, 0.9, 1.0)
# Controls: labels smoothed to the mean entropy of the teacher's answers at temperature 4; a teacher that
# says just those labels at that temperature; and the teacher's own answers after the wrong classes
# traded their values, or were made alike.
SOFTNESS = 0.37
CONTROLS = (f"smoothed-{SOFTNESS}", "flat-4-0.9", "permuted-4-0.9", "leveled-4-0.9")

SCORED = ("held_out_accuracy_percent", "test_accuracy_percent")

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
        kinds = ("alone", "distilled-4-0.9", "smoothed-0.1", *CONTROLS)
        yield from (("few", kind, seed) for kind in kinds)
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
        return data, distill.from_teacher(teacher, temperature=temperature, weight=weight, bfloat16=True)
    seen, labels = training.predict(teacher, data), torch.from_numpy(data.labels)
    if name == "permuted":
        seen = distill.shuffle_wrong(seen, labels)
    if name == "flat":
        certain = one_hot(labels, models.CLASSES)
        seen = temperature * ((1 - SOFTNESS) * certain + SOFTNESS / models.CLASSES).log()
    if name == "leveled":
        seen = distill.level_wrong(seen, labels, temperature)
    return distill.from_logits(seen, data, temperature=temperature, weight=weight)


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
    """Train and store students, and what each gets right among held-out and test images."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("kinds", nargs="*")
    wanted = arguments.parse_args().kinds
    fashion = load_fashion()
    train = fashion.train
    held_out, few = train.take(slice(0, None, 10)), train.take(slice(1, None, 10))
    many = train.take(torch.arange(len(train))[torch.arange(len(train)) % 10 > 0].numpy())
    teacher = models.load_trained("large")
    weights, notes = (data_folder() / "models" / f"students.{end}" for end in ("safetensors", "json"))
    stored: dict[str, torch.Tensor] = load_file(weights) if wanted else {}
    known = json.loads(notes.read_text("utf-8")) if wanted else {}
    correct = {key: known.get(key, {}) for key in SCORED}

    def keep(name: str, student: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
        stored.update({f"{name}/{key}": value for key, value in state.items()})
        for key, images in zip(SCORED, (held_out, fashion.test), strict=True):
            correct[key][name] = round(training.accuracy(student, images), 2)
        print(name, [scores[name] for scores in correct.values()], flush=True)

    students = {}
    for images, kind, seed in runs():
        if wanted and kind not in wanted:
            continue
        size, augment = images.split("-")[0], images.endswith("augmented")
        data, loss = data_and_loss(kind, many if size == "many" else few, teacher, augment=augment)
        torch.manual_seed(seed)
        student = students[images, kind, seed] = models.build("tiny")
        training.fit(student, data, epochs=EPOCHS[size], **RECIPE, augment=augment, seed=seed, loss=loss)
        keep(f"{images}/{kind}/{seed}", student, student.state_dict())
    for seed in range(3):
        for name, before, kind in QUANTIZED:
            if wanted and name not in wanted:
                continue
            start = students.get(("few", before, seed)) or distill.load_student(f"few/{before}/{seed}")
            data, loss = data_and_loss(kind, few, teacher, augment=False)
            int3 = three_bits(start, data, loss, seed)
            keep(f"few/{name}/{seed}", int3, qat.export_tensors(int3))
    save_file(stored, weights)
    _note(correct, notes)


def _note(correct: dict[str, dict[str, float]], path: Path) -> None:
    about = {
        "network": "tiny",
        "teacher": "large",
        "recipe": {**RECIPE, "epochs": EPOCHS, "optimizer": "AdamW, one cycle", "weight_decay": 0.05},
        "qat_recipe": QAT_RECIPE,
        **correct,
        "made_with": {"python": platform.python_version(), "torch": torch.__version__},
    }
    path.write_text(json.dumps(about, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
