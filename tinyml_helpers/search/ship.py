"""The chosen design, made once more with every seed and looked at on the test set, ready to ship."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyml_helpers.mcu import Firmware
from tinyml_helpers.mcu.run import Run
from tinyml_helpers.search import trial
from tinyml_helpers.search.front import Candidate, candidates
from tinyml_helpers.search.tasks import Task
from tinyml_helpers.search.train_and_convert import TrainedModel, train_and_convert


@dataclass(frozen=True, eq=False, repr=False)
class ReleaseCandidate:
    """A network to ship, and others that differ by chance alone; prints as what it takes.

    Args:
        model: the network and its .tflite, of the first seed: no score chose it.
        firmware: for the device.
        run: on noise from a fixed seed.
        validation: scores on validation data, one for each seed.
        test: the same figures with the scores on the test set.
        people: how many groups the test set is of, in words: "2 people".
    """

    model: TrainedModel
    firmware: Firmware
    run: Run
    validation: tuple[float, ...]
    test: Candidate
    people: str

    def __repr__(self) -> str:
        return f"{self.model}\n{self.run}"

    @property
    def scores(self) -> str:
        """What came out on both parts, as the certificate says it."""
        low, high = min(self.validation), max(self.validation)
        seeds = ", ".join(map(str, self.test.seeds))
        return (
            f"{low:.1f} to {high:.1f} on validation data, {self.test.low:.1f} to {self.test.high:.1f} "
            f"on the test set of {self.people}; seeds {seeds}, of which the first is in the file: "
            f"{self.test.scores[0]:.1f}"
        )

    def write(self, folder: Path) -> Path:
        """Write model.tflite and a project for a real board into a folder; return the .tflite."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "model.tflite"
        path.write_bytes(self.model.content)
        self.firmware.export(folder / "firmware", self.run)
        return path


def finish(task: Task, chosen: Candidate) -> ReleaseCandidate:
    """Make a design with each of its seeds, and look at the test set: do so once, when all is chosen.

    The first of them is built for the device of the choice, and measured there.

    Args:
        task: with more steps, if you have time: `dataclasses.replace(task, steps=4 * task.steps)`.
        chosen: what was chosen, on validation data.
    """
    every = [replace(chosen.settings, seed=seed) for seed in chosen.seeds]
    models = [train_and_convert(task, settings) for settings in every]
    firmware = trial.build_firmware(task, models[0].content, chosen.device.key)
    run = trial.run_on_noise(firmware)
    cores = {firmware.device.core: trial.count(firmware, run)}
    scores = [trial.score(task, model.content, "test") for model in models]
    tested = [
        trial.trial_from(task, settings, model, score, cores, 0.0)
        for settings, model, score in zip(every, models, scores, strict=True)
    ]
    validation = tuple(trial.score(task, model.content, "validation") for model in models)
    test = candidates(tested, chosen.device)[0]
    people = f"{len(np.unique(task.load('test').groups)):,} {task.groups}"
    return ReleaseCandidate(models[0], firmware, run, validation, test, people)
