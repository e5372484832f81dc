"""First step of the keyword corpus: let the text-to-speech engines speak.

    python data/build/keywords_speak.py --engines FOLDER --work FOLDER [espeak kokoro joe ...]

`--engines` holds the unpacked packages that keyword_voices.py names. Into `--work` goes a file per
engine: <engine>.npz, all clips one after the other. One core needs 10 minutes, nearly all of it for
Kokoro. keywords_pack.py takes it from there.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from keyword_voices import ENGINES, RATE_HZ, Samples  # type: ignore[import-not-found]
from keyword_words import counts  # type: ignore[import-not-found]

SEED = 6
# Quieter than this below the loudest moment is silence; so much of it stays at both ends.
FLOOR_DB, MARGIN = 40, RATE_HZ // 40


def main() -> None:
    """Run the engines named on the command line, one after the other."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("names", nargs="*", default=list(ENGINES))
    arguments.add_argument("--engines", type=Path, required=True)
    arguments.add_argument("--work", type=Path, required=True)
    options = arguments.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        start = time.monotonic()
        rng = np.random.default_rng([SEED, list(ENGINES).index(name)])
        clips = list(ENGINES[name](options.engines, counts(name), rng))
        cut = [trimmed(clip.samples) for clip in clips]
        np.savez(
            options.work / f"{name}.npz",
            samples=np.concatenate(cut),
            lengths=np.array([len(samples) for samples in cut]),
            words=np.array([clip.word for clip in clips]),
            voices=np.array([clip.voice for clip in clips]),
        )
        print(f"{name}: {len(clips):,} clips in {time.monotonic() - start:.0f} s")


def trimmed(samples: Samples) -> Samples:
    """Return the word without the silence around it, at most a second, its peak at a half."""
    frame = RATE_HZ // 100
    whole = samples[: len(samples) // frame * frame]
    loudness = np.sqrt((whole.reshape(-1, frame) ** 2).mean(1))
    heard = np.flatnonzero(loudness > loudness.max() * 10 ** (-FLOOR_DB / 20))
    start = max(heard[0] * frame - MARGIN, 0)
    word = samples[start : min((heard[-1] + 1) * frame + MARGIN, start + RATE_HZ)]
    scaled: Samples = (word / np.abs(word).max() / 2).astype(np.float32)
    return scaled


if __name__ == "__main__":
    main()
