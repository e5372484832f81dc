"""A folder of recordings, a folder in it for each word, as one-second clips."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.keywords.clips import (
    KEYWORD_CLASSES,
    RATE_HZ,
    SAMPLES,
    SILENCE,
    UNKNOWN,
    Keywords,
    choose_per_class,
    text_array,
)
from tinyml_helpers.datasets.sound_files import SUFFIXES, Sound, read_sound
from tinyml_helpers.system.shipped_files import DataError

# Folders that are no word, as Speech Commands and others name them.
ALIASES = {"_unknown_": UNKNOWN, "_silence_": SILENCE, "_background_noise_": SILENCE}
# Speech Commands names a file <speaker>_nohash_<take>.wav.
SPEAKER = re.compile(r"^([0-9a-f]{8})_nohash_")
TEST_SHARE = 0.2


def load_folder(folder: Path, per_class: int | None, seed: int) -> Keywords:
    """Load recordings; see `load_keywords`.

    If every folder is one of the 12 classes, `classes` are those, in the order that the course's
    networks use. The split is "train" and "test", by speaker where the file name tells one.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}: give one with a folder of recordings for each word")
    files, skipped = _listed(folder)
    words = [_word(path.parent.name) for path in files]
    split = [_part(_voice(path)) for path in files]
    classes = _classes(words)
    labels = np.array([classes.index(word) for word in words], np.int64)
    found: list[tuple[int, NDArray[np.int16]]] = []
    notes: Counter[str] = Counter()
    for place in choose_per_class(labels, text_array(split), per_class, seed).tolist():
        try:
            sound = read_sound(files[place])
            pieces = list(_seconds(sound, whole=words[place] == SILENCE))
        except DataError as error:
            skipped.append(f"{files[place].parent.name}/{error}")
            continue
        found += [(place, piece) for piece in pieces]
        notes.update(_done(sound, words[place]))
    if not found:
        reasons = "".join(f"\n  {reason}" for reason in skipped[:10])
        raise DataError(
            f"no recording in {folder} can be used: put {', '.join(SUFFIXES)} files into a folder for "
            f"each word{reasons}"
        )
    places = np.array([place for place, _ in found])
    return Keywords(
        np.stack([piece for _, piece in found]),
        labels[places],
        classes,
        text_array(words)[places],
        text_array([_voice(path) for path in files])[places],
        text_array(["recorded"] * len(found)),
        text_array(split)[places],
        str(folder.name),
        tuple(skipped),
        tuple(sorted(notes.items())),
    )


def fit_second(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32 [16000]: zeros around a short sound, of a long one its loudest second."""
    if len(samples) <= SAMPLES:
        before = (SAMPLES - len(samples)) // 2
        return np.pad(samples, (before, SAMPLES - len(samples) - before))
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    # The window may start anywhere; among equally loud ones the word belongs in the middle.
    sums = energy[SAMPLES:] - energy[:-SAMPLES]
    best = np.flatnonzero(sums >= 0.999 * sums.max())
    start = int(best[len(best) // 2])
    return samples[start : start + SAMPLES]


def _seconds(sound: Sound, *, whole: bool) -> Iterator[NDArray[np.int16]]:
    """Yield the clips of a file: one for a word, each whole second of a long background."""
    pieces = [fit_second(sound.samples)]
    if whole and len(sound.samples) >= 2 * SAMPLES:
        end = len(sound.samples) // SAMPLES * SAMPLES
        pieces = list(sound.samples[:end].reshape(-1, SAMPLES))
    for piece in pieces:
        yield (32767 * piece.clip(-1, 1)).astype(np.int16)


def _done(sound: Sound, word: str) -> Iterator[str]:
    if sound.file_rate_hz != RATE_HZ:
        yield f"resampled to {RATE_HZ:,} Hz"
    if sound.file_channels > 1:
        yield "several channels mixed to one"
    if len(sound.samples) < SAMPLES:
        yield "shorter than a second, zeros added around it"
    if len(sound.samples) > SAMPLES:
        yield "background cut into seconds" if word == SILENCE else "longer, its loudest second kept"


def _listed(folder: Path) -> tuple[list[Path], list[str]]:
    """Return sound files one folder down, and what else lies about, with what to do about it."""
    files, skipped = [], []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_dir() or any(part.startswith(".") for part in name.parts):
            continue
        if len(name.parts) == 2 and path.suffix.lower() in SUFFIXES:
            files.append(path)
        elif path.suffix.lower() in SUFFIXES:
            skipped.append(f"{name.as_posix()}: move it into the folder of its word")
        elif len(name.parts) == 2:
            skipped.append(f"{name.as_posix()}: no sound file; save it as WAV, FLAC or Ogg")
    empty = [path for path in sorted(folder.iterdir()) if path.is_dir() and not any(path.iterdir())]
    return files, skipped + [f"{path.name}: an empty folder" for path in empty]


def _word(folder_name: str) -> str:
    return ALIASES.get(folder_name.lower(), folder_name.lower())


def _classes(words: list[str]) -> tuple[str, ...]:
    found = set(words)
    if found <= set(KEYWORD_CLASSES):
        return KEYWORD_CLASSES
    last = [name for name in (UNKNOWN, SILENCE) if name in found]
    return (*sorted(found.difference(last)), *last)


def _voice(path: Path) -> str:
    speaker = SPEAKER.match(path.name)
    return speaker[1] if speaker else path.stem


def _part(voice: str) -> str:
    """Put a voice into "train" or "test": always the same one, whatever else lies in the folder."""
    share = int(hashlib.sha256(voice.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
    return "test" if share < TEST_SHARE else "train"
