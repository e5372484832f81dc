"""Your own photos: one file, or all of a folder, small enough to be looked at together."""

from __future__ import annotations

from pathlib import Path

from tinyml_helpers.datasets.images import photo_files
from tinyml_helpers.datasets.images.photo_album import Photos
from tinyml_helpers.system.shipped_files import DataError

SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif",
    ".ppm", ".pgm", ".pbm",
)  # fmt: skip
"""Names that a photo may end in, in lower case."""
MOST_PHOTOS = 30
"""At a time: each takes up to 8 MB of memory here, and a place in a figure."""
LONGEST_SIDE = 1600
"""In pixels. The networks see a photo at 128 or 300, and a face at 224 at the most."""
_CURES = {
    (".heic", ".heif"): "not read here; save it as JPEG (iPhone: Settings, Camera, Formats, Most "
    "Compatible)",
    (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"): "a raw file; export it as JPEG",
    (".mov", ".mp4", ".m4v", ".avi", ".webm", ".mkv"): "a film; save one of its pictures as JPEG",
    (".zip",): "unpack it",
}


def read_album(place: Path) -> Photos:
    """Read a photo, or all photos of a folder and the folders in it, the first `MOST_PHOTOS` by name.

    Raises:
        DataError: the one file cannot be read, or there is no photo in the folder that can.
    """
    if place.is_file():
        photo, scaled = photo_files.read_scaled(place, LONGEST_SIDE)
        return Photos({place.name: photo}, remarks=_about(int(scaled)))
    files, skipped = _listed(place)
    images: dict[str, photo_files.Photo] = {}
    scaled_down = 0
    for number, path in enumerate(files):
        if len(images) == MOST_PHOTOS:
            left = len(files) - number
            skipped.append(f"{left} more photos, since {MOST_PHOTOS} are looked at at a time")
            break
        try:
            photo, scaled = photo_files.read_scaled(path, LONGEST_SIDE)
        except DataError as error:
            inside = path.parent.relative_to(place).as_posix()
            skipped.append(f"{error}" if inside == "." else f"{inside}/{error}")
            continue
        images[path.relative_to(place).as_posix()] = photo
        scaled_down += scaled
    if not images:
        reasons = "".join(f"\n  {reason}" for reason in skipped[:10])
        raise DataError(f"no photo in {place} can be read: put JPEG or PNG files into it{reasons}")
    return Photos(images, remarks=(*_about(scaled_down), *(f"not used: {one}" for one in skipped)))


def _about(scaled: int) -> tuple[str, ...]:
    return (f"scaled down to {LONGEST_SIDE:,} pixels on the longer side: {scaled}",) if scaled else ()


def _listed(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the files that are photos by their names, and what else lies about, with the reason."""
    files, skipped = [], []
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.is_dir() or any(part.startswith(".") for part in place.parts):
            continue
        if path.suffix.lower() in SUFFIXES:
            files.append(path)
        else:
            cures = (cure for endings, cure in _CURES.items() if path.suffix.lower() in endings)
            skipped.append(f"{place.as_posix()}: {next(cures, 'no photo')}")
    return files, skipped
