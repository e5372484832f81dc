"""A page on this computer alone that records your words into a folder of yours."""

from __future__ import annotations

import hmac
import html
import json
import secrets
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from tinyml_helpers.datasets.keywords.clips import OTHER_WORDS, SILENCE, UNKNOWN
from tinyml_helpers.live import page
from tinyml_helpers.live.takes import MOST_BYTES, Takes, read_speaker, read_words
from tinyml_helpers.system.shipped_files import DataError

_PATIENCE_S = 10.0
_POLICY = (
    "default-src 'none'; script-src 'nonce-{0}' data:; img-src data:; style-src 'nonce-{0}'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Recorder:
    """A running recorder; in a notebook it shows the link to its page.

    Attributes:
        address: of the page, with a secret in it: only who is given it can record.
        takes: where the recordings go.
    """

    def __init__(self, takes: Takes, given: Mapping[str, object]) -> None:
        """Start it; `record` makes one."""
        self.takes = takes
        self._server = _Server(takes, given)
        self.address = f"{self._server.origin}/{self._server.token}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Go on until Ctrl-C."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def stop(self) -> None:
        """End it; what was kept stays in the folder."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __repr__(self) -> str:
        there = (
            f"{word} {sum(kept.values())} by {', '.join(kept)}" if kept else f"{word} 0"
            for word, kept in self.takes.count().items()
        )
        return f"recordings in {self.takes.folder}: {'; '.join(there)}"

    def _repr_html_(self) -> str:
        """The link; a frame would get no microphone in every notebook."""
        return (
            f'<p><a href="{self.address}" target="_blank" rel="noopener noreferrer">Open the recorder'
            "</a>, on the computer that this kernel runs on. It ends by <code>.stop()</code>, or with "
            f"the kernel.</p><p>{html.escape(repr(self))}</p>"
        )


def record(words: str, by: str = "", *, out: str | Path = "my_words", count: int = 10) -> Recorder:
    """Start a recorder of words, for the browser of this computer.

    It listens on 127.0.0.1 only, behind a secret in its address, to its own page only, and writes
    nowhere but in the folder.

    Args:
        words: with commas between; `unknown`, for any others, comes with them.
        by: who speaks; may be changed in the page.
        out: the folder, new or with recordings, to which it adds.
        count: recordings of each word that the page asks for, by each speaker.

    Raises:
        ValueError: a word, or a name, that cannot be one of a file; a count below 1.
        OSError: nothing can be written there.
    """
    if count < 1:
        raise ValueError(f"count {count}: give at least 1 recording of each word")
    takes = Takes(Path(out).expanduser().absolute(), read_words(words))
    speaker = read_speaker(by, takes.words) if by else ""
    takes.open()
    given = {
        "words": takes.words,
        "unknown": UNKNOWN,
        "silence": SILENCE,
        "others": [word for word in OTHER_WORDS if word not in takes.words],
        "by": speaker,
        "count": count,
    }
    return Recorder(takes, given)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False  # on Windows another program could take the port as well

    def __init__(self, takes: Takes, given: Mapping[str, object]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.takes, self.given = takes, given
        self.host = f"127.0.0.1:{self.server_port}"
        self.origin = f"http://{self.host}"
        self.token = secrets.token_urlsafe(24)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a tab that was closed meanwhile."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE_S

    def do_GET(self) -> None:
        """Give the page, or what is there by now."""
        parts = self._parts()
        if parts == [""]:
            self._show()
        elif parts == ["count"]:
            self._answer(200, json.dumps(self.server.takes.count()), "application/json")
        elif parts is not None:
            self._answer(404, "There is nothing at this address.")

    def do_POST(self) -> None:
        """Keep a recording."""
        parts = self._parts()
        if parts is None:
            return
        if len(parts) != 2:
            self._answer(404, "There is nothing at this address.")
        elif self.headers.get_content_type() != "audio/wav":
            self._answer(415, "A recording is sent as audio/wav.")
        elif (content := self._body()) is not None:
            self._keep(parts[0], parts[1], content)

    def _parts(self) -> list[str] | None:
        """The parts of the path behind the secret, where the request is from this page; else None."""
        origins = self.headers.get_all("Origin", [])
        wanted = [self.server.origin] if self.command == "POST" or origins else []
        secret = f"/{self.server.token}/".encode()
        path = self.path.encode()
        if self.headers.get_all("Host", []) != [self.server.host]:
            self._answer(421, "This recorder has another name: open the address that it printed.")
        elif origins != wanted:
            self._answer(403, "Another page has asked: this recorder hears its own page only.")
        elif not hmac.compare_digest(path[: len(secret)], secret):
            self._answer(404, "There is nothing at this address: open the one that was printed last.")
        else:
            return [unquote(part) for part in path[len(secret) :].decode().split("/")]
        return None

    def _body(self) -> bytes | None:
        """What was sent, if it says how long it is, is not too long, and comes in time."""
        told = self.headers.get_all("Content-Length", [])
        if len(told) != 1 or not told[0].isascii() or not told[0].isdigit():
            self._answer(411, "The length of the recording is missing.")
            return None
        length = int(told[0][:12])
        if length > MOST_BYTES:
            self._answer(413, f"A recording has {MOST_BYTES:,} bytes at the most.")
            return None
        content, end = b"", time.monotonic() + _PATIENCE_S
        while len(content) < length:
            part = self.rfile.read1(length - len(content))
            if not part or time.monotonic() > end:
                self._answer(408, "The recording did not come whole, or in time.")
                return None
            content += part
        return content

    def _keep(self, word: str, speaker: str, content: bytes) -> None:
        try:
            kept = self.server.takes.keep(word, speaker, content)
        except (ValueError, DataError) as error:
            self._answer(422, f"Not kept: {error}.")
        except OSError as error:
            reason = getattr(error.__cause__ or error, "strerror", error)
            folder = self.server.takes.folder
            self._answer(507, f"Not kept: nothing can be written to {folder} ({reason}).")
        else:
            told = {"kept": kept.as_posix(), "count": self.server.takes.count()}
            self._answer(200, json.dumps(told), "application/json")

    def _show(self) -> None:
        nonce = secrets.token_urlsafe(16)
        script = "\n".join((page.read("page.js"), page.read("recorder.js")))
        folder = html.escape(str(self.server.takes.folder))
        given = {"task": self.server.given}
        text = page.render("recorder.html.j2", given, script, nonce=nonce, folder=folder)
        self._answer(200, text, "text/html", _POLICY.format(nonce))

    def _answer(self, status: int, text: str, kind: str = "text/plain", policy: str = "") -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(content)),
            "Content-Security-Policy": policy or "default-src 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the address has a secret in it."""
