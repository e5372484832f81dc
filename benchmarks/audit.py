"""`make audit`: known weaknesses in the locked packages, and how many packages were looked up at all.

pip-audit reports success also where the list of weaknesses did not answer for a single package. What
advisories.toml accepts is told with its reason and is no failure.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# One after the other: pip-audit takes no file with hashes beside one without.
LOCKS = ("requirements.lock", "requirements-torch.lock")
COMMAND = (
    "-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json",
    "--aliases", "on", "--timeout", "15", "--requirement",
)  # fmt: skip


def main() -> int:
    """Ask, print what is known, and return 0 only if every package was looked up and none is weak."""
    packages: list[dict[str, Any]] = []
    for lock in LOCKS:
        command = [sys.executable, *COMMAND, lock]
        asked = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        try:
            packages += json.loads(asked.stdout)["dependencies"]
        except (ValueError, KeyError):
            reason = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"Not audited: the list of known weaknesses was not reached ({reason[:200]}).")
            print("This needs a network; try again where there is one.")
            return 2
    return told(packages, accepted())


def accepted() -> dict[tuple[str, str], str]:
    """Return (package, id) -> reason for each weakness that the course lives with."""
    text = (ROOT / "benchmarks" / "advisories.toml").read_text("utf-8")
    known = [one for one in tomllib.loads(text)["advisory"] if "accepted" in one]
    return {(canonical(one["package"]), one["id"]): one["accepted"] for one in known}


def canonical(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def told(packages: list[dict[str, Any]], reasons: dict[tuple[str, str], str]) -> int:
    """Print the weak packages and those that were not looked up; return the exit code."""
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    weak = set()
    for package in packages:
        for known in package.get("vulns", []):
            ids = [(canonical(package["name"]), one) for one in (known["id"], *known.get("aliases", []))]
            reason = next((reasons[one] for one in ids if one in reasons), None)
            cure = ", ".join(known["fix_versions"]) or "none yet"
            print(f"{package['name']} {package['version']}: {known['id']}, mended in {cure}", end="")
            print(f"; accepted: {reason}" if reason else "")
            weak |= set() if reason else {package["name"]}
    print(f"{len(packages) - len(skipped)} of {len(packages)} packages looked up, {len(weak)} weak.")
    if len(skipped) == len(packages):
        print("Nothing is known, which is not the same as safe: the list did not answer.")
        print("This needs a network that reaches it; try again where there is one.")
    elif skipped:
        print(f"Not in the list: {', '.join(skipped)}.")
    return 1 if weak else 2 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
