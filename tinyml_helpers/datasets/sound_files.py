"""Sound files of any rate and number of channels, as one channel at the rate that you need."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.untrusted import one_line

SUFFIXES = (".wav", ".flac", ".ogg")
"""Names that a sound file may end in, in lower case."""
RATES_HZ = (1_000, 384_000)
"""Least and greatest rate of a file: below is no sound, beyond no recorder."""
MOST_SAMPLES = 64_000_000
"""Of all channels together, a quarter of a gigabyte: an hour at 16 kHz."""
_LOUDEST = 1000.0  # times full scale; float files may go a little beyond 1


@dataclass(frozen=True, repr=False, eq=False)
class Sound:
    """One channel of sound: `samples` float32 [N], full scale is -1 to 1, at `rate_hz`.

    `file_rate_hz` and `file_channels` say what the file held.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    name: str
    file_rate_hz: int
    file_channels: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate_hz

    def __repr__(self) -> str:
        told = [f"{self.name}: {self.seconds:.2f} s at {self.rate_hz:,} Hz"]
        if self.file_rate_hz != self.rate_hz:
            told.append(f"resampled from {self.file_rate_hz:,} Hz")
        if self.file_channels > 1:
            told.append(f"{self.file_channels} channels mixed to one")
        return ", ".join(told)


def read_sound(path: str | Path, rate_hz: int = 16_000) -> Sound:
    """Read a WAV, FLAC or Ogg file as one channel at `rate_hz`.

    Several channels are averaged; another rate is changed by a polyphase filter that lets nothing
    through above half of the new one.

    Args:
        path: the file.
        rate_hz: samples in a second that you want.

    Raises:
        DataError: no such file, not a sound file, damaged, without a single sample, with values that
            are no numbers, too long, or of a rate outside of `RATES_HZ`.
        ValueError: a rate that is not above zero.
    """
    if rate_hz <= 0:
        raise ValueError(f"rate_hz {rate_hz}: give samples per second above zero, such as 16000")
    path = Path(path)
    channels, file_rate_hz = _decode(path)
    mono = channels.mean(1)
    if file_rate_hz != rate_hz:
        mono = _resampled(mono, file_rate_hz, rate_hz)
    return Sound(mono.astype(np.float32), rate_hz, path.name, file_rate_hz, channels.shape[1])


def _decode(path: Path) -> tuple[NDArray[np.float32], int]:
    import soundfile

    if not path.is_file():
        raise DataError(f"no sound file {path}: give the path of a {', '.join(SUFFIXES)} file")
    try:
        with soundfile.SoundFile(path) as file:
            promised, rate = len(file), int(file.samplerate)
            _check_size(path.name, promised, rate, file.channels)
            channels: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{path.name} cannot be read as sound ({one_line(error)}): save it again as WAV, FLAC or Ogg"
        ) from error
    if not len(channels):
        raise DataError(f"{path.name} holds no samples: record it again")
    if len(channels) < promised or _cut_short(path):
        raise DataError(f"{path.name} breaks off after {len(channels):,} samples: copy it again")
    if not (np.abs(channels) <= _LOUDEST).all():
        raise DataError(
            f"{path.name} holds values that are no numbers, or far from -1 to 1: save it again as "
            "16-bit WAV"
        )
    return channels, rate


def _check_size(name: str, frames: int, rate_hz: int, channels: int) -> None:
    """Refuse what the file's header promises, before memory is claimed for it."""
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise DataError(
            f"{name} has {rate_hz:,} samples a second: give one of {RATES_HZ[0]:,} to {RATES_HZ[1]:,}"
        )
    if frames * channels > MOST_SAMPLES:
        raise DataError(
            f"{name} has {frames * channels:,} samples in {channels} channels, or says so: cut it into "
            f"files of {MOST_SAMPLES:,} at the most"
        )


def _cut_short(path: Path) -> bool:
    """Return whether a WAV file is shorter than its header says (libsndfile passes over that)."""
    with path.open("rb") as file:
        start = file.read(8)
    promised = int.from_bytes(start[4:8], "little")
    # Programs that write to a pipe leave 0 or the largest number.
    return start[:4] == b"RIFF" and 0 < promised < 0xFFFFFF00 and path.stat().st_size < promised + 8


def _resampled(samples: NDArray[np.float32], file_rate_hz: int, rate_hz: int) -> NDArray[np.float32]:
    from scipy.signal import resample_poly

    shared = gcd(file_rate_hz, rate_hz)
    changed: NDArray[np.float32] = resample_poly(samples, rate_hz // shared, file_rate_hz // shared)
    return changed
