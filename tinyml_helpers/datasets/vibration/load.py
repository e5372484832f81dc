"""Vibration of rotating machines: simulated ones, or your own from WAV or CSV files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets.vibration.folder import SUFFIXES, cut_alike, read_signal
from tinyml_helpers.datasets.vibration.simulator import machines as simulation
from tinyml_helpers.datasets.vibration.simulator.excitation import RATE_HZ
from tinyml_helpers.datasets.vibration.simulator.machines import FAULTS
from tinyml_helpers.system import own_files
from tinyml_helpers.system.folders import replace_when_written
from tinyml_helpers.system.shipped_files import DataError, cache_folder

SIZES_MM = (0.18, 0.36, 0.53)
"""Widths of a pit: the 7, 14 and 21 thousandths of an inch of the Case Western Reserve test rig."""
TRAINING, HELD_OUT, UNSEEN = range(24), range(24, 32), range(32, 40)
"""Numbers of the machines to train on, to choose settings on, and to look at in the end."""


@dataclass(frozen=True, eq=False, repr=False)
class Vibration:
    """Segments of vibration.

    Args:
        samples: int16 [N, SAMPLES] at `RATE_HZ`; of your own slow recordings another length and rate.
        machine: int64 [N], which machine each is of.
        fault: text [N], "healthy" or what is wrong.
        size_mm: float64 [N], width of the damage, 0 where there is none or it is not known.
        source: where they come from.
        rate_hz: samples a second.
        notes: what was assumed about your recordings, and which files were not used.
    """

    samples: NDArray[np.int16]
    machine: NDArray[np.int64]
    fault: NDArray[np.str_]
    size_mm: NDArray[np.float64]
    source: str
    rate_hz: float = RATE_HZ
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def healthy(self) -> NDArray[np.bool_]:
        """Which segments are of a healthy machine: bool [N]."""
        return np.asarray(self.fault == "healthy")

    def commissioning(self) -> NDArray[np.bool_]:
        """The first 30 healthy segments of each machine: bool [N]."""
        first = np.zeros(len(self), bool)
        for number in np.unique(self.machine):
            first[np.flatnonzero(self.healthy & (self.machine == number))[:30]] = True
        return first

    def take(self, rows: NDArray[np.bool_]) -> Vibration:
        """The segments that `rows` [N] marks."""
        fields = ("samples", "machine", "fault", "size_mm")
        return replace(self, **{name: getattr(self, name)[rows] for name in fields})

    def cases(self) -> dict[str, NDArray[np.bool_]]:
        """Segments by machine, and the healthy ones with each kind of fault and each size: bool [N].

        The sizes are those of pits. That of an unbalance is no width, so it is a case of its own.
        """
        healthy, faulty = self.healthy, ~self.healthy
        pits = faulty & (self.fault != "unbalance")
        out = {f"machine {number}": self.machine == number for number in np.unique(self.machine)}
        for size in np.unique(self.size_mm[pits]):
            out[f"{size} mm"] = healthy | (pits & (self.size_mm == size))
        for kind in np.unique(self.fault[faulty]):
            out[str(kind)] = healthy | (self.fault == kind)
        return out

    def __repr__(self) -> str:
        machines, faulty = len(np.unique(self.machine)), int((~self.healthy).sum())
        seconds = self.samples.shape[1] / self.rate_hz
        head = (
            f"{len(self):,} segments of {seconds:.3f} s, {faulty:,} of them faulty, "
            f"of {machines} machine{'s' if machines > 1 else ''} ({self.source})"
        )
        return "\n".join([head, *self.notes])


def load_vibration(
    folder: str | Path | None = None,
    *,
    machines: Iterable[int] = TRAINING,
    healthy: int = 100,
    faulty: int = 0,
    seed: int = 0,
) -> Vibration:
    """Simulate machines, or read your own recordings.

    Args:
        folder: None simulates. Else a folder with one subfolder for each condition: `healthy/`,
            and any others under a name of yours. Each holds recordings of one machine, all kept in one
            form: WAV or FLAC, or Ogg, or tables with the columns `time_s` and `acceleration_g` or
            `acceleration_ms2`, or with x, y, z as phones write them.
        machines: numbers of the simulated machines; `TRAINING`, `HELD_OUT` and `UNSEEN` share none.
        healthy: healthy segments of each simulated machine.
        faulty: segments for each of four faults in each of `SIZES_MM`.
        seed: of the simulated segments; the machines themselves stay the same.

    Raises:
        DataError: no `healthy` folder, or a recording that cannot be used; the message says why.
    """
    if folder is not None:
        return _read_folder(own_files.find(folder))
    plan = [("healthy", 0.0, healthy)]
    plan += [(fault, size, faulty) for fault in FAULTS[1:] for size in SIZES_MM]
    parts = [
        _simulate(number, fault, size, count, seed + 1000 * place)
        for number in machines
        for place, (fault, size, count) in enumerate(plan)
        if count
    ]
    return _joined(parts, "simulated")


def _simulate(number: int, fault: str, size: float, count: int, seed: int) -> Vibration:
    machine = simulation.draw(number)
    samples = simulation.record(machine, count, fault, size, seed=seed).samples  # type: ignore[arg-type]
    return _labelled(samples, number, fault, size)


def _labelled(samples: NDArray[np.int16], number: int, fault: str, size: float = 0.0) -> Vibration:
    count = len(samples)
    return Vibration(samples, np.full(count, number), np.full(count, fault), np.full(count, size), "")


def _joined(parts: list[Vibration], source: str) -> Vibration:
    return Vibration(
        np.concatenate([part.samples for part in parts]),
        np.concatenate([part.machine for part in parts]),
        np.concatenate([part.fault for part in parts]),
        np.concatenate([part.size_mm for part in parts]),
        source,
    )


def _read_folder(folder: Path) -> Vibration:
    if not (folder / "healthy").is_dir():
        raise DataError(
            f"no folder {folder.name}/healthy: put recordings of the healthy machine there, "
            "and others into folders beside it"
        )
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name[0] != "."]
    used = [path for path in files if path.parent.parent == folder and path.suffix.lower() in SUFFIXES]
    conditions = [path.parent.name for path in used]
    healthy = [name == "healthy" for name in conditions]
    if not any(healthy):
        there = "".join(f"\n  {_not_used(folder, path)}" for path in files[:10])
        raise DataError(f"no recording in {folder.name}/healthy: put WAV or CSV files there{there}")
    parts, rate_hz, notes = cut_alike([read_signal(path) for path in used], healthy)
    labelled = [_labelled(part, 0, name) for part, name in zip(parts, conditions, strict=True)]
    unused = [_not_used(folder, path) for path in files if path not in used]
    return replace(_joined(labelled, folder.name), rate_hz=rate_hz, notes=(*notes, *unused))


def _not_used(folder: Path, path: Path) -> str:
    cure = ": unpack it, and put the accelerometer's file here" if path.suffix.lower() == ".zip" else ""
    return f"not used: {path.relative_to(folder).as_posix()}{cure}"


def write_example(folder: str | Path | None = None) -> Path:
    """Write recordings of simulated machine 40 as WAV files, in the layout that `load_vibration` reads.

    Args:
        folder: where to; made if it is not there. None takes one in the cache, written anew.

    Returns:
        The folder, with half a minute of the healthy machine and five seconds with a pit of 0.5 mm.

    Raises:
        FileExistsError: there are recordings in the folder that was given.
    """
    import soundfile

    if folder and list(Path(folder).glob("*/1.wav")):
        raise FileExistsError(f"{folder} holds recordings: give an empty folder")
    folder = Path(folder or cache_folder() / "example vibration")
    for fault, size, count in (("healthy", 0.0, 60), ("outer race", 0.5, 10)):
        samples = _simulate(40, fault, size, count, 0).samples
        with replace_when_written(folder / fault / "1.wav") as partial:  # another kernel may read it
            soundfile.write(partial, samples.ravel(), RATE_HZ, subtype="PCM_16", format="WAV")
    return folder
