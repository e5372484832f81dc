"""Train the keyword networks of lesson 09 on the shipped corpus, both roads.

    python data/build/train_keywords.py [start synthetic product small]

Without real speech: `start` is trained on the part "train" alone, so that its figures on "voices" and
"engine" are those of a network that has met neither; `synthetic` goes on from it, on "engine" too.
"new engine" is kept from all of them: it is measured when a network is finished, and chooses nothing.
From a network that has heard people: `product` and `small` begin as kws-teacher.safetensors, lose four
channels at a time of every layer, learn after each cut what the teacher says of altered synthetic clips,
then in noise, then with fake quantizers. The unknown class's logit is set on "voices".

Each network becomes data/models/kws-<name>.tflite (product: kws.tflite; start: none) and .safetensors,
its recipe and figures an entry in data/models/keywords.json. All four: ten minutes on one free core.
Recognition of real people is measured apart, by measure_people.py, and the stream by
measure_synthetic.py. Run manifest.py afterwards.
"""

import argparse
import copy
import json
import platform
import time
from typing import Any

import keyword_export as export  # type: ignore[import-not-found]
import keyword_pruning as pruning  # type: ignore[import-not-found]
import keyword_training as training  # type: ignore[import-not-found]
import measure_synthetic  # type: ignore[import-not-found]
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tinyml_helpers.compress import qat
from tinyml_helpers.datasets import data_folder
from tinyml_helpers.usecases.keywords import augment, network

FILES = {
    "start": "kws-start",
    "synthetic": "kws-synthetic",
    "product": "kws",
    "small": "kws-small",
}
# Cycles of steps and highest learning rate, each with its quantizers at the end.
CYCLES = {"start": ((3500, 4e-3), (1200, 2e-3)), "synthetic": ((3000, 2e-3),)}
CUT, CUT_STEPS, CUT_RATE = 4, 700, 1.5e-3
FINISH_STEPS, FINISH_RATE = 1000, 1e-3
QAT_STEPS, QAT_RATE = 100, 1e-4
CHANNELS = {"product": 56, "small": 48}
# In the finish the teacher hears this share of the clips as the student does, the rest without noise.
SAME_SHARE = 0.75
# Each step costs false alarms: the smallest that comes within half a point of the best is taken.
LOWERED, ENOUGH = (0.0, 0.5, 1.0, 1.5, 2.0), 0.5
SEED = 0


def from_labels(data: Any, name: str) -> nn.Sequential:
    """Train a DS-CNN on true labels: `start` from random weights, `synthetic` from those of `start`."""
    torch.manual_seed(SEED)
    anew = name == "start"
    begun = data_folder() / "models" / "kws-start.safetensors"
    model = network.ds_cnn() if anew else network.from_state(load_file(begun))
    weights = data.weights(("train",) if anew else ("train", "engine"))
    road = training.labelled(data, augment.Strength())
    for steps, rate in CYCLES[name]:
        training.fit(model, data, weights, road, steps, rate, SEED)
        model = with_quantizers(model, data, weights, road)
    return model


def with_quantizers(model: nn.Sequential, data: Any, weights: torch.Tensor, road: Any) -> nn.Sequential:
    """Train on for a while with fake quantizers, and take the weights out again."""
    prepared = qat.prepare(model)
    trained = training.fit(prepared, data, weights, road, QAT_STEPS, QAT_RATE, SEED, bfloat16=False)
    without: nn.Sequential = pruning.without_quantizers(trained)
    return without


