"""Measure the keyword networks on words of real people, and write the figures into keywords.json.

    python data/build/measure_people.py --folder FOLDER --note TEXT [--as people]

FOLDER holds a folder for each of the 12 classes, as `load_keywords` reads them, such as the test part of
Speech Commands; TEXT says what the recordings are. They serve for measuring alone: nothing is trained or
chosen on them, and only counts are kept, of each person without a name. Each kws*.tflite is run on the
clips as they are by LiteRT's reference kernels, in noise by its fast ones, as lesson 09 does it;
kws-start and kws-teacher in float.
"""

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import keyword_export as export  # type: ignore[import-not-found]
import numpy as np
import torch
from numpy.typing import NDArray

from tinyml_helpers.datasets import KEYWORD_CLASSES, Keywords, data_folder, load_keywords
from tinyml_helpers.deploy import litert
from tinyml_helpers.usecases.keywords import features, network, streaming

NOISE_DB = (40, 20, 15, 10, 5, 0)
FLOATS = {"kws": "product", "kws-small": "small", "kws-synthetic": "synthetic"}
ALONE = ("start", "teacher")  # have no int8 file of the course's
SPEAKER = re.compile(r"(?:^|_)([0-9a-f]{8})(?:_nohash_|$)")


def by_person(words: Keywords) -> Keywords:
    """Return the clips with the speaker as voice, sorted by speaker, clips without a word last."""
    speakers = [SPEAKER.search(name) for name in words.voices.tolist()]
    voices = np.array([speaker[1] if speaker else "" for speaker in speakers])
    order = np.lexsort((words.labels, voices, voices == ""))
    return replace(words, voices=voices).take(order)


def counts(says: NDArray[np.int64], words: Keywords) -> dict[str, Any]:
    """Return what `listening.of_people` and a test can compute every figure from."""
    confusion = np.zeros((len(KEYWORD_CLASSES), len(KEYWORD_CLASSES)), int)
    np.add.at(confusion, (words.labels, says), 1)
    people, of = np.unique(words.voices[words.voices != ""], return_inverse=True)
    right = (says == words.labels)[words.voices != ""]
    return {
        "clips": len(says),
        "people": len(people),
        "clips_of_each": np.bincount(of).tolist(),
        "right_of_each": np.bincount(of, right).astype(int).tolist(),
        "confusion": confusion.tolist(),
    }


def percent(says: NDArray[np.int64], words: Keywords) -> float:
    """Return the share of right answers."""
    return round(100 * float((says == words.labels).mean()), 2)


def in_float(name: str, words: Keywords) -> NDArray[np.int64]:
    """Return what a network says in float."""
    inputs = torch.from_numpy(features.network_input(features.features(words.clips)))[:, None]
    with torch.no_grad():
        says: NDArray[np.int64] = network.load_trained(name)(inputs).argmax(1).numpy()
    return says


def measured(words: Keywords, folder: Path) -> dict[str, dict[str, Any]]:
    """Return the figures of every network."""
    fast = {name: litert.load(folder / f"{name}.tflite").predict for name in FLOATS}
    noisy = streaming.accuracy_under_noise(fast, words, NOISE_DB)
    seen = features.network_input(features.features(words.clips))[..., None]
    figures: dict[str, dict[str, Any]] = {}
    for name in FLOATS:
        says = litert.load(folder / f"{name}.tflite", "reference").predict(seen).argmax(1)
        entry = {"int8_percent": percent(says, words), **counts(says, words)}
        entry["float_percent"] = percent(in_float(FLOATS[name], words), words)
        entry["in_noise_percent"] = {f"{ratio} dB": round(x, 2) for ratio, x in noisy[name].items()}
        figures[name] = entry
    for name in ALONE:
        says = in_float(name, words)
        figures[f"kws-{name}"] = {"float_percent": percent(says, words), **counts(says, words)}
    return figures


def main() -> None:
    """Measure every network on the folder's clips."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--note", required=True, help="what the recordings are, for the record")
    arguments.add_argument("--as", dest="key", default="people", help="under which name to store them")
    options = arguments.parse_args()
    words = load_keywords(options.folder)
    if words.classes != KEYWORD_CLASSES:
        raise SystemExit(f"the folders are {words.classes}: name them {', '.join(KEYWORD_CLASSES)}")
    file = data_folder() / "models" / "keywords.json"
    figures = measured(by_person(words), file.parent)
    stored = json.loads(file.read_text("utf-8"))
    for name, entry in figures.items():
        stored.setdefault(name, {})[options.key] = {"note": options.note, **entry}
        print(name, {key: x for key, x in entry.items() if key.endswith("percent")})
    export.write_figures(file, stored)


if __name__ == "__main__":
    main()
