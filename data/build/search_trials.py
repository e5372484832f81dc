"""Run the trials that lesson 15 begins with, into data/reference/trials.jsonl.

    python data/build/search_trials.py [--teacher] [--workers 1] [gestures vibration images ...]

Stopped, it goes on where it was: finished trials are in the file. All of them take about half an
hour on one free core. --teacher trains the teacher of the gestures first, a network twice as wide, on
the same six people, and stores it in data/models; run data/build/manifest.py after that. Nothing here
looks at a test set.
"""

import argparse
from typing import Any

import torch
from safetensors.torch import save_file

from tinyml_helpers.datasets import data_folder
from tinyml_helpers.search import catalogue, scheduler, trial
from tinyml_helpers.search.search_space import Settings
from tinyml_helpers.search.tasks_classification import Gestures
from tinyml_helpers.search.train_and_convert import train_and_convert

# What the lesson chooses among: techniques alone, and together. Three seeds of each.
ALONE: list[dict[str, Any]] = [
    {"width": 0.25},
    {"width": 0.5},
    {"width": 0.75},
    {"width": 1.0},
    {"width": 1.5},
    {"removed": 0.5},
    {"zeros": 0.75},
    {"bits": 4},
    {"width": 0.5, "teacher": True},
    {"teacher": True},
]
TOGETHER: list[dict[str, Any]] = [
    {"removed": 0.5, "teacher": True},
    {"width": 0.75, "teacher": True},
    {"removed": 0.5, "bits": 4},
    {"zeros": 0.75, "bits": 4},
    {"removed": 0.5, "zeros": 0.5, "bits": 4, "teacher": True},
]
# In the order in which they are run: what a lesson needs first stands first.
CHOICES: dict[str, list[dict[str, Any]]] = {
    "gestures": [one | {"seed": seed} for seed in range(3) for one in ALONE + TOGETHER],
    "vibration": [{}, {"width": 0.5}, {"removed": 0.5}, {"zeros": 0.75}, {"bits": 4}],
    "images": [{}, {"width": 0.5}, {"removed": 0.5}, {"teacher": True}, {"zeros": 0.75}, {"bits": 4}],
    "keywords": [
        {"width": 0.5},
        {"width": 0.25},
        {"width": 0.5, "teacher": True},
        {"removed": 0.5},
        {},
    ],
    "more vibration": [{"seed": 1}, {"width": 0.5, "seed": 1}, {"removed": 0.5, "seed": 1}],
    "more images": [{"seed": 1}, {"width": 0.5, "seed": 1}, {"teacher": True, "seed": 1}],
}
TEACHER_STEPS = 1200


def teacher() -> None:
    """Train the teacher of the gestures: twice as wide, four times as long."""
    task = Gestures(steps=TEACHER_STEPS)
    model = train_and_convert(task, Settings(width=2.0))
    print("teacher:", model, f"{trial.score(task, model.content, 'validation'):.1f} % on validation")
    save_file(
        model.network.state_dict(), data_folder() / "models" / "capstone-gestures-teacher.safetensors"
    )


def main() -> None:
    """Run what is missing, task by task."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--teacher", action="store_true")
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("tasks", nargs="*", default=list(CHOICES))
    options = arguments.parse_args()
    torch.set_num_threads(1)
    if options.teacher:
        teacher()
        return
    for name in options.tasks:
        settings = [Settings(**one) for one in CHOICES[name]]
        path = data_folder() / "reference" / "trials.jsonl"
        task = catalogue.get(name.split()[-1])
        for one in scheduler.run(task, settings, path, workers=options.workers):
            print(f"{one.task}: {one.settings}, seed {one.settings.seed}: {one.score:.1f}", flush=True)


if __name__ == "__main__":
    main()
