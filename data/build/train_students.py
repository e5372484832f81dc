"""Train the students of lesson 05, alone and with a teacher or a control, and store them in one file.

    python data/build/train_students.py [alone|smoothed-0.37|many/small-4-0.9 ...]

Kinds on the command line are trained anew, and the other students stay as they are stored; without one
all are trained. How each is trained stands in tinyml_helpers/compress/students.py: on the 12,000
training images that ship with the course. One in ten is held out, so that temperature and weight can be
chosen without the test images, which choose nothing. Run data/build/manifest.py afterwards.
"""

import argparse
import json
import platform
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tinyml_helpers import training
from tinyml_helpers.compress import qat, students
from tinyml_helpers.datasets import data_folder, load_fashion

SCORED = ("held_out_accuracy_percent", "test_accuracy_percent")


def tensors(kind: str, student: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return what is stored of a student: floats, or the integers of one with 3-bit weights."""
    return qat.export_tensors(student) if kind in students.QUANTIZED else student.state_dict()


def main() -> None:
    """Train and store students, and what each gets right among held-out and test images."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("kinds", nargs="*")
    wanted = arguments.parse_args().kinds
    fashion = load_fashion()
    scored = (fashion.train.take(slice(0, None, 10)), fashion.test)
    weights, notes = (data_folder() / "models" / f"students.{end}" for end in ("safetensors", "json"))
    stored: dict[str, torch.Tensor] = load_file(weights) if wanted else {}
    known = json.loads(notes.read_text("utf-8")) if wanted else {}
    correct = {key: known.get(key, {}) for key in SCORED}
    for name in students.names():
        images, kind, seed = name.split("/")
        if wanted and not {kind, f"{images}/{kind}"} & set(wanted):
            continue
        student = students.train(name)
        if kind not in students.NOTED or seed == "0":
            stored.update({f"{name}/{key}": value for key, value in tensors(kind, student).items()})
        for key, part in zip(SCORED, scored, strict=True):
            correct[key][name] = round(training.accuracy(student, part), 2)
        print(name, [scores[name] for scores in correct.values()], flush=True)
    save_file(stored, weights)
    _note(correct, notes)


def _note(correct: dict[str, dict[str, float]], path: Path) -> None:
    about = {
        "network": "tiny",
        "teacher": "large; small for the kind of that name",
        "recipe": {
            **students.RECIPE,
            "epochs": students.EPOCHS,
            "optimizer": "AdamW, one cycle",
            "weight_decay": 0.05,
        },
        "qat_recipe": students.QAT_RECIPE,
        **correct,
        "made_with": {"python": platform.python_version(), "torch": torch.__version__},
    }
    path.write_text(json.dumps(about, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
