"""Train the networks of lesson 10, measure them on people that they never saw, and store both.

    python data/build/train_gestures.py [people leak curve recipes nested unknown ...]

Without names all parts run, one after another (half an hour on one idle core). Each part writes its
results into data/models/gestures.json; `people` also writes the networks. The recipe was chosen among
some ninety settings on these same ten people. `nested` measures what that flatters: it lets each
person's recipe be chosen without that person's results. Run data/build/manifest.py afterwards.
"""

import json
import platform
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from tinyml_helpers.datasets import data_folder
from tinyml_helpers.datasets.gestures.load import load_gestures
from tinyml_helpers.datasets.gestures.recordings import Gestures
from tinyml_helpers.deploy import litert
from tinyml_helpers.training import balanced_percent
from tinyml_helpers.usecases.gestures import features, vote
from tinyml_helpers.usecases.gestures import network as networks
from tinyml_helpers.usecases.gestures import train as gesture_train
from tinyml_helpers.usecases.gestures.augment import RECIPE, Recipe
from tinyml_helpers.usecases.gestures.features import Windows
from tinyml_helpers.usecases.gestures.train import train_network

SEEDS = range(3)
# What a recipe may leave out, or do otherwise: changes of the training, and of the network.
RECIPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as chosen": ({}, {}),
    "depthwise separable": ({}, {"separable": True}),
    "arms as they are": ({"same_arms": False}, {}),
    "accelerometer only": ({"axes": 3}, {"axes": 3}),
    "slow part kept": ({"keep_slow": True}, {}),
    "any rotation": ({"degrees": (120.0, 120.0, 120.0)}, {}),
    "mean in place of maximum": ({}, {"maximum": False}),
    "no rotation": ({"degrees": (0.0, 0.0, 0.0)}, {}),
    "one speed": ({"speed": 1.0}, {}),
    "same rotation about all axes": ({"degrees": (20.0, 20.0, 20.0)}, {}),
    "wider": ({}, {"plan": ((24, 7, 2), (32, 5, 2), (32, 5, 1), (48, 3, 2))}),
}


def variant(name: str) -> tuple[Recipe, dict[str, Any]]:
    """Return the recipe and the network's options of a name in `RECIPES`."""
    changes, network = RECIPES[name]
    return replace(RECIPE, **changes), network


def int8(model: torch.nn.Sequential, windows: Windows, seed: int = 0) -> bytes:
    """Convert a network to .tflite, calibrated on 500 of the windows that it was trained on."""
    inputs = features.calibration_inputs(windows.first(), 500, seed)
    twin = networks.keras_twin(model)
    return litert.from_keras(twin, "int8", inputs[..., : twin.input_shape[-1]])


def int8_outputs(content: bytes, windows: Windows) -> NDArray[np.int8]:
    """Return what LiteRT's reference kernels say of windows, after the front end in integers."""
    runner = litert.load(content, "reference")
    scale, zero_point = runner.input.scales[0], runner.input.zero_points[0]
    inputs = features.quantized_input(windows.raw, windows.right, scale, zero_point)
    outputs: NDArray[np.int8] = runner.run(inputs)
    return outputs


def summary(rows: Iterable[tuple[float, float]]) -> dict[str, Any]:
    """Return means and spread over people, in percent, of (window, vote) for each person."""
    table = np.array(list(rows))
    return {
        "window_percent": round(float(table[:, 0].mean()), 2),
        "vote_percent": round(float(table[:, 1].mean()), 2),
        "window_spread": round(float(table[:, 0].std(ddof=1)), 2),
        "vote_spread": round(float(table[:, 1].std(ddof=1)), 2),
        "window_percent_by_person": table[:, 0].round(2).tolist(),
        "vote_percent_by_person": table[:, 1].round(2).tolist(),
    }


def people(data: Gestures) -> dict[str, Any]:
    """Leave one person out, ten times, from three seeds; store the networks of the first seed."""
    stored: dict[str, torch.Tensor] = {}
    rows: dict[str, list[list[tuple[float, float]]]] = {"float": [], "int8": []}
    sizes = []
    for seed in SEEDS:
        found: dict[str, list[tuple[float, float]]] = {"float": [], "int8": []}
        for person in data.people:
            train, test = (
                gesture_train.training_windows(data.without(person)),
                features.cut(data.of(person)),
            )
            model = train_network(train, seed=seed)
            content = int8(model, train)
            sizes.append(len(content))
            for kind, outputs in (
                ("float", gesture_train.logits(model, test).numpy()),
                ("int8", int8_outputs(content, test)),
            ):
                found[kind].append(vote.score_people(outputs, test).mean)
            if seed == 0:
                stored |= {f"without-{person}/{key}": value for key, value in model.state_dict().items()}
            print("people", seed, person, found["float"][-1], found["int8"][-1], flush=True)
        for kind in rows:
            rows[kind].append(found[kind])
    everything = gesture_train.training_windows(data)
    model = train_network(everything)
    stored |= {f"everybody/{key}": value for key, value in model.state_dict().items()}
    content = int8(model, everything)
    folder = data_folder() / "models"
    (folder / "gestures.tflite").write_bytes(content)
    save_file(stored, folder / "gestures.safetensors")
    return {
        "parameters": networks.parameters(model),
        "tflite_bytes": len(content),
        "tflite_bytes_largest": max(sizes),
        "seeds": {kind: [summary(one) for one in found] for kind, found in rows.items()},
    }


