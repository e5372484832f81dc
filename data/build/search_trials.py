"""Run the trials that lesson 15 begins with, into data/reference/trials.jsonl.

    python data/build/search_trials.py [--teacher | --recount] [--workers 1] [gestures vibration ...]

Stopped, it goes on where it was: finished trials are in the file. All of them take about half an
hour on one free core. --teacher trains the teacher of the gestures first, a network twice as wide, on
the same six people, and stores it in data/models; run data/build/manifest.py after that. --recount is
for a compiler or kernels that changed: scores stay, and counters are renewed. What a chip takes depends
on shapes, so a network of two training steps will do (on a Cortex-M0+, which has no instruction that
clips, it counts up to 0.3 % other than the trained one); where the file comes out in another size, the
network is trained whole. Nothing here looks at a test set.
"""

import argparse
from dataclasses import replace
from typing import Any

import torch
from safetensors.torch import save_file
from tqdm import tqdm

from tinyml_helpers.datasets import data_folder
from tinyml_helpers.search import catalogue, scheduler, trial, trial_log
from tinyml_helpers.search.search_space import Settings
from tinyml_helpers.search.tasks_classification import Gestures
from tinyml_helpers.search.train_and_convert import train_and_convert
from tinyml_helpers.system.folders import write_atomically

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
TRIALS = data_folder() / "reference" / "trials.jsonl"


def teacher() -> None:
    """Train the teacher of the gestures: twice as wide, four times as long."""
    task = Gestures(steps=TEACHER_STEPS)
    model = train_and_convert(task, Settings(width=2.0))
    print("teacher:", model, f"{trial.score(task, model.content, 'validation'):.1f} % on validation")
    save_file(
        model.network.state_dict(), data_folder() / "models" / "capstone-gestures-teacher.safetensors"
    )


def recount() -> None:
    """Renew the counters of the stored trials."""
    renewed = []
    for stored in tqdm(trial_log.read(TRIALS).trials, unit="trial"):
        task: Any = catalogue.get(stored.task)  # a dataclass, each of them
        counted = trial.run_trial(replace(task, steps=2), stored.settings)
        if counted.tflite_bytes != stored.tflite_bytes:
            counted = trial.run_trial(task, stored.settings)
        renewed.append(replace(stored, cores=counted.cores).line())
    write_atomically(TRIALS, "\n".join(renewed) + "\n")


def main() -> None:
    """Run what is missing, task by task."""
    arguments = argparse.ArgumentParser()
    what = arguments.add_mutually_exclusive_group()
    what.add_argument("--teacher", action="store_true")
    what.add_argument("--recount", action="store_true")
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("tasks", nargs="*", default=list(CHOICES))
    options = arguments.parse_args()
    torch.set_num_threads(1)
    if options.teacher:
        teacher()
        return
    if options.recount:
        recount()
        return
    for name in options.tasks:
        settings = [Settings(**one) for one in CHOICES[name]]
        task = catalogue.get(name.split()[-1])
        for one in scheduler.run(task, settings, TRIALS, workers=options.workers):
            print(f"{one.task}: {one.settings}, seed {one.settings.seed}: {one.score:.1f}", flush=True)


if __name__ == "__main__":
    main()
