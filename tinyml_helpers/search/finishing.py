"""The chosen design, made once more and looked at on the test set, ready to ship."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyml_helpers.mcu import Firmware
from tinyml_helpers.mcu.report import Run
from tinyml_helpers.search import making, trial
from tinyml_helpers.search.front import Candidate, Candidates, candidates
from tinyml_helpers.search.settings import Settings
from tinyml_helpers.search.tasks import Task


@dataclass(frozen=True, eq=False, repr=False)
class Finished:
    """A network to ship; prints as what it takes.

    Args:
        made: the network and its .tflite.
        firmware: for the device.
        run: on noise from a fixed seed.
        validation: its score on validation data.
        test: the same figures with the score on the test set.
    """

    made: making.Made
    firmware: Firmware
    run: Run
    validation: float
    test: Candidate

    def __repr__(self) -> str:
        return f"{self.made}\n{self.run}"

    def write(self, folder: Path) -> Path:
        """Write model.tflite and a project for a real board into a folder; return the .tflite."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "model.tflite"
        path.write_bytes(self.made.content)
        self.firmware.export(folder / "firmware", self.run)
        return path


def finish(task: Task, settings: Settings, device: str) -> Finished:
    """Make a design, build it for a device, and look at the test set: do so once, when all is chosen.

    Args:
        task: with more steps, if you have time: `dataclasses.replace(task, steps=4 * task.steps)`.
        settings: what was chosen, on validation data.
        device: its key.
    """
    made = making.make(task, settings)
    firmware, run = trial.run_once(trial.firmware_of(task, made.content, device))
    cores = {firmware.device.core: trial.on_core((firmware, run))}
    scores = {part: trial.score(task, made.content, part) for part in ("validation", "test")}
    one = trial.told(task, settings, made, scores["test"], cores, 0.0)
    looked: Candidates = candidates([one], device)
    return Finished(made, firmware, run, scores["validation"], looked[0])
