"""Hold two runs of the lessons against each other: checked outputs, and records but for times.

python tests/whole/compare.py FOLDER OTHER [--threads]

The folders hold executed notebooks; `results/` in each holds the records. `--threads` says that the
number of threads differed: then sums run in another order, trained weights differ in their last
digits, and what hangs on them may stray as far as TOLERANCES says.
"""

from __future__ import annotations

import configparser
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

MARK = "# NBVAL_CHECK_OUTPUT"
# Measured with this machine's clock; compared never.
TIMES = re.compile(r"(_host|latency_ms|_seconds|wall_\w+)$")
# With another number of threads, by unit or by name: how far a value may stray.
TOLERANCES: tuple[tuple[str, float], ...] = (
    (r"instructions|mismatched|cycles| bytes$| B$| MB$", 0.0),  # counted, not measured
    (r" percent$| points$", 1.5),  # a network trained on the spot
    (r"auc|cosine$", 0.02),
    (r"max_abs_difference", 1e-4),
    (r"", 0.02),  # ratios
)
_RULES = Path(__file__).parents[1] / "sanitize.cfg"


def records(folder: Path) -> dict[str, tuple[float, str]]:
    """Return name -> (value, unit) of what was recorded."""
    files = sorted((folder / "results").glob("[0-9][0-9].json"))
    entries = [entry for file in files for entry in json.loads(file.read_text("utf-8"))]
    return {entry["name"]: (entry["value"], entry["unit"]) for entry in entries}


def tolerance(name: str, unit: str) -> float:
    """Return how far a record may stray with another number of threads."""
    return next(room for rule, room in TOLERANCES if re.search(rule, f"{name} {unit}"))


def strayed(one: Path, other: Path, *, threads: bool = False) -> list[str]:
    """Return a sentence for each record that differs, or that only one run has."""
    first, second = records(one), records(other)
    told = [f"{name} is recorded in one run only" for name in sorted(set(first) ^ set(second))]
    for name in sorted(set(first) & set(second)):
        (value, unit), (again, _) = first[name], second[name]
        room = tolerance(name, unit) if threads else 0.0
        if not TIMES.search(name) and not math.isclose(value, again, rel_tol=1e-12, abs_tol=room):
            told.append(f"{name}: {value} and {again} {unit}")
    return told


def changed(one: Path, other: Path) -> list[str]:
    """Return the checked cells whose outputs differ, after what nbval would replace is replaced."""
    first, second = _checked(_notebook(one)), _checked(_notebook(other))
    if len(first) != len(second):
        return [f"{one.name}: {len(first)} and {len(second)} checked cells"]
    pairs = enumerate(zip(first, second, strict=True))
    return [f"{one.name}, checked cell {n}: {a!r} and {b!r}" for n, (a, b) in pairs if a != b]


def _notebook(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _checked(notebook: Any) -> list[list[str]]:
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [_texts(cell) for cell in cells if MARK in "".join(cell["source"])]


def _texts(cell: Any) -> list[str]:
    """Return what a cell printed and showed as text; its standard error and progress bars apart."""
    shown = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        if output.get("name") != "stderr" and "application/vnd.jupyter.widget-view+json" not in data:
            text = output.get("text") or data.get("text/plain", "")
            shown.append(_sanitized("".join(text)))
    # A stream may arrive in one piece or in several.
    return ["".join(shown)]


def _sanitized(text: str) -> str:
    rules = configparser.RawConfigParser()
    rules.read(_RULES, "utf-8")
    for section in rules.sections():
        text = re.sub(rules[section]["regex"], rules[section]["replace"], text)
    return text


def differences(one: Path, other: Path, *, threads: bool = False) -> list[str]:
    """Compare two runs: a sentence for each difference; none is what is wanted."""
    names = sorted({path.name for folder in (one, other) for path in folder.glob("[0-9][0-9]_*.ipynb")})
    told = strayed(one, other, threads=threads)
    for name in names:
        if not (one / name).exists() or not (other / name).exists():
            told.append(f"{name} was run in one of them only")
        else:
            told += changed(one / name, other / name)
    return told


def main() -> None:
    """Print the differences; leave with 1 if there are any."""
    folders = [Path(word) for word in sys.argv[1:] if word != "--threads"]
    told = differences(*folders, threads="--threads" in sys.argv)
    print(
        "\n".join(told) or f"equal: {len(records(folders[0]))} records, checked outputs, but for times"
    )
    sys.exit(bool(told))


if __name__ == "__main__":
    main()
