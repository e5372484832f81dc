"""Run code where Linux gives it a network of its own: one interface, which counts and leads nowhere.

The interface is a loopback, and every packet of IPv4 that is sent anywhere leaves through it: so the
kernel counts what a process tries to send, and nothing comes out. IPv6 has no road at all; the kernel
counts the packets that it turns away. Files, and sockets that are files, are not the network's affair.
"""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Of linux/netlink.h and linux/rtnetlink.h.
_REQUEST, _ACKNOWLEDGE, _CREATE = 0x1, 0x4, 0x400
_NEW_LINK, _NEW_ROUTE = 16, 24
_UP, _OUT_OF = 1, 4
_MAIN_TABLE, _BOOT, _LINK_SCOPE, _UNICAST = 254, 3, 253, 1


@dataclass(frozen=True, repr=False)
class Isolated:
    """A run in a network that counts and leads nowhere.

    Args:
        output: what the code printed.
        bytes_sent: by the kernel's own count, over all interfaces; None where it could not run.
        turned_away: packets of IPv6 that found no road; None where it could not run.
        interfaces: the network interfaces that the process could see.
        why_not: why this system cannot do it, or "".
    """

    output: str
    bytes_sent: int | None
    turned_away: int | None
    interfaces: tuple[str, ...]
    why_not: str = ""

    def __repr__(self) -> str:
        if self.why_not:
            return f"not measured on this system: {self.why_not}"
        seen = ", ".join(self.interfaces)
        counts = f"{self.bytes_sent:,} bytes sent, {self.turned_away:,} packets turned away"
        return f"{counts}, by the kernel's count (interfaces: {seen})"


def run_isolated(code: str) -> Isolated:
    """Run Python code in a process whose network counts every packet, and lets none out.

    What it says to itself over 127.0.0.1 is counted, too.

    Raises:
        RuntimeError: the code itself failed.
    """
    if why_not := _why_not():
        return Isolated("", None, None, (), why_not)
    child = _python(_BEFORE.format(home=_namespace()) + code + _AFTER)
    if child.returncode:
        raise RuntimeError(f"the code failed without a network: {child.stderr.strip()[-300:]}")
    *printed, last = child.stdout.splitlines()
    sent, turned_away = json.loads(last)
    return Isolated("\n".join(printed), sum(sent.values()), turned_away, tuple(sent))


_BEFORE = "from tinyml_helpers.usecases.privacy import isolation\nisolation.open_road({home!r})\n"
_AFTER = "\nfrom tinyml_helpers.usecases.privacy import isolation\nprint(isolation.read_counters())\n"


def _python(code: str) -> subprocess.CompletedProcess[str]:
    command = ["unshare", "-rn", sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])


def _why_not() -> str:
    if not sys.platform.startswith("linux"):
        return "a network of one's own for a process is a feature of Linux"
    if not shutil.which("unshare"):
        return "the command unshare is missing: install util-linux"
    tried = _python(_BEFORE.format(home=_namespace()))
    return f"it is forbidden here ({tried.stderr.strip()[-200:]})" if tried.returncode else ""


def _namespace() -> str:
    return str(Path("/proc/self/ns/net").readlink())


def open_road(home: str) -> None:
    """Switch a new namespace's loopback on, and lead every IPv4 address into it.

    For the process that `run_isolated` starts, and for no other: on a machine's real network it would
    lead all its traffic nowhere.

    Args:
        home: the namespace that was left, as /proc/self/ns/net names it.

    Raises:
        OSError: this is no new namespace, or the kernel forbids it.

    Source: man 7 rtnetlink.
    """
    routes = Path("/proc/self/net/route").read_text("utf-8").splitlines()[1:]
    if routes or _namespace() == home:
        raise OSError("this is no new network of a process's own: it is left as it is")
    lo = socket.if_nametoindex("lo")
    _ask(_NEW_LINK, struct.pack("=BxHiII", socket.AF_UNSPEC, 0, lo, _UP, _UP))
    kind = (0, 0, 0, _MAIN_TABLE, _BOOT, _LINK_SCOPE, _UNICAST)
    route = struct.pack("=8BI", socket.AF_INET, *kind, 0)
    _ask(_NEW_ROUTE, route + struct.pack("=HHI", 8, _OUT_OF, lo), _CREATE)


def _ask(kind: int, body: bytes, flags: int = 0) -> None:
    if sys.platform != "linux":
        raise OSError("netlink is a part of Linux")
    head = struct.pack("=IHHII", 16 + len(body), kind, _REQUEST | _ACKNOWLEDGE | flags, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.send(head + body)  # without an address it goes to the kernel
        (error,) = struct.unpack_from("=i", kernel.recv(4096), 16)
    if error:
        raise OSError(-error, "the kernel refused to change this network")


def read_counters() -> str:
    """Return the kernel's counts as JSON: bytes sent by each interface, and packets without a road.

    Source: man 5 proc_pid_net; field 9 behind the colon is the count of transmitted bytes.
    """
    rows = [line.split(":") for line in Path("/proc/self/net/dev").read_text("utf-8").splitlines()[2:]]
    sent = {name.strip(): int(counts.split()[8]) for name, counts in rows}
    six = Path("/proc/self/net/snmp6")
    lines = six.read_text("utf-8").splitlines() if six.exists() else []
    turned_away = sum(int(line.split()[1]) for line in lines if line.startswith("Ip6OutNoRoutes"))
    return json.dumps([sent, turned_away])
