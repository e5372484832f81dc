"""A cloud in a box: inference by HTTP on this machine's loopback, each byte and millisecond counted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pandas import DataFrame

FAULTS = ("", "down", "slow", "broken")
# The radio of an nRF52840 at 0 dBm, processor running, at 3 V (Product Specification); half of
# 1 Mbit/s is assumed to be your data. As in lesson 01.
RADIO_MW, RADIO_BYTES_PER_S = 8.1 * 3.0, 0.5 * 1e6 / 8
# A busy machine may answer late without a fault: only a slow server meets a short patience.
_SHORT_S, _LONG_S, _LATE_S = 0.25, 5.0, 1.0


@dataclass(frozen=True, repr=False)
class Call:
    """One request.

    Args:
        answer: the class, or None.
        sent_bytes: that left the client, HTTP included (TCP and IP come on top).
        received_bytes: that came back.
        ms: from the first byte out to the last one in.
        error: what went wrong, or "".
    """

    answer: int | None
    sent_bytes: int
    received_bytes: int
    ms: float
    error: str = ""

    @property
    def radio_ms(self) -> float:
        """Time in ms that its bytes would take on the radio of a small board."""
        return 1000 * (self.sent_bytes + self.received_bytes) / RADIO_BYTES_PER_S

    @property
    def radio_mj(self) -> float:
        """Energy in mJ that its bytes would take there; waiting for the answer comes on top."""
        return RADIO_MW * self.radio_ms / 1000

    def __repr__(self) -> str:
        said = f"no answer ({self.error})" if self.error else f"class {self.answer}"
        return f"{said}, {self.sent_bytes:,} bytes out, {self.received_bytes:,} in"


class Cloud:
    """A server that is running; `fault` is one of `FAULTS`, and may change at any time."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        """Wrap a server; `serve` makes one."""
        self._server, self._fault = server, ""
        self.address: tuple[str, int] = ("127.0.0.1", server.server_address[1])
        self.seen: list[bytes] = []

    def count_answers(self, images: Sequence[NDArray[np.generic]]) -> dict[str, int]:
        """Count the answers under each fault: fault -> how many of the images got one."""
        answers = {}
        for fault in FAULTS:
            self.fault = fault
            patience_s = _SHORT_S if fault == "slow" else _LONG_S
            calls = [self.classify(image, patience_s) for image in images]
            answers[fault or "no fault"] = sum(call.answer is not None for call in calls)
        self.fault = ""
        return answers

    @property
    def fault(self) -> str:
        """What is wrong now: "" nothing, "down", "slow" (no word for 1 s), "broken" (half an answer)."""
        return self._fault

    @fault.setter
    def fault(self, fault: str) -> None:
        """Let something go wrong, or "" nothing."""
        if fault not in FAULTS:
            raise ValueError(f"unknown fault {fault!r}: choose one of {', '.join(map(repr, FAULTS))}")
        self._fault = fault

    def classify(self, image: NDArray[np.generic], timeout_s: float = _LONG_S) -> Call:
        """Send an array, and return what came of it; a fault is told in `Call.error`, not raised.

        Args:
            image: what the server's function takes, sent as raw bytes.
            timeout_s: how long to wait for each step.
        """
        body = np.ascontiguousarray(image).tobytes()
        head = f"POST /classify HTTP/1.1\r\nHost: cloud\r\nContent-Length: {len(body)}\r\n\r\n"
        request, sent, reply, started = head.encode() + body, 0, b"", time.perf_counter()
        try:
            # Port 9 of loopback has no listener: that is what a server that is down looks like.
            where = (self.address[0], 9) if self.fault == "down" else self.address
            with socket.create_connection(where, timeout_s) as link:
                link.sendall(request)
                sent = len(request)
                while part := link.recv(4096):
                    reply += part
            answer, error = _answer(reply), ""
        except (OSError, ValueError) as problem:
            answer, error = None, f"{type(problem).__name__}: {problem}"
        return Call(answer, sent, len(reply), 1000 * (time.perf_counter() - started), error)


def compare_with_device(
    calls: Sequence[Call], latency_ms: Sequence[float], energy_uj: Sequence[float]
) -> DataFrame:
    """Put requests beside a device's band: milliseconds and millijoules of each.

    Args:
        calls: requests; their median time counts, and the radio of the first.
        latency_ms: low and high, of the device.
        energy_uj: low and high, of the device.

    Returns:
        A row for the cloud and two for the device: milliseconds of the work (the server and its
        loopback, or the network on the chip), of the radio, of both, and millijoules.
    """
    from pandas import DataFrame

    work = [float(np.median([call.ms for call in calls])), *latency_ms]
    radio = [calls[0].radio_ms, 0.0, 0.0]
    mj = [calls[0].radio_mj, *(one / 1000 for one in energy_uj)]
    columns = {"work, ms": work, "radio, ms": radio, "answer, ms": np.add(work, radio), "mJ": mj}
    return DataFrame(columns, ["cloud", "device, low", "device, high"]).round(2)


def _answer(reply: bytes) -> int:
    head, _, body = reply.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0] or not body.strip().isdigit():
        raise ValueError("the answer is not whole")
    return int(body)


@contextmanager
def serve(predict: Callable[[NDArray[np.uint8]], int], shape: tuple[int, ...]) -> Iterator[Cloud]:
    """Run a server in a thread of its own for as long as the block lasts.

    Args:
        predict: from one input to its class.
        shape: of the inputs, which are uint8.

    Yields:
        The cloud: `classify` calls it as a device would, `seen` is all that its owner got to see.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    cloud = Cloud(server)
    server.RequestHandlerClass = _handler(cloud, predict, shape)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(
    cloud: Cloud,
    predict: Callable[[NDArray[np.uint8]], int],
    shape: tuple[int, ...],
) -> type[BaseHTTPRequestHandler]:
    expected = int(np.prod(shape))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            cloud.seen.append(body)
            if cloud.fault == "slow":
                time.sleep(_LATE_S)  # nobody listens any more: no use in computing
                return
            if len(body) != expected:
                self.send_error(400, f"{len(body)} bytes, {expected} expected")
                return
            text = str(predict(np.frombuffer(body, np.uint8).reshape(shape))).encode()
            with suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(b"" if cloud.fault == "broken" else text)

        def finish(self) -> None:
            # A client that lost patience has hung up: that is its affair.
            with suppress(OSError):
                super().finish()

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet: the client reports."""

    return Handler
