"""Whose voice a recording is, as far as its name tells, and a split that keeps a voice on one side."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from tinyml_helpers.datasets.keywords.clips import KEYWORD_CLASSES

TEST_SHARE = 0.2
# Speech Commands names a file <speaker>_nohash_<take>.wav.
HASHED = re.compile(r"^([0-9a-f]{8})_nohash_")
# What recorders call any file.
_NOBODY = {
    "audio", "clip", "copy", "file", "memo", "mono", "new", "noname", "rec", "record", "recording",
    "sample", "sound", "stereo", "take", "track", "untitled", "voice", "wav",
}  # fmt: skip


@dataclass(frozen=True)
class Spoken:
    """What a recording's place tells: its word, and its speaker or ""."""

    word: str
    speaker: str


def spoken(places: Sequence[PurePath]) -> list[Spoken]:
    """Return word and speaker of recordings by their places in a folder.

    `word/speaker_n.wav`, `word/<hash>_nohash_n.wav`, `speaker/word/n.wav`, `word/speaker/n.wav`, or
    `speaker_word_n.wav` without folders. Where no name stands more than once, names are no speakers.

    Args:
        places: relative, of one to three parts.
    """
    turned = _word_comes_first(places)
    told = [_told(place, turned) for place in places]
    often = Counter(one.speaker for one in told)
    # A voice says more than one thing; names that never come back are numbers of files.
    known = sum(count for name, count in often.items() if name and count > 1) >= 0.8 * len(told)
    return told if known else [Spoken(one.word, "") for one in told]


def _told(place: PurePath, word_first: bool) -> Spoken:
    folders, stem = place.parts[:-1], place.stem.lower()
    if len(folders) == 2:
        word, speaker = folders if word_first else folders[::-1]
        return Spoken(word.lower(), speaker.lower())
    if hashed := HASHED.match(stem):
        return Spoken(folders[0].lower() if folders else "", hashed[1])
    if folders:
        return Spoken(folders[0].lower(), _name(stem, folders[0].lower()))
    first, _, rest = stem.partition("_")
    second = rest.partition("_")[0]
    # Some sets of digits begin with the word: 7_anna_3.wav.
    return Spoken(first, second) if first.isdigit() else Spoken(second, first)


def _name(stem: str, word: str) -> str:
    """Return what is left of a file's name without its word, numbers, and what recorders call it."""
    parts = [re.sub(r"\d+", "", part) for part in re.split(r"[_\s.()-]+", stem)]
    return "_".join(part for part in parts if part not in {*_NOBODY, word, ""})


def _word_comes_first(places: Iterable[PurePath]) -> bool:
    """Tell which of two folders is the word: the known ones, or else the inner."""
    deep = [place.parts for place in places if len(place.parts) == 3]
    outer, inner = ({parts[level].lower() for parts in deep} for level in (0, 1))
    return len(outer & set(KEYWORD_CLASSES)) > len(inner & set(KEYWORD_CLASSES))


def split(told: Sequence[Spoken]) -> tuple[list[str], str]:
    """Part recordings into "train" and "test", about one in five, with no voice on both sides.

    Returns:
        The part of each, and what the split cannot show, as a sentence; "" where it keeps voices apart.
    """
    speakers = {one.speaker for one in told} - {""}
    if len(speakers) > 1 and (chosen := _test_speakers(told, speakers)):
        return ["test" if one.speaker in chosen else "train" for one in told], ""
    parts = _last_of_each_word(told)
    if len(speakers) == 1:
        (only,) = speakers
        return parts, (
            f"One voice only ({only}): this says how well that voice is known again, not how well "
            "another would be."
        )
    if speakers:
        return parts, (
            "This split flatters: each word has one speaker only, so a voice is on both sides. Let "
            "each word be spoken by two people or more."
        )
    return parts, (
        "This split flatters: speakers cannot be told from the names, so a voice may be on both sides. "
        "Name the files speaker_1.wav, in a folder for each word."
    )


def _last_of_each_word(told: Sequence[Spoken]) -> list[str]:
    """Put the last recordings of each word into the test: neighbours were often made in one go."""
    parts = ["train"] * len(told)
    for word in {one.word for one in told}:
        places = [place for place, one in enumerate(told) if one.word == word]
        held = max(1, round(TEST_SHARE * len(places))) if len(places) > 1 else 0
        for place in places[len(places) - held :]:
            parts[place] = "test"
    return parts


def _test_speakers(told: Sequence[Spoken], speakers: set[str]) -> set[str]:
    """Choose speakers for the test, always the same ones, that leave every word a voice to train on."""
    voices = Counter(word for word, _ in {(one.word, one.speaker) for one in told})
    chosen: set[str] = set()
    for speaker in sorted(speakers, key=_order):
        words = {one.word for one in told if one.speaker == speaker}
        if len(chosen) >= max(1, round(TEST_SHARE * len(speakers))):
            break
        if all(voices[word] > 1 for word in words):
            chosen.add(speaker)
            voices.subtract(words)
    return chosen


def _order(name: str) -> float:
    """A number of a name from 0 to 1 that looks random, and is the same whatever else lies about."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
