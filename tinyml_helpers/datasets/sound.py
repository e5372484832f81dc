"""Sound files of any rate and number of channels, as one channel at the rate that you need."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.shipped import DataError

SUFFIXES = (".wav", ".flac", ".ogg")
"""Names that a sound file may end in, in lower case."""


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
        DataError: no such file, not a sound file, damaged, without a single sample, or with values
            that are no numbers.
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
            channels: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise DataError(
            f"{path.name} cannot be read as sound ({error}): save it again as WAV, FLAC or Ogg"
        ) from error
    if not len(channels):
        raise DataError(f"{path.name} holds no samples: record it again")
    if len(channels) < promised or _cut_short(path):
        raise DataError(f"{path.name} breaks off after {len(channels):,} samples: copy it again")
    if not np.isfinite(channels).all():
        raise DataError(f"{path.name} holds values that are no numbers: save it again as 16-bit WAV")
    return channels, rate


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