def from_teacher(data: Any, name: str, cut: dict[int, nn.Sequential]) -> nn.Sequential:
    """Prune the teacher step by step, distil after each cut, finish with noise and fake quantizers.

    `cut` keeps what the steps left, by number of channels, for the next network.
    """
    weights = data.weights(("train", "engine"), others=True)
    teacher = network.load_trained("teacher").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    road = training.taught(data, teacher, augment.Strength())
    channels = min(cut, default=64)
    model = copy.deepcopy(cut.get(channels, teacher))
    while channels > CHANNELS[name]:
        channels -= CUT
        model = pruning.without(model, pruning.fisher(model, data, weights, road), CUT)
        training.fit(model, data, weights, road, CUT_STEPS, CUT_RATE, channels)
        cut[channels] = copy.deepcopy(model)
        print(
            f"  {channels} channels: {training.percent(model, *data.inputs('voices'))} % of voices",
            flush=True,
        )
    noisy = training.taught(data, teacher, augment.Strength(), same_share=SAME_SHARE)
    training.fit(model, data, weights, noisy, FINISH_STEPS, FINISH_RATE, SEED)
    return with_quantizers(model, data, weights, noisy)


def recipe(name: str) -> dict[str, Any]:
    """Return what the network was trained with, for the record."""
    common = {
        "optimizer": "AdamW, one cycle",
        "batch": training.BATCH,
        "weight_decay": 0.02,
        "seed": SEED,
        "augmentation": repr(augment.Strength()),
        "qat_steps": QAT_STEPS,
        "qat_rate": QAT_RATE,
    }
    if name in CHANNELS:
        return common | {
            "teacher": "kws-teacher",
            "channels": CHANNELS[name],
            "temperature": 3.0,
            "channels_a_cut": CUT,
            "steps_a_cut": CUT_STEPS,
            "rate": CUT_RATE,
            "finish_steps": FINISH_STEPS,
            "finish_rate": FINISH_RATE,
            "finish_same_share": SAME_SHARE,
            "trained_on": ["train", "engine"],
        }
    parts = ["train"] if name == "start" else ["train", "engine"]
    begun = {} if name == "start" else {"begins_as": "kws-start"}
    return common | begun | {"channels": 64, "mixup": 0.3, "cycles": CYCLES[name], "trained_on": parts}


def store(name: str, model: nn.Sequential, data: Any, seconds: float) -> None:
    """Set the operating point, convert, measure on synthetic clips, and write all files."""
    voices = data.inputs("voices")
    reached = {by: training.percent(model, *voices, lowered=by) for by in LOWERED}
    lowered = next(by for by, share in reached.items() if share >= max(reached.values()) - ENOUGH)
    model = export.with_unknown_lowered(model, lowered)
    folder = data_folder() / "models"
    # In channels last a transposed weight is not contiguous, and safetensors insists on it.
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()}, folder / f"{FILES[name]}.safetensors"
    )
    calibration = data.inputs("train")[0][::10]
    content = export.to_tflite(model, calibration)
    if name != "start":
        (folder / f"{FILES[name]}.tflite").write_bytes(content)
    entry: dict[str, Any] = {
        "tflite_bytes": len(content),
        "parameters": sum(p.numel() for p in model.parameters()),
        "unknown_lowered": lowered,
        "recipe": recipe(name),
        "training_cpu_seconds": round(seconds),
    }
    entry |= measure_synthetic.on_clips(model, content, entry["recipe"]["trained_on"])
    entry["made_with"] = {"python": platform.python_version(), "torch": torch.__version__}
    file = folder / "keywords.json"
    stored = json.loads(file.read_text("utf-8")) if file.exists() else {}
    export.write_figures(file, stored | {FILES[name]: entry})
    print(
        name, {k: entry[k] for k in ("tflite_bytes", "unknown_lowered", "voices", "engine")}, flush=True
    )


def main() -> None:
    """Train the networks named on the command line."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("names", nargs="*", default=list(FILES), choices=[*FILES, []])
    torch.set_num_threads(1)
    data, cut = training.pool(), dict[int, nn.Sequential]()
    for name in arguments.parse_args().names:
        start = time.process_time()
        taught = name in CHANNELS
        model = from_teacher(data, name, cut) if taught else from_labels(data, name)
        store(name, model, data, time.process_time() - start)


if __name__ == "__main__":
    main()
