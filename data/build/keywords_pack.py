"""Second step of the keyword corpus: keep what can be recognised, split it by voice, pack it.

    python data/build/keywords_pack.py --engines FOLDER --work FOLDER

Reads what keywords_speak.py wrote and makes data/keywords.npz and data/keywords.json. A command stays
if the MLPerf Tiny network, which has heard real people (data/models/kws-teacher.safetensors), gives it
at least `RECOGNISED`; other words stay. So the corpus itself was sorted by ears that know real speech.
Each file of sound holds all clips of one word by one engine, as Ogg Opus. Run manifest.py afterwards.
"""

import argparse
import io
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from keyword_voices import RATE_HZ, Espeak, Samples  # type: ignore[import-not-found]
from keyword_words import COUNTS  # type: ignore[import-not-found]

from tinyml_helpers.datasets import data_folder
from tinyml_helpers.datasets.keywords.clips import COMMANDS
from tinyml_helpers.usecases.keywords import features, network

RECOGNISED = 0.2
# libsndfile's measure of Opus: about 15 kbit/s.
COMPRESSION = 0.964
GAP = RATE_HZ // 50
HELD_OUT_ENGINES = {"joe": "engine", "pico": "new engine"}
# Of the other engines the voices named here; of eSpeak every eighth variant, of Kokoro its own pool.
HELD_OUT_VOICES = {"flite": {"rms"}, "festival": {"ked-diphone"}}


@dataclass(frozen=True)
class Spoken:
    """All clips of one engine: samples, and word and voice of each."""

    engine: str
    clips: list[Samples]
    words: list[str]
    voices: list[str]


def read(work: Path, engine: str) -> Spoken:
    """Read what keywords_speak.py wrote of an engine."""
    with np.load(work / f"{engine}.npz") as stored:
        clips = np.split(stored["samples"], np.cumsum(stored["lengths"])[:-1])
        return Spoken(engine, clips, stored["words"].tolist(), stored["voices"].tolist())


def recognised(spoken: Spoken) -> list[bool]:
    """Return which clips are no command, or one that the network recognises."""
    teacher = network.load_trained("teacher")
    inputs = np.stack([features.network_input(features.features(_centred(c))) for c in spoken.clips])
    with torch.no_grad():
        says = teacher(torch.from_numpy(inputs)[:, None]).softmax(1).numpy()
    return [
        word not in COMMANDS or bool(row[COMMANDS.index(word)] >= RECOGNISED)
        for word, row in zip(spoken.words, says, strict=True)
    ]


def _centred(clip: Samples) -> np.ndarray:
    second = np.zeros(RATE_HZ, np.float32)
    start = (RATE_HZ - len(clip)) // 2
    second[start : start + len(clip)] = clip
    return features.to_int16(second)


def splits(spoken: Spoken, variants: list[str]) -> list[str]:
    """Return the part of each clip.

    "train", "voices" (a voice held out), "engine" (an engine held out of some networks) or "new engine"
    (one held out of all).
    """
    if spoken.engine in HELD_OUT_ENGINES:
        return [HELD_OUT_ENGINES[spoken.engine]] * len(spoken.clips)
    held = set(HELD_OUT_VOICES.get(spoken.engine, ()))
    if spoken.engine == "espeak":
        held = {voice for voice in spoken.voices if variants.index(voice.split("+")[1]) % 8 == 4}
    if spoken.engine == "kokoro":
        styles = sorted({style for voice in spoken.voices for style in voice.split("*")})
        pool = {style for place, style in enumerate(styles) if place % 5 == 2}
        held = {voice for voice in spoken.voices if voice.split("*")[0] in pool}
    return ["voices" if voice in held else "train" for voice in spoken.voices]


def packed(clips: list[Samples]) -> bytes:
    """Return clips as one Ogg Opus file, a gap of 20 ms after each."""
    joined = np.concatenate([np.append(clip, np.zeros(GAP, np.float32)) for clip in clips])
    file = io.BytesIO()
    soundfile.write(file, joined, RATE_HZ, "OPUS", format="OGG", compression_level=COMPRESSION)
    return file.getvalue()


def main() -> None:
    """Filter, split and pack all engines."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--work", type=Path, required=True)
    arguments.add_argument("--engines", type=Path, required=True)
    options = arguments.parse_args()
    variants = Espeak(options.engines).variants
    files: dict[str, np.ndarray] = {}
    rows: list[tuple[str, str, str, str, int]] = []
    report: dict[str, dict[str, float | int]] = {}
    for engine in (name for name in COUNTS if (options.work / f"{name}.npz").is_file()):
        spoken = read(options.work, engine)
        kept, parts = recognised(spoken), splits(spoken, variants)
        for word in dict.fromkeys(spoken.words):
            chosen = [n for n, w in enumerate(spoken.words) if w == word and kept[n]]
            if not chosen:
                continue
            content = packed([spoken.clips[n] for n in chosen])
            files[f"{engine}/{word}"] = np.frombuffer(content, np.uint8)
            rows += [(engine, word, spoken.voices[n], parts[n], len(spoken.clips[n])) for n in chosen]
        commands = [k for k, w in zip(kept, spoken.words, strict=True) if w in COMMANDS]
        report[engine] = {
            "spoken": len(kept),
            "kept": sum(kept),
            "commands_recognised_percent": round(100 * float(np.mean(commands)), 1),
            "voices": len(set(spoken.voices)),
            "bytes": sum(len(v) for k, v in files.items() if k.startswith(engine + "/")),
        }
    names = ("engine", "word", "voice", "split", "samples")
    # Text of one byte a character; it is all ASCII.
    index = {
        name: np.array(column, np.int32 if name == "samples" else np.bytes_)
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    np.savez(data_folder() / "keywords.npz", **index, **files)  # type: ignore[arg-type]
    report["all"] = {"kept": len(rows), **Counter(row[3] for row in rows)}
    (data_folder() / "keywords.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    print(json.dumps(report, indent=1), (data_folder() / "keywords.npz").stat().st_size)


if __name__ == "__main__":
    main()
