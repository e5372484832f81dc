"""Runs a command in namespaces of its own; see conditions.py.

unshare -rnm python inside.py FOLDER_TO_CLOSE ... -- COMMAND ...

The network is a loopback and nothing else (Jupyter's kernels talk over it). The folders are read-only,
for everybody: permission bits alone would not hold an administrator.
"""

import os
import socket
import struct
import subprocess
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def raise_loopback() -> None:
    """Bring up lo, as `ip link set lo up` does, without needing that command."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh", b"lo", 0)
        (flags,) = struct.unpack("16xh", fcntl.ioctl(any_socket, SIOCGIFFLAGS, asked)[:18])
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def close(folder: str) -> None:
    """Mount a folder over itself, read-only."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)


if __name__ == "__main__":
    split = sys.argv.index("--")
    raise_loopback()
    for each in sys.argv[1:split]:
        close(each)
    os.execvp(sys.argv[split + 1], sys.argv[split + 1 :])
