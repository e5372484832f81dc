"""Try the course with the newest packages that pyproject.toml allows, and say what broke, by lesson.

    python3.11 tests/whole/latest.py [--locked]

`make test-latest` runs this. It needs Python alone and the network once: a fresh environment goes to
build/latest. With --locked it takes the exact set of requirements.lock: `make test-latest
PYTHON=python3.13 ARGS=--locked` tries another Python.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import venv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "latest"
PYTHON = FOLDER / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
EXTRAS = "lessons,test,book,hub,browser"
NBVAL = ("--nbval-lax", "--nbval-sanitize-with", "tests/sanitize.cfg", "--nbval-cell-timeout", "300")
RUNS = {
    "unit": ("-n", "2", "tests"),
    "notebooks": ("-n", "2", "--dist", "loadfile", *NBVAL, "notebooks"),
}

# It wants the packages of the lock, and says so.
DOCTOR = "tests/course/test_runner.py::test_the_doctor_finds_this_machine_ready"


@dataclass(frozen=True)
class Part:
    """What became of one lesson or one file of unit tests."""

    name: str
    passed: int
    first_failure: str
    failed: int


def locked() -> dict[str, str]:
    """Return name -> version of the two locks."""
    texts = (
        (ROOT / name).read_text("utf-8") for name in ("requirements.lock", "requirements-torch.lock")
    )
    pairs = re.findall(r"^([\w.-]+)==([\w.!+]+)", "".join(texts), re.MULTILINE)
    return {canonical(name): version for name, version in pairs}


def canonical(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def moved(before: dict[str, str], now: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return (name, version in the lock, version now) of the packages that differ; "-" is absent."""
    names = sorted({*before, *now} - {"pip", "setuptools", "wheel", "tinyml-helpers"})
    both = ((name, before.get(name, "-"), now.get(name, "-")) for name in names)
    return [row for row in both if row[1] != row[2] and row[2] != "-"]


def parts(report: Path) -> list[Part]:
    """Read pytest's XML report: a part for each lesson or test file, in order of name."""
    cases = defaultdict(list)
    for case in ElementTree.parse(report).iter("testcase"):
        cases[name_of(case.get("classname", ""), case.get("name", ""))].append(case)
    return [part(name, cases[name]) for name in sorted(cases)]


def name_of(classname: str, name: str) -> str:
    """Return the lesson's or the test file's name from what pytest calls a test."""
    lesson = re.search(r"(\d\d_\w+?)(?:\.ipynb|::|$|/)", f"{classname} {name}".replace("notebooks.", ""))
    return lesson[1] if lesson else classname.split(".")[-1] or name


def part(name: str, cases: list[ElementTree.Element]) -> Part:
    """Count one part's cases, and keep the last line of its first failure."""
    failures = [
        found
        for case in cases
        for kind in ("failure", "error")
        if (found := case.find(kind)) is not None
    ]
    first = (failures[0].get("message") or failures[0].text or "").strip() if failures else ""
    line = next((x for x in reversed(first.splitlines()) if x.strip()), "")
    return Part(name, len(cases) - len(failures), line.strip()[:160], len(failures))


def install(exact: bool) -> dict[str, str]:
    """Make the environment anew; return name -> version of what it holds."""
    venv.create(FOLDER / "venv", with_pip=True, clear=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    command = [str(PYTHON), "bootstrap.py", "--here"]
    if not exact:
        # pip itself may search for hours for the newest set that fits together.
        subprocess.run([*pip, "install", "--quiet", "uv"], check=True)
        uv = [str(PYTHON), "-m", "uv", "pip", "install", "--quiet", "--python", str(PYTHON)]
        command = [*uv, "--upgrade", f".[{EXTRAS}]"]
    print("Installing: a few minutes.", flush=True)
    if subprocess.run(command, cwd=ROOT).returncode:
        sys.exit("The packages could not be installed: check the network, or read the words above.")
    subprocess.run([*pip, "uninstall", "--quiet", "--yes", "tinyml-helpers"], cwd=ROOT, check=True)
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--editable", "."], cwd=ROOT, check=True)
    listed = subprocess.run([*pip, "list", "--format=json"], capture_output=True, text=True, check=True)
    return {canonical(one["name"]): one["version"] for one in json.loads(listed.stdout)}


def run(name: str, exact: bool) -> list[Part]:
    """Run one set of tests; return its parts."""
    report = FOLDER / f"{name}.xml"
    report.unlink(missing_ok=True)
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
        "TINYML_RESULTS": str(FOLDER / "results"),
        "PYTHONPATH": str(ROOT / "tests" / "guard"),
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [str(PYTHON), "-m", "pytest", f"--junitxml={report}", *RUNS[name]]
    command += [] if exact else ["--deselect", DOCTOR]
    subprocess.run(command, cwd=ROOT, env=environment)
    if not report.exists():
        return [Part(name, 0, "pytest itself did not run to its end", 1)]
    return parts(report)


def write(rows: list[tuple[str, str, str]], found: list[Part]) -> str:
    """Return the report as Markdown: what is newer, and what broke."""
    broken = [part for part in found if part.failed]
    lines = [f"# Python {'.'.join(map(str, sys.version_info[:3]))}", ""]
    lines += [f"{sum(p.passed for p in found)} passed, {sum(p.failed for p in found)} failed.", ""]
    lines += ["| broke | tests | first failure |", "|---|--:|---|"]
    lines += [f"| {p.name} | {p.failed} | {p.first_failure.replace('|', '/')} |" for p in broken]
    lines += ["", "| package | in the lock | here |", "|---|---|---|"]
    lines += [f"| {name} | {before} | {now} |" for name, before, now in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Install, run, report; exit with 1 where something broke."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--locked", action="store_true", help="the set of requirements.lock")
    options.add_argument("--keep", action="store_true", help="use build/latest/venv as it is")
    options.add_argument("--only", choices=list(RUNS), help="one of the two sets of tests")
    chosen = options.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    if chosen.keep:
        listed = subprocess.check_output([PYTHON, "-m", "pip", "list", "--format=json"], text=True)
        now = {canonical(one["name"]): one["version"] for one in json.loads(listed)}
    else:
        now = install(chosen.locked)
    found = [one for name in RUNS if chosen.only in (None, name) for one in run(name, chosen.locked)]
    text = write(moved(locked(), now), found)
    (FOLDER / "report.md").write_text(text, "utf-8")
    print(text)
    sys.exit(any(one.failed for one in found))


if __name__ == "__main__":
    main()
