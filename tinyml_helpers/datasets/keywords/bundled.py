"""The keyword corpus that ships: words that six text-to-speech engines speak, as Ogg Opus."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.keywords.backgrounds import backgrounds
from tinyml_helpers.datasets.keywords.clips import (
    OTHER_WORDS,
    RATE_HZ,
    SAMPLES,
    SILENCE,
    UNKNOWN,
    VOCABULARIES,
    WAKE_WORDS,
    Keywords,
    choose_per_class,
    text_array,
)
from tinyml_helpers.system.shipped_files import DataError, read_verified

FILE = "keywords.npz"
# Silence between two clips of a file, as data/build/keywords_pack.py left it.
GAP = RATE_HZ // 50
# Backgrounds in each part of the split, beside so many clips of a command.
SILENCES = {"train": 400, "voices": 60, "engine": 60, "new engine": 60}


def load_bundled(vocabulary: str, per_class: int | None, seed: int) -> Keywords:
    """Load the shipped corpus for one vocabulary; see `load_keywords`."""
    with np.load(io.BytesIO(read_verified(FILE)), allow_pickle=False) as arrays:
        stored = dict(arrays)
    classes = VOCABULARIES[vocabulary]
    labels = np.array([_label(word, classes) for word in stored["word"].astype(np.str_).tolist()])
    split = stored["split"].astype(np.str_)
    spoken = np.flatnonzero(labels >= 0)
    places = spoken[choose_per_class(labels[spoken], split[spoken], per_class, seed)]
    columns = ("word", "voice", "engine", "split")
    word, voice, engine, part = (stored[name][places].astype(np.str_) for name in columns)
    source = "keywords spoken by text-to-speech engines"
    clips = _decoded(stored, places)
    words = Keywords(clips, labels[places], classes, word, voice, engine, part, source)
    return words if SILENCE not in classes else _with_silence(words, per_class, seed)


def _label(word: str, classes: tuple[str, ...]) -> int:
    if word in classes:
        return classes.index(word)
    apart = word in WAKE_WORDS or word in OTHER_WORDS
    return classes.index(UNKNOWN) if UNKNOWN in classes and not apart else -1


def _decoded(stored: dict[str, NDArray[np.generic]], places: NDArray[np.int64]) -> NDArray[np.int16]:
    """Decode the files that hold the clips at `places`; each clip in the middle of its second."""
    lengths = stored["samples"].astype(np.int64)
    engines, words = (stored[name].astype(np.str_).tolist() for name in ("engine", "word"))
    files = text_array([f"{engine}/{word}" for engine, word in zip(engines, words, strict=True)])
    clips = np.zeros((len(places), SAMPLES), np.int16)
    row = {int(place): number for number, place in enumerate(places)}
    for file in dict.fromkeys(files[places].tolist()):
        members = np.flatnonzero(files == file)
        sound = _decode(file, stored[file].tobytes(), int((lengths[members] + GAP).sum()))
        starts = np.cumsum(lengths[members] + GAP) - lengths[members] - GAP
        for member, start in zip(members.tolist(), starts.tolist(), strict=True):
            if member in row:
                length = int(lengths[member])
                first = (SAMPLES - length) // 2
                clips[row[member], first : first + length] = sound[start : start + length]
    return clips


def _decode(name: str, content: bytes, expected: int) -> NDArray[np.int16]:
    import soundfile

    try:
        sound, rate_hz = soundfile.read(io.BytesIO(content), dtype="int16")
    except soundfile.SoundFileError as error:
        raise DataError(
            f"this system's libsndfile cannot decode Opus ({error}): install soundfile from PyPI, whose "
            "wheels bring their own"
        ) from error
    if rate_hz != RATE_HZ or len(sound) < expected:
        raise DataError(f"{name} in data/{FILE} decodes to {len(sound):,} samples, not {expected:,}")
    decoded: NDArray[np.int16] = sound
    return decoded


def _with_silence(words: Keywords, per_class: int | None, seed: int) -> Keywords:
    """Add the class of backgrounds, made from formulas, to each part of the split."""
    counts = {part: min(count, per_class or count) for part, count in SILENCES.items()}
    sounds, kinds = backgrounds(sum(counts.values()), seed)
    split = [part for part, count in counts.items() for _ in range(count)]
    return words.with_silence(sounds, kinds, "formulas", split)
