"""Large downloads: resumed where they broke off, verified when they are whole, unpacked safely."""

from __future__ import annotations

import shutil
import tarfile
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from tqdm.auto import tqdm

from tinyml_helpers.datasets.shipped import DataError

CHUNK_BYTES = 1 << 18


def fetch(url: str, md5: str, folder: Path) -> Path:
    """Fetch a file into `folder` once; a broken download goes on where it stopped.

    Args:
        url: where it is.
        md5: hex digest that it must have.
        folder: where it goes, made if it is not there.

    Raises:
        DataError: no network, the transfer broke off, or what arrived is another file.
    """
    import pooch

    name = url.rsplit("/", 1)[-1]
    part = folder / f"{name}.part"

    def resume(address: str, output: str | Path, _pooch: object) -> None:
        _append(address, part)
        shutil.move(part, output)

    try:
        return Path(pooch.retrieve(url, f"md5:{md5}", name, folder, downloader=resume))
    except (OSError, ValueError, HTTPException) as error:
        kept = f"; {part.stat().st_size:,} bytes are kept" if part.exists() else ""
        raise DataError(
            f"could not fetch {name} from {url} ({type(error).__name__}: {error}): check the network "
            f"and try again{kept}"
        ) from error


def _append(url: str, part: Path) -> None:
    """Download what `part` still lacks."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if start and error.code == 416:  # nothing is missing
            return
        raise
    with answer:
        # A server that cannot resume sends the file from its beginning.
        start = start if answer.status == 206 else 0
        total = start + int(answer.headers.get("Content-Length") or 0)
        with (
            part.open("ab" if start else "wb") as file,
            tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=part.stem) as bar,
        ):
            while chunk := answer.read(CHUNK_BYTES):
                file.write(chunk)
                bar.update(len(chunk))
        if part.stat().st_size < total:
            raise OSError(f"the connection ended after {part.stat().st_size:,} of {total:,} bytes")


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a tar archive into `folder` once, and return it; nothing may land outside of it.

    Raises:
        DataError: the archive is damaged, or wants to write outside of the folder.
    """
    if folder.is_dir():
        return folder
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(unfinished, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise DataError(f"cannot unpack {archive.name} ({error}): delete it and try again") from error
    unfinished.rename(folder)
    return folder
