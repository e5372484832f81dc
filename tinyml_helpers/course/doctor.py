"""Is this machine ready? Versions, cores, memory, disk, data and system, with a cure for what is not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tinyml_helpers import datasets
from tinyml_helpers.course.lacks import find_lacks
from tinyml_helpers.system import disk_full
from tinyml_helpers.system.tables import html_table

GIB = 2**30
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Finding:
    """One thing that was examined: its `subject`, what was `found`, and the `cure` if it is not `ok`.

    What is `lacking` stops no lesson; its cure is what is done instead.
    """

    subject: str
    found: str
    ok: bool
    cure: str = ""
    lacking: bool = False

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Sign, subject, what was found, and the cure where one is needed."""
        sign = "–" if self.lacking else "✓" if self.ok else "✗"
        return sign, self.subject, self.found, self.cure if self.lacking or not self.ok else ""


@dataclass(frozen=True, repr=False)
class Report:
    """All findings; `ready` when nothing is amiss."""

    findings: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        """Whether every finding is well."""
        return all(finding.ok for finding in self.findings)

    def __repr__(self) -> str:
        rows = (finding.row for finding in self.findings)
        return "\n".join(
            f"{sign} {subject:<12} {found}{cure and f' -> {cure}'}"
            for sign, subject, found, cure in rows
        )

    def _repr_html_(self) -> str:
        rows = [finding.row for finding in self.findings]
        return html_table(("", "what", "found", "cure"), rows, names=range(4))


def examine() -> Report:
    """Examine the machine, the installed packages and the data; never raises for what it finds."""
    usual = (_python(), _packages(), _cores(), _memory(), _disk(), _data())
    lacks = find_lacks(sys.platform, platform.machine(), shutil.which)
    return Report(
        (*usual, *(Finding(x.subject, x.missing, True, x.instead, lacking=True) for x in lacks))
    )


def _python() -> Finding:
    version = platform.python_version()
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("Python", version, fits, "install Python 3.11, remove .venv, run make again")


def _packages() -> Finding:
    try:
        wanted = read_lock()
    except FileNotFoundError:  # installed without a checkout
        return Finding("packages", "no lock here that names versions", True)
    other = {name: there for name in wanted if (there := _installed(name)) != wanted[name]}
    if not other:
        return Finding("packages", f"all {len(wanted)} as in requirements.lock", True)
    if not any(other.values()) and _come_late(set(other)):
        there = f"{len(wanted) - len(other)} of {len(wanted)} as in requirements.lock"
        return Finding("packages", f"{there}; a lesson brings what else it needs", True)
    wrong = [f"{name} {there or 'missing'} (want {wanted[name]})" for name, there in other.items()]
    cure = "run make again, or in an environment of your own `python bootstrap.py --here`"
    listed = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
    return Finding("packages", listed, False, cure)


def _come_late(missing: set[str]) -> bool:
    """Say whether a lesson brings these: `make start` set up this environment and left them out."""
    watched = Path(sys.prefix, "etc", "ipython", "ipython_config.py")
    if not watched.is_file() or "LatePackages" not in watched.read_text("utf-8"):
        return False
    small = (_ROOT / "requirements-start.txt").read_text("utf-8").splitlines()
    return {"torch", "torchvision", *small}.isdisjoint(map(canonicalize_name, missing))


def read_lock() -> dict[str, str]:
    """Return package -> locked version, for this system and Python.

    Raises:
        FileNotFoundError: there is no lock beside the package.
    """
    return {
        r.name: str(r.specifier).removeprefix("==")
        for r in read_requirements()
        if r.marker is None or r.marker.evaluate()
    }


def read_requirements() -> list[Requirement]:
    """Return each package of the two locks, those for other systems too.

    Raises:
        FileNotFoundError: there is no lock beside the package.
    """
    texts = [
        (_ROOT / name).read_text("utf-8") for name in ("requirements.lock", "requirements-torch.lock")
    ]
    lines = "\n".join(texts).splitlines()
    # A package's hashes follow it on lines that are indented.
    return [Requirement(line.rstrip(" \\")) for line in lines if line[:1] not in ("", " ", "#")]


def _installed(name: str) -> str | None:
    try:
        # torch's version may end in +cpu, which says how it was built.
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        return None


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Finding("cores", f"{cores} for this process", cores >= 1)


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    found = f"{memory.total / GIB:.1f} GiB, {memory.available / GIB:.1f} GiB available"
    return Finding("memory", found, memory.available > 2 * GIB, "close programs: a lesson needs 2 GiB")


def _disk() -> Finding:
    free = shutil.disk_usage(datasets.data_folder()).free if _has_data() else 0
    if full := disk_full.find_full_disks():
        found = f"no room in {' and '.join(map(str, full))}"
        return Finding("disk", found, False, disk_full.cure(full))
    return Finding("disk", f"{free / GIB:.0f} GiB free", free > GIB, "make room: lessons need 1 GiB")


def _has_data() -> bool:
    try:
        return datasets.data_folder().is_dir()
    except datasets.DataError:
        return False


def _data() -> Finding:
    try:
        sizes = [len(datasets.read_verified(name)) for name in datasets.manifest()]
    except datasets.DataError as error:
        found, _, cure = str(error).partition(": ")
        return Finding("data", found, False, cure)
    return Finding("data", f"{len(sizes)} files, {sum(sizes) / 1e6:.1f} MB, all verified", True)
