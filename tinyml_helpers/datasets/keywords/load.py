"""Spoken keywords: the corpus that ships, real people's words by download, or your own recordings."""

from __future__ import annotations

from pathlib import Path

from tinyml_helpers.datasets.keywords import bundled, folder, speech_commands
from tinyml_helpers.datasets.keywords.clips import VOCABULARIES, Keywords, Vocabulary
from tinyml_helpers.system import own_files


def load_keywords(
    source: str | Path = "bundled",
    *,
    vocabulary: Vocabulary = "commands",
    per_class: int | None = None,
    seed: int = 0,
) -> Keywords:
    """Load spoken keywords as seconds of 16 kHz sound.

    Args:
        source: "bundled" for the synthetic corpus that ships, split into "train", "voices" (voices
            not in "train"), "engine" (an engine not in "train") and "new engine" (one on which no
            network of the course was trained, and nothing chosen); "speech_commands" for 105,829
            words of real people (2.3 GB, fetched once, verified, resumed where it broke off), split
            as its authors do; or a folder with a folder of WAV, FLAC or Ogg files for each word.
        vocabulary: of "bundled": "commands"; "digits"; "wake words"; or "other words", on which none of
            the course's networks was measured or trained as a class, some close to a command.
        per_class: at most so many clips of each class in each part of the split, chosen by `seed`;
            all of them without it.
        seed: of that choice, and of the backgrounds in the class "silence".

    Raises:
        ValueError: unknown vocabulary, or fewer than one clip a class.
        DataError: a file of the course is damaged, the download failed, or the folder holds no words.

    Source: Warden, Speech Commands, arXiv 1804.03209, for the 12 classes and the split by speaker.
    """
    if vocabulary not in VOCABULARIES:
        raise ValueError(f"unknown vocabulary {vocabulary!r}: choose one of {', '.join(VOCABULARIES)}")
    if per_class is not None and per_class < 1:
        raise ValueError(f"per_class {per_class}: give at least 1, or leave it out for all")
    if source == "bundled":
        return bundled.load_bundled(vocabulary, per_class, seed)
    if source == "speech_commands":
        return speech_commands.load_speech_commands(per_class, seed)
    return folder.load_folder(own_files.find(source), per_class, seed)
