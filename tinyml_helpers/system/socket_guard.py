"""Watch what leaves: cut the network for this process, and note who tried to use it.

`cut()` guards Python's sockets, so it names what tried to leave. Libraries in C++ may open sockets
of their own; `usecases.privacy.isolation` holds them too, because there the kernel itself counts.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

_HERE = {"localhost", "", None}


class NetworkCutError(OSError):
    """Something tried to reach the network while it was cut."""


@dataclass(repr=False)
class Guard:
    """What tried to leave while the network was cut: `attempts`, pairs of address and bytes."""

    attempts: list[tuple[str, int]] = field(default_factory=list)

    @property
    def bytes_tried(self) -> int:
        """Bytes that were handed over for sending, and held back."""
        return sum(count for _, count in self.attempts)

    def refuse(self, address: object, count: int = 0) -> None:
        """Note an attempt, and raise.

        Raises:
            NetworkCutError: always.
        """
        where = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
        self.attempts.append((where, count))
        raise NetworkCutError(
            f"the network is cut: {where} was not reached and {count} bytes were held back; "
            "leave `with socket_guard.cut()` to allow it"
        )

    def __repr__(self) -> str:
        tried = ", ".join(dict.fromkeys(where for where, _ in self.attempts)) or "nobody"
        held = f"{self.bytes_tried:,} bytes held back"
        return f"{len(self.attempts)} attempts to reach the network ({tried}), {held}"


def is_local(address: object) -> bool:
    """Tell whether a socket's address stays on this machine: a Unix path, or loopback."""
    if not isinstance(address, tuple):
        return True
    host = address[0].decode() if isinstance(address[0], bytes) else address[0]
    if host in _HERE:
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


@contextmanager
def cut() -> Iterator[Guard]:
    """Refuse everything that Python's sockets send beyond this machine, look-ups of names included.

    Yields:
        The guard, which counts attempts.
    """
    guard, real = Guard(), socket.socket
    patches = [mock.patch.object(real, name, _to_peer(guard, name)) for name in ("send", "sendall")]
    patches += [mock.patch.object(real, name, _to_address(guard, name, 0)) for name in _CONNECT]
    patches += [mock.patch.object(real, "sendto", _to_address(guard, "sendto", -1))]
    patches += [mock.patch.object(real, "sendmsg", _message(guard))] if hasattr(real, "sendmsg") else []
    patches += [mock.patch.object(socket, name, _look_up(guard, name)) for name in _LOOK_UPS]
    for patch in patches:
        patch.start()
    try:
        yield guard
    finally:
        for patch in patches:
            patch.stop()


def attempt(url: str) -> str:
    """Try to fetch a web page, as a careless library would, and say what came of it."""
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=5) as reply:
            return f"{len(reply.read()):,} bytes came back"
    except OSError as error:
        return str(getattr(error, "reason", error))


_CONNECT = ("connect", "connect_ex")
_LOOK_UPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex")


def _to_address(guard: Guard, name: str, place: int) -> Callable[..., Any]:
    real = getattr(socket.socket, name)

    def guarded(self: socket.socket, *args: Any) -> Any:
        if not is_local(args[place]):
            guard.refuse(args[place], len(args[0]) if name == "sendto" else 0)
        return real(self, *args)

    return guarded


def _to_peer(guard: Guard, name: str) -> Callable[..., Any]:
    real = getattr(socket.socket, name)

    def guarded(self: socket.socket, data: Any, *flags: int) -> Any:
        if not is_local(peer := _peer(self)):
            guard.refuse(peer, memoryview(data).nbytes)
        return real(self, data, *flags)

    return guarded


def _message(guard: Guard) -> Callable[..., Any]:
    real = socket.socket.sendmsg

    def guarded(self: socket.socket, buffers: Iterable[Any], *args: Any) -> Any:
        parts = list(buffers)
        peer = args[2] if len(args) > 2 else _peer(self)
        if not is_local(peer):
            guard.refuse(peer, sum(memoryview(part).nbytes for part in parts))
        return real(self, parts, *args)

    return guarded


def _look_up(guard: Guard, name: str) -> Callable[..., Any]:
    real = getattr(socket, name)

    def guarded(host: Any, *args: Any, **options: Any) -> Any:
        if not is_local((host,)):
            guard.refuse(f"{name}({host!r})")
        return real(host, *args, **options)

    return guarded


def _peer(one: socket.socket) -> object:
    try:
        return one.getpeername()
    except OSError:
        return None
