"""`make audit`: known weaknesses in the locked packages, and how many packages were looked up at all.

pip-audit reports success also where the list of weaknesses did not answer for a single package.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COMMAND = (
    "-m", "pip_audit", "--requirement", "requirements.lock", "--no-deps", "--disable-pip",
    "--progress-spinner", "off", "--format", "json", "--timeout", "15",
)  # fmt: skip


def main() -> int:
    """Ask, print what is known, and return 0 only if every package was looked up and none is weak."""
    asked = subprocess.run([sys.executable, *COMMAND], capture_output=True, text=True, cwd=ROOT)
    try:
        packages: list[dict[str, Any]] = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"Not audited: the list of known weaknesses was not reached ({reason[:200]}).")
        print("This needs a network; try again where there is one.")
        return 2
    return told(packages)


def told(packages: list[dict[str, Any]]) -> int:
    """Print the weak packages and those that were not looked up; return the exit code."""
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    weak = [package for package in packages if package.get("vulns")]
    for package in weak:
        for known in package["vulns"]:
            cure = ", ".join(known["fix_versions"]) or "none yet"
            print(f"{package['name']} {package['version']}: {known['id']}, mended in {cure}")
    print(f"{len(packages) - len(skipped)} of {len(packages)} packages looked up, {len(weak)} weak.")
    if len(skipped) == len(packages):
        print("Nothing is known, which is not the same as safe: the list did not answer.")
        print("This needs a network that reaches it; try again where there is one.")
    elif skipped:
        print(f"Not in the list: {', '.join(skipped)}.")
    return 1 if weak else 2 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
