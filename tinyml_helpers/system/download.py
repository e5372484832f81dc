"""Large downloads: resumed where they broke off, verified when they are whole, unpacked safely.

A server may be slow or send too much: each has its limit. What arrived is used only if its digest is the
one that the course knows, so nothing else about it is asked.
"""

from __future__ import annotations

import shutil
import tarfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from tinyml_helpers.system.shipped_files import DataError

CHUNK_BYTES = 1 << 18
PATIENCE_SECONDS, LEAST_BYTES = 60.0, 1 << 16
"""In each stretch of so many seconds at least so many bytes must arrive."""


def fetch(url: str, digest: str, folder: Path, most_bytes: int) -> Path:
    """Fetch a file into `folder` once, under its name; a broken download goes on where it stopped.

    Args:
        url: where it is.
        digest: hex digest that it must have, MD5 or SHA-256.
        folder: where it goes, made if it is not there.
        most_bytes: it is larger than this only if it is another file.

    Raises:
        DataError: no network, the transfer broke off or was too slow, or what arrived is another file.
    """
    import pooch

    name = url.rsplit("/", 1)[-1]
    part = folder / f"{name}.part"

    def resume(address: str, output: str | Path, _pooch: object) -> None:
        _append(address, part, most_bytes)
        shutil.move(part, output)

    known = f"{'md5' if len(digest) == 32 else 'sha256'}:{digest}"
    try:
        return Path(pooch.retrieve(url, known, name, folder, downloader=resume))
    except (OSError, ValueError, HTTPException) as error:
        kept = f"; {part.stat().st_size:,} bytes are kept" if part.exists() else ""
        raise DataError(
            f"could not fetch {name} from {url} ({type(error).__name__}: {error}): check the network "
            f"and try again{kept}"
        ) from error


def read(url: str, most_bytes: int) -> bytes:
    """Fetch a small file into memory. Nothing is verified: whoever calls this must do it.

    Raises:
        DataError: no network, the transfer broke off or was too slow, or it is too large.
    """
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return b"".join(_chunks(answer, most_bytes, 0))
    except (OSError, ValueError, HTTPException) as error:
        raise DataError(f"could not fetch {url}: check the network and try again ({error})") from error


def _append(url: str, part: Path, most_bytes: int) -> None:
    """Download what `part` still lacks."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE_SECONDS)
    except urllib.error.HTTPError as error:
        if start and error.code == 416:  # nothing is missing
            return
        raise
    with answer:
        # A server that cannot resume sends the file from its beginning.
        start = start if answer.status == 206 else 0
        total = start + int(answer.headers.get("Content-Length") or 0)
        try:
            with (
                part.open("ab" if start else "wb") as file,
                tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=part.stem) as bar,
            ):
                for chunk in _chunks(answer, most_bytes, start):
                    file.write(chunk)
                    bar.update(len(chunk))
        except ValueError:
            part.unlink()  # too large: no use in going on
            raise


def _chunks(answer: Any, most_bytes: int, start: int) -> Iterator[bytes]:
    """Yield what arrives, for as long as it is neither too much nor too slow."""
    announced = int(answer.headers.get("Content-Length") or 0)
    total, count = start + announced, start
    if total > most_bytes:
        raise ValueError(f"it is said to have {total:,} bytes, more than {most_bytes:,}")
    since, before = time.monotonic(), count
    while chunk := answer.read1(CHUNK_BYTES):
        count += len(chunk)
        if count > most_bytes:
            raise ValueError(f"more than {most_bytes:,} bytes arrived")
        yield chunk
        if (now := time.monotonic()) - since > PATIENCE_SECONDS:
            if count - before < LEAST_BYTES:
                raise TimeoutError(f"only {count - before:,} bytes came in {now - since:.0f} s")
            since, before = now, count
    if count < total:
        raise OSError(f"the connection ended after {count:,} of {total:,} bytes")


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a tar archive that was verified into `folder` once, and return it.

    Args:
        archive: the file.
        folder: what it becomes: whole, or not there at all.

    Raises:
        DataError: the archive is damaged, or wants to write outside of the folder.
    """
    if folder.is_dir():
        return folder
    if not hasattr(tarfile, "data_filter"):
        raise DataError("archives are unpacked safely by Python 3.11.4 or newer: update Python")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(unfinished, filter="data")
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise DataError(f"cannot unpack {archive.name} ({error}): delete it and try again") from error
    unfinished.rename(folder)
    return folder
