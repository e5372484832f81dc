"""`make lock`: requirements.lock with a hash for each file, complete on every system; asks the index.

Versions stay as they are. To change one, change it in requirements.lock, run this, and run the tests.
uv finds out which packages each system needs and which files there are; kept are the files that one of
the course's systems can take.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
WORK = ROOT / "build" / "lock"
PYTHONS = ((3, 11), (3, 12), (3, 13))
# glibc up to 2.39 is that of Ubuntu 24.04; macOS has been numbered by the year since 26.
GLIBC = [f"manylinux_2_{minor}_" for minor in range(5, 40)] + ["manylinux2014_"]
LINUX = [f"{glibc}{machine}" for glibc in GLIBC for machine in ("x86_64", "aarch64")]
PLATFORMS = [
    *LINUX, "manylinux1_x86_64", "manylinux2010_x86_64", *mac_platforms((26, 0), "arm64"), "win_amd64",
]  # fmt: skip
# PyTorch has a lock of its own, and is left out by a system that does not exist.
PROJECT = """[project]
name = "locked"
version = "1"
requires-python = ">=3.11"
dependencies = {packages}
[tool.uv]
environments = [
    "python_full_version < '3.14' and sys_platform == 'linux'",
    "python_full_version < '3.14' and sys_platform == 'darwin' and platform_machine == 'arm64'",
    "python_full_version < '3.14' and sys_platform == 'win32'",
]
override-dependencies = ["torch ; sys_platform == 'none'", "torchvision ; sys_platform == 'none'"]
"""


def heads(text: str) -> list[str]:
    """Return the lock's comments and packages, without the hashes below each."""
    lines = (line.rstrip(" \\") for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(" ")]


def resolve(lines: list[str]) -> list[dict[str, Any]]:
    """Ask uv for what the packages need on all systems; return its packages with their files."""
    wanted = json.dumps([line for line in lines if not line.startswith("#")], indent=1)
    (WORK / "pyproject.toml").write_text(PROJECT.format(packages=wanted), "utf-8")
    (WORK / "pylock.toml").unlink(missing_ok=True)
    command = (
        "-m",
        "uv",
        "pip",
        "compile",
        "--universal",
        "pyproject.toml",
        "-o",
        "pylock.toml",
        "--quiet",
    )
    if subprocess.run([sys.executable, *command], cwd=WORK).returncode:
        sys.exit("The lock was left as it is: read uv's words above.")
    packages: list[dict[str, Any]] = tomllib.loads((WORK / "pylock.toml").read_text("utf-8"))["packages"]
    return packages


def tags() -> frozenset[Tag]:
    """Return the tags of all wheels that one of the course's systems can take."""
    return frozenset(
        tag
        for python in PYTHONS
        for tag in (
            *cpython_tags(python, [f"cp3{python[1]}"], PLATFORMS),
            *compatible_tags(python, f"cp3{python[1]}", PLATFORMS),
        )
    )


def hashes(package: dict[str, Any], fitting: frozenset[Tag]) -> list[str]:
    """Return the SHA-256 digests of a package's fitting wheels and of its source, in order."""
    files = [
        wheel
        for wheel in package.get("wheels", [])
        if parse_wheel_filename(wheel["url"].rsplit("/", 1)[1])[3] & fitting
    ]
    files += [package["sdist"]] if "sdist" in package else []
    return sorted({file["hashes"]["sha256"] for file in files})


def locked(lines: list[str], packages: list[dict[str, Any]]) -> str:
    """Return the lock's text: the lines as they were, what was missing, and the hashes of all."""
    fitting, found = tags(), {(one["name"], one["version"]): one for one in packages}
    known = {pin_of(line) for line in lines if not line.startswith("#")}
    added = [
        f"{name}=={version} ; {found[name, version]['marker'].replace(chr(34), chr(39))}"
        for name, version in sorted(found.keys() - known)
    ]
    blocks = []
    for line in [*lines, *added]:
        digests = [] if line.startswith("#") else hashes(found[pin_of(line)], fitting)
        blocks.append(" \\\n".join([line, *(f"    --hash=sha256:{digest}" for digest in digests)]))
    return "\n".join(blocks) + "\n"


def pin_of(line: str) -> tuple[str, str]:
    """Return the package's name, as indexes compare it, and its version in a line of the lock."""
    name, version = line.split(" ;")[0].split("==")
    return canonicalize_name(name), version


def main() -> None:
    """Renew requirements.lock, and say what was added."""
    lines = heads(LOCK.read_text("utf-8"))
    text = locked(lines, resolve(lines))
    LOCK.write_text(text, "utf-8")
    packages = [line for line in heads(text) if not line.startswith("#")]
    new = ", ".join(line for line in packages if line not in lines)
    print(f"{len(packages)} packages, {text.count('--hash=')} hashes; added: {new or 'nothing'}.")


if __name__ == "__main__":
    main()
