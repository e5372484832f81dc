"""A folder of recordings of words, by one or many speakers, as one-second clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.keywords import speakers
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
_SHORTEST = RATE_HZ // 10  # a tenth of a second: no word is shorter
_QUIETEST = 2 / 32768  # what an open microphone never stays below


def load_folder(folder: Path, per_class: int | None, seed: int) -> Keywords:
    """Load recordings; see `load_keywords`.

    If every folder is one of the 12 classes, `classes` are those, in the order that the course's
    networks use. The split is "train" and "test", by speaker where the names tell one; `caution` says
    where they do not.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}: give one with a folder of recordings for each word")
    files, skipped = _listed(folder)
    told = speakers.spoken([PurePath(path.relative_to(folder)) for path in files])
    words = [ALIASES.get(one.word, one.word) for one in told]
    parts, caution = speakers.split(told)
    classes = _classes(words)
    labels = np.array([classes.index(word) for word in words], np.int64)
    found: list[tuple[int, NDArray[np.int16]]] = []
    notes: Counter[str] = Counter()
    for place in choose_per_class(labels, text_array(parts), per_class, seed).tolist():
        try:
            sound = read_sound(files[place])
            check_word(sound, words[place])
        except DataError as error:
            skipped.append(f"{files[place].parent.name}/{error}")
            continue
        found += [(place, piece) for piece in _seconds(sound, whole=words[place] == SILENCE)]
        notes.update(_done(sound, words[place]))
    _check_words(folder, words, {words[place] for place, _ in found}, skipped)
    places = np.array([place for place, _ in found])
    return Keywords(
        np.stack([piece for _, piece in found]),
        labels[places],
        classes,
        text_array(words)[places],
        text_array([one.speaker or path.stem for one, path in zip(told, files, strict=True)])[places],
        text_array(["recorded"] * len(found)),
        text_array(parts)[places],
        str(folder.name),
        tuple(skipped),
        tuple(sorted(notes.items())),
        caution,
    )


def check_word(sound: Sound, word: str) -> None:
    """Refuse what cannot be a word: a click, and the silence of a microphone that was off.

    Raises:
        DataError: it is one of these; for the class `SILENCE` neither is wrong.
    """
    if word == SILENCE:
        return
    if len(sound.samples) < _SHORTEST:
        raise DataError(f"{sound.name} lasts {sound.seconds:.3f} s, and no word does: record it again")
    if np.abs(sound.samples).max() <= _QUIETEST:
        raise DataError(f"{sound.name} is silent throughout: the microphone was off, or muted")


def _check_words(folder: Path, words: list[str], usable: set[str], skipped: list[str]) -> None:
    """Refuse a folder from which nothing can be learnt: a word without clips, or one word alone."""
    reasons = "".join(f"\n  {reason}" for reason in skipped[:10])
    if not usable:
        raise DataError(
            f"no recording in {folder} can be used: put {', '.join(SUFFIXES)} files into a folder for "
            f"each word{reasons}"
        )
    bare = [path for path in folder.iterdir() if path.is_dir() and not any(path.iterdir())]
    empty = {ALIASES.get(path.name.lower(), path.name.lower()) for path in bare}
    if without := sorted((set(words) | empty) - usable):
        raise DataError(
            f"no usable recording of {without[0]!r} in {folder}: record it, or take its folder "
            f"away{reasons}"
        )
    if len(usable) < 2:
        raise DataError(
            f"{folder} holds one word only, {min(usable)!r}: add a folder for another, or one named "
            f"unknown with other words{reasons}"
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
    yield from sound.notes
    if sound.file_rate_hz != RATE_HZ:
        yield f"resampled to {RATE_HZ:,} Hz"
    if sound.file_channels > 1:
        yield "several channels mixed to one"
    if len(sound.samples) < SAMPLES:
        yield "shorter than a second, zeros added around it"
    if len(sound.samples) > SAMPLES:
        yield "background cut into seconds" if word == SILENCE else "longer, its loudest second kept"


def _listed(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the sound files that name a word, and what else lies about, with what to do about it."""
    files, skipped = [], []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_dir() or any(part.startswith(".") for part in name.parts):
            continue
        if path.suffix.lower() not in SUFFIXES:
            skipped.append(f"{name.as_posix()}: {_cure(path)}")
        elif len(name.parts) in (2, 3) or len(path.stem.split("_")) == 3:
            files.append(path)
        else:
            skipped.append(f"{name.as_posix()}: move it into the folder of its word")
    return files, skipped


def _cure(path: Path) -> str:
    if path.suffix.lower() in (".m4a", ".aac", ".mp3", ".amr", ".3gp", ".mp4", ".webm", ".wma"):
        return f"not read here; turn it into WAV: ffmpeg -i {path.name} {path.stem}.wav"
    if path.suffix.lower() == ".zip":
        return "not read here; unpack it, with a folder for each word"
    return "no sound file; save it as WAV, FLAC or Ogg"


def _classes(words: list[str]) -> tuple[str, ...]:
    found = set(words)
    if found <= set(KEYWORD_CLASSES):
        return KEYWORD_CLASSES
    last = [name for name in (UNKNOWN, SILENCE) if name in found]
    return (*sorted(found.difference(last)), *last)
