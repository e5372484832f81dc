"""Your own recordings of movements: which files make one, whose it is, and which are left alone."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePath

from tinyml_helpers.datasets import sensor_json, text_table
from tinyml_helpers.datasets.gestures import recording_files
from tinyml_helpers.datasets.gestures.recordings import Gestures, Recording
from tinyml_helpers.system import zip_files
from tinyml_helpers.system.shipped_files import DataError

SUFFIXES = (*text_table.SUFFIXES, sensor_json.SUFFIX)
"""Names that a file of a recording may end in, in lower case; a .zip of them is one recording."""
_SIDES = ("left", "right")
_MOST_TAKES = 5  # a network is trained without each
# Files of one recording, a sensor each, as Sensor Logger and phyphox put them into a folder.
_SENSOR_FILE = re.compile(
    r"[ _.-]*(?:raw[ _]?data|data|(?:total|linear|user)?[ _]?accelerat(?:ion|ometer)"
    r"|accelerometer|gyroscope|gravity)(?:uncalibrated)?$",
    re.IGNORECASE,
)
# What these apps put beside: no movement.
_BESIDE = re.compile(r"(?i)^(?:meta(?:data)?|annotation|device|time|magnet\w*|orientation|compass)\b.*")
_DATE = re.compile(r"[ _.-]*\d{4}[-_]?\d{2}[-_]?\d{2}(?:[ _T.-]*\d{2}[-_.]?\d{2}(?:[-_.]?\d{2})?)?.*$")
_NAMING = (
    "name it person_side_gesture_anything.csv, with left or right as side, such as anna_left_wave_1.csv"
)


def read_folder(folder: Path) -> Gestures:
    """Read every recording of a folder; `load_gestures` says what one looks like.

    Raises:
        DataError: no such folder, no table in it, a file that is not as it should be, or fewer than
            two gestures.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}: give the one that your CSV files lie in")
    with tempfile.TemporaryDirectory() as unpacked:
        groups, skipped = _listed(folder, Path(unpacked))
        if not groups:
            raise DataError(f"no CSV file in {folder}: name them like anna_left_wave_1.csv")
        return _read(folder, groups, skipped)


def _read(folder: Path, groups: dict[str, list[Path]], skipped: list[str]) -> Gestures:
    """Read the recordings, whose files lie under their names."""
    named = {name: _parts(name) for name in groups}
    classes = tuple(sorted({gesture for _, _, gesture in named.values()}))
    if len(classes) < 2:
        raise DataError(f"all files in {folder} are of {classes[0]!r}: record a second gesture")
    notes: Counter[str] = Counter()
    recordings = []
    for name, paths in groups.items():
        person, side, gesture = named[name]
        raw, assumed = recording_files.read(paths)
        notes.update(assumed)
        label = classes.index(gesture)
        recordings.append(Recording(raw, person or "you", side or "right", label, gesture))
        if not side:
            notes["no side in the name, taken for the right arm"] += 1
        if not person:
            notes["nobody in the name, taken for one person"] += 1
    told_apart, caution = _by_take(recordings, classes)
    return Gestures(
        tuple(told_apart), classes, notes=tuple(notes.items()), skipped=tuple(skipped), caution=caution
    )


def _by_take(recordings: list[Recording], classes: tuple[str, ...]) -> tuple[list[Recording], str]:
    """Where one person recorded alone, tell takes apart in place of people, and say what follows.

    Raises:
        DataError: one person alone, with a movement of which nothing could be held back.
    """
    people = {one.person for one in recordings}
    if len(people) > 1:
        return recordings, ""
    counts = Counter(one.gesture for one in recordings)
    (person,) = people
    if single := [name for name in classes if counts[name] < 2]:
        raise DataError(
            f"one person alone ({person}), with one recording of {single[0]!r}: record each movement "
            "twice or more, so that one can be held back, or let a second person record"
        )
    takes = min(_MOST_TAKES, *counts.values())
    seen: Counter[str] = Counter()
    told_apart = []
    for one in recordings:
        told_apart.append(replace(one, person=f"take {seen[one.gesture] % takes + 1}"))
        seen[one.gesture] += 1
    return told_apart, (
        f"One person alone ({person}): takes are held back in place of people, so a figure says how "
        "well this person is known again, and not how well another would be."
    )


def _listed(folder: Path, unpacked: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the files of each recording, by its name, and what else lies about, with the reason."""
    groups: dict[str, list[Path]] = {}
    skipped = []
    for place, path in _files(folder, unpacked):
        if path.suffix.lower() not in SUFFIXES:
            skipped.append(f"{place.as_posix()}: no table; save it as CSV")
        elif _BESIDE.match(path.stem):
            skipped.append(f"{place.as_posix()}: holds no movement")
        else:
            groups.setdefault(_name(place), []).append(path)
    return groups, skipped


def _files(folder: Path, unpacked: Path) -> Iterator[tuple[PurePath, Path]]:
    """Yield every file with its place in the folder; those of a zip file as if it were a folder."""
    for number, path in enumerate(sorted(folder.rglob("*"))):
        place = path.relative_to(folder)
        if path.is_dir() or any(part.startswith(".") for part in place.parts):
            continue
        if path.suffix.lower() != ".zip":
            yield place, path
            continue
        inside = [
            (place.with_suffix("") / one, file)
            for one, file in zip_files.extract(path, unpacked / f"{number}")
        ]
        tables = [one for one, _ in inside if one.suffix.lower() in SUFFIXES]
        if len({_name(one) for one in tables if not _BESIDE.match(one.stem)}) > 1:
            raise DataError(f"{place.as_posix()} holds several recordings: unpack it; {_NAMING}")
        yield from inside


def _name(place: PurePath) -> str:
    """Name a file's recording: its path without ending, and without the sensor where it tells one."""
    stem = _SENSOR_FILE.sub("", place.stem)
    return "/".join(part for part in (*place.parts[:-1], stem) if part) or place.stem


def _parts(name: str) -> tuple[str, str, str]:
    """Part a recording's name into person, side and gesture; the first two may be empty.

    What follows the side, up to a word that begins with a digit, is the gesture: movements whose names
    have several words stay apart.

    Raises:
        DataError: it names no gesture, or it cannot be told where the person ends.
    """
    *folders, last = (_DATE.sub("", part) for part in name.split("/"))
    label, dot, _ = last.partition(".")  # label.id, as Edge Impulse exports
    words = [word for part in (*folders, label) for word in part.split("_")]
    sides = [place for place, word in enumerate(words) if word.lower() in _SIDES]
    at = sides[0] if sides else None
    if at is None:
        person, rest = "_".join(folders), label.split("_")
    else:
        person, rest = "_".join(words[:at]), words[at + 1 :]
    takes = [place for place, word in enumerate(rest) if word[:1].isdigit()]
    gesture = "_".join(rest[: takes[0] if takes else None]).strip("_")
    unclear = at is None and not (dot or folders) and "_" in gesture
    if not gesture or unclear or (at is not None and not person.strip("_")):
        raise DataError(f"{name}: {_NAMING}")
    return person, words[at].lower() if at is not None else "", gesture.lower()
