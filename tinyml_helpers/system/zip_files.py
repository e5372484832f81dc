"""Zip files of strangers, unpacked within bounds and under names of our own."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from tinyml_helpers.system.shipped_files import DataError
from tinyml_helpers.system.untrusted import check_size, one_line

MOST_MEMBERS = 1000
"""Files in one; a recording has a dozen."""
MOST_UNPACKED_BYTES = 256_000_000
"""Of all of them together. More is no recording, but a bomb."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what phones write; others unpack without bounds


def extract(path: Path, folder: Path) -> list[tuple[PurePosixPath, Path]]:
    """Unpack the files of a zip file; what a system put there for itself is left out.

    Args:
        path: the zip file.
        folder: a folder of ours; each file goes into a new one in it, so that no name leads elsewhere.

    Returns:
        Of each file its place in the zip, and where it lies now.

    Raises:
        DataError: damaged, locked by a password, or beyond the bounds; the message names the file.
    """
    try:
        check_size(path)
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if _is_wanted(one)]
            _check(path.name, members)
            return [_written(archive, one, folder, number) for number, one in enumerate(members)]
    except DataError:
        raise
    except Exception as error:  # zipfile raises whatever the damaged bytes lead it to
        raise DataError(
            f"{path.name} cannot be unpacked ({one_line(error)}): export it again, or unpack it yourself"
        ) from error


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    parts = _place(member).parts
    return not (member.is_dir() or not parts or "__MACOSX" in parts or parts[-1].startswith("."))


def _check(name: str, members: list[zipfile.ZipInfo]) -> None:
    total = sum(one.file_size for one in members)
    if len(members) > MOST_MEMBERS or total > MOST_UNPACKED_BYTES:
        raise DataError(
            f"{name} unpacks to {len(members):,} files of {total:,} bytes, and {MOST_MEMBERS:,} or "
            f"{MOST_UNPACKED_BYTES:,} are the most: unpack it yourself, and keep one recording of it"
        )
    for one in members:
        if one.compress_type not in _METHODS:
            raise DataError(f"{name} is packed in an unusual way: unpack it yourself")


def _place(member: zipfile.ZipInfo) -> PurePosixPath:
    """Return a file's place as it is to be read: no drive, no root, no way up."""
    parts = member.filename.replace("\\", "/").split("/")
    return PurePosixPath(*(part for part in parts if part not in ("", ".", "..")))


def _written(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, number: int
) -> tuple[PurePosixPath, Path]:
    place = _place(member)
    plain = "".join(letter if letter.isalnum() or letter in " ._-()" else "_" for letter in place.name)
    target = folder / f"{number}" / plain[-100:]
    target.parent.mkdir(parents=True)
    with archive.open(member) as packed, target.open("wb") as file:
        shutil.copyfileobj(packed, file)  # never more than its `file_size`
    return place, target
