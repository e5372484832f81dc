"""The folder of a kit: replaced file by file, and nothing in it deleted that the kit did not make."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from tinyml_helpers.system.folders import WriteError, write_atomically

MARKER = ".tinyml-workshop.json"


class KitError(ValueError):
    """A kit cannot be written to a folder; the message names the folder and the cure."""


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not empty and was not made by `tinyml workshop`.

    Raises:
        KitError: something else is in it, or it is not a folder.
    """
    if folder.exists() and not folder.is_dir():
        raise KitError(f"{folder} is a file: name a folder, which is made if need be")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise KitError(f"{folder} is not empty and no workshop kit: name a new folder")


def write_folder(folder: Path, files: Mapping[str, str | bytes]) -> list[str]:
    """Put the files of a kit into its folder, each at once, and take away those of an older kit.

    A file that somebody changed since, or put there, is kept beside the new one as `NAME.kept-1.ENDING`.

    Args:
        folder: the kit's folder, made where it does not exist.
        files: path inside the folder, with forward slashes, -> content; text is written as UTF-8.

    Returns:
        The paths of what was kept, in order.

    Raises:
        KitError: see `check_folder`.
        WriteError: it cannot be written; where the room is too small for all, nothing is.
    """
    check_folder(folder)
    _check_room(folder, files)
    before = _read_marker(folder)
    after = {name: [_digest(_as_bytes(content))] for name, content in files.items()}
    # Both, so that a run that is cut short does not take its own files for somebody's.
    both = {name: [*before.get(name, []), *after.get(name, [])] for name in {*before, *after}}
    folder.mkdir(parents=True, exist_ok=True)
    _write_marker(folder, both)
    kept = [_keep(folder, name, both[name]) for name in sorted(both)]
    for name, content in files.items():
        write_atomically(folder / name, content)
    for name in before.keys() - after.keys():
        (folder / name).unlink(missing_ok=True)
    _write_marker(folder, after)
    return [name for name in kept if name]


def _check_room(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Refuse before the first file, rather than leave half a kit."""
    place = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    old = sum((folder / name).stat().st_size for name in files if (folder / name).is_file())
    needed = sum(len(_as_bytes(content)) for content in files.values()) - old
    if needed > (free := shutil.disk_usage(place).free):
        raise WriteError(
            f"{folder} was not written (the kit takes {needed / 1e6:.1f} MB and {free / 1e6:.1f} MB are "
            "free): make room there, or name a folder elsewhere"
        )


def _keep(folder: Path, name: str, ours: list[str]) -> str:
    """Move a file out of the way unless it is as a kit made it; return its new name, or ""."""
    path = folder / name
    if not path.is_file() or _digest(path.read_bytes()) in ours:
        return ""
    number = 1
    while (place := path.with_name(f"{path.stem}.kept-{number}{path.suffix}")).exists():
        number += 1
    path.rename(place)
    return place.relative_to(folder).as_posix()


def _as_bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_marker(folder: Path) -> dict[str, list[str]]:
    try:
        marked = json.loads((folder / MARKER).read_text("utf-8"))
        return {str(name): list(digests) for name, digests in marked.items() if _is_inside(name)}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError) as error:
        raise KitError(f"{folder / MARKER} is damaged: name a new folder") from error


def _is_inside(name: str) -> bool:
    """Say whether a path of a marker, which anybody can edit, stays inside the kit."""
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts and not path.drive


def _write_marker(folder: Path, digests: Mapping[str, list[str]]) -> None:
    write_atomically(folder / MARKER, json.dumps(digests, indent=1, sort_keys=True) + "\n")