def leak(data: Gestures) -> dict[str, Any]:
    """Split windows at random: parts of every recording on both sides."""
    whole = features.cut(data, window=gesture_train.LONG)
    found = []
    for seed in SEEDS:
        test = np.random.default_rng(seed).random(len(whole)) < 0.1
        model = train_network(whole.take(~test), seed=seed)
        held = whole.take(test).first()
        said = gesture_train.logits(model, held).argmax(1).numpy()
        found.append(round(balanced_percent(said, held.labels), 2))
        print("leak", found, flush=True)
    return {"window_percent": found}


def curve(data: Gestures) -> dict[str, Any]:
    """For each person, train on 1 to 7 of the others, drawn at random."""
    result = {}
    for count in (1, 2, 3, 5, 7):
        rows = []
        for number, person in enumerate(data.people):
            others = [one for one in data.people if one != person]
            chosen = np.random.default_rng(number).permutation(others)[:count]
            model = train_network(gesture_train.training_windows(data.of(*chosen)))
            test = features.cut(data.of(person))
            rows.append(vote.score_people(gesture_train.logits(model, test), test).mean)
        result[str(count)] = summary(rows)
        print("curve", count, result[str(count)]["window_percent"], flush=True)
    return result


def recipes(data: Gestures) -> dict[str, Any]:
    """Leave one person out with each recipe, from one seed; recipes that are stored are kept."""
    done = notes()
    first = done["people"]["seeds"]["float"][0]
    result: dict[str, Any] = {"as chosen": {**first, "tflite_bytes": done["people"]["tflite_bytes"]}}
    result |= done.get("recipes", {})
    for name in RECIPES:
        if name not in result:
            result[name] = left_out_with(name, data)
            store("recipes", result)
            print(
                "recipes", name, result[name]["window_percent"], result[name]["vote_percent"], flush=True
            )
    return result


def left_out_with(name: str, data: Gestures) -> dict[str, Any]:
    """Leave each person out with a recipe."""
    recipe, network = variant(name)
    rows: list[tuple[float, float]] = []
    size = 0
    for person in data.people:
        train = gesture_train.training_windows(data.without(person))
        model = train_network(train, recipe, **network)
        test = features.cut(data.of(person))
        rows.append(vote.score_people(gesture_train.logits(model, test, recipe), test).mean)
        size = size or len(int8(model, train))
    return {"parameters": networks.parameters(model), "tflite_bytes": size, **summary(rows)}


def nested(_data: Gestures) -> dict[str, Any]:
    """Choose each person's recipe by the results of the other nine, then read it off for that person.

    A person's own result never takes part in the choice that it is judged by. (Those nine networks
    were trained on the person's recordings too; only never tested on them.)
    """
    results = notes()["recipes"]
    by_person = {name: result["window_percent_by_person"] for name, result in results.items()}
    chosen, rows = [], []
    for number in range(len(by_person["as chosen"])):
        best = max(by_person, key=lambda name: float(np.mean(np.delete(by_person[name], number))))
        chosen.append(best)
        kept = results[best]
        rows.append((by_person[best][number], kept["vote_percent_by_person"][number]))
    return {"chosen": chosen, **summary(rows)}


def auc(high: NDArray[np.float64], low: NDArray[np.float64]) -> float:
    """Return how often a value of the first list is above one of the second; ties count half."""
    above = (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2
    return float(above)


def unknown(data: Gestures) -> dict[str, Any]:
    """Leave a movement and two people out: does the network notice that it never saw the movement?"""
    result = {}
    for label, name in enumerate(data.classes):
        known, strange = [], []
        for pair in range(5):
            pair_of = data.people[2 * pair : 2 * pair + 2]
            train = gesture_train.training_windows(data.without(*pair_of))
            model = train_network(train.take(train.labels != label))
            test = features.cut(data.of(*pair_of))
            outputs = gesture_train.logits(model, test).numpy()
            new = test.labels == label
            known += vote.vote_leads(outputs[~new], test.take(~new)).tolist()
            strange += vote.vote_leads(outputs[new], test.take(new)).tolist()
        limit = float(np.quantile(known, 0.1))
        rejected = float(np.mean(np.array(strange) < limit))
        result[name] = {
            "rejected_percent": round(100 * rejected, 1),
            "auc": round(auc(np.array(known), np.array(strange)), 3),
        }
        print("unknown", name, result[name], flush=True)
    return result


def notes() -> dict[str, Any]:
    """Return what is stored in gestures.json so far."""
    path = data_folder() / "models" / "gestures.json"
    stored: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return stored


PARTS: dict[str, Callable[[Gestures], dict[str, Any]]] = {
    "people": people, "leak": leak, "curve": curve, "unknown": unknown, "recipes": recipes,
    "nested": nested,
}  # fmt: skip


def store(part: str, result: dict[str, Any]) -> None:
    """Write the result of a part into gestures.json, beside those of the others."""
    stored = notes() | {
        part: result,
        "recipe": {**asdict(RECIPE), "plan": networks.PLAN},
        "made_with": {"python": platform.python_version(), "torch": torch.__version__},
    }
    path = data_folder() / "models" / "gestures.json"
    path.write_text(json.dumps(stored, indent=2) + "\n", "utf-8")


def main() -> None:
    """Run the parts named on the command line, or all."""
    torch.set_num_threads(1)
    data = load_gestures()
    for part in sys.argv[1:] or PARTS:
        store(part, PARTS[part](data))


if __name__ == "__main__":
    main()
