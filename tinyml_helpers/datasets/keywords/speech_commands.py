"""Speech Commands v0.02: a hundred thousand words of real people, fetched at your wish.

Source: Warden, arXiv 1804.03209. Licence: CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from tinyml_helpers.datasets.keywords.clips import (
    COMMANDS,
    KEYWORD_CLASSES,
    SAMPLES,
    UNKNOWN,
    Keywords,
    choose_per_class,
    text_array,
)
from tinyml_helpers.datasets.keywords.folder import fit_second
from tinyml_helpers.datasets.keywords.speakers import HASHED
from tinyml_helpers.datasets.sound_files import read_sound
from tinyml_helpers.system.download import fetch, unpack
from tinyml_helpers.system.shipped_files import DataError, cache_folder

URL = "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
MD5 = "6b74f3901214cb2c2934e98196829835"
MOST_BYTES = 2_500_000_000
BACKGROUND = "_background_noise_"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}


def load_speech_commands(per_class: int | None, seed: int) -> Keywords:
    """Load Speech Commands, fetched if need be; see `load_keywords`."""
    folder = cache_folder() / "speech_commands"
    archive = fetch(URL, MD5, folder, MOST_BYTES)
    return read_speech_commands(unpack(archive, folder / "v0.02"), per_class, seed)


def read_speech_commands(folder: Path, per_class: int | None, seed: int) -> Keywords:
    """Read the unpacked set in its 12 classes.

    Other words are thinned out to about as many as one command has in the same part; as many seconds
    of background are cut out of its recordings of noise.

    Raises:
        DataError: a list or a sound file is missing or damaged.
    """
    files, parts = _listed(folder)
    classes = KEYWORD_CLASSES
    labels = np.array([_label(path.parent.name) for path in files], np.int64)
    split = text_array(parts)
    rng = np.random.default_rng(seed)
    places = _thinned(labels, split, rng)
    places = places[choose_per_class(labels[places], split[places], per_class, seed)]
    bar = tqdm(places.tolist(), unit="file", desc="reading", delay=2)
    clips = [_int16(fit_second(read_sound(files[place]).samples)) for place in bar]
    words = Keywords(
        np.array(clips, np.int16).reshape(-1, SAMPLES),
        labels[places],
        classes,
        text_array([files[place].parent.name for place in places]),
        text_array([_speaker(files[place]) for place in places]),
        text_array(["people"] * len(places)),
        split[places],
        "Speech Commands v0.02",
    )
    return _with_background(words, folder, rng)


def _listed(folder: Path) -> tuple[list[Path], list[str]]:
    """Return all spoken files, and the part of the split that the set's own lists put each in."""
    part: dict[str, str] = {}
    for name, file in LISTS.items():
        try:
            lines = (folder / file).read_text("utf-8").split()
        except OSError as error:
            raise DataError(f"{folder / file} cannot be read: delete {folder} and try again") from error
        part |= dict.fromkeys(lines, name)
    files = [path for path in sorted(folder.glob("*/*.wav")) if path.parent.name != BACKGROUND]
    return files, [part.get(f"{path.parent.name}/{path.name}", "train") for path in files]


def _label(word: str) -> int:
    return KEYWORD_CLASSES.index(word if word in COMMANDS else UNKNOWN)


def _thinned(
    labels: NDArray[np.int64], split: NDArray[np.str_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the places of all commands, and of as many other words as an average command has."""
    unknown = KEYWORD_CLASSES.index(UNKNOWN)
    kept = [np.flatnonzero(labels != unknown)]
    for part in np.unique(split):
        others = np.flatnonzero((labels == unknown) & (split == part))
        count = round(int(((labels != unknown) & (split == part)).sum()) / len(COMMANDS))
        kept.append(rng.choice(others, min(count, len(others)), replace=False))
    return np.sort(np.concatenate(kept))


def _with_background(words: Keywords, folder: Path, rng: np.random.Generator) -> Keywords:
    """Add random seconds of the set's recordings of noise, at random levels, to each part."""
    recordings = sorted((folder / BACKGROUND).glob("*.wav"))
    noises = {path.stem: read_sound(path).samples for path in recordings}
    if not noises:
        raise DataError(f"no noise in {folder / BACKGROUND}: delete {folder} and try again")
    clips, names, parts = [], [], []
    for part in np.unique(words.split).tolist():
        count = int((words.split == part).sum()) // (len(COMMANDS) + 1)
        for name in rng.choice(list(noises), count).tolist():
            start = rng.integers(0, max(len(noises[name]) - SAMPLES, 0) + 1)
            second = fit_second(noises[name][start : start + SAMPLES])
            clips.append(_int16(rng.uniform(0, 1) * second))
            names.append(name)
            parts.append(part)
    added = np.array(clips, np.int16).reshape(-1, SAMPLES)
    return words.with_silence(added, names, "background", parts)


def _speaker(path: Path) -> str:
    found = HASHED.match(path.name)
    return found[1] if found else path.stem


def _int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return (32767 * samples.clip(-1, 1)).astype(np.int16)
