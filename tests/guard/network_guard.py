"""Stops whatever reaches beyond this machine: an audit hook, which cannot be taken off again.

What is stopped is not an OSError, so that code which falls back where there is no network does not
hide that it tried. `attempts` names them all; TINYML_NETWORK_LOG names a file that gets them as well.
"""

import os
import sys

attempts = []
EVENTS = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.bind": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
}
# Nobody has these: RFC 5737. A test of a network that is cut may try them.
NOWHERE = "192.0.2."
# Asking the system which of its own addresses would be used: a datagram socket sends nothing yet.
ASKED = {("8.8.8.8", 80), ("2001:4860:4860::8888", 80)}


class NetworkUsedError(BaseException):
    """Something reached beyond this machine."""


def is_local(host):
    """Say whether a host is this machine, or nobody."""
    import ipaddress
    import socket

    if isinstance(host, bytes | bytearray):
        host = host.decode("ascii", "replace")
    if host in (None, "localhost", socket.gethostname()) or str(host).startswith(NOWHERE):
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


def _hook(event, args):
    place = EVENTS.get(event)
    if place is None:
        return
    where = args[place]
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        fine = where in ("", b"") or is_local(where)
    elif not isinstance(where, tuple):  # a path, or the address that the socket has already
        return
    else:
        asks = event == "socket.connect" and "SOCK_DGRAM" in str(args[0].type) and where[:2] in ASKED
        fine = asks or is_local(where[0])
    if not fine:
        _stop(f"{event} {where}")


def _stop(what):
    attempts.append(what)
    if log := os.environ.get("TINYML_NETWORK_LOG"):
        with open(log, "a", encoding="utf-8") as file:  # noqa: PTH123 - pathlib may not be there yet
            file.write(f"{what} in {' '.join(sys.orig_argv)[:200]}\n")
    raise NetworkUsedError(f"{what}: nothing in the course may reach beyond this machine unasked")


def watch():
    """Begin, once in a process."""
    if not getattr(sys, "_tinyml_network_is_watched", False):
        sys._tinyml_network_is_watched = True
        sys.addaudithook(_hook)
