"""Sound files of any rate and number of channels, as one channel at the rate that you need."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.untrusted import check_size, one_line

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus")
"""Names that a sound file may end in, in lower case."""
RATES_HZ = (1_000, 384_000)
"""Least and greatest rate of a file: below is no sound, beyond no recorder."""
MOST_SAMPLES = 64_000_000
"""Of all channels together, a quarter of a gigabyte: an hour at 16 kHz."""
MOST_BYTES = 4 * MOST_SAMPLES
"""Of the file: an hour at 16 kHz in 32 bits."""
_LOUDEST = 1000.0  # times full scale; float files may go a little beyond 1


@dataclass(frozen=True, repr=False, eq=False)
class Sound:
    """One channel of sound: `samples` float32 [N], full scale is -1 to 1, at `rate_hz`.

    `file_rate_hz` and `file_channels` say what the file held, `notes` what was amiss with it.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    name: str
    file_rate_hz: int
    file_channels: int
    notes: tuple[str, ...] = ()

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
        return ", ".join([*told, *self.notes])


def read_sound(path: str | Path, rate_hz: int | None = 16_000) -> Sound:
    """Read a WAV, FLAC or Ogg (Vorbis, Opus) file as one channel at `rate_hz`.

    Several channels are averaged, but where they cancel each other the loudest is taken. A WAV file
    whose header was never finished, or promises more than there is, is read to its end. Another rate is
    changed by a polyphase filter that lets nothing through above half of the new one.

    Args:
        path: the file.
        rate_hz: samples in a second that you want; None for those of the file.

    Raises:
        DataError: no such file, not a sound file, damaged, without a single sample, with values that
            are no numbers, too long, or of a rate outside of `RATES_HZ`.
        ValueError: a rate that is not above zero.
    """
    if rate_hz is not None and rate_hz <= 0:
        raise ValueError(f"rate_hz {rate_hz}: give samples per second above zero, such as 16000")
    path = Path(path)
    return decode_sound(path.name, _content(path), rate_hz)


def decode_sound(name: str, content: bytes, rate_hz: int | None = 16_000) -> Sound:
    """Read the bytes of a sound file, as `read_sound` does.

    Args:
        name: what an error calls it.
        content: all of the file.
        rate_hz: samples in a second that you want, above zero; None for those of the file.

    Raises:
        DataError: as from `read_sound`.
    """
    mended = _with_true_sizes(content)
    notes = () if mended is None else ("its header is wrong, read to the file's end",)
    channels, file_rate_hz = _decode(name, mended or content)
    mono, mixed = _mixed(channels)
    rate_hz = rate_hz or file_rate_hz
    if file_rate_hz != rate_hz:
        mono = _resampled(mono, file_rate_hz, rate_hz)
    samples, count = mono.astype(np.float32), channels.shape[1]
    return Sound(samples, rate_hz, name, file_rate_hz, count, (*notes, *mixed))


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise DataError(f"no sound file {path}: give the path of a {', '.join(SUFFIXES)} file")
    try:
        check_size(path, MOST_BYTES)
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({one_line(error)})") from error


def _with_true_sizes(content: bytes) -> bytes | None:
    """Correct the sizes in a WAV file's header; None where they are right, or it is none.

    Recorders on a memory card write the header first and do not always come back to fill it in; a copy
    that broke off has less than its header says.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return None
    place = 12
    while place + 8 <= len(content):
        size, rest = int.from_bytes(content[place + 4 : place + 8], "little"), len(content) - place - 8
        if content[place : place + 4] == b"data":
            if 0 < size <= rest or rest == 0:
                return None
            whole, data = struct.pack("<I", len(content) - 8), struct.pack("<I", rest)
            return b"RIFF" + whole + content[8 : place + 4] + data + content[place + 8 :]
        place += 8 + size + size % 2
    return None


def _decode(name: str, content: bytes) -> tuple[NDArray[np.float32], int]:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            rate = int(file.samplerate)
            _check_size(name, len(file), rate, file.channels)
            channels: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{name} cannot be read as sound ({one_line(error)}): save it again as WAV, FLAC or Ogg"
        ) from error
    if not len(channels):
        raise DataError(f"{name} holds no samples: record it again")
    if not (np.abs(channels) <= _LOUDEST).all():
        raise DataError(
            f"{name} holds values that are no numbers, or far from -1 to 1: save it again as 16-bit WAV"
        )
    return channels, rate


def _mixed(channels: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Mix channels [N, channels] to one [N]; of two of opposite sign nothing would be left."""
    mono: NDArray[np.float32] = channels.mean(1)
    loud = np.square(channels, dtype=np.float64).mean(0)
    if channels.shape[1] > 1 and np.square(mono, dtype=np.float64).mean() < 0.01 * loud.max():
        return channels[:, int(loud.argmax())], ("its channels cancel each other, the loudest taken",)
    return mono, ()


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


def _resampled(samples: NDArray[np.float32], file_rate_hz: int, rate_hz: int) -> NDArray[np.float32]:
    from scipy.signal import resample_poly

    shared = gcd(file_rate_hz, rate_hz)
    changed: NDArray[np.float32] = resample_poly(samples, rate_hz // shared, file_rate_hz // shared)
    return changed
