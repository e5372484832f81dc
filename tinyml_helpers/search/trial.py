"""One trial: make a network, score it on validation data, measure it on every core."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from tinyml_helpers import mcu
from tinyml_helpers.compress import prune
from tinyml_helpers.deploy import litert
from tinyml_helpers.mcu.run import Run
from tinyml_helpers.search.search_space import Settings
from tinyml_helpers.search.tasks import Array, Part, Task
from tinyml_helpers.search.train_and_convert import TrainedModel, train_and_convert
from tinyml_helpers.system.shipped_files import manifest

VERSION = 1
"""Of what a trial does. Raise it when the same settings would come out otherwise."""

CORES = {
    "Cortex-M0+": "pico",
    "Cortex-M3": "nucleo_l152re",
    "Cortex-M4F": "nucleo_l4r5zi",
    "Cortex-M33": "pico2",
    "Cortex-M7": "nucleo_h743zi",
}
"""Each core of the catalogue, and a roomy device that has it: counts depend on the core alone."""


@dataclass(frozen=True)
class OnCore:
    """What a network takes on a core, the C around it included.

    Args:
        instructions: of one run, from raw samples to an answer.
        around: how many of them the C before and after the network takes.
        flash_bytes: code and constants.
        ram_bytes: arena, variables and stack.
        cycles: of one run, from low to high.
    """

    instructions: int
    around: int
    flash_bytes: int
    ram_bytes: int
    cycles: tuple[int, int]


@dataclass(frozen=True)
class Trial:
    """What one trial found.

    Args:
        key: what identifies it: settings, data and version.
        task: its name.
        settings: what was tried.
        score: of the int8 file on validation data, 0 to 100.
        tflite_bytes: of the int8 file.
        gzip_bytes: of the same, packed: what an update over the air would send.
        weights: of convolutions and linear layers.
        zeros: how many of them are zero.
        cores: name of a core -> what it takes there.
        seconds: the trial took.
    """

    key: str
    task: str
    settings: Settings
    score: float
    tflite_bytes: int
    gzip_bytes: int
    weights: int
    zeros: int
    cores: Mapping[str, OnCore]
    seconds: float

    def line(self) -> str:
        """The trial as one line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))


def parse(line: str) -> Trial:
    """Read what `Trial.line` wrote.

    Raises:
        ValueError: it is damaged.
    """
    try:
        entry: dict[str, Any] = json.loads(line)
        cores = {
            name: OnCore(**{**core, "cycles": tuple(core["cycles"])})
            for name, core in entry.pop("cores").items()
        }
        return Trial(**{**entry, "settings": Settings(**entry["settings"]), "cores": cores})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a trial: {line[:60]!r}") from error


def key_of(task: Task, settings: Settings) -> str:
    """Return what identifies a trial: 16 hex digits of its settings, its data and `VERSION`."""
    listed = manifest()
    data = [str(listed[name]["sha256"]) if name in listed else name for name in task.data]
    fingerprint = "|".join([task.name, *data, str(task.steps), f"{task.learning_rate:g}"])
    identity = [VERSION, fingerprint, sorted(asdict(settings).items())]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


def run_trial(task: Task, settings: Settings, cores: Sequence[str] = tuple(CORES)) -> Trial:
    """Make a network and measure it on some cores.

    Raises:
        ValueError: settings that the task does not know.
    """
    started = time.perf_counter()
    model = train_and_convert(task, settings)
    measured = {core: _measure(task, model, CORES[core]) for core in cores}
    correct = score(task, model.content, "validation")
    seconds = round(time.perf_counter() - started, 1)
    return trial_from(task, settings, model, correct, measured, seconds)


def trial_from(
    task: Task,
    settings: Settings,
    model: TrainedModel,
    correct: float,
    cores: Mapping[str, OnCore],
    seconds: float,
) -> Trial:
    """Put together what is known of a network."""
    counted, packed = prune.sparsity(model.network), gzip.compress(model.content, mtime=0)
    return Trial(
        key_of(task, settings), task.name, settings, round(correct, 3), len(model.content), len(packed),
        counted.weights, counted.zeros, cores, seconds,
    )  # fmt: skip


def score(task: Task, content: bytes, part: Part) -> float:
    """Score an int8 .tflite file on one part of a task's data."""
    model = litert.load(content)

    def predict(inputs: torch.Tensor) -> Array:
        return model.predict(task.feed(inputs))

    return task.judge(predict, part)


def _measure(task: Task, model: TrainedModel, device: str) -> OnCore:
    firmware = build_firmware(task, model.content, device)
    return count(firmware, run_on_noise(firmware))


def build_firmware(task: Task, content: bytes, device: str) -> mcu.Firmware:
    """Build an int8 .tflite and the task's own C around it for a device.

    Channels that came out constant stay: which those are differs from one processor to the next, as
    training does, and what a trial takes is to depend on shapes alone.
    """
    pipeline = task.pipeline(litert.load(content)) if task.pipeline else None
    return mcu.build(content, device, trimmed=False, pipeline=pipeline)


def run_on_noise(firmware: mcu.Firmware) -> Run:
    """Run a firmware on noise from a fixed seed; what it takes hardly depends on the values."""
    draw, graph = np.random.default_rng(0), firmware.program.graph
    if firmware.pipeline:
        return firmware.run(draw.integers(-3000, 3000, firmware.pipeline.count))
    shape = graph.tensors[graph.inputs[0]].shape
    return firmware.run(draw.integers(-128, 128, shape).astype(np.int8))


def count(firmware: mcu.Firmware, run: Run) -> OnCore:
    """Read the counters of a firmware and its run."""
    parts = [layer.instructions for layer in run.profile]
    around = parts[0] + parts[-1] if firmware.pipeline else 0
    cycles = run.timer.by_table()  # of the core alone: a trial counts for every device that has it
    band = cycles.low, cycles.high
    return OnCore(run.instructions, around, firmware.flash_bytes, run.ram_bytes, band)
