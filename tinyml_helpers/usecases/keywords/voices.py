"""More voices for words of yours: eSpeak NG says them too, where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from tinyml_helpers.datasets.keywords.clips import OTHER_WORDS, SILENCE, UNKNOWN, Keywords
from tinyml_helpers.datasets.keywords.folder import fit_second
from tinyml_helpers.datasets.sound_files import decode_sound

ENGINE = "eSpeak NG, synthetic"
_EACH = 40  # clips of a word
_VARIANTS = (*(f"m{number}" for number in range(1, 8)), *(f"f{number}" for number in range(1, 6)))


def add_voices(spoken: Keywords, language: str, seed: int) -> Keywords:
    """Return the clips and, in the part "train" alone, 40 more of each word by synthetic voices.

    The class of unknown words gets other English words by the same voices: otherwise a network would
    learn that who sounds like the engine says one of yours.

    Args:
        spoken: what `load_keywords(folder)` gives.
        language: as eSpeak NG calls it, such as en, en-gb, de or pt-br.
        seed: of variants, speeds and pitches.

    Raises:
        ValueError: eSpeak NG is not there, or has no such language.
    """
    engine = shutil.which("espeak-ng")
    if engine is None:
        raise ValueError(
            "no espeak-ng on this computer: install it (on Debian: apt install espeak-ng), or leave "
            "the synthetic voices out"
        )
    if not re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]+)*", language):
        raise ValueError(f"{language!r} is no language of eSpeak NG: `espeak-ng --voices` lists them")
    draw = np.random.default_rng(seed)
    recorded = [word for word in spoken.classes if word in spoken.words]
    texts = [(word, text) for word in recorded for text in _texts(word, spoken, draw)]
    voices = [f"{language}+{variant}" for variant in draw.choice(_VARIANTS, len(texts))]
    bar = tqdm(zip(texts, voices, strict=True), total=len(texts), unit="clip", desc="speaking", delay=2)
    clips = np.stack([_say(engine, voice, text, draw) for (_, text), voice in bar])
    words = [word for word, _ in texts]
    labels = [spoken.classes.index(word) for word in words]
    count = len(texts)
    return replace(
        spoken,
        clips=np.concatenate([spoken.clips, clips]),
        labels=np.append(spoken.labels, np.array(labels, np.int64)),
        words=np.append(spoken.words, words),
        voices=np.append(spoken.voices, voices),
        engines=np.append(spoken.engines, [ENGINE] * count),
        split=np.append(spoken.split, ["train"] * count),
    )


def _texts(word: str, spoken: Keywords, draw: np.random.Generator) -> Iterator[str]:
    """What is said for a class."""
    if word == UNKNOWN:
        others = [one for one in OTHER_WORDS if one not in spoken.classes]
        yield from draw.choice(others, _EACH).tolist()
    elif word != SILENCE:
        yield from [word] * _EACH


def _say(engine: str, voice: str, text: str, draw: np.random.Generator) -> NDArray[np.int16]:
    """Return a second in which a voice says something: int16 [16000]."""
    speed, pitch = str(draw.integers(110, 220)), str(draw.integers(15, 85))
    command = [engine, "-v", voice, "-s", speed, "-p", pitch, "--stdin", "--stdout"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=60)
    if done.returncode or not done.stdout:
        raise ValueError(
            f"eSpeak NG does not speak {voice.partition('+')[0]!r}: `espeak-ng --voices` lists its own"
        )
    sound = fit_second(decode_sound("what eSpeak NG said", done.stdout).samples)
    level = draw.uniform(0.1, 0.8) / max(float(np.abs(sound).max()), 1e-3)
    return (32767 * level * sound).astype(np.int16)
