"""Measure the keyword networks on words of real people, and write the figures into keywords.json.

    python data/build/measure_people.py --folder FOLDER [--note TEXT] [kws kws-small kws-synthetic]

FOLDER holds a folder for each of the 12 classes, as `load_keywords` reads them, such as the test part of
Speech Commands. The recordings serve for measuring alone: nothing is trained or chosen on them, and
only counts and percentages are kept. Each kws*.tflite named is run by LiteRT's reference kernels, on the
clips as they are and in noise; beside it its network in float.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import keyword_export as export  # type: ignore[import-not-found]
import numpy as np
import torch
from numpy.typing import NDArray

from tinyml_helpers.datasets import KEYWORD_CLASSES, Keywords, data_folder, load_keywords
from tinyml_helpers.datasets.backgrounds import backgrounds
from tinyml_helpers.models import keywords
from tinyml_helpers.signals import audio

NOISE_DB = (20, 10, 5, 0)
COUNT = len(KEYWORD_CLASSES)


def inputs(clips: NDArray[np.int16]) -> torch.Tensor:
    """Return int16 [N, 16000] as the networks take it."""
    return torch.from_numpy(audio.network_input(audio.features(clips)))[:, None]


def noisy(clips: NDArray[np.int16], ratio_db: float) -> NDArray[np.int16]:
    """Add a background to each clip, so many dB below it in power over the whole second."""
    noise = backgrounds(len(clips), 7)[0].astype(np.float64)
    spoken = clips.astype(np.float64)
    powers = [np.maximum((sound**2).mean(1, keepdims=True), 1.0) for sound in (spoken, noise)]
    both = spoken + noise * np.sqrt(powers[0] / powers[1]) * 10 ** (-ratio_db / 20)
    scale = np.minimum(1, 32767 / np.abs(both).max(1, keepdims=True))
    mixed: NDArray[np.int16] = (both * scale).astype(np.int16)
    return mixed


def confusion(says: NDArray[np.int64], labels: NDArray[np.int64]) -> list[list[int]]:
    """Return counts: a row for what was said, a column for what was heard."""
    counts = np.zeros((COUNT, COUNT), int)
    np.add.at(counts, (labels, says), 1)
    rows: list[list[int]] = counts.tolist()
    return rows


def percent(says: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Return the share of right answers."""
    return round(100 * float((says == labels).mean()), 2)


def measured(file: Path, words: Keywords, heard: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return all figures of one .tflite file and of the float network beside it."""
    content, labels = file.read_bytes(), words.labels
    says = {name: export.answers(content, batch) for name, batch in heard.items()}
    clean = says.pop("clean")
    figures: dict[str, Any] = {
        "clips": len(labels),
        "int8_percent": percent(clean, labels),
        "by_word_percent": {
            word: percent(clean[labels == n], labels[labels == n])
            for n, word in enumerate(KEYWORD_CLASSES)
        },
        "in_noise_percent": {name: percent(answers, labels) for name, answers in says.items()},
        "confusion": confusion(clean, labels),
    }
    if file.with_suffix(".safetensors").is_file():
        with torch.no_grad():
            name = "product" if file.stem == "kws" else file.stem.removeprefix("kws-")
            model = keywords.load_trained(name)
            figures["float_percent"] = percent(model(heard["clean"]).argmax(1).numpy(), labels)
    return figures


def main() -> None:
    """Measure every network on the folder's clips."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("names", nargs="*", default=["kws", "kws-small", "kws-synthetic"])
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--note", default="", help="what the recordings are, for the record")
    options = arguments.parse_args()
    words = load_keywords(options.folder)
    if words.classes != KEYWORD_CLASSES:
        raise SystemExit(f"the folders are {words.classes}: name them {', '.join(KEYWORD_CLASSES)}")
    heard = {"clean": inputs(words.clips)}
    heard |= {f"{ratio} dB": inputs(noisy(words.clips, ratio)) for ratio in NOISE_DB}
    file = data_folder() / "models" / "keywords.json"
    stored = json.loads(file.read_text("utf-8"))
    for path in (file.with_name(f"{name}.tflite") for name in options.names):
        stored.setdefault(path.stem, {})["people"] = {
            "note": options.note,
            **measured(path, words, heard),
        }
        print(path.stem, {k: v for k, v in stored[path.stem]["people"].items() if k != "confusion"})
    for name in ("start", "teacher"):
        with torch.no_grad():
            says = keywords.load_trained(name)(heard["clean"]).argmax(1).numpy()
        entry = {"note": options.note, "float_percent": percent(says, words.labels)}
        stored.setdefault(f"kws-{name}", {})["people"] = entry
    file.write_text(json.dumps(stored, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
