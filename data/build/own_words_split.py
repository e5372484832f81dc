"""What does a split by file flatter, and one by speaker not? Lesson 09's own training, on ten voices.

    python data/build/own_words_split.py

The voices are synthetic, for the course has no people to train on: the five of flite, the three of
festival and the two of pico, each of which says every digit four to six times. They stand for ten people
who recorded ten words. Their clips are parted five times into a fifth for the test
and the rest for training: once by file, as the lesson does where it cannot tell speakers, and once by
voice. Each clip is then in one test of either kind, and the difference is taken voice by voice. The
network begins as the lesson's, kws-start with a new last layer, and trains as long: 80 batches. It has
met the voices of flite and festival before, with other words. Run data/build/manifest.py afterwards.
"""

import json

import numpy as np
import torch
from numpy.typing import NDArray

from tinyml_helpers import intervals
from tinyml_helpers.datasets import Keywords, data_folder, load_keywords
from tinyml_helpers.datasets.keywords.clips import DIGITS
from tinyml_helpers.usecases.keywords import features, train

ENGINES = ("flite", "festival", "pico")
FOLDS, SEEDS, STEPS = 5, 3, 80


def answers(spoken: Keywords, fold: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Train without each fold in turn, and tell which of its clips are then understood: bool [N]."""
    right = np.zeros(len(spoken), bool)
    for held in range(FOLDS):
        test = fold == held
        torch.manual_seed(seed)
        model = train.load_start(len(DIGITS))
        train.fit(model, spoken.take(~test), steps=STEPS, learning_rate=8e-3, seed=seed)
        model.eval()
        seen = torch.from_numpy(features.network_input(features.features(spoken.clips[test])))[:, None]
        with torch.inference_mode():
            right[test] = model(seen).argmax(1).numpy() == spoken.labels[test]
        print(f"seed {seed}, fold {held}: {100 * right[test].mean():.1f} %", flush=True)
    return right


def main() -> None:
    """Measure both splits, and write data/models/own_words_split.json."""
    spoken = load_keywords(vocabulary="digits")
    spoken = spoken.take(np.isin(spoken.words, DIGITS) & np.isin(spoken.engines, ENGINES))
    voices, whose = np.unique(spoken.voices, return_inverse=True)
    right = {"file": np.zeros(len(voices), int), "voice": np.zeros(len(voices), int)}
    for seed in range(SEEDS):
        draw = np.random.default_rng(seed)
        by_file = draw.permutation(len(spoken)) % FOLDS
        by_voice = (draw.permutation(len(voices)) % FOLDS)[whose]
        for name, fold in (("file", by_file), ("voice", by_voice)):
            right[name] += np.bincount(whose, answers(spoken, fold, seed), len(voices)).astype(int)
    tests = np.bincount(whose) * SEEDS
    told = {
        "voices": voices.tolist(),
        "clips": len(spoken),
        "seeds": SEEDS,
        "steps": STEPS,
        "tests_of_each_voice": tests.tolist(),
        "right_by_file": right["file"].tolist(),
        "right_by_voice": right["voice"].tolist(),
    }
    path = data_folder() / "models" / "own_words_split.json"
    path.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    shares = {name: 100 * found / tests for name, found in right.items()}
    for name, share in shares.items():
        print(f"split by {name}:", intervals.over_groups(share, things="voices"))
    flattered = shares["file"] - shares["voice"]
    print("flattered by", intervals.over_groups(flattered, "points", "voices"))


if __name__ == "__main__":
    main()
