"""Recordings of words, kept one by one in a folder of yours, as `load_keywords` reads it."""

from __future__ import annotations

import io
import re
import tempfile
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from tinyml_helpers.datasets.keywords.clips import RATE_HZ, SILENCE, UNKNOWN
from tinyml_helpers.datasets.keywords.folder import check_word
from tinyml_helpers.datasets.keywords.speakers import Spoken, spoken
from tinyml_helpers.datasets.sound_files import SUFFIXES, decode_sound
from tinyml_helpers.system.folders import write_atomically
from tinyml_helpers.system.shared_folders import lock_folder
from tinyml_helpers.system.shipped_files import DataError

MOST_BYTES = 400_000
"""Of one recording: a second in 16 bits at 192,000 Hz, more than any sound card gives."""
_MOST_SECONDS = 1.5
_MOST_LETTERS = 40
_WORD = re.compile(r"[^\W_]+(?:[ '][^\W_]+)*")
_SPEAKER = re.compile(r"[^\W\d_]+(?:_[^\W\d_]+)*")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)")  # no folder of Windows has such a name


@dataclass(frozen=True)
class Takes:
    """Recordings in `folder`: word/speaker_n.wav, 16 kHz, 16 bits, one channel.

    Attributes:
        folder: nothing is written beside it.
        words: what may be recorded.
    """

    folder: Path
    words: tuple[str, ...]

    def open(self) -> None:
        """Make the folder if it is not there, and try whether it can be written to.

        Raises:
            OSError: it cannot.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                return
        except OSError as error:
            raise OSError(
                f"nothing can be written to {self.folder} ({error.strerror}): choose another folder"
            ) from error

    def count(self) -> dict[str, dict[str, int]]:
        """Return how many recordings are there: word -> speaker -> files."""
        return {word: dict(Counter(name for name, _ in self._there(word))) for word in self.words}

    def keep(self, word: str, speaker: str, content: bytes) -> PurePath:
        """Write a recording under the next number of its speaker; no file is ever replaced.

        Args:
            word: one of `words`.
            speaker: a name, see `read_speaker`.
            content: a WAV file of a second, of any rate.

        Returns:
            The file, relative to `folder`.

        Raises:
            ValueError: another word, or no name.
            DataError: no WAV file, damaged, too large, too long, too short, or silent throughout; or
                the word's folder is a link that leads out of `folder`.
            OSError: no room, or no permission.
        """
        if word not in self.words:
            raise ValueError(f"no word {word[:_MOST_LETTERS]!r}: choose one of {', '.join(self.words)}")
        speaker = read_speaker(speaker, self.words)
        wave = _as_wave(word, content)
        place = self.folder / word
        if not place.resolve().is_relative_to(self.folder.resolve()):
            raise DataError(f"{place} leads out of {self.folder}: take the link away")
        with lock_folder(self.folder):
            number = 1 + max((n for name, n in self._there(word) if name == speaker), default=0)
            write_atomically(place / f"{speaker}_{number}.wav", wave)
        return PurePath(word, f"{speaker}_{number}.wav")

    def _there(self, word: str) -> list[tuple[str, int]]:
        """Speaker and number of each recording of a word."""
        names = [
            unicodedata.normalize("NFC", path.stem.lower()).rpartition("_")
            for path in sorted((self.folder / word).glob("[!.]*"))
            if path.suffix.lower() in SUFFIXES
        ]
        return [(speaker, int(number)) for speaker, _, number in names if number.isdecimal()]


def _as_wave(word: str, content: bytes) -> bytes:
    """Check a recording, and return it as WAV of ours: of a stranger's bytes none is written."""
    import soundfile

    if len(content) > MOST_BYTES:
        raise DataError(f"{len(content):,} bytes: a recording has {MOST_BYTES:,} at the most")
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise DataError("this is no WAV file: send one")
    sound = decode_sound("the recording", content, RATE_HZ)
    if sound.seconds > _MOST_SECONDS:
        raise DataError(f"the recording lasts {sound.seconds:.1f} s, and a word has one second")
    check_word(sound, word)
    samples = np.rint(32768 * sound.samples.astype(np.float64)).clip(-32768, 32767).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, format="WAV", subtype="PCM_16")
    return file.getvalue()


def read_words(text: str) -> tuple[str, ...]:
    """Return words to record, and `unknown`: who learnt no others takes any word for its own.

    Args:
        text: with commas between.

    Raises:
        ValueError: one that cannot be the name of a folder.
    """
    named = [unicodedata.normalize("NFC", word.strip().lower()) for word in text.split(",")]
    for word in named:
        if not _WORD.fullmatch(word) or len(word) > _MOST_LETTERS or _DEVICES.fullmatch(word):
            raise ValueError(
                f"{word[:_MOST_LETTERS]!r} cannot be the name of a folder: give words of letters and "
                "digits, with commas between, such as blue,green"
            )
    last = [UNKNOWN, *([SILENCE] if SILENCE in named else [])]
    return (*(word for word in dict.fromkeys(named) if word not in last), *last)


def read_speaker(name: str, words: tuple[str, ...]) -> str:
    """Return a speaker's name as it stands in files: small letters, with _ between its parts.

    Args:
        name: letters; blanks and hyphens between them.
        words: that are spoken.

    Raises:
        ValueError: `load_keywords` would read another name, or none, from such a file.
    """
    speaker = re.sub(r"[\s-]+", "_", unicodedata.normalize("NFC", name.strip().lower()))
    fits = bool(_SPEAKER.fullmatch(speaker)) and len(speaker) <= _MOST_LETTERS
    for word in words if fits else ():
        files = [PurePath(word, f"{speaker}_{number}.wav") for number in (1, 2)]
        fits &= spoken(files)[0] == Spoken(word, speaker)
    if not fits:
        raise ValueError(
            f"{name[:_MOST_LETTERS]!r} cannot be a speaker's name: give letters only, such as ana; no "
            "word that is recorded, and nothing that any file is called, such as audio"
        )
    return speaker
