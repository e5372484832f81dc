"""Large downloads: resumed where they broke off, verified when they are whole, unpacked safely.

A server is believed nothing. It may be slow, send too much, or lead elsewhere: each has its limit, and
what arrived is used only if its digest is the one that the course knows.
"""

from __future__ import annotations

import shutil
import tarfile
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any

from tqdm.auto import tqdm

from tinyml_helpers.system.shipped_files import DataError

CHUNK_BYTES = 1 << 18
PATIENCE_SECONDS, LEAST_BYTES = 60.0, 1 << 16
"""In each stretch of so many seconds at least so many bytes must arrive."""
MOST_FILES = 250_000
"""More than this an archive of the course does not hold."""


class _StayOnTheWeb(urllib.request.HTTPRedirectHandler):
    """Follow a redirect to another page, never to a file of this machine or to an unprotected page."""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Any:
        """Return the request for the next page, as urllib asks for it."""
        allowed = ("https:",) if req.full_url.startswith("https:") else ("https:", "http:")
        if not newurl.lower().startswith(allowed):
            raise urllib.error.URLError(f"it leads to {newurl[:60]}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Bomb(tarfile.FilterError):
    """An archive that unpacks to far more than it should."""


def fetch(url: str, digest: str, folder: Path, most_bytes: int, name: str = "") -> Path:
    """Fetch a file into `folder` once; a broken download goes on where it stopped.

    Args:
        url: where it is.
        digest: hex digest that it must have, MD5 or SHA-256.
        folder: where it goes, made if it is not there.
        most_bytes: it is larger than this only if it is another file.
        name: under which it is kept; the last part of the url if this is empty.

    Raises:
        DataError: no network, the transfer broke off or was too slow, or what arrived is another file.
    """
    import pooch

    name = name or url.rsplit("/", 1)[-1]
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
        with _open(urllib.request.Request(url)) as answer:
            return b"".join(_chunks(answer, most_bytes, 0))
    except (OSError, ValueError, HTTPException) as error:
        raise DataError(f"could not fetch {url}: check the network and try again ({error})") from error


def _append(url: str, part: Path, most_bytes: int) -> None:
    """Download what `part` still lacks."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        answer = _open(request)
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


def _open(request: urllib.request.Request) -> Any:
    """Ask a server; a head that drips in by single bytes does not hold the caller."""
    if request.type not in ("http", "https"):
        raise ValueError(f"{request.full_url!r} is no address of the web")
    came: list[Any] = []

    def ask() -> None:
        opener = urllib.request.build_opener(_StayOnTheWeb)
        try:
            came.append(opener.open(request, timeout=PATIENCE_SECONDS))
        except Exception as error:
            came.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(2 * PATIENCE_SECONDS)
    if not came:
        raise TimeoutError(f"the server did not answer within {2 * PATIENCE_SECONDS:g} s")
    if isinstance(came[0], Exception):
        raise came[0]
    return came[0]


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


def unpack(archive: Path, folder: Path, most_bytes: int) -> Path:
    """Unpack a tar archive into `folder` once, and return it; nothing may land outside of it.

    Args:
        archive: the file.
        folder: what it becomes: whole, or not there at all.
        most_bytes: that its files have together.

    Raises:
        DataError: the archive is damaged, wants to write outside of the folder, or holds too much.
    """
    if folder.is_dir():
        return folder
    if not hasattr(tarfile, "data_filter"):
        raise DataError("archives are unpacked safely by Python 3.11.4 or newer: update Python")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(unfinished, filter=_careful(most_bytes))
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise DataError(f"cannot unpack {archive.name} ({error}): delete it and try again") from error
    unfinished.rename(folder)
    return folder


def _careful(most_bytes: int) -> Callable[[tarfile.TarInfo, str], tarfile.TarInfo | None]:
    """Make a filter that refuses what `tarfile`'s own refuses, and a bomb before it goes off."""
    files = total = 0

    def check(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
        nonlocal files, total
        files, total = files + 1, total + member.size
        if total > most_bytes or files > MOST_FILES:
            raise _Bomb(f"more than {most_bytes:,} bytes or {MOST_FILES:,} files")
        return tarfile.data_filter(member, folder)

    return check
